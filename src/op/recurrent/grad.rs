//! The backward pass of the recurrence: gradients before the activation, time step by time step.

use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, input, output, scratch, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::step::{self, Size};
use super::weights;

/// What `finish` is in the backward pass: the activation's derivative, 0 where h is clipped and past an
/// utterance's last frame, where h is 0.
const FINISH: &str = "\
@group(0) @binding(4) var<storage, read> d_up: array<T>;
@group(0) @binding(5) var<storage, read> d_down: array<T>;
@group(0) @binding(6) var<storage, read> h_up: array<T>;
@group(0) @binding(7) var<storage, read> h_down: array<T>;
fn finish(down: bool, b: u32, t: u32, at: u32, sum: T) -> T {
    var h: T;
    var d: T;
    if down { h = h_down[at]; d = d_down[at]; } else { h = h_up[at]; d = d_up[at]; }
    return select(T(0.0), d + sum, (h > T(0.0)) & (h < T(params.limit)));
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

impl OldOp for RecurrentGrad {
    fn name(&self) -> &'static str {
        "recurrent_grad"
    }

    fn class(&self) -> Class {
        Class::Matrix
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let states = &inputs[2];
        let size = Size::of(states).ok_or_else(|| format!("{states} is not [B, T, H]"))?;
        for weight in &inputs[..2] {
            if *weight != TensorSpec::f32([size.width, size.width]) {
                return Err(format!("the weight of {states} cannot be {weight}"));
            }
        }
        match inputs[2..].iter().find(|s| *s != states) {
            Some(other) => Err(format!("{states} and {other} differ")),
            None => Ok(vec![states.clone(); 2]),
        }
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let flops = Size::of(&inputs[2]).map_or(0, |size| size.flops(2));
        Cost::new(flops, inputs, &inputs[2..4])
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        Size::of(&inputs[2]).map_or(vec![], |size| step::variants(size, caps))
    }

    /// Turns the weights once, so that every step reads them as the forward pass does. What goes up in
    /// time there goes down here: U_b's gradient is the one that starts at t = 0.
    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let Some(size) = Size::of(&io.inputs[2]) else {
            return Lowered::default();
        };
        let tiles = size.width.div_ceil(16) as u32;
        let turn = Dispatch {
            kernel: Kernel::new("recurrent/transpose"),
            bindings: vec![input(1), input(0), scratch(0), scratch(1)],
            params: unnamed(vec![size.width as u32]),
            grid: [tiles, tiles, 2],
        };
        let bindings = [
            scratch(0).read(),
            scratch(1).read(),
            output(1),
            output(0),
            input(5),
            input(4),
            input(3),
            input(2),
        ];
        let steps = step::dispatches(variant, size, self.limit, Some(FINISH), &bindings);
        Lowered {
            dispatches: std::iter::once(turn).chain(steps).collect(),
            scratch: io.inputs[..2].to_vec(),
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (h, dh) = (&inputs[2..4], &inputs[4..6]);
        let Some(Size { steps, width, .. }) = Size::of(&h[0].spec) else {
            return vec![];
        };
        let direction = |d: usize| {
            let u = &inputs[d].data;
            let mut dz = Array::zeros(h[d].spec.clone());
            let utterances = dz.data.par_chunks_mut(steps * width).enumerate();
            utterances.for_each(|(b, dz)| {
                let mut after = vec![0.0; width];
                for s in 0..steps {
                    // From the last step to the first, and for the backward direction the other way.
                    let t = if d == 0 { steps - 1 - s } else { s };
                    let at = (b * steps + t) * width;
                    for k in 0..width {
                        let row = &u[k * width..(k + 1) * width];
                        let carried: f64 = row.iter().zip(&after).map(|(u, dz)| u * dz).sum();
                        let h = h[d].data[at + k];
                        if h > 0.0 && h < f64::from(self.limit) {
                            dz[t * width + k] = dh[d].data[at + k] + carried;
                        }
                    }
                    after.copy_from_slice(&dz[t * width..(t + 1) * width]);
                }
            });
            dz
        };
        vec![direction(0), direction(1)]
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(inputs[0].shape.last())
    }

    /// States as the forward pass leaves them: a third at 0, some at the limit.
    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let limit = f64::from(self.limit);
        let state = |spec: &TensorSpec, rng: &mut Rng| {
            let value = |_| (limit * rng.range(-0.5, 1.2)).clamp(0.0, limit);
            Array::new(spec.clone(), (0..spec.len()).map(value).collect())
        };
        let mut all =
            vec![weights(&inputs[0], distribution, rng), weights(&inputs[1], distribution, rng)];
        all.extend(inputs[2..4].iter().map(|s| state(s, rng)));
        all.extend(inputs[4..].iter().map(|s| distribution.array(s, 1, rng)));
        all
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        super::cut(inputs, 2)
    }
}
