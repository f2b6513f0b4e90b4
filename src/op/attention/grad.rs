//! The part of the gradient that each query has to itself.

use crate::graph::op::{Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::op::lstm::{WELL_CONDITIONED, sample_well_conditioned};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{Attended, Lanes, contexts_and_shares, sequence};

/// The gradients of the queries alone: query, keys, memory, v, a [B, T, S], dcontext [B, T, H] to
/// dquery [B, T, H] and dscore [B, T, S].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionGrad;

impl Op for AttentionGrad {
    fn kind(&self) -> Kind {
        Kind::new("attention_grad", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let attended = Attended::of(&inputs[0], &inputs[1], &inputs[3])?;
        let shares = attended.shares();
        if inputs[2] != inputs[1] || inputs[4] != shares || inputs[5] != inputs[0] {
            return Err(format!("{} and {} do not come from this attention", inputs[4], inputs[5]));
        }
        let outputs = [inputs[0].clone(), shares];
        // da minus its mean cancels.
        let tolerance = Tolerance::sum(64 * attended.hidden + attended.positions);
        let facts = Facts::moving(attended.flops(), inputs, outputs, tolerance)
            .drawn_from(WELL_CONDITIONED);
        Ok(Box::new(AttentionGradProblem { attended, facts }))
    }
}

#[derive(Debug)]
struct AttentionGradProblem {
    attended: Attended,
    /// Outputs: dquery and dscore.
    facts: Facts,
}

impl Problem for AttentionGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        Lanes::variants("backward", caps)
    }

    fn lower(&self, variant: &Variant, _caps: &Caps) -> Lowered {
        let Self { attended, .. } = self;
        let (lanes, queries) = (Lanes::of(variant), 0..attended.queries);
        let dispatch = attended
            .dispatch("attention/backward", lanes, queries)
            .bind("query", input(0))
            .bind("keys", input(1))
            .bind("v", input(3))
            .bind("shares", input(4))
            .bind("d_query", output(0))
            .bind("d_score", output(1))
            .bind("memory", input(2))
            .bind("d_context", input(5));
        Lowered::one(dispatch)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Attended { queries, positions, hidden, .. } = self.attended;
        let mut d_queries = Array::zeros(inputs[0].spec.clone());
        let mut d_scores = Array::zeros(self.attended.shares());
        for (bt, query) in inputs[0].data.chunks(hidden).enumerate() {
            let b = bt / queries;
            let (d_score, d_query) = attend_backward(
                query,
                sequence(inputs[1], b),
                sequence(inputs[2], b),
                &inputs[3].data,
                &inputs[4].data[bt * positions..][..positions],
                &inputs[5].data[bt * hidden..][..hidden],
            );
            d_queries.data[bt * hidden..][..hidden].copy_from_slice(&d_query);
            d_scores.data[bt * positions..][..positions].copy_from_slice(&d_score);
        }
        vec![d_queries, d_scores]
    }

    /// Shares that belong to the queries and keys.
    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = sample_well_conditioned(x, sampler);
        let forward_inputs = [&arrays[0], &arrays[1], &arrays[2], &arrays[3]];
        arrays[4] = contexts_and_shares(&self.attended, &forward_inputs)[1].rounded();
        arrays
    }
}

/// dscore and dquery of a query in f64.
pub(in crate::op) fn attend_backward(
    query: &[f64],
    keys: &[f64],
    memory: &[f64],
    v: &[f64],
    shares: &[f64],
    d_context: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let hidden = query.len();
    // Against position 0: where there is no other, the gradient is 0, not what rounding leaves.
    let dot = |row: &[f64]| {
        let rows = row.iter().zip(memory).zip(d_context);
        rows.map(|((m, first), d)| (m - first) * d).sum::<f64>()
    };
    let da: Vec<_> = memory.chunks(hidden).map(dot).collect();
    // Rounded shares don't quite sum to 1, and what is missing would weigh where all da are alike.
    let mean = shares.iter().zip(&da).map(|(a, d)| a * d).sum::<f64>() / shares.iter().sum::<f64>();
    let d_score: Vec<_> = shares.iter().zip(&da).map(|(a, d)| a * (d - mean)).collect();
    let mut d_query = vec![0.0; hidden];
    for (d, key) in d_score.iter().zip(keys.chunks(hidden)) {
        for (n, dq) in d_query.iter_mut().enumerate() {
            let x = (key[n] + query[n]).tanh();
            *dq += d * v[n] * (1.0 - x * x);
        }
    }
    (d_score, d_query)
}
