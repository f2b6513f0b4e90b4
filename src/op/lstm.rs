//! A stack of LSTM layers over a sequence, starting from zeros (Hochreiter & Schmidhuber 1997; the encoder of
//! Sutskever 2014).
//!
//! The input product of the first layer is one matmul over all steps; then each dispatch is a wave: layer l at
//! step w - l, so that all layers that are ready run together. The weights' gradients of all layers and steps
//! are one batched product afterwards.

use crate::graph::Tensor;
use crate::graph::op::{
    Backward, Distribution, Facts, Kind, Op, Output, Problem, Sampler, Tolerance,
};
use crate::host::parallel::*;
use crate::kernel::{Caps, Lowered, Variant, input, output, scratch};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::matmul::product_into;

mod grad;
mod reference;
mod stack;
mod step;

pub use grad::LstmGrad;
pub(in crate::op) use grad::squash_gates;
pub(in crate::op) use reference::{add_product, add_product_transposed, cell_forward};
pub(in crate::op) use stack::Stack;
pub(in crate::op) use step::{Step, cell_inputs, copy_rows};

/// Inputs: x [B, T, H], weights [L, 2H 4H] with rows of the input before those of h, biases [L, 4H], gates
/// in the order i, f, g, o. Outputs: h of the last layer [B, T, H] and the last state [B, 2L H], c and h of each layer;
/// and for the backward pass the states [B, T + 1, 2L H], row 0 being the start, and the gates [L, B, T, 4H]. H is a
/// multiple of 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lstm;

impl Op for Lstm {
    fn kind(&self) -> Kind {
        Kind::new("lstm", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let stack = Stack::of(&inputs[0], &inputs[1], &inputs[2], 0)?;
        let outputs = [
            Output::new(stack.x()),
            Output::new(stack.last()),
            Output::saved(stack.states()),
            Output::saved(stack.gates()),
        ];
        let tolerance = Tolerance::sum(16 * stack.hidden);
        let facts =
            Facts::moving(stack.flops(), inputs, outputs, tolerance).drawn_from(WELL_CONDITIONED);
        Ok(Box::new(LstmProblem { stack, facts }))
    }

    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let d = |i: usize| dy[i].unwrap_or_else(|| y[i].scale(0.0));
        let (d_top, d_last) = (d(0), d(1));
        let (hidden, layers) = (x[0].spec().shape.last(), x[1].spec().dims()[0]);
        let transposed = transpose_weights(x[1], hidden);
        let operands = [transposed, x[0], y[2], y[3], d_top, d_last, x[1]];
        let grads = d_top.graph().apply(LstmGrad { layers }, &operands);
        let [d_weights, d_biases] = weight_gradients(grads[0], grads[1], layers, hidden);
        vec![Some(grads[2]), Some(d_weights), Some(d_biases)]
    }
}

/// Weights [L, 2H 4H] as [L, 4H, 2H].
pub(in crate::op) fn transpose_weights(weights: Tensor<'_>, hidden: usize) -> Tensor<'_> {
    let layers = weights.spec().dims()[0];
    weights.reshape([layers, 2 * hidden, 4 * hidden]).transpose(&[0, 2, 1])
}

/// The gradients of weights and biases: of all layers and steps in one product and one sum.
pub(in crate::op) fn weight_gradients<'g>(
    d_gates: Tensor<'g>,
    cell_inputs: Tensor<'g>,
    layers: usize,
    hidden: usize,
) -> [Tensor<'g>; 2] {
    let rows = d_gates.spec().len() / (layers * 4 * hidden);
    let cell_inputs = cell_inputs.reshape([layers, rows, 2 * hidden]);
    let d_gates = d_gates.reshape([layers, rows, 4 * hidden]);
    let d_weights = cell_inputs.product(d_gates, true, false);
    [d_weights.reshape([layers, 8 * hidden * hidden]), d_gates.sum(1)]
}

#[derive(Debug)]
struct LstmProblem {
    stack: Stack,
    /// Outputs: h of the last layer, the last state, states and gates.
    facts: Facts,
}

impl Problem for LstmProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        Step::variants(self.stack, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let Stack { batch, steps, hidden, layers, .. } = self.stack;
        let rows = batch * steps;
        let first_weight = input(1).range(0, 4 * hidden * hidden);
        let product = [rows, 4 * hidden, hidden];
        let products = product_into(product, [input(0), first_weight], false, scratch(0), caps);
        let step = Step::cells(variant, self.stack, "lstm/forward");
        let waves = (0..steps + layers - 1).map(|wave| {
            step.at(wave, layers)
                .bind("weights", input(1))
                .bind("biases", input(2))
                .bind("below", scratch(0).read())
                .bind("states", output(2))
                .bind("gates", output(3))
                .bind("top", output(0))
                .bind("last", output(1))
        });
        Lowered {
            dispatches: std::iter::once(products).chain(waves).collect(),
            scratch: vec![TensorSpec::f32([rows, 4 * hidden])],
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let stack = self.stack;
        let Stack { batch, steps, hidden, .. } = stack;
        let [mut top, mut last, mut states, mut gates] = self.facts.zeros();
        let sequence = |b: usize| {
            let mut row = vec![0.0; stack.row_len()];
            let step = |t: usize| {
                let x = &inputs[0].data[(b * steps + t) * hidden..][..hidden];
                let gates = stack.forward(&mut row, x, &inputs[1].data, &inputs[2].data);
                (row.clone(), gates)
            };
            (0..steps).map(step).collect::<Vec<_>>()
        };
        let sequences: Vec<_> = (0..batch).into_par_iter().map(sequence).collect();
        for (b, sequence) in sequences.into_iter().enumerate() {
            for (t, (row, gates_at_step)) in sequence.into_iter().enumerate() {
                states.data[stack.row(b, t + 1)..][..row.len()].copy_from_slice(&row);
                stack.store_gates(&mut gates, b, t, &gates_at_step);
                let h = &row[row.len() - hidden..];
                top.data[(b * steps + t) * hidden..][..hidden].copy_from_slice(h);
                last.data[b * row.len()..][..row.len()].copy_from_slice(&row);
            }
        }
        vec![top, last, states, gates]
    }

    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample_well_conditioned(x, sampler)
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.stack.reduced().map(|few| vec![few.x(), few.weights(), few.biases()])
    }
}

/// Values as models have them: states in (-1, 1), weights that neither grow nor vanish over steps.
pub(in crate::op) const WELL_CONDITIONED: &[Distribution] =
    &[Distribution::Uniform, Distribution::Zeros];

/// Draws; weights of more than one row of inputs are scaled down.
pub(in crate::op) fn sample_well_conditioned(
    inputs: &[TensorSpec],
    sampler: &mut Sampler,
) -> Vec<Array> {
    let draw = |spec: &TensorSpec| {
        let mut array = sampler.array(spec, 4);
        if spec.shape.rank() == 2 {
            let scale = 1.0 / (spec.len() as f64 / spec.dims()[0] as f64).powf(0.25);
            array.data.iter_mut().for_each(|x| *x *= scale);
        }
        array.rounded()
    };
    inputs.iter().map(draw).collect()
}

impl<'g> Tensor<'g> {
    /// A stack of LSTM layers over `self` [B, T, H] from a start of zeros: h of the last layer [B, T, H], and the last
    /// state [B, 2L H], c and h of each layer.
    pub fn lstm(self, weights: Tensor<'g>, biases: Tensor<'g>) -> [Tensor<'g>; 2] {
        let made = self.graph().apply(Lstm, &[self, weights, biases]);
        [made[0], made[1]]
    }
}

/// Awkward cases of [`Lstm`] and [`LstmGrad`].
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (layers, batch, steps, hidden) in [
        (1usize, 1usize, 1usize, 4usize),
        (2, 2, 3, 4),
        (3, 3, 2, 12),
        (3, 4, 5, 32),
        (2, 9, 4, 36),
        (3, 9, 3, 64),
        (3, 3, 2, 256),
    ] {
        let stack = Stack { batch, steps, hidden, layers, units: 2 * layers };
        let name = format!("l{layers}_b{batch}_t{steps}_h{hidden}");
        let inputs = [stack.x(), stack.weights(), stack.biases()];
        cases.push(Case::new(&*name, Lstm, inputs));
        let inputs = grad::input_specs(stack);
        cases.push(Case::new(format!("{name}_back"), LstmGrad { layers }, inputs));
    }
    cases
}
