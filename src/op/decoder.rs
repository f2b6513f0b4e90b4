//! A decoder with attention over a whole target sequence (Sutskever 2014 with Bahdanau 2015, as in TensorFlow's
//! translate tutorial): a stack of LSTM cells whose input holds the context of the step before.
//!
//! The steps follow each other, so each is a few dispatches: the input, a dispatch a layer, the query, the
//! attention. What does not hang on the step before is made for all steps at once, outside or afterwards:
//! the tokens' share of the input, the outputs, every weight's gradient.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::attention::{Context, Size as Attended, attend, of_sequence, over_queries, teams};
use super::lstm::cell::add_product;
use super::lstm::step::{Linear, Rows, Size, Start, Step, copy_rows, variants};
use super::lstm::{MODEST, layers, modest, size_of, turned, weight_gradients};

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

/// The lengths of the cells and of the attention.
fn sizes(inputs: &[TensorSpec]) -> Result<(Size, Attended), String> {
    let size = size_of(&inputs[0], &inputs[3], &inputs[4], 1)?;
    let attended = Attended::of(&inputs[0], &inputs[7], &inputs[9])?;
    let (width, layers) = (size.width, size.layers);
    let fits = inputs[1] == TensorSpec::f32([size.batch, size.units * width])
        && inputs[2] == TensorSpec::f32([width, width])
        && inputs[5] == TensorSpec::f32([2 * layers * width, width])
        && inputs[6] == TensorSpec::f32([width])
        && inputs[8] == inputs[7];
    if fits {
        Ok((size, attended))
    } else {
        Err(format!("{} and {} do not decode {}", inputs[1], inputs[5], inputs[0]))
    }
}

/// Where the contexts lie among the states.
fn context(size: Size) -> Context {
    let pitch = size.units * size.width;
    Context { first: pitch + 2 * size.layers * size.width, rows: size.steps + 1, pitch }
}

/// The attention's team where a step shares its sums, and where it does not.
fn team(variant: &Variant, caps: &Caps) -> [u32; 2] {
    let mut teams = teams(caps);
    teams.sort_unstable();
    teams[usize::from(variant.get("SLICES") > 1)]
}

impl OldOp for Decoder {
    fn name(&self) -> &'static str {
        "decoder"
    }

    fn class(&self) -> Class {
        Class::Matrix
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let (size, attended) = sizes(inputs)?;
        let of = |width| TensorSpec::f32([size.batch, size.steps, width]);
        Ok(vec![
            TensorSpec::f32([size.batch, size.steps + 1, size.units * size.width]),
            TensorSpec::f32([size.layers, size.batch, size.steps, 4 * size.width]),
            of(size.width),
            of(size.width),
            of(attended.positions),
        ])
    }

    fn saved(&self) -> usize {
        4
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = sizes(inputs).map_or(0, |(size, attended)| flops(size, attended));
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants(inputs[0].shape.last(), caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok((size, attended)) = sizes(io.inputs) else {
            return Lowered::default();
        };
        let (steps, columns) = (size.steps, size.width / 4);
        let pitch = size.units * size.width;
        let (row, rows) = (pitch / 4, (steps + 1) * pitch / 4);
        let cells = 2 * size.layers * columns;
        let linear = |depth: usize| Linear { depth, columns, pitch: columns };
        let each = |t: usize| Rows { first: t * columns, apart: steps * columns };
        let state = |t: usize, first: usize| Rows { first: t * row + first, apart: rows };
        let step = Step::forward(variant, size, false);
        let whole = (steps + 1) * pitch;
        let mut dispatches =
            vec![copy_rows(input(1), output(0), size.batch, pitch, whole, io.caps)];
        for t in 0..steps {
            // x = tokens' share + context before, by its share of the weight
            let bindings = vec![input(2), output(0).read(), output(2), input(0)];
            let places = [state(t, cells), each(t)];
            let start = Start::Tensor(each(t));
            dispatches.push(Step::linear(variant, size, linear(columns), places, start, bindings));
            let bindings = [input(3), input(4), output(2).read(), output(0), output(1)];
            dispatches.extend((0..size.layers).map(|l| step.cell(t, Some(l), &bindings)));
            let bindings = vec![input(5), output(0).read(), output(3), input(6)];
            let places = [state(t + 1, 0), each(t)];
            let start = Start::Tensor(Rows::default());
            dispatches.push(Step::linear(variant, size, linear(cells), places, start, bindings));
            let bindings =
                vec![output(3).read(), input(7), input(8), input(9), output(4), output(0)];
            let team = team(variant, io.caps);
            dispatches.push(attended.dispatch("forward", team, context(size), t..t + 1, bindings));
        }
        Lowered { dispatches, scratch: Vec::new() }
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let specs: Vec<_> = x.iter().map(Tensor::spec).collect();
        let (Some(dstates), Ok((size, _))) = (dy[0], sizes(&specs)) else {
            return vec![None; x.len()];
        };
        let (steps, width, cells) = (size.steps, size.width, 2 * size.layers * size.width);
        let rows = size.batch * steps;
        let flat = |t: Tensor<'g>| {
            let width = t.spec().shape.last();
            t.reshape([rows, width])
        };
        let [states, gates, xs, queries, shares] = [y[0], y[1], y[2], y[3], y[4]];
        let operands = [
            dstates,
            states,
            gates,
            xs,
            queries,
            shares,
            turned(x[3], size),
            x[2].transpose(&[1, 0]),
            x[5].transpose(&[1, 0]),
            x[7],
            x[8],
            x[9],
        ];
        let grad = DecoderGrad { layers: size.layers };
        let made = dstates.graph().apply(grad, &operands);
        let [dstates, dgates, dx, dquery, dscore, inputs] =
            [made[0], made[1], made[2], made[3], made[4], made[5]];
        let before = flat(states.slice(1, 0, steps).slice(2, cells, width));
        let after = flat(states.slice(1, 1, steps).slice(2, 0, cells));
        let (dweights, dbiases) = weight_gradients(dgates, inputs, size);
        let dcontext = dstates.slice(1, 1, steps).slice(2, cells, width);
        let [dkeys, dmemory, dv] = over_queries(dscore, shares, dcontext, queries, x[7], x[9]);
        vec![
            Some(dx),
            Some(dstates.slice(1, 0, 1).reshape(x[1].spec().shape)),
            Some(before.product(flat(dx), true, false)),
            Some(dweights),
            Some(dbiases),
            Some(after.product(flat(dquery), true, false)),
            Some(flat(dquery).sum(0)),
            Some(dkeys),
            Some(dmemory),
            Some(dv),
        ]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let (Ok((size, attended)), Ok(outputs)) = (sizes(&specs), self.output(&specs)) else {
            return vec![];
        };
        let (width, cells) = (size.width, 2 * size.layers * size.width);
        let mut made: Vec<_> = outputs.into_iter().map(Array::zeros).collect();
        let sequence = |b: usize| {
            let mut row = of_sequence(inputs[1], b).to_vec();
            let mut steps = vec![(row.clone(), vec![], vec![], vec![], vec![])];
            for t in 0..size.steps {
                let mut x = inputs[0].data[(b * size.steps + t) * width..][..width].to_vec();
                add_product(&mut x, &row[cells..], &inputs[2].data);
                let (_, gates) = layers(&mut row, &x, &inputs[3].data, &inputs[4].data, size);
                let mut query = inputs[6].data.clone();
                add_product(&mut query, &row[..cells], &inputs[5].data);
                let (keys, memory) = (of_sequence(inputs[7], b), of_sequence(inputs[8], b));
                let (shares, context) = attend(&query, keys, memory, &inputs[9].data);
                row[cells..].copy_from_slice(&context);
                steps.push((row.clone(), gates, x, query, shares));
            }
            steps
        };
        let sequences: Vec<_> = (0..size.batch).into_par_iter().map(sequence).collect();
        for (b, steps) in sequences.into_iter().enumerate() {
            for (row, (state, gates, x, query, shares)) in steps.into_iter().enumerate() {
                made[0].data[size.row(b, row)..][..state.len()].copy_from_slice(&state);
                let Some(t) = row.checked_sub(1) else {
                    continue;
                };
                for (l, gates) in gates.into_iter().enumerate() {
                    made[1].data[size.gate(l, b, t)..][..4 * width].copy_from_slice(&gates);
                }
                let bt = b * size.steps + t;
                made[2].data[bt * width..][..width].copy_from_slice(&x);
                made[3].data[bt * width..][..width].copy_from_slice(&query);
                let positions = attended.positions;
                made[4].data[bt * positions..][..positions].copy_from_slice(&shares);
            }
        }
        made
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(64 * inputs[0].shape.last())
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        modest(i, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        MODEST
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let mut fewer = inputs.to_vec();
        if let Ok((size, attended)) = sizes(inputs) {
            let (batch, steps) = (size.batch.min(8), size.steps.min(4));
            fewer[0] = TensorSpec::f32([batch, steps, size.width]);
            fewer[1] = TensorSpec::f32([batch, size.units * size.width]);
            fewer[7] = TensorSpec::f32([batch, attended.positions, size.width]);
            fewer[8] = fewer[7].clone();
        }
        fewer
    }
}

/// Operations of cells, input, query and attention.
fn flops(size: Size, attended: Attended) -> u64 {
    let rows = size.batch * size.steps;
    let linear = 2 * rows * size.width * size.width * (1 + 2 * size.layers);
    size.flops() + (linear + 6 * rows * attended.positions * size.width) as u64
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
    pub fn decoder(self, start: Tensor<'g>, own: Parameters<'g>, memory: Memory<'g>) -> Tensor<'g> {
        let inputs = [
            self,
            start,
            own.context,
            own.weights,
            own.biases,
            own.query,
            own.query_bias,
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
        for (layers, batch, steps, positions, width) in [
            (1usize, 1usize, 1usize, 1usize, 4usize),
            (1, 2, 2, 3, 4),
            (2, 3, 2, 2, 12),
            (3, 4, 10, 5, 32),
            (3, 5, 1, 7, 36),
            (3, 3, 2, 40, 256),
        ] {
            let units = 2 * layers + 1;
            let of = |a, b| TensorSpec::f32([batch, a, b]);
            let tokens = of(steps, width);
            let memory = of(positions, width);
            let v = TensorSpec::f32([width]);
            let inputs = [
                tokens.clone(),
                TensorSpec::f32([batch, units * width]),
                TensorSpec::f32([width, width]),
                TensorSpec::f32([layers, 8 * width * width]),
                TensorSpec::f32([layers, 4 * width]),
                TensorSpec::f32([2 * layers * width, width]),
                v.clone(),
                memory.clone(),
                memory.clone(),
                v.clone(),
            ];
            let name = format!("l{layers}_b{batch}_t{steps}_s{positions}_h{width}");
            cases.push(Case::new(&*name, Decoder, inputs));
            let states = of(steps + 1, units * width);
            let inputs = [
                states.clone(),
                states,
                TensorSpec::f32([layers, batch, steps, 4 * width]),
                tokens.clone(),
                tokens,
                of(steps, positions),
                TensorSpec::f32([layers, 4 * width, 2 * width]),
                TensorSpec::f32([width, width]),
                TensorSpec::f32([width, 2 * layers * width]),
                memory.clone(),
                memory,
                v,
            ];
            cases.push(Case::new(format!("{name}_back"), DecoderGrad { layers }, inputs));
        }
        cases
    }
}
