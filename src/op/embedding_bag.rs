//! Sentences as position-encoded bags of words: what a memory network keeps (Sukhbaatar 2015, section 4.1).

use crate::graph::Tensor;
use crate::graph::chain::Chain;
use crate::graph::op::{
    Backward, Distribution, Facts, Kind, Op, Output, Problem, Sampler, Tolerance,
};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{at_once, lanes};

mod grad;

pub use grad::EmbeddingBagGrad;

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
pub struct EmbeddingBag {
    /// Sizes.
    pub tables: Tables,
    /// Whether a third output says where each word occurs, which its gradient needs: u32, a row of bits a word.
    pub indexed: bool,
}

/// Most rows of the index: words of the same rest share one beyond it.
const MOST_BUCKETS: usize = 256;

/// Rows of a column of the index that an invocation fills.
const HELD: usize = 4;

/// The lengths of one problem.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    memories: usize,
    words: usize,
    tables: usize,
    dimension: usize,
    /// Elements from one embedding table to the next, and from one temporal table to the next.
    strides: [usize; 2],
}

impl Sizes {
    /// Of a story u32 [B, M, S] and a question u32 [B, S] under `tables` tables.
    fn of(
        story: &TensorSpec,
        question: &TensorSpec,
        tables: usize,
        dimension: usize,
        strides: [usize; 2],
    ) -> Result<Self, String> {
        let &[batch, memories, words] = story.dims() else {
            return Err(format!("takes a story u32 [B, M, S], not {story}"));
        };
        if story.dtype != DType::U32 || *question != TensorSpec::u32([batch, words]) {
            return Err(format!("{story} needs a question u32 [B, S], not {question}"));
        }
        Ok(Self { batch, memories, words, tables, dimension, strides })
    }

    /// l(j, n) of section 4.1, with j and n from 0.
    fn weight(&self, j: usize, n: usize) -> f64 {
        let along = (j + 1) as f64 / self.words as f64;
        let across = (n + 1) as f64 / self.dimension as f64;
        (1.0 - along) - across * (1.0 - 2.0 * along)
    }

    /// Values of a word that an invocation takes at once.
    fn width(&self, caps: &Caps) -> u32 {
        let [embeddings, temporal] = self.strides;
        at_once(&[self.dimension, embeddings, temporal], caps)
    }

    /// Specialised by all of them.
    fn kernel(&self, variant: &Variant) -> Kernel {
        let lanes = lanes(variant.get("WIDTH") as usize);
        Kernel::of("embedding_bag", variant).with_hook("lanes", lanes).with_consts(&[
            ("D", self.dimension),
            ("TABLES", self.tables),
            ("BATCH", self.batch),
            ("MEMORIES", self.memories),
            ("WORDS", self.words),
            ("STRIDE_E", self.strides[0]),
            ("STRIDE_T", self.strides[1]),
        ])
    }

    /// [K, B, M, d] and [B, d].
    fn memories_and_question(&self) -> [TensorSpec; 2] {
        let Self { batch, memories, tables, dimension, .. } = *self;
        [TensorSpec::f32([tables, batch, memories, dimension]), TensorSpec::f32([batch, dimension])]
    }

    /// Rows of the index of some words.
    fn buckets(vocabulary: usize) -> usize {
        vocabulary.min(MOST_BUCKETS)
    }

    /// Places of words in stories and questions.
    fn places(&self) -> usize {
        self.batch * (self.memories + 1) * self.words
    }

    /// A bit for each place in each row.
    fn index(&self, vocabulary: usize) -> TensorSpec {
        TensorSpec::u32([Self::buckets(vocabulary), self.places().div_ceil(32)])
    }

    /// Where each word occurs.
    fn index_of(&self, story: &Array, question: &Array, vocabulary: usize) -> Array {
        let mut index = Array::zeros(self.index(vocabulary));
        let (buckets, masks) = (Self::buckets(vocabulary), self.places().div_ceil(32));
        for (place, word) in story.data.iter().chain(&question.data).enumerate() {
            let row = *word as usize % buckets;
            index.data[row * masks + place / 32] += f64::from(1u32 << (place % 32));
        }
        index
    }

    /// Multiply-adds of all sentences under all tables.
    fn flops(&self) -> u64 {
        let sentences = self.batch * (self.memories * self.tables + 1);
        2 * (sentences * self.words * self.dimension) as u64
    }
}

/// The number of tables and the elements from one to the next.
fn tables_of(spec: &TensorSpec, least: usize) -> Result<(usize, usize), String> {
    match *spec.dims() {
        [tables, stride] if stride >= least && spec.dtype == DType::F32 => Ok((tables, stride)),
        _ => Err(format!("{spec} does not hold tables of {least}")),
    }
}

impl Op for EmbeddingBag {
    fn kind(&self) -> Kind {
        Kind::new("embedding_bag", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let Tables { dimension, vocabulary } = self.tables;
        let (tables, stride) = tables_of(&inputs[2], dimension * vocabulary)?;
        let mut sizes = Sizes::of(&inputs[0], &inputs[1], tables, dimension, [stride, 0])?;
        let (temporal_tables, stride) = tables_of(&inputs[3], dimension * sizes.memories)?;
        if temporal_tables != tables {
            return Err(format!("{} and {} differ", inputs[2], inputs[3]));
        }
        sizes.strides[1] = stride;
        let tolerance = Tolerance::sum(2 * sizes.words);
        let mut outputs = sizes.memories_and_question().map(Output::new).to_vec();
        outputs.extend(self.indexed.then(|| Output::saved(sizes.index(vocabulary))));
        let facts = Facts::moving(sizes.flops(), inputs, outputs, tolerance)
            .drawn_from(Distribution::WITHOUT_TINY);
        Ok(Box::new(EmbeddingBagProblem { sizes, vocabulary, indexed: self.indexed, facts }))
    }

    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let Some(&index) = y.get(2) else {
            return vec![None; x.len()];
        };
        // Values are finite, so that 0 times them is 0.
        let d = |i: usize| dy[i].unwrap_or_else(|| y[i].scale(0.0));
        let strides = [x[2].spec().shape.last(), x[3].spec().shape.last()];
        let op = EmbeddingBagGrad { tables: self.tables, strides, epilogue: None };
        let grads = x[0].graph().apply(op, &[x[0], x[1], d(0), d(1), index]);
        vec![None, None, Some(grads[0]), Some(grads[1])]
    }
}

#[derive(Debug)]
struct EmbeddingBagProblem {
    sizes: Sizes,
    vocabulary: usize,
    indexed: bool,
    /// Outputs: memories and the question, and the index if it is wanted.
    facts: Facts,
}

impl Problem for EmbeddingBagProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("forward", [("WIDTH", self.sizes.width(caps))])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let Sizes { batch, memories, dimension, .. } = self.sizes;
        let row = dimension / variant.get("WIDTH") as usize;
        let bags = (batch * (memories + 1) * row).div_ceil(64);
        let masks = self.sizes.places().div_ceil(32);
        let buckets = Sizes::buckets(self.vocabulary);
        let of_index = (masks * buckets.div_ceil(HELD)).div_ceil(64);
        let of_index = if self.indexed { of_index } else { 0 };
        let consts = [("BUCKETS", buckets), ("HELD", HELD)];
        let folded = (self.vocabulary > buckets).to_string();
        let kernel = self.sizes.kernel(variant).with_consts(&consts);
        let mut kernel = kernel.with_text("FOLDED", folded);
        if !self.indexed {
            kernel = kernel.with_hook("index", "fn find(own: u32) {}");
        }
        let mut dispatch = Dispatch::new(kernel, grid(bags + of_index, caps))
            .bind("story", input(0))
            .bind("question", input(1))
            .bind("embedding", input(2))
            .bind("temporal", input(3))
            .bind("memories", output(0))
            .bind("asked", output(1));
        if self.indexed {
            dispatch = dispatch.bind("index", output(2));
        }
        Lowered::one(dispatch)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let sizes = self.sizes;
        let (d, [stride_e, stride_t]) = (sizes.dimension, sizes.strides);
        let [mut memories, mut asked] = sizes.memories_and_question().map(Array::zeros);
        let bag = |words: &[f64], table: usize, n: usize| -> f64 {
            let word = |(j, &id): (usize, &f64)| {
                let value = inputs[2].data[table * stride_e + id as usize * d + n];
                if id > 0.0 { sizes.weight(j, n) * value } else { 0.0 }
            };
            words.iter().enumerate().map(word).sum()
        };
        let sentences = sizes.batch * sizes.memories;
        for (row, values) in memories.data.chunks_mut(d).enumerate() {
            let (table, sentence) = (row / sentences, row % sentences);
            let place = sentence % sizes.memories;
            let words = &inputs[0].data[sentence * sizes.words..][..sizes.words];
            for (n, value) in values.iter_mut().enumerate() {
                *value = bag(words, table, n) + inputs[3].data[table * stride_t + place * d + n];
            }
        }
        for (b, values) in asked.data.chunks_mut(d).enumerate() {
            let words = &inputs[1].data[b * sizes.words..][..sizes.words];
            for (n, value) in values.iter_mut().enumerate() {
                *value = bag(words, 0, n);
            }
        }
        let mut made = vec![memories, asked];
        if self.indexed {
            made.push(sizes.index_of(inputs[0], inputs[1], self.vocabulary));
        }
        made
    }

    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sampler.arrays(x, self.vocabulary)
    }
}

impl<'g> Tensor<'g> {
    /// The sentences of `self`, a story u32 [B, M, S], under each of K tables as memories [K, B, M, d], and
    /// `question` u32 [B, S] under the first as [B, d] (Sukhbaatar 2015, sections 2.1 and 4.1). `embeddings`
    /// and `temporal` are stacks of K parameters. Only where `indexed` are there gradients.
    pub fn embedding_bag(
        self,
        question: Tensor<'g>,
        embeddings: Tensor<'g>,
        temporal: Tensor<'g>,
        tables: Tables,
        indexed: bool,
    ) -> (Tensor<'g>, Tensor<'g>) {
        let inputs = [self, question, embeddings, temporal];
        let outputs = self.graph().apply(EmbeddingBag { tables, indexed }, &inputs);
        (outputs[0], outputs[1])
    }
}

/// Awkward cases of [`EmbeddingBag`] and [`EmbeddingBagGrad`].
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (k, batch, memories, words, dimension, vocabulary, step) in [
        (1, 1, 1, 1, 1, 2, 64),
        (2, 3, 2, 3, 5, 4, 64),
        // Rows of whole vec4s in tables that begin within one.
        (2, 3, 3, 2, 4, 5, 7),
        (4, 7, 10, 6, 20, 22, 64),
        (3, 2, 50, 11, 50, 181, 64),
        (4, 8, 50, 11, 50, 180, 64),
        (2, 4, 300, 5, 7, 3, 64),
        (2, 3, 20, 8, 6, 1000, 64),
    ] {
        let tables = Tables { dimension, vocabulary };
        let strides =
            [vocabulary * dimension, memories * dimension].map(|n| n.next_multiple_of(step));
        let story = [TensorSpec::u32([batch, memories, words]), TensorSpec::u32([batch, words])];
        let name = format!("k{k}_b{batch}_m{memories}_s{words}_d{dimension}_v{vocabulary}");
        let stacks = strides.map(|n| TensorSpec::f32([k, n]));
        let inputs = [&story[..], &stacks].concat();
        let bag = |indexed| EmbeddingBag { tables, indexed };
        cases.push(Case::new(&*name, bag(true), inputs.clone()));
        cases.push(Case::new(format!("{name}_alone"), bag(false), inputs));
        let sizes = Sizes { batch, memories, words, tables: k, dimension, strides };
        let grads = [
            TensorSpec::f32([k, batch, memories, dimension]),
            TensorSpec::f32([batch, dimension]),
            sizes.index(vocabulary),
        ];
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
