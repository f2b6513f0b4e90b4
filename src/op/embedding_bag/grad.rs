//! The gradient of the tables.

use std::sync::Arc;

use crate::graph::chain::{Chain, Epilogue};
use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Lowered, MOST_TURNS, Variant, grid, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{Sizes, Tables};

/// Most other inputs of the epilogue: seven of the eight bindings that every device has are taken.
const MOST_EPILOGUE_INPUTS: usize = 1;

/// The gradient of [`EmbeddingBag`](super::EmbeddingBag) with respect to the tables: story, question, dmemories
/// [K, B, M, d], dasked [B, d] and the index to the embeddings' and the temporal rows' gradients, gaps and word 0
/// being 0.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingBagGrad {
    /// Sizes.
    pub tables: Tables,
    /// Elements from one embedding table to the next, and from one temporal table to the next.
    pub strides: [usize; 2],
    /// Applied to each value of the embeddings' gradient as it is stored; its other inputs come last.
    pub epilogue: Option<Chain>,
}

impl Op for EmbeddingBagGrad {
    fn kind(&self) -> Kind {
        Kind::new("embedding_bag_grad", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let tables = inputs[2].dims().first().copied().unwrap_or(0);
        let dimension = self.tables.dimension;
        let sizes = Sizes::of(&inputs[0], &inputs[1], tables, dimension, self.strides)?;
        if inputs[2..4] != sizes.memories_and_question() {
            return Err(format!("{} and {} are not the gradients of a bag", inputs[2], inputs[3]));
        }
        if inputs[4] != sizes.index(self.tables.vocabulary) {
            return Err(format!("{} is not the index of {}", inputs[4], inputs[0]));
        }
        let outputs = self.strides.map(|stride| TensorSpec::f32([tables, stride]));
        let epilogue = Epilogue::new(self.epilogue.as_ref(), &outputs[0], inputs, 5)?;
        let flops = sizes.flops() + epilogue.flops() * outputs[0].len() as u64;
        // A word may be most of all there are.
        let occurrences = sizes.batch * sizes.memories * sizes.words;
        let facts = Facts::moving(flops, inputs, outputs, Tolerance::sum(occurrences.max(16)))
            .drawn_from(Distribution::WITHOUT_TINY);
        let vocabulary = self.tables.vocabulary;
        Ok(Box::new(EmbeddingBagGradProblem { sizes, vocabulary, epilogue, facts }))
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        let epilogue = chain.unless_random()?.behind(self.epilogue.as_ref());
        (epilogue.inputs <= 1 + MOST_EPILOGUE_INPUTS)
            .then(|| Arc::new(Self { epilogue: Some(epilogue), ..self.clone() }) as Arc<dyn Op>)
    }

    fn epilogue(&self) -> Option<&Chain> {
        self.epilogue.as_ref()
    }
}

#[derive(Debug)]
struct EmbeddingBagGradProblem {
    sizes: Sizes,
    vocabulary: usize,
    epilogue: Epilogue,
    /// Outputs: dembeddings and dtemporal.
    facts: Facts,
}

impl Problem for EmbeddingBagGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let width = self.sizes.width(caps);
        let columns = (self.sizes.tables * self.sizes.dimension) as u32 / width;
        // A CPU's invocations are lanes of a loop, and its workgroups few at a time: there one subgroup takes a word.
        let [gpu, cpu] = [(32, 8), (8, 1)].map(|(lanes, slices)| {
            let held = columns.div_ceil(lanes);
            let shape = [("LANES", lanes), ("HELD", held), ("SLICES", slices), ("WIDTH", width)];
            Variant::new("backward", shape)
        });
        let turns = self.sizes.places().div_ceil(32).max(self.sizes.batch);
        match caps.software {
            true if turns <= MOST_TURNS => vec![cpu, gpu],
            true => vec![gpu],
            false => vec![gpu, cpu],
        }
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let kernel = self.sizes.kernel(variant).with_consts(&[
            ("VOCABULARY", self.vocabulary),
            ("BUCKETS", Sizes::buckets(self.vocabulary)),
        ]);
        let grid = grid(self.vocabulary + self.sizes.memories + 1, caps);
        let dispatch = Dispatch::new(kernel, grid)
            .bind("story", input(0))
            .bind("question", input(1))
            .bind("d_memories", input(2))
            .bind("d_asked", input(3))
            .bind("index", input(4))
            .bind("d_embedding", output(0))
            .bind("d_temporal", output(1));
        Lowered::one(self.epilogue.attach_wide(dispatch, variant.get("WIDTH") as usize))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let sizes = self.sizes;
        let (d, [stride_e, stride_t]) = (sizes.dimension, sizes.strides);
        let [mut d_embedding, mut d_temporal] = self.facts.zeros();
        let sentences = sizes.batch * sizes.memories;
        for (row, values) in inputs[2].data.chunks(d).enumerate() {
            let (table, sentence) = (row / sentences, row % sentences);
            for (n, value) in values.iter().enumerate() {
                let place = sentence % sizes.memories;
                d_temporal.data[table * stride_t + place * d + n] += value;
                for j in 0..sizes.words {
                    let word = inputs[0].data[sentence * sizes.words + j] as usize;
                    if word > 0 {
                        let at = table * stride_e + word * d + n;
                        d_embedding.data[at] += sizes.weight(j, n) * value;
                    }
                }
            }
        }
        for (place, &word) in inputs[1].data.iter().enumerate().filter(|(_, word)| **word > 0.0) {
            for n in 0..d {
                let value = inputs[3].data[place / sizes.words * d + n];
                let weight = sizes.weight(place % sizes.words, n);
                d_embedding.data[word as usize * d + n] += weight * value;
            }
        }
        vec![self.epilogue.apply(d_embedding, inputs), d_temporal]
    }

    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = sampler.arrays(x, self.vocabulary);
        arrays[4] = self.sizes.index_of(&arrays[0], &arrays[1], self.vocabulary);
        arrays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_loop_on_a_cpu_adapter_is_longer_than_lavapipe_takes() {
        let (memories, words, tables) = (10, 6, Tables { dimension: 4, vocabulary: 22 });
        let slices = |batch: usize, caps: &Caps| -> Vec<u32> {
            let strides = [tables.vocabulary, memories].map(|rows| rows * tables.dimension);
            let places = batch * (memories + 1) * words;
            let inputs = [
                TensorSpec::u32([batch, memories, words]),
                TensorSpec::u32([batch, words]),
                TensorSpec::f32([1, batch, memories, tables.dimension]),
                TensorSpec::f32([batch, tables.dimension]),
                TensorSpec::u32([tables.vocabulary, places.div_ceil(32)]),
            ];
            let op = EmbeddingBagGrad { tables, strides, epilogue: None };
            let variants = op.problem(&inputs).unwrap().variants(caps);
            variants.iter().map(|variant| variant.get("SLICES")).collect()
        };
        let [cpu, gpu] = [Caps::portable_software(), Caps::portable()];
        assert_eq!(slices(32, &cpu), [1, 8]);
        // 31,775 stories of 66 words: 65,536 turns over the words' bits.
        assert_eq!(slices(31_775, &cpu), [8]);
        assert_eq!(slices(31_775, &gpu), [8, 1]);
    }
}
