//! The decoder's backward pass, from the last step to the first.

use crate::graph::op::{Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch};
use crate::op::attention::{Attended, Lanes, attend_backward, sequence};
use crate::op::lstm::{
    Stack, Step, WELL_CONDITIONED, add_product, add_product_transposed, cell_inputs,
    sample_well_conditioned, squash_gates,
};
use crate::op::matmul::product_into;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{attention_lanes, flops, folded_spec, folded_weight, seen_spec};

/// Inputs: dseen [B, T, 2H], states [B, T + 1, U H], gates [L, B, T, 4H], x and queries [B, T, H], shares [B, T, S]; the
/// cells' weights transposed [L, 4H, 2H], the context's share of the input's [H, H], the query's transposed [H, 2L H];
/// keys, memory [B, S, H] and v `[H]`; and the cells' weights as they are [L, 2H 4H].
///
/// Outputs: the gradient of the start [B, U H]; the gates' before squashing; dx and dquery [B, T, H]; dscore [B, T, S];
/// what each cell multiplied by its weight [L, B, T, 2H]; and the whole gradient of the contexts [B, T, H].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderGrad {
    /// L.
    pub layers: usize,
}

/// All inputs, in order.
pub(super) fn input_specs(stack: Stack, attended: &Attended) -> [TensorSpec; 13] {
    let Stack { batch, hidden, layers, .. } = stack;
    let memory = TensorSpec::f32([batch, attended.positions, hidden]);
    let shares = TensorSpec::f32([batch, stack.steps, attended.positions]);
    [
        seen_spec(stack),
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
        stack.weights(),
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
            TensorSpec::f32([batch, stack.row_len()]),
            stack.gates(),
            stack.x(),
            stack.x(),
            attended.shares(),
            stack.cell_inputs(),
            stack.x(),
        ];
        let tolerance = Tolerance::sum(64 * stack.hidden);
        // Of the weights as they are, the input's of the first layer alone is read.
        let read = [&inputs[..12], &[TensorSpec::f32([hidden, 4 * hidden])]].concat();
        let facts = Facts::moving(flops(stack, &attended), &read, outputs, tolerance)
            .drawn_from(WELL_CONDITIONED);
        Ok(Box::new(DecoderGradProblem { stack, attended, facts }))
    }
}

#[derive(Debug)]
struct DecoderGradProblem {
    stack: Stack,
    attended: Attended,
    /// Outputs: dstart, dgates, dx, dquery, dscore, what each cell multiplied and dcontexts.
    facts: Facts,
}

/// The operands of the cells' kernel.
fn bind_cell(dispatch: Dispatch, layer: usize) -> Dispatch {
    dispatch
        .param("layer", layer)
        .bind("turned", input(6))
        .bind("turned_query", input(8))
        .bind("gates", input(2))
        .bind("states", input(1))
        .bind("d_query", output(3).read())
        .bind("d_seen", input(0))
        .bind("d_start", output(0))
        .bind("d_gates", output(1))
}

/// What one step hands on, in f64.
struct StepBackward {
    d_gates: Vec<Vec<f64>>,
    dx: Vec<f64>,
    d_query: Vec<f64>,
    d_score: Vec<f64>,
}

impl DecoderGradProblem {
    /// The reference of one sequence: the gradients of its rows of states [T + 1, U H], and what each step hands on.
    fn sequence_backward(
        &self,
        inputs: &[&Array],
        context_turned: &[f64],
        b: usize,
    ) -> (Vec<f64>, Vec<(usize, StepBackward)>) {
        let Stack { hidden, layers, steps, .. } = self.stack;
        let (cells, row_len) = (2 * layers * hidden, self.stack.row_len());
        let [states, gates, queries] = [1, 2, 4].map(|at| &inputs[at].data);
        let (shares, positions) = (&inputs[5].data, self.attended.positions);
        let [turned, turned_query, v] = [6, 8, 11].map(|at| &inputs[at].data);
        let [keys, memory] = [9, 10].map(|at| sequence(inputs[at], b));
        let mut d_rows = vec![0.0; (steps + 1) * row_len];
        for (t, d_seen) in sequence(inputs[0], b).chunks(2 * hidden).enumerate() {
            d_rows[(t + 2) * row_len - 2 * hidden..][..2 * hidden].copy_from_slice(d_seen);
        }
        let mut d_gates = vec![vec![0.0; 4 * hidden]; layers];
        let mut backward = Vec::new();
        for t in (0..steps).rev() {
            let bt = b * steps + t;
            let query = &queries[bt * hidden..][..hidden];
            let share = &shares[bt * positions..][..positions];
            let d_context = &d_rows[(t + 1) * row_len + cells..][..hidden];
            let (d_score, d_query) = attend_backward(query, keys, memory, v, share, d_context);
            let d_cells = &mut d_rows[(t + 1) * row_len..][..cells];
            add_product(d_cells, &d_query, turned_query);
            d_gates = self.stack.backward(&mut d_rows, &d_gates, turned, gates, states, b, t);
            let mut dx = vec![0.0; hidden];
            add_product_transposed(&mut dx, &d_gates[0], turned, 0);
            let d_context = &mut d_rows[t * row_len + cells..][..hidden];
            add_product(d_context, &dx, context_turned);
            backward.push((t, StepBackward { d_gates: d_gates.clone(), dx, d_query, d_score }));
        }
        for (l, d_cell_gates) in d_gates.iter().enumerate() {
            let dh = &mut d_rows[(2 * l + 1) * hidden..][..hidden];
            let weight = &turned[l * 8 * hidden * hidden..];
            add_product_transposed(dh, d_cell_gates, weight, 1);
        }
        (d_rows, backward)
    }

    /// What comes before the steps: the scores' gradients as far as they come from outside, and the memory's differences
    /// after the product of two weights, by which they come from the first cell.
    fn before(&self, lanes: Lanes, caps: &Caps) -> [Dispatch; 3] {
        let Attended { batch, queries, positions, hidden } = self.attended;
        let [folded, differences, projected] = [0, 1, 2].map(scratch);
        // Of all steps at once there are workgroups enough.
        let lanes = if lanes == Lanes::ALONE { lanes } else { Lanes::SHARED };
        let kernel = self.attended.kernel("decoder/outside", lanes);
        let outside = Dispatch::new(kernel, [batch as u32, queries as u32, 1])
            .bind("memory", input(10))
            .bind("d_seen", input(0))
            .bind("d_score", output(4))
            .bind("differences", differences);
        let operands = [differences.read(), folded.read()];
        let product = [batch * positions, 4 * hidden, hidden];
        [
            folded_weight(hidden, [input(7), input(12)], folded, caps),
            outside,
            product_into(product, operands, false, projected, caps),
        ]
    }

    /// What comes after: the gradients of x and of the contexts before, of all steps at once.
    fn after(&self, caps: &Caps) -> [Dispatch; 3] {
        let Stack { batch, steps, hidden, units, .. } = self.stack;
        let rows = batch * steps;
        let [d_start, d_gates, dx, d_before] = [output(0), output(1), output(2), scratch(3)];
        let first_weight = input(12).range(0, 4 * hidden * hidden);
        let d_first = d_gates.read().range(0, rows * 4 * hidden);
        let kernel = Kernel::new("decoder/contexts").with_consts(&[
            ("COLUMNS", hidden / 4),
            ("BATCH", batch),
            ("STEPS", steps),
            ("UNITS", units),
        ]);
        let contexts = Dispatch::new(kernel, grid((rows * hidden / 4).div_ceil(64), caps))
            .bind("d_seen", input(0))
            .bind("d_before", d_before.read())
            .bind("d_start", d_start)
            .bind("d_contexts", output(6));
        [
            product_into([rows, hidden, 4 * hidden], [d_first, first_weight], true, dx, caps),
            product_into([rows, hidden, hidden], [dx.read(), input(7)], true, d_before, caps),
            contexts,
        ]
    }
}

impl Problem for DecoderGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        Step::variants_of_a_layer(self.stack, 2, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let Self { stack, attended, .. } = self;
        let &Stack { batch, steps, hidden, layers, .. } = stack;
        let lanes = attention_lanes(attended, variant, caps);
        let mut dispatches = self.before(lanes, caps).to_vec();
        let cells = Step::cells_below(variant, *stack, "decoder/backward");
        for t in (0..steps).rev() {
            let attention = attended
                .dispatch("decoder/unattend", lanes, t..t + 1)
                .bind("query", input(4))
                .bind("keys", input(9))
                .bind("v", input(11))
                .bind("shares", input(5))
                .bind("d_query", output(3))
                .bind("d_score", output(4))
                .bind("projected", scratch(2).read())
                .bind("d_gates", output(1).read());
            dispatches.push(attention);
            dispatches.extend((0..layers).rev().map(|l| bind_cell(cells.at(t, 1), l)));
        }
        dispatches.push(bind_cell(cells.with("START").at(0, layers), 0));
        dispatches.push(cell_inputs(input(3), input(1), output(5), *stack, caps));
        dispatches.extend(self.after(caps));
        let projected = TensorSpec::f32([batch, attended.positions, 4 * hidden]);
        let differences = TensorSpec::f32([batch, attended.positions, hidden]);
        let scratch = vec![folded_spec(hidden), differences, projected, stack.x()];
        Lowered { dispatches, scratch }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (stack, positions) = (self.stack, self.attended.positions);
        let Stack { hidden, steps, .. } = stack;
        let (cells, row_len) = (2 * stack.layers * hidden, stack.row_len());
        let context = &inputs[7].data;
        let context_turned: Vec<_> =
            (0..hidden * hidden).map(|at| context[at % hidden * hidden + at / hidden]).collect();
        let one_sequence = |b| self.sequence_backward(inputs, &context_turned, b);
        let sequences: Vec<_> = (0..stack.batch).into_par_iter().map(one_sequence).collect();
        let mut outputs = self.facts.zeros();
        let [d_start, all_d_gates, dxs, d_queries, d_scores, cell_inputs, d_contexts] =
            &mut outputs;
        for (b, (d_rows, backward)) in sequences.into_iter().enumerate() {
            d_start.data[b * row_len..][..row_len].copy_from_slice(&d_rows[..row_len]);
            for (t, step) in backward {
                stack.store_gates(all_d_gates, b, t, &step.d_gates);
                let bt = b * steps + t;
                let d_context = &d_rows[(t + 1) * row_len + cells..][..hidden];
                d_contexts.data[bt * hidden..][..hidden].copy_from_slice(d_context);
                dxs.data[bt * hidden..][..hidden].copy_from_slice(&step.dx);
                d_queries.data[bt * hidden..][..hidden].copy_from_slice(&step.d_query);
                d_scores.data[bt * positions..][..positions].copy_from_slice(&step.d_score);
            }
        }
        *cell_inputs = stack.gather_cell_inputs(inputs[3], inputs[1]);
        outputs.into()
    }

    /// Gates and shares within what they can be, weights that neither grow nor vanish.
    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = sample_well_conditioned(x, sampler);
        squash_gates(&mut arrays[2]);
        for share in &mut arrays[5].data {
            *share = (0.5 + 0.5 * *share) / self.attended.positions as f64;
        }
        for weight in 6..9 {
            let scale = 1.0 / (x[weight].shape.last() as f64).sqrt();
            arrays[weight].data.iter_mut().for_each(|x| *x *= scale);
        }
        arrays[12] = self.stack.untransposed(&arrays[6]);
        arrays.iter().map(Array::rounded).collect()
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.stack.reduced().map(|few| input_specs(few, &self.attended).to_vec())
    }
}
