//! The step's clock moves on.

use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Tolerance};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

/// Adds 1 to the clock's step, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdvanceStep;

impl OldOp for AdvanceStep {
    fn name(&self) -> &'static str {
        "advance_step"
    }

    fn class(&self) -> Class {
        Class::Optimisation
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        if inputs[0] != TensorSpec::u32([4]) {
            return Err(format!("{} is not a clock", inputs[0]));
        }
        Ok(inputs.to_vec())
    }

    fn cost(&self, _inputs: &[TensorSpec]) -> Cost {
        Cost { flops: 0, bytes: 8 }
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("advance", [])]
    }

    fn lower(&self, variant: &Variant, _io: &Io) -> Lowered {
        Lowered::one(Dispatch {
            kernel: Kernel::of("advance_step", variant),
            bindings: vec![output(0)],
            params: vec![],
            grid: [1, 1, 1],
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut clock = inputs[0].clone();
        clock.data[0] += 1.0;
        vec![clock]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 0)]
    }
}

impl Builder {
    /// Moves the clock to the next step.
    pub fn advance_step<'g>(&'g self, clock: Tensor<'g>) {
        self.apply1(AdvanceStep, &[clock]);
    }
}

/// The case of [`AdvanceStep`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "advance_step"
    }

    fn cases(&self) -> Vec<Case> {
        vec![Case::new("clock", AdvanceStep, [TensorSpec::u32([4])])]
    }
}
