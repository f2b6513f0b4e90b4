//! The backward pass of a stack of LSTM layers: waves from the last step of the last layer.

use crate::graph::op::{Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Lowered, Variant, input, output, scratch};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{
    Stack, Step, WELL_CONDITIONED, add_product_transposed, cell_inputs, product_into,
    sample_well_conditioned,
};

/// Inputs: the weights transposed [L, 4H, 2H], x [B, T, H], states [B, T + 1, 2L H], gates [L, B, T, 4H], dtop
/// [B, T, H], dlast [B, 2L H] and the weights as they are. Outputs: the gates' gradients before squashing [L, B, T, 4H],
/// what each cell multiplied by its weight, [L, B, T, 2H], and dx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LstmGrad {
    /// L.
    pub layers: usize,
}

impl Op for LstmGrad {
    fn kind(&self) -> Kind {
        Kind::new("lstm_grad", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let &[batch, steps, hidden] = inputs[1].dims() else {
            return Err(format!("takes x [B, T, H], not {}", inputs[1]));
        };
        let layers = self.layers;
        let stack = Stack { batch, steps, hidden, layers, units: 2 * layers };
        if *inputs != input_specs(stack) {
            return Err(format!("{} and {} differ", inputs[0], inputs[2]));
        }
        if !hidden.is_multiple_of(4) || hidden == 0 {
            return Err(format!("{}: H must be a multiple of 4", inputs[1]));
        }
        let outputs = [stack.gates(), stack.cell_inputs(), stack.x()];
        let tolerance = Tolerance::sum(16 * 2 * stack.hidden);
        // Of the weights as they are, the input's of the first layer alone is read.
        let read = [&inputs[..6], &[TensorSpec::f32([hidden, 4 * hidden])]].concat();
        // As much as forward: each cell's gates by both of its weights, x's among them.
        let facts =
            Facts::moving(stack.flops(), &read, outputs, tolerance).drawn_from(WELL_CONDITIONED);
        Ok(Box::new(LstmGradProblem { stack, facts }))
    }
}

/// All inputs, in order.
pub(super) fn input_specs(stack: Stack) -> [TensorSpec; 7] {
    [
        stack.transposed_weights(),
        stack.x(),
        stack.states(),
        stack.gates(),
        stack.x(),
        stack.last(),
        stack.weights(),
    ]
}

#[derive(Debug)]
struct LstmGradProblem {
    stack: Stack,
    /// Outputs: dgates, what each cell multiplied and dx.
    facts: Facts,
}

impl Problem for LstmGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Steps first, as on any device: a tile is measured beside them on a GPU.
    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let mut variants = Step::variants_of_a_layer(self.stack, 1, caps);
        if variants[0].name == "tile" {
            variants.swap(0, 1);
        }
        variants
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let stack = self.stack;
        let Stack { batch, steps, hidden, layers, .. } = stack;
        let step = Step::cells_below(variant, stack, "lstm/backward");
        let waves = (0..steps + layers - 1).map(|wave| {
            step.at(wave, layers)
                .bind("turned", input(0))
                .bind("gates", input(3))
                .bind("states", input(2))
                .bind("d_top", input(4))
                .bind("d_last", input(5))
                .bind("carried", scratch(0))
                .bind("d_gates", output(0))
        });
        let rows = batch * steps;
        // What reaches x passed the first layer's input weight.
        let first_weight = input(6).range(0, 4 * hidden * hidden);
        let d_first = output(0).read().range(0, rows * 4 * hidden);
        let product = [rows, hidden, 4 * hidden];
        let after = [
            cell_inputs(input(1), input(2), output(1), stack, caps),
            product_into(product, [d_first, first_weight], true, output(2), caps),
        ];
        Lowered {
            dispatches: waves.chain(after).collect(),
            scratch: vec![TensorSpec::f32([batch, layers * hidden])],
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let stack = self.stack;
        let (hidden, row_len) = (stack.hidden, stack.row_len());
        let [transposed, x, states, gates] = [0, 1, 2, 3].map(|i| inputs[i]);
        let sequence = |b: usize| {
            let mut d_rows = vec![0.0; (stack.steps + 1) * row_len];
            let d_tops = inputs[4].data[b * stack.steps * hidden..].chunks(hidden);
            for (row, d_top) in d_rows.chunks_mut(row_len).skip(1).zip(d_tops) {
                row[row_len - hidden..].copy_from_slice(d_top);
            }
            let last = d_rows[stack.steps * row_len..].iter_mut();
            last.zip(&inputs[5].data[b * row_len..]).for_each(|(d, d_last)| *d += d_last);
            let mut d_gates = vec![vec![0.0; 4 * hidden]; stack.layers];
            let step = |t: usize| {
                let (transposed, gates, states) = (&transposed.data, &gates.data, &states.data);
                d_gates = stack.backward(&mut d_rows, &d_gates, transposed, gates, states, b, t);
                let mut dx = vec![0.0; hidden];
                add_product_transposed(&mut dx, &d_gates[0], transposed, 0);
                (t, d_gates.clone(), dx)
            };
            (0..stack.steps).rev().map(step).collect::<Vec<_>>()
        };
        let sequences: Vec<_> = (0..stack.batch).into_par_iter().map(sequence).collect();
        let [mut d_gates, mut cell_inputs, mut dxs] = self.facts.zeros();
        cell_inputs.data = stack.gather_cell_inputs(x, states).data;
        for (b, sequence) in sequences.into_iter().enumerate() {
            for (t, layers, dx) in sequence {
                stack.store_gates(&mut d_gates, b, t, &layers);
                dxs.data[(b * stack.steps + t) * hidden..][..hidden].copy_from_slice(&dx);
            }
        }
        vec![d_gates, cell_inputs, dxs]
    }

    /// Gates within (0, 1), or (-1, 1).
    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = sample_well_conditioned(x, sampler);
        squash_gates(&mut arrays[3]);
        let scale = 1.0 / (2.0 * self.stack.hidden as f64).sqrt();
        arrays[0].data.iter_mut().for_each(|x| *x *= scale);
        arrays[0] = arrays[0].rounded();
        arrays[6] = self.stack.untransposed(&arrays[0]);
        arrays
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.stack.reduced().map(|few| input_specs(few).to_vec())
    }
}

/// Brings draws of [.., 4H] to what squashed gates can be.
pub(in crate::op) fn squash_gates(gates: &mut Array) {
    let hidden = gates.spec.shape.last() / 4;
    for (at, x) in gates.data.iter_mut().enumerate() {
        if at / hidden % 4 != 2 {
            *x = 0.5 + 0.5 * x.clamp(-0.99, 0.99);
        }
    }
    *gates = gates.rounded();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_no_whole_vec4s_is_refused() {
        let problem = |hidden| {
            let stack = Stack { batch: 1, steps: 1, hidden, layers: 1, units: 2 };
            LstmGrad { layers: 1 }.problem(&input_specs(stack))
        };
        assert!(problem(4).is_ok());
        assert!(problem(6).is_err());
    }
}
