//! The bidirectional plain recurrence of Deep Speech (Hannun 2014, eq. 2 and 3) with clipped ReLU.
//!
//! The input product of all time steps is computed beforehand, by one matmul; the weight gradients of all steps
//! afterwards, by one matmul per direction. In between are T dispatches, each one time step of
//! both directions: a barrier across workgroups within a dispatch is not portable.

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::op::{Backward, Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::shift::Toward;

mod grad;
mod step;

pub use grad::RecurrentGrad;
use step::Sizes;

/// Inputs x [B, T, H], the weights U_f, U_b [H, H] as [in, out], frames u32 `[B]`; outputs h_f, h_b
/// [B, T, H]:
/// - h_f[b, t] = r(x[b, t] + h_f[b, t - 1] U_f)
/// - h_b[b, t] = r(x[b, t] + h_b[b, t + 1] U_b)
///
/// with r(z) = min(max(z, 0), limit), and both 0 at t >= frames`[b]`: so the backward direction starts at
/// each utterance's own last frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recurrent {
    /// Where the activation is clipped.
    pub limit: f32,
}

impl Op for Recurrent {
    fn kind(&self) -> Kind {
        Kind::new("recurrent", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let x = &inputs[0];
        let sizes = Sizes::of(x, &inputs[1..3])?;
        if inputs[3] != TensorSpec::u32([sizes.batch]) {
            return Err(format!("frame lengths {} do not fit {x}", inputs[3]));
        }
        let outputs = [sizes.states(), sizes.states()];
        let facts = Facts::moving(sizes.flops(3), inputs, outputs, Tolerance::sum(sizes.hidden));
        Ok(Box::new(RecurrentProblem { limit: self.limit, sizes, facts }))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        let cut = vec![true, false, false, true];
        Some(ByRows { inputs: cut, ..ByRows::all(inputs, 2)? })
    }

    /// dz by [`RecurrentGrad`]; dx = dz_f + dz_b; dU_f = sum over b and t of h_f[b, t - 1]^T dz_f[b, t],
    /// one product over all rows. The shifted copy of h costs a few per cent of that product; a view
    /// that starts a row later would save it, but would pair the last frame of one utterance with the
    /// first of the next.
    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        // States are finite, so that 0 times them is 0.
        let d = |i: usize| dy[i].unwrap_or_else(|| y[i].scale(0.0));
        let op = RecurrentGrad { limit: self.limit };
        let dz = x[0].graph().apply(op, &[x[1], x[2], y[0], y[1], d(0), d(1)]);
        let states = x[0].spec().shape;
        let rows = [states.rows(), states.last()];
        let d_weight = |i: usize, toward: Toward| {
            let before = y[i].shift(toward).reshape(rows);
            Some(before.product(dz[i].reshape(rows), true, false))
        };
        vec![Some(dz[0] + dz[1]), d_weight(0, Toward::Later), d_weight(1, Toward::Earlier), None]
    }
}

/// x, both weights and frames.
fn input_specs(sizes: Sizes) -> [TensorSpec; 4] {
    [sizes.states(), sizes.weight(), sizes.weight(), TensorSpec::u32([sizes.batch])]
}

#[derive(Debug)]
struct RecurrentProblem {
    limit: f32,
    sizes: Sizes,
    /// Outputs: h_f and h_b.
    facts: Facts,
}

impl Problem for RecurrentProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.sizes.variants(caps)
    }

    fn lower(&self, variant: &Variant, _caps: &Caps) -> Lowered {
        let weights_and_states = [input(1), input(2), output(0), output(1)];
        let steps = self.sizes.dispatches(variant, self.limit, None, weights_and_states);
        let dispatches = steps.map(|step| step.bind("x", input(0)).bind("frames", input(3)));
        Lowered { dispatches: dispatches.collect(), scratch: Vec::new() }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (x, frames) = (inputs[0], inputs[3]);
        let Sizes { steps, hidden, .. } = self.sizes;
        let direction = |d: usize| {
            let u = &inputs[1 + d].data;
            let mut h = Array::zeros(x.spec.clone());
            let utterances = h.data.par_chunks_mut(steps * hidden).enumerate();
            utterances.for_each(|(b, h)| {
                let mut before = vec![0.0; hidden];
                for s in 0..steps {
                    let t = if d == 0 { s } else { steps - 1 - s };
                    if t as f64 >= frames.data[b] {
                        continue;
                    }
                    let at = (b * steps + t) * hidden;
                    let mut z = x.data[at..at + hidden].to_vec();
                    for (k, &before) in before.iter().enumerate() {
                        let row = &u[k * hidden..(k + 1) * hidden];
                        z.iter_mut().zip(row).for_each(|(z, u)| *z += before * u);
                    }
                    for (before, z) in before.iter_mut().zip(z) {
                        *before = z.clamp(0.0, f64::from(self.limit));
                    }
                    h[t * hidden..(t + 1) * hidden].copy_from_slice(&before);
                }
            });
            h
        };
        vec![direction(0), direction(1)]
    }

    /// One utterance has all frames, one fewer, the others any number.
    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let Sizes { batch, steps, .. } = self.sizes;
        let frames = (0..batch).map(|b| match b {
            0 => steps,
            1 => sampler.rng.below(steps),
            _ => sampler.rng.below(steps + 1),
        } as f64);
        let frames = Array::new(x[3].clone(), frames.collect());
        vec![
            sampler.array(&x[0], 1),
            sample_weight(&x[1], sampler),
            sample_weight(&x[2], sampler),
            frames,
        ]
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.sizes.reduced().map(|few| input_specs(few).to_vec())
    }
}

/// Recurrent weights of the size that models have, about 1 / sqrt(H): the recurrence then shrinks a
/// rounding error. Larger ones would make it chaotic, and no tolerance could hold: where the
/// distribution is of large values, only the other inputs are.
fn sample_weight(spec: &TensorSpec, sampler: &mut Sampler) -> Array {
    let values = match sampler.distribution {
        Distribution::Offset | Distribution::Extreme => Distribution::Uniform,
        other => other,
    };
    let mut array = values.array(spec, 1, &mut sampler.rng);
    let scale = 1.0 / (spec.shape.last() as f64).sqrt();
    array.data.iter_mut().for_each(|x| *x *= scale);
    array
}

impl<'g> Tensor<'g> {
    /// The states (h_f, h_b), [B, T, H] each, of the recurrence forward and backward in time over
    /// `self`, the input product [B, T, H] (Hannun 2014, eq. 2 and 3). `forward` and `backward` are the
    /// recurrent weights [H, H], `frames` u32 `[B]` the utterances' lengths; states past them are 0.
    pub fn recurrent(
        self,
        forward: Tensor<'g>,
        backward: Tensor<'g>,
        frames: Tensor<'g>,
        limit: f32,
    ) -> (Tensor<'g>, Tensor<'g>) {
        let inputs = [self, forward, backward, frames];
        let states = self.graph().apply(Recurrent { limit }, &inputs);
        (states[0], states[1])
    }
}

/// Awkward cases of [`Recurrent`] and [`RecurrentGrad`].
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // The limit of the models is never reached by small inputs: most cases clip earlier.
    for (batch, steps, hidden, limit) in [
        (1, 1, 1, 20.0),
        (1, 3, 1, 0.5),
        (2, 4, 4, 0.5),
        (3, 5, 7, 0.5),
        (9, 3, 20, 0.5),
        (1, 6, 36, 20.0),
        (5, 2, 132, 1.0),
        (17, 3, 65, 1.0),
        (33, 3, 260, 1.0),
        (4, 64, 64, 20.0),
        (32, 3, 512, 20.0),
    ] {
        let sizes = Sizes { batch, steps, hidden };
        let name = format!("b{batch}_t{steps}_h{hidden}");
        cases.push(Case::new(&*name, Recurrent { limit }, input_specs(sizes)));
        let inputs = grad::input_specs(sizes);
        cases.push(Case::new(format!("grad_{name}"), RecurrentGrad { limit }, inputs));
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Builder;
    use crate::graph::reference::finite_differences;

    /// The general test of rules gives every output a gradient.
    #[test]
    fn gradient_where_one_direction_is_not_used() {
        let op = Recurrent { limit: 0.5 };
        let specs = input_specs(Sizes { batch: 2, steps: 4, hidden: 3 });
        let problem = op.problem(&specs).unwrap();
        let inputs = problem.sample(&specs, &mut Sampler::new(Distribution::Uniform, 1));
        let graph = Builder::new();
        let leaf = |i: usize| graph.input(&format!("x{i}"), specs[i].shape.clone(), specs[i].dtype);
        let (x, forward, backward, frames) = (leaf(0), leaf(1), leaf(2), leaf(3));
        let (_, states) = x.recurrent(forward, backward, frames, op.limit);
        for gradient in graph.gradients(states.sum_all(), &[x, forward, backward]) {
            graph.output("gradient", gradient);
        }
        let nodes = graph.finish().unwrap();
        let values = nodes.evaluate(&|name| inputs[name[1..].parse::<usize>().unwrap()].clone());
        let ones = |n: f64| Array::f32(specs[0].shape.clone(), vec![n; specs[0].len()]);
        for (i, (_, gradient)) in nodes.outputs.iter().enumerate() {
            let got = values[gradient.0].as_ref().unwrap();
            let wanted = finite_differences(problem.as_ref(), &inputs, &[ones(0.0), ones(1.0)], i);
            for (got, wanted) in got.data.iter().zip(&wanted) {
                assert!((got - wanted).abs() < 1e-8, "input {i}: {got} and {wanted}");
            }
        }
    }
}
