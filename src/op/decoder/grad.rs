//! The decoder's backward pass, from the last step to the first.

use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::op::attention::{Size as Attended, attend_back, of_sequence};
use crate::op::lstm::cell::add_product;
use crate::op::lstm::step::{
    Linear, Rows, Size, Start, Step, copy_rows, inputs as cell_inputs, variants,
};
use crate::op::lstm::{MODEST, add_back, gates_within, inputs_of, layers_back, modest};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{context, flops, team};

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

impl DecoderGrad {
    fn sizes(&self, inputs: &[TensorSpec]) -> Result<(Size, Attended), String> {
        let attended = Attended::of(&inputs[4], &inputs[9], &inputs[11])?;
        let (width, layers) = (attended.width, self.layers);
        let size = Size {
            batch: attended.batch,
            steps: attended.queries,
            width,
            layers,
            units: 2 * layers + 1,
        };
        let fits = inputs[0] == TensorSpec::f32([size.batch, size.steps + 1, size.units * width])
            && inputs[1] == inputs[0]
            && inputs[2] == TensorSpec::f32([layers, size.batch, size.steps, 4 * width])
            && inputs[3] == inputs[4]
            && inputs[6] == TensorSpec::f32([layers, 4 * width, 2 * width])
            && inputs[8] == TensorSpec::f32([width, 2 * layers * width]);
        if fits {
            Ok((size, attended))
        } else {
            Err(format!("{} and {} differ", inputs[0], inputs[2]))
        }
    }
}

impl OldOp for DecoderGrad {
    fn name(&self) -> &'static str {
        "decoder_grad"
    }

    fn class(&self) -> Class {
        Class::Matrix
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let (size, _) = self.sizes(inputs)?;
        let cells = TensorSpec::f32([size.layers, size.batch, size.steps, 2 * size.width]);
        let [states, gates, x, query, shares] = [0, 2, 3, 4, 5].map(|i| inputs[i].clone());
        Ok(vec![states, gates, x, query, shares, cells])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = self.sizes(inputs).map_or(0, |(size, attended)| flops(size, attended));
        Cost::new(flops, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        variants(inputs[3].shape.last(), caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Ok((size, attended)) = self.sizes(io.inputs) else {
            return Lowered::default();
        };
        let (steps, columns) = (size.steps, size.width / 4);
        let (row, rows) = (size.units * columns, (steps + 1) * size.units * columns);
        let cells = 2 * size.layers * columns;
        let each = |t: usize, columns: usize| Rows { first: t * columns, apart: steps * columns };
        let state = |t: usize, first: usize| Rows { first: t * row + first, apart: rows };
        let all = io.inputs[0].len();
        let mut dispatches = vec![copy_rows(input(0), output(0), 1, all, all, io.caps)];
        let step = Step::backward(variant, size, false, false);
        let operands = [input(6), input(2), input(1), output(0), output(1)];
        for t in (0..steps).rev() {
            let mut bindings = vec![input(4), input(9), input(10), input(11), input(5)];
            bindings.extend([output(0).read(), output(3), output(4)]);
            let team = team(variant, io.caps);
            dispatches.push(attended.dispatch("backward", team, context(size), t..t + 1, bindings));
            // The query saw all c and h.
            let linear = Linear { depth: columns, columns: cells, pitch: cells };
            let places = [each(t, columns), state(t + 1, 0)];
            let query = output(3).read();
            let bindings = vec![input(8), query, output(0), query];
            dispatches.push(Step::linear(variant, size, linear, places, Start::Result, bindings));
            dispatches.extend((0..size.layers).rev().map(|l| step.cell(t, Some(l), &operands)));
            // The first layer saw x, and x the context before.
            let linear = Linear { depth: size.width, columns, pitch: 2 * columns };
            let places = [each(t, size.width), each(t, columns)];
            let gates = output(1).read();
            let bindings = vec![input(6), gates, output(2), gates];
            dispatches.push(Step::linear(variant, size, linear, places, Start::None, bindings));
            let linear = Linear { depth: columns, columns, pitch: columns };
            let places = [each(t, columns), state(t, cells)];
            let x = output(2).read();
            let bindings = vec![input(7), x, output(0), x];
            dispatches.push(Step::linear(variant, size, linear, places, Start::Result, bindings));
        }
        dispatches.push(Step::backward(variant, size, false, true).cell(0, None, &operands));
        dispatches.push(cell_inputs(input(3), input(1), output(5), size, io.caps));
        Lowered { dispatches, scratch: Vec::new() }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let (Ok((size, attended)), Ok(outputs)) = (self.sizes(&specs), self.output(&specs)) else {
            return vec![];
        };
        let (width, cells, pitch) =
            (size.width, 2 * size.layers * size.width, size.units * size.width);
        let (turned, positions) = (&inputs[6].data, attended.positions);
        let mut made: Vec<_> = outputs.into_iter().map(Array::zeros).collect();
        let sequence = |b: usize| {
            let mut d = of_sequence(inputs[0], b).to_vec();
            let mut later = vec![vec![0.0; 4 * width]; size.layers];
            let mut steps = Vec::new();
            for t in (0..size.steps).rev() {
                let bt = b * size.steps + t;
                let (dscore, dquery) = attend_back(
                    &inputs[4].data[bt * width..][..width],
                    of_sequence(inputs[9], b),
                    of_sequence(inputs[10], b),
                    &inputs[11].data,
                    &inputs[5].data[bt * positions..][..positions],
                    &d[(t + 1) * pitch + cells..][..width],
                );
                add_product(&mut d[(t + 1) * pitch..][..cells], &dquery, &inputs[8].data);
                let (gates, states) = (&inputs[2].data, &inputs[1].data);
                later = layers_back(&mut d, &later, turned, gates, states, size, b, t);
                let mut dx = vec![0.0; width];
                add_back(&mut dx, &later[0], turned, width, 0);
                add_product(&mut d[t * pitch + cells..][..width], &dx, &inputs[7].data);
                steps.push((t, later.clone(), dx, dquery, dscore));
            }
            for (l, dgates) in later.iter().enumerate() {
                let h = &mut d[(2 * l + 1) * width..][..width];
                add_back(h, dgates, &turned[l * 8 * width * width..], width, 1);
            }
            (d, steps)
        };
        let sequences: Vec<_> = (0..size.batch).into_par_iter().map(sequence).collect();
        for (b, (d, steps)) in sequences.into_iter().enumerate() {
            made[0].data[size.row(b, 0)..][..d.len()].copy_from_slice(&d);
            for (t, gates, dx, dquery, dscore) in steps {
                for (l, dgates) in gates.into_iter().enumerate() {
                    made[1].data[size.gate(l, b, t)..][..4 * width].copy_from_slice(&dgates);
                }
                let bt = b * size.steps + t;
                made[2].data[bt * width..][..width].copy_from_slice(&dx);
                made[3].data[bt * width..][..width].copy_from_slice(&dquery);
                made[4].data[bt * positions..][..positions].copy_from_slice(&dscore);
            }
        }
        made[5] = inputs_of(inputs[3], inputs[1], size);
        made
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(64 * inputs[3].shape.last())
    }

    /// Gates and shares within what they can be, weights that neither grow nor vanish.
    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        let mut arrays = modest(i, distribution, rng);
        gates_within(&mut arrays[2]);
        let positions = i[5].shape.last() as f64;
        for share in &mut arrays[5].data {
            *share = (0.5 + 0.5 * *share) / positions;
        }
        for weight in 6..9 {
            let scale = 1.0 / (i[weight].shape.last() as f64).sqrt();
            arrays[weight].data.iter_mut().for_each(|x| *x *= scale);
        }
        arrays.iter().map(Array::rounded).collect()
    }

    fn distributions(&self) -> &'static [Distribution] {
        MODEST
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let Ok((size, attended)) = self.sizes(inputs) else {
            return inputs.to_vec();
        };
        let (batch, steps, width) = (size.batch.min(8), size.steps.min(4), size.width);
        let of = |a, b| TensorSpec::f32([batch, a, b]);
        let mut fewer = inputs.to_vec();
        fewer[0] = of(steps + 1, size.units * width);
        fewer[1] = fewer[0].clone();
        fewer[2] = TensorSpec::f32([size.layers, batch, steps, 4 * width]);
        fewer[3] = of(steps, width);
        fewer[4] = of(steps, width);
        fewer[5] = of(steps, attended.positions);
        fewer[9] = of(attended.positions, width);
        fewer[10] = of(attended.positions, width);
        fewer
    }
}
