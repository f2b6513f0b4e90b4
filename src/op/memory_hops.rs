//! The hops of an end-to-end memory network, and its answer's logits (Sukhbaatar 2015, section 2).

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

/// Inputs: question [B, d], memories [K, B, M, d], embeddings [K, V d and a gap]. Outputs: logits [B, V], and
/// what the backward pass reads: the states u [B, K, d] and the attention p [B, K - 1, M]. Hop k matches
/// against memories k and takes from memories k + 1; the last table is the answer's weight. Word 0 is none: its
/// logit is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryHops {
    /// V: words.
    pub vocabulary: usize,
    /// Without the softmax: how training starts (section 5).
    pub linear: bool,
}

/// The gradient with respect to the question and the memories: dlogits, memories, embeddings, states and
/// attention to dquestion [B, d] and dmemories [K, B, M, d].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryHopsGrad(pub MemoryHops);

/// The gradient with respect to the embeddings: dlogits [B, V] and states [B, K, d] to [K, stride].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerGrad {
    /// Elements from one table to the next.
    pub stride: usize,
}

/// The lengths of one problem.
#[derive(Debug, Clone, Copy)]
struct Size {
    batch: usize,
    memories: usize,
    dimension: usize,
    hops: usize,
    stride: usize,
}

impl MemoryHops {
    fn size(&self, memories: &TensorSpec, embeddings: &TensorSpec) -> Result<Size, String> {
        match (memories.dims(), embeddings.dims()) {
            (&[tables, batch, memories, dimension], &[others, stride])
                if tables == others && tables > 1 && stride >= dimension * self.vocabulary =>
            {
                Ok(Size { batch, memories, dimension, hops: tables - 1, stride })
            }
            _ => Err(format!("{memories} are no memories of {embeddings}")),
        }
    }

    fn kernel(&self, shader: &str, size: Size) -> Kernel {
        Kernel::new(format!("memory_hops/{shader}"))
            .with_consts(&[
                ("D", size.dimension as u32),
                ("M", size.memories as u32),
                ("HOPS", size.hops as u32),
                ("BATCH", size.batch as u32),
                ("VOCABULARY", self.vocabulary as u32),
                ("LAST", (size.hops * size.stride) as u32),
            ])
            .with_text("LINEAR", self.linear.to_string())
    }

    fn saved(&self, size: Size) -> [TensorSpec; 2] {
        let Size { batch, memories, dimension, hops, .. } = size;
        [TensorSpec::f32([batch, hops + 1, dimension]), TensorSpec::f32([batch, hops, memories])]
    }
}

/// Multiply-adds of all hops, `times` over, and of the answer.
fn flops(size: Size, vocabulary: usize, times: usize) -> u64 {
    2 * (size.batch * size.dimension * (2 * times * size.hops * size.memories + vocabulary)) as u64
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Invocations of a workgroup: a story's memories and values are tens.
fn variants(name: &'static str, caps: &Caps) -> Vec<Variant> {
    let by = |lanes: u32| Variant::new(name, [("LANES", lanes)]);
    // A CPU's invocations are lanes of a loop, and a barrier costs it a walk over all of them.
    if caps.software { vec![by(8), by(64)] } else { vec![by(64), by(8)] }
}

impl OldOp for MemoryHops {
    fn name(&self) -> &'static str {
        "memory_hops"
    }

    fn class(&self) -> Class {
        Class::Matrix
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let size = self.size(&inputs[1], &inputs[2])?;
        if inputs[0] != TensorSpec::f32([size.batch, size.dimension]) {
            return Err(format!("{} is no question of {}", inputs[0], inputs[1]));
        }
        let logits = TensorSpec::f32([size.batch, self.vocabulary]);
        Ok(std::iter::once(logits).chain(self.saved(size)).collect())
    }

    fn saved(&self) -> usize {
        2
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops =
            self.size(&inputs[1], &inputs[2]).map_or(0, |size| flops(size, self.vocabulary, 1));
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, _inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants("forward", caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok(size) = self.size(&io.inputs[1], &io.inputs[2]) else {
            return Lowered::default();
        };
        Lowered::one(Dispatch {
            kernel: self.kernel("forward", size).with_consts(&variant.consts),
            bindings: vec![input(0), input(1), input(2), output(0), output(1), output(2)],
            params: vec![],
            grid: [size.batch as u32, 1, 1],
        })
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let Some(dlogits) = dy[0] else {
            return vec![None; x.len()];
        };
        let stride = x[2].spec().shape.last();
        let g = dlogits.graph();
        let inner = g.apply(MemoryHopsGrad(*self), &[dlogits, x[1], x[2], y[1], y[2]]);
        let answer = g.apply1(AnswerGrad { stride }, &[dlogits, y[1]]);
        vec![Some(inner[0]), Some(inner[1]), Some(answer)]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Ok(size) = self.size(&inputs[1].spec, &inputs[2].spec) else {
            return vec![];
        };
        let (d, m) = (size.dimension, size.memories);
        let [states, attention] = self.saved(size);
        let mut logits = Array::zeros(TensorSpec::f32([size.batch, self.vocabulary]));
        let (mut states, mut attention) = (Array::zeros(states), Array::zeros(attention));
        for b in 0..size.batch {
            let memory =
                |k: usize, i: usize| &inputs[1].data[((k * size.batch + b) * m + i) * d..][..d];
            let mut u = inputs[0].data[b * d..][..d].to_vec();
            for k in 0..=size.hops {
                states.data[(b * (size.hops + 1) + k) * d..][..d].copy_from_slice(&u);
                if k == size.hops {
                    break;
                }
                let mut p: Vec<f64> = (0..m).map(|i| dot(&u, memory(k, i))).collect();
                if !self.linear {
                    let highest = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    p.iter_mut().for_each(|p| *p = (*p - highest).exp());
                    let sum: f64 = p.iter().sum();
                    p.iter_mut().for_each(|p| *p /= sum);
                }
                attention.data[(b * size.hops + k) * m..][..m].copy_from_slice(&p);
                for (i, p) in p.iter().enumerate() {
                    u.iter_mut().zip(memory(k + 1, i)).for_each(|(u, c)| *u += p * c);
                }
            }
            for v in 1..self.vocabulary {
                let row = &inputs[2].data[size.hops * size.stride + v * d..][..d];
                logits.data[b * self.vocabulary + v] = dot(&u, row);
            }
        }
        vec![logits, states, attention]
    }

    /// Scores feel the rounding of the hops before, and an exponential passes it on.
    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        let lengths = inputs[1].dims().iter().rev().take(2).product::<usize>();
        Tolerance::sum(16 * lengths)
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        modest(i, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        MODEST
    }
}

/// Values that keep scores where neighbouring memories share the attention, as in models: three hops of
/// products of large values decide between memories by more digits than f32 has.
const MODEST: &[Distribution] = &[Distribution::Uniform, Distribution::Ties, Distribution::Zeros];

fn modest(inputs: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
    let draw = |spec: &TensorSpec| {
        let mut array = distribution.array(spec, 4, rng);
        let scale = 1.0 / (inputs[1].shape.last() as f64).sqrt();
        array.data.iter_mut().for_each(|x| *x *= scale);
        array.rounded()
    };
    inputs.iter().map(draw).collect()
}

impl OldOp for MemoryHopsGrad {
    fn name(&self) -> &'static str {
        "memory_hops_grad"
    }

    fn class(&self) -> Class {
        Class::Matrix
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let size = self.0.size(&inputs[1], &inputs[2])?;
        if inputs[3..] != self.0.saved(size) {
            return Err(format!("{} and {} were not saved by it", inputs[3], inputs[4]));
        }
        let question = TensorSpec::f32([size.batch, size.dimension]);
        Ok(vec![question, inputs[1].clone()])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops =
            self.0.size(&inputs[1], &inputs[2]).map_or(0, |size| flops(size, self.0.vocabulary, 2));
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, _inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants("backward", caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok(size) = self.0.size(&io.inputs[1], &io.inputs[2]) else {
            return Lowered::default();
        };
        let bindings = (0..5).map(input).chain([output(0), output(1)]);
        Lowered::one(Dispatch {
            kernel: self.0.kernel("backward", size).with_consts(&variant.consts),
            bindings: bindings.collect(),
            params: vec![],
            grid: [size.batch as u32, 1, 1],
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Ok(size) = self.0.size(&inputs[1].spec, &inputs[2].spec) else {
            return vec![];
        };
        let (d, m, v) = (size.dimension, size.memories, self.0.vocabulary);
        let mut asked = Array::zeros(TensorSpec::f32([size.batch, d]));
        let mut memories = Array::zeros(inputs[1].spec.clone());
        for b in 0..size.batch {
            let at = |k: usize, i: usize| ((k * size.batch + b) * m + i) * d;
            let dlogits = &inputs[0].data[b * v..][..v];
            let mut du = vec![0.0; d];
            for (word, dlogit) in dlogits.iter().enumerate().skip(1) {
                let row = &inputs[2].data[size.hops * size.stride + word * d..][..d];
                du.iter_mut().zip(row).for_each(|(du, e)| *du += dlogit * e);
            }
            for k in (0..size.hops).rev() {
                let p = &inputs[4].data[(b * size.hops + k) * m..][..m];
                let u = &inputs[3].data[(b * (size.hops + 1) + k) * d..][..d];
                let dp: Vec<f64> =
                    (0..m).map(|i| dot(&du, &inputs[1].data[at(k + 1, i)..][..d])).collect();
                let mean = if self.0.linear { 0.0 } else { dot(p, &dp) };
                let mut before = du.clone();
                for i in 0..m {
                    let ds = if self.0.linear { dp[i] } else { p[i] * (dp[i] - mean) };
                    for n in 0..d {
                        memories.data[at(k + 1, i) + n] += p[i] * du[n];
                        memories.data[at(k, i) + n] += ds * u[n];
                        before[n] += ds * inputs[1].data[at(k, i) + n];
                    }
                }
                du = before;
            }
            asked.data[b * d..][..d].copy_from_slice(&du);
        }
        vec![asked, memories]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        let lengths = inputs[1].dims().iter().rev().take(2).product::<usize>();
        Tolerance::sum(16 * lengths)
    }

    /// States and attention that belong to the memories.
    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        let mut arrays = modest(i, distribution, rng);
        let states = &i[3];
        let question = TensorSpec::f32([states.dims()[0], states.dims()[2]]);
        let question = modest(&[question, i[1].clone()], distribution, rng).swap_remove(0);
        let made = self.0.reference(&[&question, &arrays[1], &arrays[2]]);
        for (array, made) in arrays[3..].iter_mut().zip(&made[1..]) {
            *array = made.rounded();
        }
        arrays
    }

    fn distributions(&self) -> &'static [Distribution] {
        MODEST
    }
}

impl OldOp for AnswerGrad {
    fn name(&self) -> &'static str {
        "answer_grad"
    }

    fn class(&self) -> Class {
        Class::Matrix
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        match (inputs[0].dims(), inputs[1].dims()) {
            (&[batch, v], &[others, tables, d]) if batch == others && v * d <= self.stride => {
                Ok(vec![TensorSpec::f32([tables, self.stride])])
            }
            _ => Err(format!("{} is no gradient of an answer to {}", inputs[0], inputs[1])),
        }
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = 2 * inputs[0].len() * inputs[1].shape.last();
        Cost::new(flops as u64, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("weight", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let (&[batch, v], &[_, tables, d]) = (io.inputs[0].dims(), io.inputs[1].dims()) else {
            return Lowered::default();
        };
        let total = io.outputs[0].len();
        let consts = [
            ("D", d),
            ("HOPS", tables - 1),
            ("BATCH", batch),
            ("VOCABULARY", v),
            ("LAST", (tables - 1) * self.stride),
            ("TOTAL", total),
        ];
        Lowered::one(Dispatch {
            kernel: Kernel::of("memory_hops", variant)
                .with_consts(&consts.map(|(name, value)| (name, value as u32))),
            bindings: vec![input(0), input(1), output(0)],
            params: vec![],
            grid: grid(total.div_ceil(64), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (&[_, v], &[_, tables, d]) = (inputs[0].dims(), inputs[1].dims()) else {
            return vec![];
        };
        let mut gradient = Array::zeros(TensorSpec::f32([tables, self.stride]));
        let last = &mut gradient.data[(tables - 1) * self.stride..][..v * d];
        let words = last.par_chunks_mut(d).enumerate().skip(1);
        words.for_each(|(word, row)| {
            for (b, dlogits) in inputs[0].data.chunks(v).enumerate() {
                let u = &inputs[1].data[(b * tables + tables - 1) * d..][..d];
                row.iter_mut().zip(u).for_each(|(g, u)| *g += dlogits[word] * u);
            }
        });
        vec![gradient]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        // Gaps and other tables make the root mean square small beside a value.
        Tolerance::sum(inputs[0].dims()[0].max(16))
    }

    fn distributions(&self) -> &'static [Distribution] {
        &[
            Distribution::Uniform,
            Distribution::Offset,
            Distribution::Ties,
            Distribution::Zeros,
            Distribution::Extreme,
        ]
    }
}

/// What a memory network gives.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'g> {
    /// [B, V].
    pub logits: Tensor<'g>,
    /// How much of each sentence each hop took, [B, hops, M].
    pub attention: Tensor<'g>,
}

impl<'g> Tensor<'g> {
    /// The answer to the question `self` [B, d] over `memories` [K, B, M, d] by K - 1 hops (Sukhbaatar 2015,
    /// section 2, "adjacent" weights), with the last of the stacked `embeddings` as the answer's weight.
    pub fn memory_hops(
        self,
        memories: Tensor<'g>,
        embeddings: Tensor<'g>,
        hops: MemoryHops,
    ) -> Answer<'g> {
        let made = self.graph().apply(hops, &[self, memories, embeddings]);
        Answer { logits: made[0], attention: made[2] }
    }
}

/// Cases of [`MemoryHops`], [`MemoryHopsGrad`] and [`AnswerGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "memory_hops"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (k, batch, m, d, vocabulary, linear) in [
            (2usize, 1usize, 1usize, 1usize, 1usize, false),
            (2, 2, 3, 4, 5, false),
            (3, 2, 3, 4, 5, true),
            (4, 3, 5, 3, 4, false),
            (4, 32, 10, 20, 22, false),
            (4, 32, 10, 20, 22, true),
            (4, 5, 50, 50, 180, false),
            (5, 7, 67, 33, 129, false),
        ] {
            let stride = (vocabulary * d).next_multiple_of(64);
            let hops = MemoryHops { vocabulary, linear };
            let question = TensorSpec::f32([batch, d]);
            let memories = TensorSpec::f32([k, batch, m, d]);
            let embeddings = TensorSpec::f32([k, stride]);
            let logits = TensorSpec::f32([batch, vocabulary]);
            let states = TensorSpec::f32([batch, k, d]);
            let attention = TensorSpec::f32([batch, k - 1, m]);
            let linear = if linear { "_linear" } else { "" };
            let name = format!("k{k}_b{batch}_m{m}_d{d}_v{vocabulary}{linear}");
            let inputs = [question, memories.clone(), embeddings.clone()];
            cases.push(Case::new(&*name, hops, inputs));
            let inputs = [logits.clone(), memories, embeddings, states.clone(), attention];
            cases.push(Case::new(format!("{name}_back"), MemoryHopsGrad(hops), inputs));
            let answer = AnswerGrad { stride };
            cases.push(Case::new(format!("{name}_answer"), answer, [logits, states]));
        }
        cases
    }
}
