//! A decoder with attention over a whole target sequence (Sutskever 2014 with Bahdanau 2015, as in TensorFlow's
//! translate tutorial): a stack of LSTM cells whose input holds the context of the step before.
//!
//! The steps are sequential, so each takes a few dispatches: the input, one per layer, the query, the
//! attention. What does not depend on the step before is computed for all steps at once, outside or afterwards:
//! the tokens' share of the input, the outputs, every weight's gradient.

use crate::graph::Tensor;
use crate::graph::op::{Distribution, Facts, Kind, Op, Output, Problem, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::attention::{Attended, ContextRows, Lanes, attend, sequence, sum_over_queries};
use super::lstm::{
    Linear, Rows, Stack, Start, Step, WELL_CONDITIONED, add_product, copy_rows,
    sample_well_conditioned, transpose_weights, weight_gradients,
};

mod grad;

pub use grad::DecoderGrad;

/// Inputs:
/// 0. tokens [B, T, H]: the tokens' share of each step's input, bias and all
/// 1. start [B, U H]: c and h of each of L layers, then the context, U = 2L + 1
/// 2. context's share of the input's weight [H, H]
/// 3. weights [L, 2H 4H] and 4. biases [L, 4H] of the cells
/// 5. the query's weight [2L H, H] over all c and h, and 6. bias `[H]`
/// 7. keys and 8. memory [B, S, H], and 9. v `[H]` of the attention
///
/// Outputs: states [B, T + 1, U H], row 0 being the start; and for the backward pass gates [L, B, T, 4H], the
/// inputs x [B, T, H], the queries [B, T, H] and the attention's shares [B, T, S].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoder;

/// All inputs, in order.
fn input_specs(stack: Stack, attended: &Attended) -> [TensorSpec; 10] {
    let Stack { batch, hidden, layers, .. } = stack;
    let memory = TensorSpec::f32([batch, attended.positions, hidden]);
    [
        stack.x(),
        TensorSpec::f32([batch, stack.row_len()]),
        TensorSpec::f32([hidden, hidden]),
        stack.weights(),
        stack.biases(),
        TensorSpec::f32([2 * layers * hidden, hidden]),
        TensorSpec::f32([hidden]),
        memory.clone(),
        memory,
        TensorSpec::f32([hidden]),
    ]
}

/// Where the contexts lie among the states.
fn context_rows(stack: Stack) -> ContextRows {
    let pitch = stack.row_len();
    let first = pitch + 2 * stack.layers * stack.hidden;
    ContextRows { first, rows: stack.steps + 1, pitch }
}

/// The attention's lanes: where a step shares its sums, the attention shares its scores.
fn attention_lanes(variant: &Variant) -> Lanes {
    if variant.get("SLICES") > 1 { Lanes::SHARED } else { Lanes::ALONE }
}

/// Operations of cells, input, query and attention.
fn flops(stack: Stack, attended: &Attended) -> u64 {
    let Stack { batch, steps, hidden, layers, .. } = stack;
    let linear = 2 * batch * steps * hidden * hidden * (1 + 2 * layers);
    stack.flops() + linear as u64 + attended.flops()
}

impl Op for Decoder {
    fn kind(&self) -> Kind {
        Kind::new("decoder", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let stack = Stack::of(&inputs[0], &inputs[3], &inputs[4], 1)?;
        let attended = Attended::of(&inputs[0], &inputs[7], &inputs[9])?;
        if *inputs != input_specs(stack, &attended) {
            return Err(format!(
                "{} and {} do not fit a decoder over {}",
                inputs[1], inputs[5], inputs[0]
            ));
        }
        let outputs = [
            Output::new(stack.states()),
            Output::saved(stack.gates()),
            Output::saved(stack.x()),
            Output::saved(stack.x()),
            Output::saved(attended.shares()),
        ];
        let tolerance = Tolerance::sum(64 * stack.hidden);
        let facts = Facts::moving(flops(stack, &attended), inputs, outputs, tolerance);
        Ok(Box::new(DecoderProblem { stack, attended, facts }))
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let Some(d_states) = dy[0] else {
            return vec![None; x.len()];
        };
        let [states, gates, xs, queries, shares] = [y[0], y[1], y[2], y[3], y[4]];
        let (tokens, layers) = (x[0].spec(), x[3].spec().dims()[0]);
        let (steps, hidden) = (tokens.dims()[1], tokens.shape.last());
        let (rows, cells) = (tokens.shape.rows(), 2 * layers * hidden);
        let flat = |sequences: Tensor<'g>| {
            let width = sequences.spec().shape.last();
            sequences.reshape([rows, width])
        };
        let operands = [
            d_states,
            states,
            gates,
            xs,
            queries,
            shares,
            transpose_weights(x[3], hidden),
            x[2].transpose(&[1, 0]),
            x[5].transpose(&[1, 0]),
            x[7],
            x[8],
            x[9],
        ];
        let grads = d_states.graph().apply(DecoderGrad { layers }, &operands);
        let [d_states, d_gates, dx, d_query, d_score, cell_inputs] =
            [grads[0], grads[1], grads[2], grads[3], grads[4], grads[5]];
        let contexts_before = flat(states.slice(1, 0, steps).slice(2, cells, hidden));
        let cells_after = flat(states.slice(1, 1, steps).slice(2, 0, cells));
        let [d_weights, d_biases] = weight_gradients(d_gates, cell_inputs, layers, hidden);
        let d_context = d_states.slice(1, 1, steps).slice(2, cells, hidden);
        let [d_keys, d_memory, d_v] =
            sum_over_queries(d_score, shares, d_context, queries, x[7], x[9]);
        vec![
            Some(dx),
            Some(d_states.slice(1, 0, 1).reshape(x[1].spec().shape)),
            Some(contexts_before.product(flat(dx), true, false)),
            Some(d_weights),
            Some(d_biases),
            Some(cells_after.product(flat(d_query), true, false)),
            Some(flat(d_query).sum(0)),
            Some(d_keys),
            Some(d_memory),
            Some(d_v),
        ]
    }
}

#[derive(Debug)]
struct DecoderProblem {
    stack: Stack,
    attended: Attended,
    /// Outputs: states, gates, x, queries and shares.
    facts: Facts,
}

impl Problem for DecoderProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        Step::variants(self.stack.hidden, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let stack = self.stack;
        let Stack { batch, steps, layers, .. } = stack;
        let columns = stack.hidden / 4;
        let cells = 2 * layers * columns;
        let [states, gates, xs, queries, shares] = [0, 1, 2, 3, 4].map(output);
        let step = Step::forward(variant, stack, false);
        let sequence_len = (steps + 1) * stack.row_len();
        let start = copy_rows(input(1), states, batch, stack.row_len(), sequence_len, caps);
        let mut dispatches = vec![start];
        for t in 0..steps {
            // x = tokens' share + context before, by its share of the weight
            let x = Linear {
                weights: input(2),
                pitch: columns,
                depth: columns,
                columns,
                a: stack.state_rows(states.read(), t, cells),
                y: stack.step_rows(xs, t, columns),
                start: Start::Rows(stack.step_rows(input(0), t, columns)),
            };
            dispatches.push(x.dispatch(variant, stack));
            dispatches.extend((0..layers).map(|l| {
                step.cell(t, Some(l))
                    .bind("weights", input(3))
                    .bind("biases", input(4))
                    .bind("below", xs.read())
                    .bind("states", states)
                    .bind("gates", gates)
            }));
            let query = Linear {
                weights: input(5),
                pitch: columns,
                depth: cells,
                columns,
                a: stack.state_rows(states.read(), t + 1, 0),
                y: stack.step_rows(queries, t, columns),
                start: Start::Rows(Rows { tensor: input(6), first: 0, apart: 0 }),
            };
            dispatches.push(query.dispatch(variant, stack));
            let attention = self
                .attended
                .dispatch("forward", attention_lanes(variant), context_rows(stack), t..t + 1)
                .bind("query", queries.read())
                .bind("keys", input(7))
                .bind("memory", input(8))
                .bind("v", input(9))
                .bind("shares", shares)
                .bind("context", states);
            dispatches.push(attention);
        }
        Lowered { dispatches, scratch: Vec::new() }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let stack = self.stack;
        let (hidden, cells) = (stack.hidden, 2 * stack.layers * stack.hidden);
        let decode = |b: usize| {
            let mut row = sequence(inputs[1], b).to_vec();
            let step = |t: usize| {
                let tokens = &inputs[0].data[(b * stack.steps + t) * hidden..][..hidden];
                let mut x = tokens.to_vec();
                add_product(&mut x, &row[cells..], &inputs[2].data);
                let gates = stack.forward(&mut row, &x, &inputs[3].data, &inputs[4].data);
                let mut query = inputs[6].data.clone();
                add_product(&mut query, &row[..cells], &inputs[5].data);
                let (keys, memory) = (sequence(inputs[7], b), sequence(inputs[8], b));
                let (shares, context) = attend(&query, keys, memory, &inputs[9].data);
                row[cells..].copy_from_slice(&context);
                (row.clone(), gates, x, query, shares)
            };
            (0..stack.steps).map(step).collect::<Vec<_>>()
        };
        let sequences: Vec<_> = (0..stack.batch).into_par_iter().map(decode).collect();
        let mut outputs = self.facts.zeros();
        let [states, all_gates, xs, queries, all_shares] = &mut outputs;
        for (b, steps) in sequences.into_iter().enumerate() {
            let start = sequence(inputs[1], b);
            states.data[stack.row(b, 0)..][..start.len()].copy_from_slice(start);
            for (t, (row, gates, x, query, shares)) in steps.into_iter().enumerate() {
                states.data[stack.row(b, t + 1)..][..row.len()].copy_from_slice(&row);
                stack.store_gates(all_gates, b, t, &gates);
                let bt = b * stack.steps + t;
                xs.data[bt * hidden..][..hidden].copy_from_slice(&x);
                queries.data[bt * hidden..][..hidden].copy_from_slice(&query);
                all_shares.data[bt * shares.len()..][..shares.len()].copy_from_slice(&shares);
            }
        }
        outputs.into()
    }

    fn sample(&self, x: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        sample_well_conditioned(x, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        WELL_CONDITIONED
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let reduced = self.stack.reduced();
        (reduced != self.stack).then(|| input_specs(reduced, &self.attended).to_vec())
    }
}

/// What attention needs: keys and memory [B, S, H] and v `[H]`.
#[derive(Debug, Clone, Copy)]
pub struct Memory<'g> {
    /// W_h h of each position.
    pub keys: Tensor<'g>,
    /// h of each position.
    pub values: Tensor<'g>,
    /// What scores are taken with.
    pub v: Tensor<'g>,
}

/// The decoder's own parameters.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'g> {
    /// The context's share of the input's weight, [H, H].
    pub context: Tensor<'g>,
    /// Cells: [L, 2H 4H].
    pub weights: Tensor<'g>,
    /// Cells: [L, 4H].
    pub biases: Tensor<'g>,
    /// Of the query, [2L H, H].
    pub query: Tensor<'g>,
    /// Of the query, `[H]`.
    pub query_bias: Tensor<'g>,
}

impl<'g> Tensor<'g> {
    /// The states [B, T + 1, (2L + 1) H] of a decoder over `self`, the tokens' share of each step's input
    /// [B, T, H], from `start` [B, (2L + 1) H] on. A row is c and h of each layer and the context.
    pub fn decoder(
        self,
        start: Tensor<'g>,
        parameters: Parameters<'g>,
        memory: Memory<'g>,
    ) -> Tensor<'g> {
        let inputs = [
            self,
            start,
            parameters.context,
            parameters.weights,
            parameters.biases,
            parameters.query,
            parameters.query_bias,
            memory.keys,
            memory.values,
            memory.v,
        ];
        self.graph().apply(Decoder, &inputs)[0]
    }
}

/// Cases of [`Decoder`] and [`DecoderGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "decoder"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (layers, batch, steps, positions, hidden) in [
            (1usize, 1usize, 1usize, 1usize, 4usize),
            (1, 2, 2, 3, 4),
            (2, 3, 2, 2, 12),
            (3, 4, 10, 5, 32),
            (3, 5, 1, 7, 36),
            (3, 3, 2, 40, 256),
        ] {
            let stack = Stack { batch, steps, hidden, layers, units: 2 * layers + 1 };
            let attended = Attended { batch, queries: steps, positions, hidden };
            let name = format!("l{layers}_b{batch}_t{steps}_s{positions}_h{hidden}");
            cases.push(Case::new(&*name, Decoder, input_specs(stack, &attended)));
            let inputs = grad::input_specs(stack, &attended);
            cases.push(Case::new(format!("{name}_back"), DecoderGrad { layers }, inputs));
        }
        cases
    }
}
