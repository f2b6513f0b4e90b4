//! Advances the step's clock.

use crate::graph::op::{Cost, Facts, Kind, Op, Output, Problem, Tolerance};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

/// Adds 1 to the clock's step, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdvanceStep;

impl Op for AdvanceStep {
    fn kind(&self) -> Kind {
        Kind::new("advance_step", Class::Optimisation)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        match inputs[0] == TensorSpec::u32([4]) {
            true => {
                let (clock, cost) = (inputs[0].clone(), Cost { flops: 0, bytes: 8 });
                let outputs = [Output::in_place(clock, 0)];
                Ok(Box::new(Advance(Facts::new(outputs, cost, Tolerance::EXACT))))
            }
            false => Err(format!("{} is not a clock", inputs[0])),
        }
    }
}

#[derive(Debug)]
struct Advance(Facts);

impl Problem for Advance {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("advance", [])]
    }

    fn lower(&self, variant: &Variant, _caps: &Caps) -> Lowered {
        let kernel = Kernel::of("advance_step", variant);
        Lowered::one(Dispatch::new(kernel, [1, 1, 1]).bind("clock", output(0)))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut clock = inputs[0].clone();
        clock.data[0] += 1.0;
        vec![clock]
    }
}

impl Builder {
    /// Moves the clock to the next step.
    pub fn advance_step<'g>(&'g self, clock: Tensor<'g>) {
        self.apply1(AdvanceStep, &[clock]);
    }
}

/// The case of [`AdvanceStep`].
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("clock", AdvanceStep, [TensorSpec::u32([4])])]
}
