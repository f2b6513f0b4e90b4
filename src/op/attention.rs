//! Additive attention of queries over a sequence (Bahdanau 2015, appendix A.1.2).

use crate::graph::Tensor;
use crate::graph::op::{Backward, Facts, Kind, Op, Output, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::lstm::{WELL_CONDITIONED, sample_well_conditioned};

mod grad;
mod sizes;
mod sums;

pub use grad::AttentionGrad;
pub(in crate::op) use grad::attend_backward;
pub(in crate::op) use sizes::{Attended, ContextRows, Lanes};
pub use sums::AttentionSums;
pub(in crate::op) use sums::sum_over_queries;

/// Inputs: query [B, T, H], keys [B, S, H], memory [B, S, H], v `[H]`. Outputs: the context
/// sum over s of a memory [B, T, H] with a = softmax over s of v . tanh(keys + query), and for the backward
/// pass a [B, T, S]. H is a multiple of 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attention;

impl Op for Attention {
    fn kind(&self) -> Kind {
        Kind::new("attention", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let attended = Attended::of(&inputs[0], &inputs[1], &inputs[3])?;
        if inputs[2] != inputs[1] {
            return Err(format!("memory {} and keys {} differ in shape", inputs[2], inputs[1]));
        }
        let outputs = [Output::new(inputs[0].clone()), Output::saved(attended.shares())];
        let tolerance = Tolerance::sum(16 * attended.hidden + attended.positions);
        let facts = Facts::moving(attended.flops(), inputs, outputs, tolerance)
            .drawn_from(WELL_CONDITIONED);
        Ok(Box::new(AttentionProblem { attended, facts }))
    }

    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let Some(d_context) = dy[0] else {
            return vec![None; x.len()];
        };
        let operands = [x[0], x[1], x[2], x[3], y[1], d_context];
        let grads = d_context.graph().apply(AttentionGrad, &operands);
        let (d_query, d_score) = (grads[0], grads[1]);
        let [d_keys, d_memory, d_v] = sum_over_queries(d_score, y[1], d_context, x[0], x[1], x[3]);
        vec![Some(d_query), Some(d_keys), Some(d_memory), Some(d_v)]
    }
}

#[derive(Debug)]
struct AttentionProblem {
    attended: Attended,
    /// Outputs: context and shares.
    facts: Facts,
}

impl Problem for AttentionProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        Lanes::variants("forward", caps)
    }

    fn lower(&self, variant: &Variant, _caps: &Caps) -> Lowered {
        let Self { attended, .. } = self;
        let (lanes, queries) = (Lanes::of(variant), 0..attended.queries);
        let dispatch = attended
            .storing("attention/forward", lanes, attended.context_rows(), queries)
            .bind("keys", input(1))
            .bind("memory", input(2))
            .bind("v", input(3))
            .bind("context", output(0))
            .bind("query", input(0))
            .bind("shares", output(1));
        Lowered::one(dispatch)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        contexts_and_shares(&self.attended, inputs)
    }

    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample_well_conditioned(x, sampler)
    }
}

/// The contexts and shares of all queries in f64, of query, keys, memory and v.
fn contexts_and_shares(attended: &Attended, inputs: &[&Array]) -> Vec<Array> {
    let &Attended { queries, positions, hidden, .. } = attended;
    let mut contexts = Array::zeros(inputs[0].spec.clone());
    let mut all_shares = Array::zeros(attended.shares());
    for (bt, query) in inputs[0].data.chunks(hidden).enumerate() {
        let b = bt / queries;
        let (keys, memory) = (sequence(inputs[1], b), sequence(inputs[2], b));
        let (shares, context) = attend(query, keys, memory, &inputs[3].data);
        contexts.data[bt * hidden..][..hidden].copy_from_slice(&context);
        all_shares.data[bt * positions..][..positions].copy_from_slice(&shares);
    }
    vec![contexts, all_shares]
}

/// A query's shares and context in f64.
pub(in crate::op) fn attend(
    query: &[f64],
    keys: &[f64],
    memory: &[f64],
    v: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let hidden = query.len();
    let score = |key: &[f64]| -> f64 {
        let terms = key.iter().zip(query).zip(v);
        terms.map(|((k, q), v)| v * (k + q).tanh()).sum()
    };
    let mut shares: Vec<_> = keys.chunks(hidden).map(score).collect();
    let highest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    shares.iter_mut().for_each(|x| *x = (*x - highest).exp());
    let total: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|x| *x /= total);
    let mut context = vec![0.0; hidden];
    for (share, row) in shares.iter().zip(memory.chunks(hidden)) {
        context.iter_mut().zip(row).for_each(|(c, m)| *c += share * m);
    }
    (shares, context)
}

/// The values of sequence `b` of a batch x [B, ..].
pub(in crate::op) fn sequence(x: &Array, b: usize) -> &[f64] {
    let length = x.data.len() / x.dims()[0].max(1);
    &x.data[b * length..][..length]
}

impl<'g> Tensor<'g> {
    /// The contexts [B, T, H] of queries `self` [B, T, H] over `memory` [B, S, H] by additive attention: shares
    /// are softmax over s of v . tanh(keys + query) (Bahdanau 2015, appendix A.1.2).
    pub fn attention(self, keys: Tensor<'g>, memory: Tensor<'g>, v: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply(Attention, &[self, keys, memory, v])[0]
    }
}

/// Awkward cases of [`Attention`], [`AttentionGrad`] and [`AttentionSums`].
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (batch, queries, positions, width) in
        [(1, 1, 1, 4), (2, 3, 2, 8), (3, 2, 7, 12), (4, 10, 5, 32), (2, 5, 67, 36), (3, 4, 40, 256)]
    {
        let query = TensorSpec::f32([batch, queries, width]);
        let keys = TensorSpec::f32([batch, positions, width]);
        let v = TensorSpec::f32([width]);
        let shares = TensorSpec::f32([batch, queries, positions]);
        let name = format!("b{batch}_t{queries}_s{positions}_h{width}");
        let inputs = [query.clone(), keys.clone(), keys.clone(), v.clone()];
        cases.push(Case::new(&*name, Attention, inputs.clone()));
        let back = [&inputs[..], &[shares.clone(), query.clone()]].concat();
        cases.push(Case::new(format!("{name}_back"), AttentionGrad, back));
        let sums = [shares, query, keys, v];
        cases.push(Case::new(format!("{name}_sums"), AttentionSums, sums));
    }
    cases
}
