//! Greedy CTC decoding: the best path with repeats merged and blanks dropped (Graves 2006, section 3.2).

use crate::graph::Tensor;
use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance, floats};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

/// log_probs [B, T, C] and frames u32 `[B]` to labels i32 [B, T], padded with -1. The blank is C - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CtcDecode;

impl Op for CtcDecode {
    fn kind(&self) -> Kind {
        Kind::new("ctc_decode", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        floats(&inputs[..1])?;
        match *inputs[0].dims() {
            [batch, steps, classes] if inputs[1] == TensorSpec::u32([batch]) && classes > 0 => {
                let decoded = [TensorSpec::new([batch, steps], DType::I32)];
                let flops = inputs[0].len() as u64;
                // Tiny is left out: a device that flushes denormals finds equal what the reference tells apart.
                let facts = Facts::moving(flops, inputs, decoded, Tolerance::EXACT)
                    .drawn_from(Distribution::WITHOUT_TINY);
                Ok(Box::new(DecodeProblem { batch, steps, classes, facts }))
            }
            _ => Err(format!("takes [B, T, C] and [B], not {} and {}", inputs[0], inputs[1])),
        }
    }
}

#[derive(Debug)]
struct DecodeProblem {
    batch: usize,
    steps: usize,
    classes: usize,
    facts: Facts,
}

impl Problem for DecodeProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("path", [])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let kernel = Kernel::of("ctc_decode", variant);
        let dispatch = Dispatch::new(kernel, grid(self.batch, caps))
            .bind("log_probs", input(0))
            .bind("frames", input(1))
            .bind("decoded", output(0))
            .bind("best", scratch(0))
            .param("B", self.batch)
            .param("T", self.steps)
            .param("C", self.classes);
        let best = TensorSpec::u32([self.batch, self.steps]);
        Lowered { scratch: vec![best], ..Lowered::one(dispatch) }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Self { batch, steps, classes, .. } = *self;
        let mut decoded = Array::new(self.facts.spec().clone(), vec![-1.0; batch * steps]);
        for b in 0..batch {
            let mut end = b * steps;
            let mut previous = classes - 1;
            for t in 0..(inputs[1].data[b] as usize).min(steps) {
                let row = &inputs[0].data[(b * steps + t) * classes..][..classes];
                let top = (1..classes).fold(0, |top, c| if row[c] > row[top] { c } else { top });
                if top != previous && top != classes - 1 {
                    decoded.data[end] = top as f64;
                    end += 1;
                }
                previous = top;
            }
        }
        vec![decoded]
    }

    fn sample(&self, x: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let log_probs = sampler.array(&x[0], 1);
        vec![log_probs, sampler.array(&x[1], self.steps + 1)]
    }
}

impl<'g> Tensor<'g> {
    /// Greedy CTC decoding of log-probabilities [B, T, C]: labels i32 [B, T], padded with -1.
    pub fn ctc_decode(self, frames: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(CtcDecode, &[self, frames])
    }
}

/// Awkward cases of [`CtcDecode`].
pub(super) fn cases() -> Vec<Case> {
    let sizes = [(1, 1, 2), (3, 7, 2), (2, 64, 5), (5, 65, 3), (2, 783, 62), (66_000, 1, 2)];
    let case = |(b, t, c): (usize, usize, usize)| {
        let inputs = [TensorSpec::f32([b, t, c]), TensorSpec::u32([b])];
        Case::new(format!("b{b}_t{t}_c{c}"), CtcDecode, inputs)
    };
    sizes.into_iter().map(case).collect()
}
