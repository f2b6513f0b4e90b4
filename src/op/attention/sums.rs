//! The part of the gradient that is summed over queries.

use crate::graph::Tensor;
use crate::graph::op::{Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::op::lstm::{WELL_CONDITIONED, sample_well_conditioned};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{Attended, sequence};

/// The gradients that add up over queries: dscore, query, keys, v to dkeys [B, S, H] and the share of each
/// position in dv [B, S, H].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionSums;

/// dkeys, dmemory and dv of all queries.
pub(in crate::op) fn sum_over_queries<'g>(
    d_score: Tensor<'g>,
    shares: Tensor<'g>,
    d_context: Tensor<'g>,
    query: Tensor<'g>,
    keys: Tensor<'g>,
    v: Tensor<'g>,
) -> [Tensor<'g>; 3] {
    let sums = d_score.graph().apply(AttentionSums, &[d_score, query, keys, v]);
    let hidden = v.spec().len();
    let positions = keys.spec().len() / hidden;
    let d_v = sums[1].reshape([positions, hidden]).sum(0);
    [sums[0], shares.product(d_context, true, false), d_v]
}

impl Op for AttentionSums {
    fn kind(&self) -> Kind {
        Kind::new("attention_sums", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let attended = Attended::of(&inputs[1], &inputs[2], &inputs[3])?;
        if inputs[0] != attended.shares() {
            return Err(format!("scores {} do not fit {}", inputs[0], inputs[2]));
        }
        let outputs = [inputs[2].clone(), inputs[2].clone()];
        let tolerance = Tolerance::sum(64 * attended.queries);
        let facts = Facts::moving(attended.flops(), inputs, outputs, tolerance)
            .drawn_from(WELL_CONDITIONED);
        Ok(Box::new(AttentionSumsProblem { attended, facts }))
    }
}

#[derive(Debug)]
struct AttentionSumsProblem {
    attended: Attended,
    /// Outputs: dkeys and the positions' shares of dv.
    facts: Facts,
}

impl Problem for AttentionSumsProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("sums", [])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let Attended { batch, queries, positions, hidden } = self.attended;
        let columns = hidden / 4;
        let kernel = Kernel::of("attention", variant).with_consts(&[
            ("COLUMNS", columns),
            ("BATCH", batch),
            ("S", positions),
            ("T", queries),
        ]);
        let dispatch =
            Dispatch::new(kernel, grid((batch * positions * columns).div_ceil(64), caps))
                .bind("d_score", input(0))
                .bind("query", input(1))
                .bind("keys", input(2))
                .bind("v", input(3))
                .bind("d_keys", output(0))
                .bind("d_v", output(1));
        Lowered::one(dispatch)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Attended { queries, positions, hidden, .. } = self.attended;
        let (d_scores, v) = (&inputs[0].data, &inputs[3].data);
        let [mut d_keys, mut d_v] = self.facts.zeros();
        let rows = d_keys.data.par_chunks_mut(hidden).zip(d_v.data.par_chunks_mut(hidden));
        rows.enumerate().for_each(|(bs, (d_key, d_v))| {
            let (b, s) = (bs / positions, bs % positions);
            let key = &inputs[2].data[bs * hidden..][..hidden];
            for (t, query) in sequence(inputs[1], b).chunks(hidden).enumerate() {
                let d_score = d_scores[(b * queries + t) * positions + s];
                for n in 0..hidden {
                    let x = (key[n] + query[n]).tanh();
                    d_key[n] += d_score * v[n] * (1.0 - x * x);
                    d_v[n] += d_score * x;
                }
            }
        });
        vec![d_keys, d_v]
    }

    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample_well_conditioned(x, sampler)
    }
}
