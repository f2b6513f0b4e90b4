//! A stack of LSTM layers over a sequence, from a start of zeros (Hochreiter & Schmidhuber 1997; the encoder of
//! Sutskever 2014).
//!
//! The input product of the first layer is one matmul over all steps; then each dispatch is a wave: layer l at
//! step w - l, so that all layers that are ready run together. The weights' gradients of all layers and steps
//! are one batched product afterwards.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Lowered, Variant, input, output, scratch};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::matmul::product_into;

pub(in crate::op) mod cell;
mod grad;
pub(in crate::op) mod step;

pub use grad::LstmGrad;
pub(in crate::op) use grad::{add_back, gates_within, inputs_of, layers_back};
use step::{Size, Step, variants};

/// Inputs: x [B, T, H], weights [L, 2H 4H] with rows of the input before those of h, biases [L, 4H], gates
/// in the order i, f, g, o. Outputs: states [B, T + 1, 2L H], a row being c and h of each layer and row 0 the
/// start, and for the backward pass the gates [L, B, T, 4H]. H is a multiple of 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lstm;

/// The lengths of x, weights and biases, where they fit each other.
pub(in crate::op) fn size_of(
    x: &TensorSpec,
    weights: &TensorSpec,
    biases: &TensorSpec,
    more: usize,
) -> Result<Size, String> {
    let ([batch, steps, width], [layers, _]) = (x.dims(), weights.dims()) else {
        return Err(format!("takes x [B, T, H] and weights [L, 2H 4H], not {x} and {weights}"));
    };
    let (batch, steps, width, layers) = (*batch, *steps, *width, *layers);
    if !width.is_multiple_of(4) || width == 0 {
        return Err(format!("{x}: H must be a multiple of 4"));
    }
    let fits = *weights == TensorSpec::f32([layers, 8 * width * width])
        && *biases == TensorSpec::f32([layers, 4 * width]);
    if !fits {
        return Err(format!("{weights} and {biases} are no cells over {x}"));
    }
    Ok(Size { batch, steps, width, layers, units: 2 * layers + more })
}

impl OldOp for Lstm {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn class(&self) -> Class {
        Class::Matrix
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let size = size_of(&inputs[0], &inputs[1], &inputs[2], 0)?;
        Ok(vec![
            TensorSpec::f32([size.batch, size.steps + 1, size.units * size.width]),
            TensorSpec::f32([size.layers, size.batch, size.steps, 4 * size.width]),
        ])
    }

    fn saved(&self) -> usize {
        1
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = size_of(&inputs[0], &inputs[1], &inputs[2], 0).map_or(0, Size::flops);
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants(inputs[0].shape.last(), caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok(size) = size_of(&io.inputs[0], &io.inputs[1], &io.inputs[2], 0) else {
            return Lowered::default();
        };
        let (rows, width) = (size.batch * size.steps, size.width);
        let weight = input(1).range(0, 4 * width * width);
        let product = [rows, 4 * width, width];
        let first = product_into(product, [input(0), weight], scratch(0), io.caps);
        let step = Step::forward(variant, size, true);
        let bindings = [input(1), input(2), scratch(0).read(), output(0), output(1)];
        let waves = (0..size.steps + size.layers - 1).map(|wave| step.cell(wave, None, &bindings));
        Lowered {
            dispatches: std::iter::once(first).chain(waves).collect(),
            scratch: vec![TensorSpec::f32([rows, 4 * width])],
        }
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let size = size_of(&x[0].spec(), &x[1].spec(), &x[2].spec(), 0);
        let (Some(dstates), Ok(size)) = (dy[0], size) else {
            return vec![None; x.len()];
        };
        let width = size.width;
        let turned = turned(x[1], size);
        let grad = LstmGrad { layers: size.layers };
        let made = dstates.graph().apply(grad, &[turned, x[0], y[0], y[1], dstates]);
        let (dgates, inputs) = (made[0], made[1]);
        // What reaches x passed the first layer's input weight.
        let first = turned.slice(0, 0, 1).slice(2, 0, width).reshape([4 * width, width]);
        let rows = size.batch * size.steps;
        let dx = dgates.slice(0, 0, 1).reshape([rows, 4 * width]).matmul(first);
        let (dweights, dbiases) = weight_gradients(dgates, inputs, size);
        vec![Some(dx.reshape(x[0].spec().shape)), Some(dweights), Some(dbiases)]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let (Ok(size), Ok(outputs)) =
            (size_of(&specs[0], &specs[1], &specs[2], 0), self.output(&specs))
        else {
            return vec![];
        };
        let mut made: Vec<_> = outputs.into_iter().map(Array::zeros).collect();
        let width = size.width;
        let sequences: Vec<_> = (0..size.batch)
            .into_par_iter()
            .map(|b| {
                let mut row = vec![0.0; size.units * width];
                let mut rows = Vec::new();
                for t in 0..size.steps {
                    let x = &inputs[0].data[(b * size.steps + t) * width..][..width];
                    rows.push(layers(&mut row, x, &inputs[1].data, &inputs[2].data, size));
                }
                rows
            })
            .collect();
        for (b, rows) in sequences.into_iter().enumerate() {
            for (t, (row, gates)) in rows.into_iter().enumerate() {
                made[0].data[size.row(b, t + 1)..][..row.len()].copy_from_slice(&row);
                for (l, gates) in gates.into_iter().enumerate() {
                    made[1].data[size.gate(l, b, t)..][..4 * width].copy_from_slice(&gates);
                }
            }
        }
        made
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(16 * inputs[0].shape.last())
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        modest(i, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        MODEST
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let mut fewer = inputs.to_vec();
        if let [batch, steps, width] = *inputs[0].dims() {
            fewer[0] = TensorSpec::f32([batch.min(8), steps.min(4), width]);
        }
        fewer
    }
}

/// All layers' cells at a step in f64: `row` goes from the state before to the one after; a copy of it, and
/// each layer's gates.
pub(in crate::op) fn layers(
    row: &mut [f64],
    x: &[f64],
    weights: &[f64],
    biases: &[f64],
    size: Size,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let width = size.width;
    let mut below = x.to_vec();
    let mut gates = Vec::new();
    for l in 0..size.layers {
        let at = 2 * l * width;
        let weight = &weights[l * 8 * width * width..];
        let (c, h) = row[at..at + 2 * width].split_at(width);
        let made = cell::forward(weight, &biases[l * 4 * width..], &below, h, c);
        row[at..at + width].copy_from_slice(&made.c);
        row[at + width..at + 2 * width].copy_from_slice(&made.h);
        below = made.h;
        gates.push(made.gates);
    }
    (row.to_vec(), gates)
}

/// Weights [L, 2H 4H] as [L, 4H, 2H].
pub(in crate::op) fn turned(weights: Tensor<'_>, size: Size) -> Tensor<'_> {
    let width = size.width;
    weights.reshape([size.layers, 2 * width, 4 * width]).transpose(&[0, 2, 1])
}

/// The gradients of weights and biases: of all layers and steps in one product and one sum.
pub(in crate::op) fn weight_gradients<'g>(
    dgates: Tensor<'g>,
    inputs: Tensor<'g>,
    size: Size,
) -> (Tensor<'g>, Tensor<'g>) {
    let (rows, width) = (size.batch * size.steps, size.width);
    let inputs = inputs.reshape([size.layers, rows, 2 * width]);
    let dgates = dgates.reshape([size.layers, rows, 4 * width]);
    let weights = inputs.product(dgates, true, false);
    (weights.reshape([size.layers, 8 * width * width]), dgates.sum(1))
}

/// Values as models have them: states in (-1, 1), weights that neither grow nor vanish over steps.
pub(in crate::op) const MODEST: &[Distribution] = &[Distribution::Uniform, Distribution::Zeros];

/// Draws; weights of more than one row of inputs are scaled down.
pub(in crate::op) fn modest(
    inputs: &[TensorSpec],
    distribution: Distribution,
    rng: &mut Rng,
) -> Vec<Array> {
    let draw = |spec: &TensorSpec| {
        let mut array = distribution.array(spec, 4, rng);
        if spec.shape.rank() == 2 {
            let scale = 1.0 / (spec.len() as f64 / spec.dims()[0] as f64).powf(0.25);
            array.data.iter_mut().for_each(|x| *x *= scale);
        }
        array.rounded()
    };
    inputs.iter().map(draw).collect()
}

impl<'g> Tensor<'g> {
    /// The states [B, T + 1, 2L H] of a stack of LSTM layers over `self` [B, T, H] from a start of zeros: row 0
    /// is the start, and a row is c and h of each layer.
    pub fn lstm(self, weights: Tensor<'g>, biases: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply(Lstm, &[self, weights, biases])[0]
    }
}

/// Cases of [`Lstm`] and [`LstmGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (layers, batch, steps, width) in [
            (1usize, 1usize, 1usize, 4usize),
            (2, 2, 3, 4),
            (3, 3, 2, 12),
            (3, 4, 5, 32),
            (2, 9, 4, 36),
            (3, 5, 3, 64),
            (3, 3, 2, 256),
        ] {
            let x = TensorSpec::f32([batch, steps, width]);
            let weights = TensorSpec::f32([layers, 8 * width * width]);
            let biases = TensorSpec::f32([layers, 4 * width]);
            let states = TensorSpec::f32([batch, steps + 1, 2 * layers * width]);
            let gates = TensorSpec::f32([layers, batch, steps, 4 * width]);
            let name = format!("l{layers}_b{batch}_t{steps}_h{width}");
            cases.push(Case::new(&*name, Lstm, [x.clone(), weights, biases]));
            let turned = TensorSpec::f32([layers, 4 * width, 2 * width]);
            let inputs = [turned, x, states.clone(), gates, states];
            cases.push(Case::new(format!("{name}_back"), LstmGrad { layers }, inputs));
        }
        cases
    }
}
