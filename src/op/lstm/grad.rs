//! The backward pass of a stack of LSTM layers: waves from the last step of the last layer.

use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Lowered, Variant, input, output, scratch};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{Stack, Step, WELL_CONDITIONED, cell_inputs, copy_rows, sample_well_conditioned};

/// Inputs: the weights transposed [L, 4H, 2H], x [B, T, H], states [B, T + 1, 2L H], gates [L, B, T, 4H] and
/// dstates. Outputs: the gates' gradients before squashing [L, B, T, 4H], and what each cell multiplied by
/// its weight, [L, B, T, 2H].
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
        let outputs = [stack.gates(), stack.cell_inputs()];
        let tolerance = Tolerance::sum(16 * 2 * stack.hidden);
        let facts = Facts::moving(stack.flops(), inputs, outputs, tolerance);
        Ok(Box::new(LstmGradProblem { stack, facts }))
    }
}

/// Weights transposed, x, states, gates and dstates.
pub(super) fn input_specs(stack: Stack) -> [TensorSpec; 5] {
    [stack.transposed_weights(), stack.x(), stack.states(), stack.gates(), stack.states()]
}

#[derive(Debug)]
struct LstmGradProblem {
    stack: Stack,
    /// Outputs: dgates and what each cell multiplied.
    facts: Facts,
}

impl Problem for LstmGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        Step::variants(self.stack.hidden, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let stack = self.stack;
        let states_len = stack.states().len();
        let copy = copy_rows(input(4), scratch(0), 1, states_len, states_len, caps);
        let step = Step::backward(variant, stack, true, false);
        let waves = (0..stack.steps + stack.layers - 1).map(|wave| {
            step.cell(wave, None)
                .bind("turned", input(0))
                .bind("gates", input(3))
                .bind("states", input(2))
                .bind("d_states", scratch(0))
                .bind("d_gates", output(0))
        });
        let cell_inputs = cell_inputs(input(1), input(2), output(1), stack, caps);
        Lowered {
            dispatches: std::iter::once(copy).chain(waves).chain([cell_inputs]).collect(),
            scratch: vec![stack.states()],
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let stack = self.stack;
        let [transposed, x, states, gates, d_states] = [0, 1, 2, 3, 4].map(|i| inputs[i]);
        let sequence = |b: usize| {
            let mut d_rows = d_states.data[stack.row(b, 0)..stack.row(b + 1, 0)].to_vec();
            let mut d_gates = vec![vec![0.0; 4 * stack.hidden]; stack.layers];
            let step = |t: usize| {
                let (transposed, gates, states) = (&transposed.data, &gates.data, &states.data);
                d_gates = stack.backward(&mut d_rows, &d_gates, transposed, gates, states, b, t);
                (t, d_gates.clone())
            };
            (0..stack.steps).rev().map(step).collect::<Vec<_>>()
        };
        let sequences: Vec<_> = (0..stack.batch).into_par_iter().map(sequence).collect();
        let mut d_gates = Array::zeros(stack.gates());
        for (b, sequence) in sequences.into_iter().enumerate() {
            for (t, layers) in sequence {
                stack.store_gates(&mut d_gates, b, t, &layers);
            }
        }
        vec![d_gates, stack.gather_cell_inputs(x, states)]
    }

    /// Gates within (0, 1), or (-1, 1).
    fn sample(&self, x: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        let mut arrays = sample_well_conditioned(x, distribution, rng);
        squash_gates(&mut arrays[3]);
        let scale = 1.0 / (2.0 * self.stack.hidden as f64).sqrt();
        arrays[0].data.iter_mut().for_each(|x| *x *= scale);
        arrays[0] = arrays[0].rounded();
        arrays
    }

    fn distributions(&self) -> &'static [Distribution] {
        WELL_CONDITIONED
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let reduced = self.stack.reduced();
        (reduced != self.stack).then(|| input_specs(reduced).to_vec())
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
