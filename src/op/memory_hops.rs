//! The hops of an end-to-end memory network, and its answer's logits (Sukhbaatar 2015, section 2).

use crate::graph::Tensor;
use crate::graph::op::{
    Backward, Distribution, Facts, Kind, Op, Output, Problem, Sampler, Tolerance, floats,
};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{at_once, lanes};

mod answer;
mod grad;

pub use answer::AnswerGrad;
pub use grad::MemoryHopsGrad;

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

impl Op for MemoryHops {
    fn kind(&self) -> Kind {
        Kind::new("memory_hops", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let network = Network::of(*self, &inputs[1], &inputs[2])?;
        if inputs[0] != network.question() {
            return Err(format!("question {} does not fit {}", inputs[0], inputs[1]));
        }
        let [states, attention] = network.saved().map(Output::saved);
        let outputs = [Output::new(network.logits()), states, attention];
        let facts = Facts::moving(network.flops(1), inputs, outputs, network.tolerance())
            .drawn_from(WELL_CONDITIONED);
        Ok(Box::new(MemoryHopsProblem { network, facts }))
    }

    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let Some(d_logits) = dy[0] else {
            return vec![None; x.len()];
        };
        let stride = x[2].spec().shape.last();
        let g = d_logits.graph();
        let inner = g.apply(MemoryHopsGrad(*self), &[d_logits, x[1], x[2], y[1], y[2]]);
        let d_embeddings = g.apply1(AnswerGrad { stride }, &[d_logits, y[1]]);
        vec![Some(inner[0]), Some(inner[1]), Some(d_embeddings)]
    }
}

/// A network at its sizes.
#[derive(Debug, Clone, Copy)]
struct Network {
    op: MemoryHops,
    batch: usize,
    memories: usize,
    dimension: usize,
    hops: usize,
    /// Elements from one embedding table to the next.
    stride: usize,
}

impl Network {
    fn of(op: MemoryHops, memories: &TensorSpec, embeddings: &TensorSpec) -> Result<Self, String> {
        floats(&[memories.clone(), embeddings.clone()])?;
        match (memories.dims(), embeddings.dims()) {
            (&[tables, batch, sentences, dimension], &[embedding_tables, stride])
                if tables == embedding_tables
                    && tables > 1
                    && stride >= dimension * op.vocabulary =>
            {
                Ok(Self { op, batch, memories: sentences, dimension, hops: tables - 1, stride })
            }
            _ => Err(format!("memories {memories} do not fit embeddings {embeddings}")),
        }
    }

    /// [B, d].
    fn question(&self) -> TensorSpec {
        TensorSpec::f32([self.batch, self.dimension])
    }

    /// [K, B, M, d].
    fn memories(&self) -> TensorSpec {
        TensorSpec::f32([self.hops + 1, self.batch, self.memories, self.dimension])
    }

    /// [B, V].
    fn logits(&self) -> TensorSpec {
        TensorSpec::f32([self.batch, self.op.vocabulary])
    }

    /// States [B, K, d] and attention [B, K - 1, M].
    fn saved(&self) -> [TensorSpec; 2] {
        let Self { batch, memories, dimension, hops, .. } = *self;
        [[batch, hops + 1, dimension], [batch, hops, memories]].map(TensorSpec::f32)
    }

    /// Multiply-adds of all hops, `times` over, and of the answer.
    fn flops(&self, times: usize) -> u64 {
        let inner = 2 * times * self.hops * self.memories;
        2 * (self.batch * self.dimension * (inner + self.op.vocabulary)) as u64
    }

    /// Scores feel the rounding of the hops before, and an exponential passes it on.
    fn tolerance(&self) -> Tolerance {
        Tolerance::sum(16 * self.memories * self.dimension)
    }

    /// Shader `name` by workgroup size: a story's memories and values are tens; on a CPU first `stories`.
    fn variants(&self, name: &'static str, stories: &'static str, caps: &Caps) -> Vec<Variant> {
        let by = |lanes: u32| Variant::new(name, [("LANES", lanes)]);
        if !caps.software {
            return [64, 8].map(by).to_vec();
        }
        // A CPU's invocations are lanes of a loop, and a barrier costs it a walk over all of them.
        let width = at_once(&[self.dimension, self.hops * self.stride], caps);
        let lanes = 8;
        let whole = Variant::new(stories, [("LANES", lanes), ("WIDTH", width)]);
        // Backward a story has two values of each memory in what a workgroup shares.
        let shared = 4 * 2 * lanes as usize * self.memories;
        let fits = self.batch >= 8 && shared <= caps.max_shared as usize;
        let whole = fits.then_some(whole);
        whole.into_iter().chain([by(8)]).collect()
    }

    /// A variant's dispatch, one workgroup or one lane a story, nothing bound yet.
    fn dispatch(&self, variant: &Variant, caps: &Caps) -> Dispatch {
        let kernel = Kernel::new(format!("memory_hops/{}", variant.name))
            .with_consts(&[
                ("D", self.dimension),
                ("M", self.memories),
                ("HOPS", self.hops),
                ("BATCH", self.batch),
                ("VOCABULARY", self.op.vocabulary),
                ("LAST", self.hops * self.stride),
            ])
            .with_text("LINEAR", self.op.linear.to_string())
            .with_consts(&variant.consts);
        if variant.name.starts_with("stories") {
            let kernel = kernel.with_hook("lanes", lanes(variant.get("WIDTH") as usize));
            Dispatch::new(kernel, grid(self.batch.div_ceil(variant.get("LANES") as usize), caps))
        } else {
            Dispatch::new(kernel, grid(self.batch, caps))
        }
    }

    /// Where in [K, B, M, d] the row of a table, story and sentence begins.
    fn memory(&self, k: usize, b: usize, i: usize) -> usize {
        ((k * self.batch + b) * self.memories + i) * self.dimension
    }

    /// A draw with scores where neighbouring memories share the attention, as in models.
    fn sample(&self, spec: &TensorSpec, sampler: &mut Sampler) -> Array {
        let mut array = sampler.array(spec, 4);
        let scale = 1.0 / (self.dimension as f64).sqrt();
        array.data.iter_mut().for_each(|x| *x *= scale);
        array.rounded()
    }

    /// Logits, states and attention in f64, of question, memories and embeddings.
    fn forward(&self, inputs: &[&Array]) -> Vec<Array> {
        let Self { op, memories: m, dimension: d, hops, stride, .. } = *self;
        let mut logits = Array::zeros(self.logits());
        let [mut states, mut attention] = self.saved().map(Array::zeros);
        for b in 0..self.batch {
            let memory = |k: usize, i: usize| &inputs[1].data[self.memory(k, b, i)..][..d];
            let mut u = inputs[0].data[b * d..][..d].to_vec();
            for k in 0..=hops {
                states.data[(b * (hops + 1) + k) * d..][..d].copy_from_slice(&u);
                if k == hops {
                    break;
                }
                let mut p: Vec<f64> = (0..m).map(|i| dot(&u, memory(k, i))).collect();
                if !op.linear {
                    let highest = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    p.iter_mut().for_each(|p| *p = (*p - highest).exp());
                    let sum: f64 = p.iter().sum();
                    p.iter_mut().for_each(|p| *p /= sum);
                }
                attention.data[(b * hops + k) * m..][..m].copy_from_slice(&p);
                for (i, p) in p.iter().enumerate() {
                    u.iter_mut().zip(memory(k + 1, i)).for_each(|(u, c)| *u += p * c);
                }
            }
            for v in 1..op.vocabulary {
                let row = &inputs[2].data[hops * stride + v * d..][..d];
                logits.data[b * op.vocabulary + v] = dot(&u, row);
            }
        }
        vec![logits, states, attention]
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Three hops of products of large values decide between memories by more digits than f32 has.
const WELL_CONDITIONED: &[Distribution] =
    &[Distribution::Uniform, Distribution::Ties, Distribution::Zeros];

#[derive(Debug)]
struct MemoryHopsProblem {
    network: Network,
    /// Outputs: logits, states and attention.
    facts: Facts,
}

impl Problem for MemoryHopsProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.network.variants("forward", "stories", caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let dispatch = self.network.dispatch(variant, caps);
        Lowered::one(
            dispatch
                .bind("asked", input(0))
                .bind("memories", input(1))
                .bind("embedding", input(2))
                .bind("logits", output(0))
                .bind("states", output(1))
                .bind("attention", output(2)),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        self.network.forward(inputs)
    }

    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        x.iter().map(|spec| self.network.sample(spec, sampler)).collect()
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
        let outputs = self.graph().apply(hops, &[self, memories, embeddings]);
        Answer { logits: outputs[0], attention: outputs[2] }
    }
}

/// Awkward cases of [`MemoryHops`], [`MemoryHopsGrad`] and [`AnswerGrad`].
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (tables, batch, memories, dimension, vocabulary, linear, step) in [
        (2usize, 1usize, 1usize, 1usize, 1usize, false, 64usize),
        (2, 2, 3, 4, 5, false, 64),
        (3, 2, 3, 4, 5, true, 64),
        (4, 3, 5, 3, 4, false, 64),
        (3, 9, 3, 5, 7, false, 64),
        (3, 9, 3, 8, 5, true, 64),
        // Rows of whole vec4s in tables that begin within one.
        (2, 9, 2, 4, 5, false, 7),
        (4, 32, 10, 20, 22, false, 64),
        (4, 32, 10, 20, 22, true, 64),
        (4, 5, 50, 50, 180, false, 64),
        (5, 7, 67, 33, 129, false, 64),
        // More than 65,535 workgroups.
        (2, 66_000, 1, 1, 2, false, 64),
    ] {
        let stride = (vocabulary * dimension).next_multiple_of(step);
        let op = MemoryHops { vocabulary, linear };
        let network = Network { batch, memories, dimension, hops: tables - 1, stride, op };
        let linear = if linear { "_linear" } else { "" };
        let name = format!("k{tables}_b{batch}_m{memories}_d{dimension}_v{vocabulary}{linear}");
        let embeddings = TensorSpec::f32([tables, stride]);
        let inputs = [network.question(), network.memories(), embeddings.clone()];
        cases.push(Case::new(&*name, op, inputs));
        let [states, attention] = network.saved();
        let logits = network.logits();
        let inputs = [logits.clone(), network.memories(), embeddings, states.clone(), attention];
        cases.push(Case::new(format!("{name}_back"), MemoryHopsGrad(op), inputs));
        let answer = AnswerGrad { stride };
        cases.push(Case::new(format!("{name}_answer"), answer, [logits, states]));
    }
    cases
}
