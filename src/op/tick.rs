//! The step's clock moves on.

use crate::gpu::Caps;
use crate::graph::{Graph, Tensor};
use crate::tensor::{Array, TensorSpec};

use super::{Case, Class, Cost, Dispatch, Io, Kernel, Lowered, Op, Tolerance, Variant, output};

/// Adds 1 to the clock's step, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick;

impl Op for Tick {
    fn name(&self) -> &'static str {
        "tick"
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
        vec![Variant::new("tick", [])]
    }

    fn lower(&self, variant: &Variant, _io: &Io) -> Lowered {
        Lowered::one(Dispatch {
            kernel: Kernel::of("tick", variant),
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

impl Graph {
    /// Moves the clock to the next step.
    pub fn tick<'g>(&'g self, clock: Tensor<'g>) {
        self.apply1(Tick, &[clock]);
    }
}

/// The case of [`Tick`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "tick"
    }

    fn cases(&self) -> Vec<Case> {
        vec![Case::new("clock", Tick, [TensorSpec::u32([4])])]
    }
}
