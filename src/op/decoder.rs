//! A decoder with attention over a whole target sequence (Sutskever 2014 with Bahdanau 2015, as in TensorFlow's
//! translate tutorial): a stack of LSTM cells whose input holds the context of the step before.
//!
//! The steps are sequential, and no kernel can wait for another's results: each takes a dispatch for every layer, and one
//! for the attention. The context passes the input's weight and the first cell's at once, by the product of the two, and the
//! query is summed by the cells themselves, a part by each workgroup: what a workgroup that attends would read of weights, each
//! of them would read whole. What does not depend on the step before is computed for all steps at once: what the tokens give to
//! the first cell, the outputs, every weight's gradient.

use crate::graph::Tensor;
use crate::graph::op::{Backward, Facts, Kind, Op, Output, Problem, Sampler, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch,
};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::attention::{Attended, ContextRows, Lanes, attend, sequence, sum_over_queries};
use super::lstm::{
    Stack, Step, WELL_CONDITIONED, add_product, copy_rows, sample_well_conditioned,
    transpose_weights, weight_gradients,
};
use super::matmul::product_into;

mod grad;
mod step;

pub use grad::DecoderGrad;
pub use step::{DecoderStep, StepParameters};

/// Inputs:
/// 0. tokens [B, T, H]: the tokens' share of each step's input, bias and all
/// 1. start [B, U H]: c and h of each of L layers, then the context, U = 2L + 1
/// 2. context's share of the input's weight [H, H]
/// 3. weights [L, 2H 4H] and 4. biases [L, 4H] of the cells
/// 5. the query's weight [2L H, H] over all c and h
/// 6. keys and 7. memory [B, S, H], and 8. v `[H]` of the attention
/// 9. the query's bias `[H]`
///
/// Outputs: h of the last layer and the context after each step [B, T, 2H]; and for the backward pass the states
/// [B, T + 1, U H], row 0 being the start, the gates [L, B, T, 4H], the queries [B, T, H] without their bias, the attention's
/// shares [B, T, S], and the keys with it [B, S, H]. The bias's gradient is the queries': summed over the keys, where each
/// row's scores cancel, f32 would lose it.
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
        memory.clone(),
        memory,
        TensorSpec::f32([hidden]),
        TensorSpec::f32([hidden]),
    ]
}

/// What is seen from outside, [B, T, 2H].
fn seen_spec(stack: Stack) -> TensorSpec {
    TensorSpec::f32([stack.batch, stack.steps, 2 * stack.hidden])
}

/// Where the contexts lie among the states.
fn context_rows(stack: Stack) -> ContextRows {
    let pitch = stack.row_len();
    let first = pitch + 2 * stack.layers * stack.hidden;
    ContextRows { first, rows: stack.steps + 1, pitch }
}

/// The attention's lanes: where a step shares its sums, the attention shares its scores; beside tiles by as many as may be.
fn attention_lanes(attended: &Attended, variant: &Variant, caps: &Caps) -> Lanes {
    match (variant.name, variant.get("SLICES")) {
        ("tile", _) => attended.widest(caps),
        (_, 1) => Lanes::ALONE,
        _ => Lanes::SHARED,
    }
}

/// The dispatch of what ends a step, nothing bound yet. The query comes in `parts`.
fn attention(
    attended: &Attended,
    stack: Stack,
    lanes: Lanes,
    shader: &str,
    (t, parts): (usize, usize),
) -> Dispatch {
    let mut dispatch = attended.storing(shader, lanes, context_rows(stack), t..t + 1);
    let consts = [("PARTS", parts), ("BATCH", stack.batch)];
    dispatch.kernel = dispatch.kernel.with_consts(&consts);
    dispatch
}

/// How a step ends, in f64: the query of a row's cells and the shares that it takes of a memory, keys, values and v, whose
/// context goes into the row.
fn look_up(row: &mut [f64], weight: &[f64], memory: [&[f64]; 3]) -> (Vec<f64>, Vec<f64>) {
    let [keys, values, v] = memory;
    let (cells, context) = row.split_at_mut(row.len() - v.len());
    let mut query = vec![0.0; v.len()];
    add_product(&mut query, cells, weight);
    let (shares, sum) = attend(&query, keys, values, v);
    context.copy_from_slice(&sum);
    (query, shares)
}

/// A decoder's cells, which hand on what they have for the query.
fn cells(variant: &Variant, stack: Stack, problem: &str) -> Step {
    let cells = Step::new(variant, stack, problem);
    cells.with_hook("tail", "// use: decoder/ask\n".into()).with_hook("cells", String::new())
}

/// What cells hand on: `sums` of H columns, in parts.
fn asking_spec(stack: Stack, cells: &Step, sums: usize) -> TensorSpec {
    TensorSpec::f32([sums, cells.across(), stack.batch, stack.hidden])
}

/// The context's share of the input's weight times the cells', of which the input's of the first is used: [H, 4H].
fn folded_weight(hidden: usize, operands: [Binding; 2], folded: Binding, caps: &Caps) -> Dispatch {
    let [context, weights] = operands;
    let operands = [context, weights.range(0, 4 * hidden * hidden)];
    product_into([hidden, 4 * hidden, hidden], operands, false, folded, caps)
}

/// The operands of a cell above the first: the inputs that are the cells' weights, their biases and the query's weights,
/// and the states, the gates and what is handed on.
fn bind_above(
    dispatch: Dispatch,
    layer: usize,
    [weights, biases, query]: [usize; 3],
    [states, gates, asking]: [Binding; 3],
) -> Dispatch {
    dispatch
        .param("layer", layer)
        .bind("weights", input(weights))
        .bind("biases", input(biases))
        .bind("query_weights", input(query))
        .bind("states", states)
        .bind("gates", gates)
        .bind("asking", asking)
}

/// The keys, `rows` of them, with the query's bias added.
fn biased_keys(rows: usize, hidden: usize, caps: &Caps) -> Dispatch {
    let count = rows * hidden / 4;
    let kernel =
        Kernel::new("decoder/keys").with_consts(&[("COLUMNS", hidden / 4), ("COUNT", count)]);
    Dispatch::new(kernel, grid(count.div_ceil(64), caps))
        .bind("keys", input(6))
        .bind("bias", input(9))
        .bind("biased", output(5))
}

/// [H, 4H].
fn folded_spec(hidden: usize) -> TensorSpec {
    TensorSpec::f32([hidden, 4 * hidden])
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
        let attended = Attended::of(&inputs[0], &inputs[6], &inputs[8])?;
        if *inputs != input_specs(stack, &attended) {
            return Err(format!(
                "{} and {} do not fit a decoder over {}",
                inputs[1], inputs[5], inputs[0]
            ));
        }
        let outputs = [
            Output::new(seen_spec(stack)),
            Output::saved(stack.states()),
            Output::saved(stack.gates()),
            Output::saved(stack.x()),
            Output::saved(attended.shares()),
            Output::saved(inputs[6].clone()),
        ];
        let tolerance = Tolerance::sum(64 * stack.hidden);
        let facts = Facts::moving(flops(stack, &attended), inputs, outputs, tolerance)
            .drawn_from(WELL_CONDITIONED);
        Ok(Box::new(DecoderProblem { stack, attended, facts }))
    }

    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let Some(d_seen) = dy[0] else {
            return vec![None; x.len()];
        };
        let [states, gates, queries, shares, keys] = [1, 2, 3, 4, 5].map(|at: usize| y[at]);
        let (tokens, layers) = (x[0].spec(), x[3].spec().dims()[0]);
        let (steps, hidden) = (tokens.dims()[1], tokens.shape.last());
        let (rows, cells) = (tokens.shape.rows(), 2 * layers * hidden);
        let flat = |sequences: Tensor<'g>| {
            let width = sequences.spec().shape.last();
            sequences.reshape([rows, width])
        };
        let contexts_before = flat(states.slice(1, 0, steps).slice(2, cells, hidden));
        let xs = flat(x[0]) + contexts_before.matmul(x[2]);
        let operands = [
            d_seen,
            states,
            gates,
            xs.reshape(tokens.shape),
            queries,
            shares,
            transpose_weights(x[3], hidden),
            x[2],
            x[5].transpose(&[1, 0]),
            keys,
            x[7],
            x[8],
            x[3],
        ];
        let grads = d_seen.graph().apply(DecoderGrad { layers }, &operands);
        let [d_start, d_gates, dx, d_query] = [grads[0], grads[1], grads[2], grads[3]];
        let [d_score, cell_inputs, d_contexts] = [grads[4], grads[5], grads[6]];
        let cells_after = flat(states.slice(1, 1, steps).slice(2, 0, cells));
        let [d_weights, d_biases] = weight_gradients(d_gates, cell_inputs, layers, hidden);
        let [d_keys, d_memory, d_v] =
            sum_over_queries(d_score, shares, d_contexts, queries, keys, x[8]);
        vec![
            Some(dx),
            Some(d_start),
            Some(contexts_before.product(flat(dx), true, false)),
            Some(d_weights),
            Some(d_biases),
            Some(cells_after.product(flat(d_query), true, false)),
            Some(d_keys),
            Some(d_memory),
            Some(d_v),
            Some(flat(d_query).sum(0)),
        ]
    }
}

#[derive(Debug)]
struct DecoderProblem {
    stack: Stack,
    attended: Attended,
    /// Outputs: what is seen, states, gates, queries, shares and the keys with the query's bias.
    facts: Facts,
}

impl Problem for DecoderProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        Step::variants_of_a_layer(self.stack, 4, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let stack = self.stack;
        let Stack { batch, steps, hidden, layers, .. } = stack;
        let rows = batch * steps;
        let first_weight = input(3).range(0, 4 * hidden * hidden);
        let [folded, tokens, asking] = [scratch(0), scratch(1), scratch(2)];
        let [states, gates] = [output(1), output(2)];
        let sequence_len = (steps + 1) * stack.row_len();
        let mut dispatches = vec![
            biased_keys(batch * self.attended.positions, hidden, caps),
            copy_rows(input(1), states, batch, stack.row_len(), sequence_len, caps),
            folded_weight(hidden, [input(2), input(3)], folded, caps),
            product_into([rows, 4 * hidden, hidden], [input(0), first_weight], false, tokens, caps),
        ];
        let cells = |problem| cells(variant, stack, problem).with_consts(&[("STEPS", steps)]);
        let (first, above) = (cells("decoder/first"), cells("decoder/above"));
        let lanes = attention_lanes(&self.attended, variant, caps);
        for t in 0..steps {
            dispatches.push(
                first
                    .at(t, 1)
                    .bind("weights", input(3))
                    .bind("biases", input(4))
                    .bind("folded", folded.read())
                    .bind("tokens", tokens.read())
                    .bind("states", states)
                    .bind("gates", gates)
                    .bind("query_weights", input(5))
                    .bind("asking", asking),
            );
            let above = (1..layers)
                .map(|l| bind_above(above.at(t, 1), l, [3, 4, 5], [states, gates, asking]));
            dispatches.extend(above);
            let at = (t, first.across());
            let attention = attention(&self.attended, stack, lanes, "decoder/attend", at)
                .bind("keys", output(5).read())
                .bind("memory", input(7))
                .bind("v", input(8))
                .bind("context", states)
                .bind("asking", asking.read())
                .bind("queries", output(3))
                .bind("shares", output(4))
                .bind("seen", output(0));
            dispatches.push(attention);
        }
        let asking = asking_spec(stack, &first, 1);
        let scratch = vec![folded_spec(hidden), TensorSpec::f32([rows, 4 * hidden]), asking];
        Lowered { dispatches, scratch }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let stack = self.stack;
        let (hidden, cells) = (stack.hidden, 2 * stack.layers * stack.hidden);
        let keys_len = self.attended.positions * hidden;
        let keys = inputs[6].data.iter().zip(inputs[9].data.iter().cycle());
        let biased: Vec<f64> = keys.map(|(key, bias)| key + bias).collect();
        let decode = |b: usize| {
            let mut row = sequence(inputs[1], b).to_vec();
            let step = |t: usize| {
                let tokens = &inputs[0].data[(b * stack.steps + t) * hidden..][..hidden];
                let mut x = tokens.to_vec();
                add_product(&mut x, &row[cells..], &inputs[2].data);
                let gates = stack.forward(&mut row, &x, &inputs[3].data, &inputs[4].data);
                let keys = &biased[b * keys_len..][..keys_len];
                let memory = [keys, sequence(inputs[7], b), &inputs[8].data];
                let (query, shares) = look_up(&mut row, &inputs[5].data, memory);
                (row.clone(), gates, query, shares)
            };
            (0..stack.steps).map(step).collect::<Vec<_>>()
        };
        let sequences: Vec<_> = (0..stack.batch).into_par_iter().map(decode).collect();
        let mut outputs = self.facts.zeros();
        let [seen, states, all_gates, queries, all_shares, all_keys] = &mut outputs;
        all_keys.data.clone_from(&biased);
        for (b, steps) in sequences.into_iter().enumerate() {
            let start = sequence(inputs[1], b);
            states.data[stack.row(b, 0)..][..start.len()].copy_from_slice(start);
            for (t, (row, gates, query, shares)) in steps.into_iter().enumerate() {
                states.data[stack.row(b, t + 1)..][..row.len()].copy_from_slice(&row);
                stack.store_gates(all_gates, b, t, &gates);
                let bt = b * stack.steps + t;
                let last = &row[cells - hidden..];
                seen.data[bt * 2 * hidden..][..2 * hidden].copy_from_slice(last);
                queries.data[bt * hidden..][..hidden].copy_from_slice(&query);
                all_shares.data[bt * shares.len()..][..shares.len()].copy_from_slice(&shares);
            }
        }
        outputs.into()
    }

    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample_well_conditioned(x, sampler)
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.stack.reduced().map(|few| input_specs(few, &self.attended).to_vec())
    }
}

/// What attention needs: keys and memory [B, S, H] and v `[H]`.
#[derive(Debug, Clone, Copy)]
pub struct Memory<'g> {
    /// W_h h of each position; where a decoder goes on from words, with the query's bias.
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
    /// h of the last layer and the context after each step [B, T, 2H] of a decoder over `self`, the tokens' share of each
    /// step's input [B, T, H], from `start` [B, (2L + 1) H] on: c and h of each layer and the context.
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
            memory.keys,
            memory.values,
            memory.v,
            parameters.query_bias,
        ];
        self.graph().apply(Decoder, &inputs)[0]
    }
}

/// Awkward cases of [`Decoder`], [`DecoderGrad`] and [`DecoderStep`].
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (layers, batch, steps, positions, hidden) in [
        (1usize, 1usize, 1usize, 1usize, 4usize),
        (1, 2, 2, 3, 4),
        (2, 3, 2, 2, 12),
        (3, 9, 4, 5, 32),
        (3, 5, 1, 7, 36),
        (3, 3, 2, 40, 256),
        (2, 20, 2, 5, 96),
    ] {
        let stack = Stack { batch, steps, hidden, layers, units: 2 * layers + 1 };
        let attended = Attended { batch, queries: steps, positions, hidden };
        let name = format!("l{layers}_b{batch}_t{steps}_s{positions}_h{hidden}");
        cases.push(Case::new(&*name, Decoder, input_specs(stack, &attended)));
        let inputs = grad::input_specs(stack, &attended);
        cases.push(Case::new(format!("{name}_back"), DecoderGrad { layers }, inputs));
        let stack = Stack { steps: 1, ..stack };
        let earlier = 1 + steps % 2;
        let sizes = step::Sizes { stack, positions, earlier, ids: steps, vocabulary: 7 };
        let op = DecoderStep { id: steps / 2 };
        cases.push(Case::new(format!("{name}_step"), op, sizes.inputs()));
    }
    cases
}
