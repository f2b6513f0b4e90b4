//! Sentences as position-encoded bags of words: what a memory network keeps (Sukhbaatar 2015, section 4.1).

use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::chain::{Chain, text_epilogue_of};
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Op, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

/// Sizes that the tables' tensors alone do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tables {
    /// d: values of a word.
    pub dimension: usize,
    /// V: words, none among them.
    pub vocabulary: usize,
}

/// Inputs: story u32 [B, M, S], question u32 [B, S], embeddings [K, V d and a gap], temporal rows [K, M d and
/// a gap]. Outputs: memories [K, B, M, d] and the question under the first table [B, d]. Word 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddingBag(pub Tables);

/// The gradient of [`EmbeddingBag`] with respect to the tables: story, question, dmemories [K, B, M, d] and
/// dasked [B, d] to the embeddings' and the temporal rows' gradients, gaps and word 0 being 0.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingBagGrad {
    /// Sizes.
    pub tables: Tables,
    /// Elements from one embedding table to the next, and from one temporal table to the next.
    pub strides: [usize; 2],
    /// Applied to each value of the embeddings' gradient as it is stored; its other inputs come last.
    pub epilogue: Option<Chain>,
}

/// The lengths of one problem.
#[derive(Debug, Clone, Copy)]
struct Size {
    batch: usize,
    memories: usize,
    words: usize,
    tables: usize,
}

impl Size {
    fn of(story: &TensorSpec, question: &TensorSpec, tables: usize) -> Result<Self, String> {
        let [batch, memories, words] = *story.dims() else {
            return Err(format!("takes a story u32 [B, M, S], not {story}"));
        };
        if story.dtype != DType::U32 || *question != TensorSpec::u32([batch, words]) {
            return Err(format!("{story} needs a question u32 [B, S], not {question}"));
        }
        Ok(Self { batch, memories, words, tables })
    }

    /// l(j, n) of section 4.1, with j and n from 0.
    fn weight(self, j: usize, n: usize, dimension: usize) -> f64 {
        let along = (j + 1) as f64 / self.words as f64;
        let across = (n + 1) as f64 / dimension as f64;
        (1.0 - along) - across * (1.0 - 2.0 * along)
    }

    /// What both kernels are specialised by.
    fn consts(self, dimension: usize, strides: [usize; 2]) -> [(&'static str, u32); 7] {
        [
            ("D", dimension),
            ("TABLES", self.tables),
            ("BATCH", self.batch),
            ("MEMORIES", self.memories),
            ("WORDS", self.words),
            ("STRIDE_E", strides[0]),
            ("STRIDE_T", strides[1]),
        ]
        .map(|(name, value)| (name, value as u32))
    }

    /// Multiply-adds of all sentences under all tables.
    fn flops(self, dimension: usize) -> u64 {
        let sentences = self.batch * (self.memories * self.tables + 1);
        2 * (sentences * self.words * dimension) as u64
    }
}

/// The number of tables and the elements from one to the next.
fn strides(spec: &TensorSpec, least: usize) -> Result<(usize, usize), String> {
    match *spec.dims() {
        [tables, stride] if stride >= least && spec.dtype == DType::F32 => Ok((tables, stride)),
        _ => Err(format!("{spec} does not hold tables of {least}")),
    }
}

impl EmbeddingBag {
    fn size(&self, inputs: &[TensorSpec]) -> Result<(Size, usize, usize), String> {
        let Tables { dimension, vocabulary } = self.0;
        let (tables, stride_e) = strides(&inputs[2], dimension * vocabulary)?;
        let size = Size::of(&inputs[0], &inputs[1], tables)?;
        let (others, stride_t) = strides(&inputs[3], dimension * size.memories)?;
        if others != tables {
            return Err(format!("{} and {} differ", inputs[2], inputs[3]));
        }
        Ok((size, stride_e, stride_t))
    }
}

impl OldOp for EmbeddingBag {
    fn name(&self) -> &'static str {
        "embedding_bag"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let (size, ..) = self.size(inputs)?;
        let d = self.0.dimension;
        Ok(vec![
            TensorSpec::f32([size.tables, size.batch, size.memories, d]),
            TensorSpec::f32([size.batch, d]),
        ])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        let flops = self.size(inputs).map_or(0, |(size, ..)| size.flops(self.0.dimension));
        Cost::new(flops, inputs, &outputs)
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("forward", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok((size, stride_e, stride_t)) = self.size(io.inputs) else {
            return Lowered::default();
        };
        let d = self.0.dimension;
        let invocations = size.batch * (size.memories + 1) * d;
        Lowered::one(Dispatch {
            kernel: Kernel::of("embedding_bag", variant)
                .with_consts(&size.consts(d, [stride_e, stride_t])),
            bindings: [0, 1, 2, 3].map(input).into_iter().chain([output(0), output(1)]).collect(),
            params: vec![],
            grid: grid(invocations.div_ceil(64), io.caps),
        })
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        // Values are finite, so that 0 times them is 0.
        let d = |i: usize| dy[i].unwrap_or_else(|| y[i].scale(0.0));
        let op = EmbeddingBagGrad {
            tables: self.0,
            strides: [x[2].spec().shape.last(), x[3].spec().shape.last()],
            epilogue: None,
        };
        let all = x[0].graph().apply(op, &[x[0], x[1], d(0), d(1)]);
        vec![None, None, Some(all[0]), Some(all[1])]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let (Ok((size, stride_e, stride_t)), Ok(outputs)) =
            (self.size(&specs), self.output(&specs))
        else {
            return vec![];
        };
        let d = self.0.dimension;
        let mut memories = Array::zeros(outputs[0].clone());
        let mut asked = Array::zeros(outputs[1].clone());
        let bag = |words: &[f64], table: usize, n: usize| -> f64 {
            let word = |(j, &id): (usize, &f64)| {
                let value = inputs[2].data[table * stride_e + id as usize * d + n];
                if id > 0.0 { size.weight(j, n, d) * value } else { 0.0 }
            };
            words.iter().enumerate().map(word).sum()
        };
        let rows = memories.data.chunks_mut(d).enumerate();
        for (row, values) in rows {
            let (table, sentence) =
                (row / (size.batch * size.memories), row % (size.batch * size.memories));
            let words = &inputs[0].data[sentence * size.words..][..size.words];
            for (n, value) in values.iter_mut().enumerate() {
                let place = sentence % size.memories;
                *value = bag(words, table, n) + inputs[3].data[table * stride_t + place * d + n];
            }
        }
        for (b, values) in asked.data.chunks_mut(d).enumerate() {
            let words = &inputs[1].data[b * size.words..][..size.words];
            for (n, value) in values.iter_mut().enumerate() {
                *value = bag(words, 0, n);
            }
        }
        vec![memories, asked]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(2 * inputs[0].shape.last())
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        let draw = |spec: &TensorSpec| distribution.array(spec, self.0.vocabulary, rng);
        i.iter().map(draw).collect()
    }

    fn distributions(&self) -> &'static [Distribution] {
        WITHOUT_TINY
    }
}

/// Where denormals are flushed, products of them are 0.
const WITHOUT_TINY: &[Distribution] = &[
    Distribution::Uniform,
    Distribution::Offset,
    Distribution::Ties,
    Distribution::Zeros,
    Distribution::Extreme,
];

impl EmbeddingBagGrad {
    fn size(&self, inputs: &[TensorSpec]) -> Result<Size, String> {
        let tables = inputs[2].dims().first().copied().unwrap_or(0);
        let size = Size::of(&inputs[0], &inputs[1], tables)?;
        let d = self.tables.dimension;
        let memories = TensorSpec::f32([tables, size.batch, size.memories, d]);
        if inputs[2] != memories || inputs[3] != TensorSpec::f32([size.batch, d]) {
            return Err(format!("{} and {} are no gradients of a bag", inputs[2], inputs[3]));
        }
        Ok(size)
    }

    fn outputs(&self, tables: usize) -> Vec<TensorSpec> {
        self.strides.map(|stride| TensorSpec::f32([tables, stride])).to_vec()
    }
}

/// Words an invocation looks at between two gatherings.
const EACH: u32 = 16;

impl OldOp for EmbeddingBagGrad {
    fn name(&self) -> &'static str {
        "embedding_bag_grad"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        Ok(self.outputs(self.size(inputs)?.tables))
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        let flops = self.size(inputs).map_or(0, |size| size.flops(self.tables.dimension));
        let stored = self.epilogue.as_ref().map_or(0, Chain::flops) * outputs[0].len() as u64;
        Cost::new(flops + stored, inputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        let columns = self.size(inputs).map_or(1, |s| s.tables) * self.tables.dimension;
        let by = |lanes: u32| {
            let held = (columns as u32).div_ceil(lanes);
            Variant::new("backward", [("LANES", lanes), ("HELD", held), ("EACH", EACH)])
        };
        // A CPU's invocations are lanes of a loop: more of them gain nothing.
        if caps.software { vec![by(32), by(64)] } else { vec![by(64), by(32)] }
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok(size) = self.size(io.inputs) else {
            return Lowered::default();
        };
        let Tables { dimension, vocabulary } = self.tables;
        let mut kernel = Kernel::of("embedding_bag", variant)
            .with_consts(&size.consts(dimension, self.strides))
            .with_consts(&[("VOCABULARY", vocabulary as u32)]);
        let mut bindings: Vec<_> = [0, 1, 2, 3].map(input).into();
        bindings.extend([output(0), output(1)]);
        if let Some(map) = &self.epilogue {
            let seen: Vec<_> = io.outputs[..1].iter().chain(&io.inputs[4..]).cloned().collect();
            let text = text_epilogue_of(map, &seen, &io.outputs[0].shape, 6, 1);
            kernel = kernel.with_hook("epilogue", text);
            bindings.extend((4..io.inputs.len()).map(input));
        }
        Lowered::one(Dispatch {
            kernel,
            bindings,
            params: vec![],
            grid: grid(vocabulary + size.memories + 1, io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let Ok(size) = self.size(&specs) else {
            return vec![];
        };
        let d = self.tables.dimension;
        let [stride_e, stride_t] = self.strides;
        let mut made: Vec<_> = self.outputs(size.tables).into_iter().map(Array::zeros).collect();
        let sentences = size.batch * size.memories;
        for (row, values) in inputs[2].data.chunks(d).enumerate() {
            let (table, sentence) = (row / sentences, row % sentences);
            for (n, value) in values.iter().enumerate() {
                made[1].data[table * stride_t + sentence % size.memories * d + n] += value;
                for j in 0..size.words {
                    let word = inputs[0].data[sentence * size.words + j] as usize;
                    if word > 0 {
                        made[0].data[table * stride_e + word * d + n] +=
                            size.weight(j, n, d) * value;
                    }
                }
            }
        }
        for (place, &word) in inputs[1].data.iter().enumerate() {
            for n in (0..d).filter(|_| word > 0.0) {
                let value = inputs[3].data[place / size.words * d + n];
                made[0].data[word as usize * d + n] +=
                    size.weight(place % size.words, n, d) * value;
            }
        }
        if let Some(map) = &self.epilogue {
            let extras = inputs[4..].iter().copied();
            let all: Vec<_> = std::iter::once(&made[0]).chain(extras).collect();
            made[0] = map.apply(&made[0].spec.shape, &all);
        }
        made
    }

    /// A word may be most of all there are.
    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(inputs[0].len().max(16))
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        let draw = |spec: &TensorSpec| distribution.array(spec, self.tables.vocabulary, rng);
        i.iter().map(draw).collect()
    }

    fn distributions(&self) -> &'static [Distribution] {
        WITHOUT_TINY
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        // Six bindings are taken by then, of the eight that every device has.
        let epilogue = chain.behind(self.epilogue.as_ref());
        (!chain.is_random() && epilogue.inputs <= 3)
            .then(|| Arc::new(Self { epilogue: Some(epilogue), ..self.clone() }) as Arc<dyn Op>)
    }

    fn types(&self) -> Vec<(&'static str, Class)> {
        let rest = self.epilogue.as_ref().map(Chain::types).unwrap_or_default();
        std::iter::once((self.name(), self.class())).chain(rest).collect()
    }
}

impl<'g> Tensor<'g> {
    /// The sentences of `self`, a story u32 [B, M, S], under each of K tables as memories [K, B, M, d], and
    /// `question` u32 [B, S] under the first as [B, d] (Sukhbaatar 2015, sections 2.1 and 4.1). `embeddings`
    /// and `temporal` are stacks of K parameters.
    pub fn embedding_bag(
        self,
        question: Tensor<'g>,
        embeddings: Tensor<'g>,
        temporal: Tensor<'g>,
        tables: Tables,
    ) -> (Tensor<'g>, Tensor<'g>) {
        let inputs = [self, question, embeddings, temporal];
        let made = self.graph().apply(EmbeddingBag(tables), &inputs);
        (made[0], made[1])
    }
}

/// Cases of [`EmbeddingBag`] and [`EmbeddingBagGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "embedding_bag"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (k, batch, m, s, dimension, vocabulary) in [
            (1, 1, 1, 1, 1, 2),
            (2, 3, 2, 3, 5, 4),
            (4, 7, 10, 6, 20, 22),
            (3, 2, 50, 11, 50, 181),
            (4, 8, 50, 11, 50, 180),
            (2, 4, 300, 5, 7, 3),
        ] {
            let tables = Tables { dimension, vocabulary };
            let strides = [vocabulary * dimension, m * dimension].map(|n| n.next_multiple_of(64));
            let story = [TensorSpec::u32([batch, m, s]), TensorSpec::u32([batch, s])];
            let name = format!("k{k}_b{batch}_m{m}_s{s}_d{dimension}_v{vocabulary}");
            let stacks = strides.map(|n| TensorSpec::f32([k, n]));
            cases.push(Case::new(&*name, EmbeddingBag(tables), [&story[..], &stacks].concat()));
            let grads =
                [TensorSpec::f32([k, batch, m, dimension]), TensorSpec::f32([batch, dimension])];
            let grad = EmbeddingBagGrad { tables, strides, epilogue: None };
            let inputs = [&story[..], &grads].concat();
            cases.push(Case::new(format!("{name}_back"), grad.clone(), inputs.clone()));
            let sum = Some(Chain::one(crate::graph::chain::Function::Add));
            let added = EmbeddingBagGrad { epilogue: sum, ..grad };
            let inputs = [&inputs[..], &stacks[..1]].concat();
            cases.push(Case::new(format!("{name}_back_add"), added, inputs));
        }
        cases
    }
}
