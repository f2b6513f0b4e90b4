//! The decoder's backward pass, from the last step to the first.

use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Dispatch, Lowered, Variant, input, output};
use crate::op::attention::{Attended, attend_backward, sequence};
use crate::op::lstm::{
    Linear, Stack, Start, Step, WELL_CONDITIONED, add_product, add_product_transposed, cell_inputs,
    copy_rows, sample_well_conditioned, squash_gates,
};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{attention_lanes, context_rows, flops};

/// Inputs: dstates and states [B, T + 1, U H], gates [L, B, T, 4H], x and queries [B, T, H], shares [B, T, S];
/// transposed, the cells' weights [L, 4H, 2H], the context's share of the input's [H, H] and the query's
/// [H, 2L H]; keys, memory [B, S, H] and v `[H]`.
///
/// Outputs: the whole gradient of the states, row 0 being the start's; the gates' before squashing; dx and
/// dquery [B, T, H]; dscore [B, T, S]; and what each cell multiplied by its weight [L, B, T, 2H].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderGrad {
    /// L.
    pub layers: usize,
}

/// All inputs, in order.
pub(super) fn input_specs(stack: Stack, attended: &Attended) -> [TensorSpec; 12] {
    let Stack { batch, hidden, layers, .. } = stack;
    let memory = TensorSpec::f32([batch, attended.positions, hidden]);
    let shares = TensorSpec::f32([batch, stack.steps, attended.positions]);
    [
        stack.states(),
        stack.states(),
        stack.gates(),
        stack.x(),
        stack.x(),
        shares,
        stack.transposed_weights(),
        TensorSpec::f32([hidden, hidden]),
        TensorSpec::f32([hidden, 2 * layers * hidden]),
        memory.clone(),
        memory,
        TensorSpec::f32([hidden]),
    ]
}

impl Op for DecoderGrad {
    fn kind(&self) -> Kind {
        Kind::new("decoder_grad", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let attended = Attended::of(&inputs[4], &inputs[9], &inputs[11])?;
        let Attended { batch, queries: steps, hidden, .. } = attended;
        let layers = self.layers;
        let stack = Stack { batch, steps, hidden, layers, units: 2 * layers + 1 };
        if *inputs != input_specs(stack, &attended) {
            return Err(format!("{} and {} differ", inputs[0], inputs[2]));
        }
        let outputs = [
            stack.states(),
            stack.gates(),
            stack.x(),
            stack.x(),
            attended.shares(),
            stack.cell_inputs(),
        ];
        let tolerance = Tolerance::sum(64 * stack.hidden);
        let facts = Facts::moving(flops(stack, &attended), inputs, outputs, tolerance);
        Ok(Box::new(DecoderGradProblem { stack, attended, facts }))
    }
}

#[derive(Debug)]
struct DecoderGradProblem {
    stack: Stack,
    attended: Attended,
    /// Outputs: dstates, dgates, dx, dquery, dscore and what each cell multiplied.
    facts: Facts,
}

/// The operands of the cells' kernel.
fn bind_cell(dispatch: Dispatch) -> Dispatch {
    dispatch
        .bind("turned", input(6))
        .bind("gates", input(2))
        .bind("states", input(1))
        .bind("d_states", output(0))
        .bind("d_gates", output(1))
}

impl Problem for DecoderGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        Step::variants(self.stack.hidden, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let stack = self.stack;
        let Stack { hidden, layers, .. } = stack;
        let columns = hidden / 4;
        let cells = 2 * layers * columns;
        let [d_states, d_gates, dx, d_query, d_score] = [0, 1, 2, 3, 4].map(output);
        let states_len = stack.states().len();
        let mut dispatches = vec![copy_rows(input(0), d_states, 1, states_len, states_len, caps)];
        let step = Step::backward(variant, stack, false, false);
        for t in (0..stack.steps).rev() {
            let attention = self
                .attended
                .dispatch("backward", attention_lanes(variant), context_rows(stack), t..t + 1)
                .bind("query", input(4))
                .bind("keys", input(9))
                .bind("memory", input(10))
                .bind("v", input(11))
                .bind("shares", input(5))
                .bind("d_context", d_states.read())
                .bind("d_query", d_query)
                .bind("d_score", d_score);
            dispatches.push(attention);
            // The query saw all c and h.
            let query = Linear {
                weights: input(8),
                pitch: cells,
                depth: columns,
                columns: cells,
                a: stack.step_rows(d_query.read(), t, columns),
                y: stack.state_rows(d_states, t + 1, 0),
                start: Start::Result,
            };
            dispatches.push(query.dispatch(variant, stack));
            dispatches.extend((0..layers).rev().map(|l| bind_cell(step.cell(t, Some(l)))));
            // The first layer saw x, and x the context before.
            let x = Linear {
                weights: input(6),
                pitch: 2 * columns,
                depth: hidden,
                columns,
                a: stack.step_rows(d_gates.read(), t, hidden),
                y: stack.step_rows(dx, t, columns),
                start: Start::None,
            };
            dispatches.push(x.dispatch(variant, stack));
            let context = Linear {
                weights: input(7),
                pitch: columns,
                depth: columns,
                columns,
                a: stack.step_rows(dx.read(), t, columns),
                y: stack.state_rows(d_states, t, cells),
                start: Start::Result,
            };
            dispatches.push(context.dispatch(variant, stack));
        }
        dispatches.push(bind_cell(Step::backward(variant, stack, false, true).cell(0, None)));
        dispatches.push(cell_inputs(input(3), input(1), output(5), stack, caps));
        Lowered { dispatches, scratch: Vec::new() }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (stack, positions) = (self.stack, self.attended.positions);
        let Stack { hidden, layers, .. } = stack;
        let (cells, row_len) = (2 * layers * hidden, stack.row_len());
        let transposed = &inputs[6].data;
        let decode_backward = |b: usize| {
            let mut d_rows = sequence(inputs[0], b).to_vec();
            let mut d_gates = vec![vec![0.0; 4 * hidden]; layers];
            let mut steps = Vec::new();
            for t in (0..stack.steps).rev() {
                let bt = b * stack.steps + t;
                let (d_score, d_query) = attend_backward(
                    &inputs[4].data[bt * hidden..][..hidden],
                    sequence(inputs[9], b),
                    sequence(inputs[10], b),
                    &inputs[11].data,
                    &inputs[5].data[bt * positions..][..positions],
                    &d_rows[(t + 1) * row_len + cells..][..hidden],
                );
                let d_cells = &mut d_rows[(t + 1) * row_len..][..cells];
                add_product(d_cells, &d_query, &inputs[8].data);
                let (gates, states) = (&inputs[2].data, &inputs[1].data);
                d_gates = stack.backward(&mut d_rows, &d_gates, transposed, gates, states, b, t);
                let mut dx = vec![0.0; hidden];
                add_product_transposed(&mut dx, &d_gates[0], transposed, 0);
                let d_context = &mut d_rows[t * row_len + cells..][..hidden];
                add_product(d_context, &dx, &inputs[7].data);
                steps.push((t, d_gates.clone(), dx, d_query, d_score));
            }
            for (l, d_cell_gates) in d_gates.iter().enumerate() {
                let dh = &mut d_rows[(2 * l + 1) * hidden..][..hidden];
                let weight = &transposed[l * 8 * hidden * hidden..];
                add_product_transposed(dh, d_cell_gates, weight, 1);
            }
            (d_rows, steps)
        };
        let sequences: Vec<_> = (0..stack.batch).into_par_iter().map(decode_backward).collect();
        let mut outputs = self.facts.zeros();
        let [d_states, all_d_gates, dxs, d_queries, d_scores, cell_inputs] = &mut outputs;
        for (b, (d_rows, steps)) in sequences.into_iter().enumerate() {
            d_states.data[stack.row(b, 0)..][..d_rows.len()].copy_from_slice(&d_rows);
            for (t, d_gates, dx, d_query, d_score) in steps {
                stack.store_gates(all_d_gates, b, t, &d_gates);
                let bt = b * stack.steps + t;
                dxs.data[bt * hidden..][..hidden].copy_from_slice(&dx);
                d_queries.data[bt * hidden..][..hidden].copy_from_slice(&d_query);
                d_scores.data[bt * positions..][..positions].copy_from_slice(&d_score);
            }
        }
        *cell_inputs = stack.gather_cell_inputs(inputs[3], inputs[1]);
        outputs.into()
    }

    /// Gates and shares within what they can be, weights that neither grow nor vanish.
    fn sample(&self, x: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        let mut arrays = sample_well_conditioned(x, distribution, rng);
        squash_gates(&mut arrays[2]);
        for share in &mut arrays[5].data {
            *share = (0.5 + 0.5 * *share) / self.attended.positions as f64;
        }
        for weight in 6..9 {
            let scale = 1.0 / (x[weight].shape.last() as f64).sqrt();
            arrays[weight].data.iter_mut().for_each(|x| *x *= scale);
        }
        arrays.iter().map(Array::rounded).collect()
    }

    fn distributions(&self) -> &'static [Distribution] {
        WELL_CONDITIONED
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let reduced = self.stack.reduced();
        (reduced != self.stack).then(|| input_specs(reduced, &self.attended).to_vec())
    }
}
