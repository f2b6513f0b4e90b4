//! The backward pass of the recurrence: gradients before the activation, time step by time step.

use crate::graph::by_rows::ByRows;
use crate::graph::op::{Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, input, output, scratch};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::sample_weight;
use super::step::Sizes;

/// What `finish` is in the backward pass: the activation's derivative, 0 where h is clipped and past an
/// utterance's last frame, where h is 0.
const FINISH: &str = "\
@group(0) @binding(4) var<storage, read> d_up: array<T>;
@group(0) @binding(5) var<storage, read> d_down: array<T>;
@group(0) @binding(6) var<storage, read> h_up: array<T>;
@group(0) @binding(7) var<storage, read> h_down: array<T>;
struct Beside { d: T, h: T }
fn beside(down: bool, b: u32, at: u32) -> Beside {
    if down { return Beside(d_down[at], h_down[at]); }
    return Beside(d_up[at], h_up[at]);
}
fn finish(beside: Beside, t: u32, sum: T) -> T {
    let passes = (beside.h > T(0.0)) & (beside.h < T(params.limit));
    return select(T(0.0), beside.d + sum, passes);
}
";

/// Inputs U_f, U_b [H, H], h_f, h_b, dh_f, dh_b [B, T, H]; outputs, [B, T, H] each, the gradients before
/// the activation:
/// - dz_f[b, t] = r'(h_f[b, t]) (dh_f[b, t] + dz_f[b, t + 1] U_f^T)
/// - dz_b[b, t] = r'(h_b[b, t]) (dh_b[b, t] + dz_b[b, t - 1] U_b^T)
///
/// with r'(h) = 1 where 0 < h < limit, else 0. Frames past an utterance's end need no mask: h is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecurrentGrad {
    /// Where the activation is clipped.
    pub limit: f32,
}

impl Op for RecurrentGrad {
    fn kind(&self) -> Kind {
        Kind::new("recurrent_grad", Class::Matrix)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let states = &inputs[2];
        let sizes = Sizes::of(states, &inputs[..2])?;
        if let Some(other) = inputs[2..].iter().find(|other| *other != states) {
            return Err(format!("{states} and {other} differ"));
        }
        let outputs = [states.clone(), states.clone()];
        let facts = Facts::moving(sizes.flops(2), inputs, outputs, Tolerance::sum(sizes.hidden));
        Ok(Box::new(RecurrentGradProblem { limit: self.limit, sizes, facts }))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        let cut = vec![false, false, true, true, true, true];
        Some(ByRows { inputs: cut, ..ByRows::all(&inputs[2..], 2)? })
    }
}

/// Both weights, states and their gradients.
pub(super) fn input_specs(sizes: Sizes) -> [TensorSpec; 6] {
    let [weight, states] = [sizes.weight(), sizes.states()];
    [&weight, &weight, &states, &states, &states, &states].map(Clone::clone)
}

#[derive(Debug)]
struct RecurrentGradProblem {
    limit: f32,
    sizes: Sizes,
    /// Outputs: dz_f and dz_b.
    facts: Facts,
}

impl Problem for RecurrentGradProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.sizes.variants(caps)
    }

    /// Transposes the weights once, so that every step reads them as the forward pass does. What goes up in
    /// time there goes down here: U_b's gradient is the one that starts at t = 0.
    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let sizes = self.sizes;
        let across = |words: usize| sizes.hidden.div_ceil(words) as u32;
        let kernel = Kernel::new("recurrent/transpose");
        let (kernel, grid) = if caps.software {
            (kernel.entry("direct"), [across(64), sizes.hidden as u32, 2])
        } else {
            (kernel, [across(16), across(16), 2])
        };
        let transpose = Dispatch::new(kernel, grid)
            .bind("w_up", input(1))
            .bind("w_down", input(0))
            .bind("up", scratch(0))
            .bind("down", scratch(1))
            .param("width", sizes.hidden);
        let weights_and_states = [scratch(0).read(), scratch(1).read(), output(1), output(0)];
        let steps = sizes.dispatches(variant, self.limit, Some(FINISH), weights_and_states);
        let steps = steps.map(|step| {
            step.bind("d_up", input(5))
                .bind("d_down", input(4))
                .bind("h_up", input(3))
                .bind("h_down", input(2))
        });
        Lowered {
            dispatches: std::iter::once(transpose).chain(steps).collect(),
            scratch: vec![sizes.weight(); 2],
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (h, dh) = (&inputs[2..4], &inputs[4..6]);
        let Sizes { steps, hidden, .. } = self.sizes;
        let direction = |d: usize| {
            let u = &inputs[d].data;
            let mut dz = Array::zeros(h[d].spec.clone());
            let utterances = dz.data.par_chunks_mut(steps * hidden).enumerate();
            utterances.for_each(|(b, dz)| {
                let mut after = vec![0.0; hidden];
                for s in 0..steps {
                    // From the last step to the first, and for the backward direction the other way.
                    let t = if d == 0 { steps - 1 - s } else { s };
                    let at = (b * steps + t) * hidden;
                    for k in 0..hidden {
                        let row = &u[k * hidden..(k + 1) * hidden];
                        let carried: f64 = row.iter().zip(&after).map(|(u, dz)| u * dz).sum();
                        let h = h[d].data[at + k];
                        if h > 0.0 && h < f64::from(self.limit) {
                            dz[t * hidden + k] = dh[d].data[at + k] + carried;
                        }
                    }
                    after.copy_from_slice(&dz[t * hidden..(t + 1) * hidden]);
                }
            });
            dz
        };
        vec![direction(0), direction(1)]
    }

    /// States as the forward pass leaves them: a third at 0, some at the limit.
    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let limit = f64::from(self.limit);
        let draw = |(at, spec): (usize, &TensorSpec)| match at {
            0 | 1 => sample_weight(spec, sampler),
            2 | 3 => {
                let value = |_| (limit * sampler.rng.range(-0.5, 1.2)).clamp(0.0, limit);
                Array::new(spec.clone(), (0..spec.len()).map(value).collect())
            }
            _ => sampler.array(spec, 1),
        };
        x.iter().enumerate().map(draw).collect()
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.sizes.reduced().map(|few| input_specs(few).to_vec())
    }
}
