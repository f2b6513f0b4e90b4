//! A sequence moved by one time step: what each step saw of its neighbour.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

/// Which way a sequence moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// y[b, t] = x[b, t - 1].
    Later,
    /// y[b, t] = x[b, t + 1].
    Earlier,
}

impl Toward {
    /// The other way.
    pub fn reversed(self) -> Self {
        match self {
            Self::Later => Self::Earlier,
            Self::Earlier => Self::Later,
        }
    }
}

/// x [B, T, H] moved by one step of T; the step that nothing moves to is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift(pub Toward);

impl OldOp for Shift {
    fn name(&self) -> &'static str {
        "shift"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        match (inputs[0].dims(), inputs[0].dtype) {
            ([_, _, _], DType::F32) => Ok(vec![inputs[0].clone()]),
            _ => Err(format!("takes an f32 [B, T, H], not {}", inputs[0])),
        }
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(0, inputs, inputs)
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        let by = |width: u32| Variant::new("shift", [("WIDTH", width)]);
        if inputs[0].shape.last().is_multiple_of(4) { vec![by(4), by(1)] } else { vec![by(1)] }
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let [_, steps, columns] = *io.inputs[0].dims() else {
            return Lowered::default();
        };
        let total = io.inputs[0].len() / width;
        let vector = if width == 4 { "vec4<f32>" } else { "f32" };
        let kernel = Kernel::new("shift/shift").with_text("T", vector);
        Lowered::one(Dispatch {
            kernel: kernel.with_text("EARLIER", (self.0 == Toward::Earlier).to_string()),
            bindings: vec![input(0), output(0)],
            params: unnamed(vec![total as u32, steps as u32, (columns / width) as u32]),
            grid: grid(total.div_ceil(64), io.caps),
        })
    }

    /// Moves the gradient back.
    fn gradient<'g>(
        &self,
        _x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        vec![dy[0].map(|dy| dy.shift(self.0.reversed()))]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [batch, steps, width] = *inputs[0].dims() else {
            return vec![];
        };
        let mut y = Array::zeros(inputs[0].spec.clone());
        for b in 0..batch {
            for t in 1..steps {
                let (before, after) = ((b * steps + t - 1) * width, (b * steps + t) * width);
                let (from, to) = match self.0 {
                    Toward::Later => (before, after),
                    Toward::Earlier => (after, before),
                };
                y.data[to..to + width].copy_from_slice(&inputs[0].data[from..from + width]);
            }
        }
        vec![y]
    }

    /// Nothing is computed.
    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }
}

impl<'g> Tensor<'g> {
    /// `self` [B, T, H] moved by one step of T; the step that nothing moves to is 0.
    pub fn shift(self, toward: Toward) -> Tensor<'g> {
        self.graph().apply1(Shift(toward), &[self])
    }
}

/// Cases of [`Shift`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "shift"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (name, toward) in [("later", Toward::Later), ("earlier", Toward::Earlier)] {
            for dims in [[1, 1, 1], [1, 2, 3], [3, 5, 8], [2, 1, 4], [5, 17, 13], [65, 129, 516]] {
                let [b, t, h] = dims;
                let name = format!("{name}_b{b}_t{t}_h{h}");
                cases.push(Case::new(name, Shift(toward), [TensorSpec::f32(dims)]));
            }
        }
        cases
    }
}
