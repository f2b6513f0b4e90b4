//! Greedy CTC decoding: the best path with repeats merged and blanks dropped (Graves 2006, section 3.2).

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, input, output, scratch, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

/// log_probs [B, T, C] and frames u32 `[B]` to labels i32 [B, T], padded with -1. The blank is C - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CtcDecode;

impl OldOp for CtcDecode {
    fn name(&self) -> &'static str {
        "ctc_decode"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        match (inputs[0].dims(), inputs[1].dims()) {
            (&[b, t, c], &[n]) if b == n && c > 0 => Ok(vec![TensorSpec::new([b, t], DType::I32)]),
            _ => Err(format!("takes [B, T, C] and [B], not {} and {}", inputs[0], inputs[1])),
        }
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(inputs[0].len() as u64, inputs, &outputs)
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("path", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let dims: Vec<u32> = io.inputs[0].dims().iter().map(|&d| d as u32).collect();
        Lowered {
            scratch: vec![TensorSpec::u32(io.outputs[0].shape.clone())],
            dispatches: vec![Dispatch {
                kernel: Kernel::of("ctc_decode", variant),
                bindings: vec![input(0), input(1), output(0), scratch(0)],
                grid: [dims[0], 1, 1],
                params: unnamed(dims),
            }],
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [batch, time, classes] = *inputs[0].dims() else {
            return vec![];
        };
        let mut out =
            Array::new(TensorSpec::new([batch, time], DType::I32), vec![-1.0; batch * time]);
        for b in 0..batch {
            let mut at = b * time;
            let mut before = classes - 1;
            for t in 0..(inputs[1].data[b] as usize).min(time) {
                let row = &inputs[0].data[(b * time + t) * classes..][..classes];
                let top = (1..classes).fold(0, |top, c| if row[c] > row[top] { c } else { top });
                if top != before && top != classes - 1 {
                    out.data[at] = top as f64;
                    at += 1;
                }
                before = top;
            }
        }
        vec![out]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Tiny is left out: a device that flushes denormals finds equal what the reference tells apart.
        &[
            Distribution::Uniform,
            Distribution::Offset,
            Distribution::Ties,
            Distribution::Zeros,
            Distribution::Extreme,
        ]
    }

    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let time = inputs[0].dims().get(1).copied().unwrap_or(0);
        vec![distribution.array(&inputs[0], 1, rng), distribution.array(&inputs[1], time + 1, rng)]
    }
}

impl<'g> Tensor<'g> {
    /// Greedy CTC decoding of log-probabilities [B, T, C]: labels i32 [B, T], padded with -1.
    pub fn ctc_decode(self, frames: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(CtcDecode, &[self, frames])
    }
}

/// Cases of [`CtcDecode`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "ctc_decode"
    }

    fn cases(&self) -> Vec<Case> {
        let sizes = [(1, 1, 2), (3, 7, 2), (2, 64, 5), (5, 65, 3), (2, 783, 62)];
        let case = |(b, t, c): (usize, usize, usize)| {
            let inputs = [TensorSpec::f32([b, t, c]), TensorSpec::u32([b])];
            Case::new(format!("b{b}_t{t}_c{c}"), CtcDecode, inputs)
        };
        sizes.into_iter().map(case).collect()
    }
}
