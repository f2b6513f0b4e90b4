//! The backward pass of a stack of LSTM layers: waves from the last step of the last layer.

use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Lowered, Variant, input, output, scratch};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::step::{Size, Step, copy_rows, inputs as cell_inputs, variants};
use super::{MODEST, cell, modest};

/// Inputs: the weights transposed [L, 4H, 2H], x [B, T, H], states [B, T + 1, 2L H], gates [L, B, T, 4H] and
/// dstates. Outputs: the gates' gradients before squashing [L, B, T, 4H], and what each cell multiplied by
/// its weight, [L, B, T, 2H].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LstmGrad {
    /// L.
    pub layers: usize,
}

impl LstmGrad {
    fn size(&self, inputs: &[TensorSpec]) -> Result<Size, String> {
        let [batch, steps, width] = *inputs[1].dims() else {
            return Err(format!("takes x [B, T, H], not {}", inputs[1]));
        };
        let layers = self.layers;
        let size = Size { batch, steps, width, layers, units: 2 * layers };
        let states = TensorSpec::f32([batch, steps + 1, size.units * width]);
        let fits = inputs[0] == TensorSpec::f32([layers, 4 * width, 2 * width])
            && inputs[2] == states
            && inputs[3] == TensorSpec::f32([layers, batch, steps, 4 * width])
            && inputs[4] == states;
        if fits { Ok(size) } else { Err(format!("{} and {} differ", inputs[0], inputs[2])) }
    }
}

impl OldOp for LstmGrad {
    fn name(&self) -> &'static str {
        "lstm_grad"
    }

    fn class(&self) -> Class {
        Class::Matrix
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let size = self.size(inputs)?;
        let of = |width| TensorSpec::f32([size.layers, size.batch, size.steps, width]);
        Ok(vec![of(4 * size.width), of(2 * size.width)])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = self.size(inputs).map_or(0, Size::flops);
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants(inputs[1].shape.last(), caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok(size) = self.size(io.inputs) else {
            return Lowered::default();
        };
        let all = io.inputs[2].len();
        let copy = copy_rows(input(4), scratch(0), 1, all, all, io.caps);
        let step = Step::backward(variant, size, true, false);
        let bindings = [input(0), input(3), input(2), scratch(0), output(0)];
        let waves = (0..size.steps + size.layers - 1).map(|wave| step.cell(wave, None, &bindings));
        let inputs = cell_inputs(input(1), input(2), output(1), size, io.caps);
        Lowered {
            dispatches: std::iter::once(copy).chain(waves).chain([inputs]).collect(),
            scratch: vec![io.inputs[2].clone()],
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let (Ok(size), Ok(outputs)) = (self.size(&specs), self.output(&specs)) else {
            return vec![];
        };
        let mut made: Vec<_> = outputs.into_iter().map(Array::zeros).collect();
        let sequences: Vec<_> = (0..size.batch)
            .into_par_iter()
            .map(|b| {
                let first = size.row(b, 0);
                let mut d = inputs[4].data[first..size.row(b + 1, 0)].to_vec();
                let mut later = vec![vec![0.0; 4 * size.width]; size.layers];
                let mut steps = Vec::new();
                for t in (0..size.steps).rev() {
                    let (turned, gates) = (&inputs[0].data, &inputs[3].data);
                    later = layers_back(&mut d, &later, turned, gates, &inputs[2].data, size, b, t);
                    steps.push((t, later.clone()));
                }
                steps
            })
            .collect();
        for (b, steps) in sequences.into_iter().enumerate() {
            for (l, (t, dgates)) in steps
                .iter()
                .flat_map(|(t, all)| all.iter().enumerate().map(move |(l, d)| (l, (t, d))))
            {
                made[0].data[size.gate(l, b, *t)..][..4 * size.width].copy_from_slice(dgates);
            }
        }
        made[1] = inputs_of(inputs[1], inputs[2], size);
        made
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(16 * inputs[0].shape.last())
    }

    /// Gates within (0, 1), or (-1, 1).
    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        let mut arrays = modest(i, distribution, rng);
        gates_within(&mut arrays[3]);
        let scale = 1.0 / (i[0].shape.last() as f64).sqrt();
        arrays[0].data.iter_mut().for_each(|x| *x *= scale);
        arrays[0] = arrays[0].rounded();
        arrays
    }

    fn distributions(&self) -> &'static [Distribution] {
        MODEST
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let Ok(size) = self.size(inputs) else {
            return inputs.to_vec();
        };
        let (batch, steps) = (size.batch.min(8), size.steps.min(4));
        let states = TensorSpec::f32([batch, steps + 1, size.units * size.width]);
        vec![
            inputs[0].clone(),
            TensorSpec::f32([batch, steps, size.width]),
            states.clone(),
            TensorSpec::f32([size.layers, batch, steps, 4 * size.width]),
            states,
        ]
    }
}

/// Brings draws of [.., 4H] to what squashed gates can be.
pub(in crate::op) fn gates_within(gates: &mut Array) {
    let width = gates.spec.shape.last() / 4;
    for (at, x) in gates.data.iter_mut().enumerate() {
        if at / width % 4 != 2 {
            *x = 0.5 + 0.5 * x.clamp(-0.99, 0.99);
        }
    }
    *gates = gates.rounded();
}

/// All layers' cells backward at step t of sequence b in f64. `d` are the sequence's dstates, which end as
/// the whole gradients; `later` the gates' gradients of the step after. This step's gates' gradients.
#[allow(clippy::too_many_arguments, reason = "the operands of one formula")]
pub(in crate::op) fn layers_back(
    d: &mut [f64],
    later: &[Vec<f64>],
    turned: &[f64],
    gates: &[f64],
    states: &[f64],
    size: Size,
    b: usize,
    t: usize,
) -> Vec<Vec<f64>> {
    let (width, pitch) = (size.width, size.units * size.width);
    let mut made = vec![Vec::new(); size.layers];
    for l in (0..size.layers).rev() {
        let at = 2 * l * width;
        let after = (t + 1) * pitch + at;
        let mut dh = d[after + width..after + 2 * width].to_vec();
        add_back(&mut dh, &later[l], &turned[l * 8 * width * width..], width, 1);
        if l + 1 < size.layers {
            let above: &Vec<f64> = &made[l + 1];
            add_back(&mut dh, above, &turned[(l + 1) * 8 * width * width..], width, 0);
        }
        let before = &states[size.row(b, t) + at..][..width];
        let c = &states[size.row(b, t + 1) + at..][..width];
        let own = &gates[size.gate(l, b, t)..][..4 * width];
        let (dgates, whole, carried) =
            cell::backward(own, before, c, &dh, &d[after..after + width]);
        d[after..after + width].copy_from_slice(&whole);
        d[after + width..after + 2 * width].copy_from_slice(&dh);
        let to = &mut d[t * pitch + at..][..width];
        to.iter_mut().zip(carried).for_each(|(d, x)| *d += x);
        made[l] = dgates;
    }
    made
}

/// y + g W^T, W being the input's part (0) or h's (1) of transposed weights [4H, 2H].
pub(in crate::op) fn add_back(y: &mut [f64], g: &[f64], turned: &[f64], width: usize, part: usize) {
    for (g, row) in g.iter().zip(turned.chunks(2 * width)) {
        let row = &row[part * width..][..width];
        y.iter_mut().zip(row).for_each(|(y, w)| *y += g * w);
    }
}

/// What each cell multiplied by its weight, [L, B, T, 2H].
pub(in crate::op) fn inputs_of(x: &Array, states: &Array, size: Size) -> Array {
    let width = size.width;
    let mut data = Vec::with_capacity(size.layers * size.batch * size.steps * 2 * width);
    for l in 0..size.layers {
        for (b, t) in (0..size.batch).flat_map(|b| (0..size.steps).map(move |t| (b, t))) {
            let below = match l {
                0 => &x.data[(b * size.steps + t) * width..][..width],
                _ => &states.data[size.row(b, t + 1) + (2 * l - 1) * width..][..width],
            };
            data.extend_from_slice(below);
            data.extend_from_slice(&states.data[size.row(b, t) + (2 * l + 1) * width..][..width]);
        }
    }
    Array::f32([size.layers, size.batch, size.steps, 2 * width], data)
}
