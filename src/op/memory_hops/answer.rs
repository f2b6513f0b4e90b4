//! The gradient of the answer's weight.

use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Tolerance, floats};
use crate::host::parallel::*;
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use crate::op::rows::{at_once, lanes};

/// The gradient with respect to the embeddings: dlogits [B, V] and states [B, K, d] to [K, stride].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerGrad {
    /// Elements from one table to the next.
    pub stride: usize,
}

impl Op for AnswerGrad {
    fn kind(&self) -> Kind {
        Kind::new("answer_grad", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        floats(inputs)?;
        let (logits, states) = (&inputs[0], &inputs[1]);
        match (logits.dims(), states.dims()) {
            (&[batch, vocabulary], &[states_batch, tables, dimension])
                if batch == states_batch && tables > 0 && vocabulary * dimension <= self.stride =>
            {
                let d_embeddings = [TensorSpec::f32([tables, self.stride])];
                let flops = (2 * batch * vocabulary * dimension) as u64;
                // Gaps and other tables make the root mean square small beside a value.
                let tolerance = Tolerance::sum(batch.max(16));
                let facts = Facts::moving(flops, inputs, d_embeddings, tolerance)
                    .drawn_from(Distribution::WITHOUT_TINY);
                let last = (tables - 1) * self.stride;
                Ok(Box::new(AnswerGradProblem {
                    batch,
                    vocabulary,
                    tables,
                    dimension,
                    last,
                    facts,
                }))
            }
            _ => Err(format!("{logits} is not the gradient of an answer to {states}")),
        }
    }
}

#[derive(Debug)]
struct AnswerGradProblem {
    batch: usize,
    vocabulary: usize,
    tables: usize,
    dimension: usize,
    /// First element of the last table.
    last: usize,
    facts: Facts,
}

impl Problem for AnswerGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let width = at_once(&[self.dimension, self.last, self.facts.spec().len()], caps);
        vec![Variant::new("weight", [("WIDTH", width)])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let total = self.facts.spec().len();
        let width = variant.get("WIDTH") as usize;
        let kernel =
            Kernel::of("memory_hops", variant).with_hook("lanes", lanes(width)).with_consts(&[
                ("D", self.dimension),
                ("HOPS", self.tables - 1),
                ("BATCH", self.batch),
                ("VOCABULARY", self.vocabulary),
                ("LAST", self.last),
                ("TOTAL", total),
            ]);
        let dispatch = Dispatch::new(kernel, grid((total / width).div_ceil(64), caps))
            .bind("d_logits", input(0))
            .bind("states", input(1))
            .bind("d_embedding", output(0));
        Lowered::one(dispatch)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Self { vocabulary, tables, dimension: d, .. } = *self;
        let [mut d_embeddings] = self.facts.zeros();
        let answer = &mut d_embeddings.data[self.last..][..vocabulary * d];
        let words = answer.par_chunks_mut(d).enumerate().skip(1);
        words.for_each(|(word, row)| {
            for (b, d_logits) in inputs[0].data.chunks(vocabulary).enumerate() {
                let u = &inputs[1].data[(b * tables + tables - 1) * d..][..d];
                row.iter_mut().zip(u).for_each(|(de, u)| *de += d_logits[word] * u);
            }
        });
        vec![d_embeddings]
    }
}
