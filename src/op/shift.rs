//! A sequence shifted by one time step: what each step sees of its neighbour.

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::op::{Backward, Facts, Kind, Op, Problem, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, vector};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{fewer_rows, widths};

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

impl Op for Shift {
    fn kind(&self) -> Kind {
        Kind::new("shift", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let x = &inputs[0];
        let (&[batch, steps, width], DType::F32) = (x.dims(), x.dtype) else {
            return Err(format!("takes an f32 [B, T, H], not {x}"));
        };
        let facts = Facts::moving(0, inputs, [x.clone()], Tolerance::EXACT);
        Ok(Box::new(ShiftProblem { toward: self.0, batch, steps, width, facts }))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::all(inputs, 1)
    }

    /// Moves the gradient back.
    fn gradient<'g>(&self, Backward { dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        vec![dy[0].map(|dy| dy.shift(self.0.reversed()))]
    }
}

#[derive(Debug)]
struct ShiftProblem {
    toward: Toward,
    batch: usize,
    steps: usize,
    width: usize,
    facts: Facts,
}

impl Problem for ShiftProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        widths("shift", self.width)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let vector_width = variant.get("WIDTH") as usize;
        let groups = self.width / vector_width;
        let total = self.batch * self.steps * groups;
        let kernel = Kernel::new("shift/shift")
            .with_consts(&[("STEPS", self.steps as u32), ("GROUPS", groups as u32)])
            .with_text("T", vector(vector_width))
            .with_text("EARLIER", (self.toward == Toward::Earlier).to_string());
        let dispatch = Dispatch::new(kernel, grid(total.div_ceil(64), caps))
            .bind("x", input(0))
            .bind("y", output(0))
            .param("total", total);
        Lowered::one(dispatch)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut y = Array::zeros(inputs[0].spec.clone());
        for b in 0..self.batch {
            for t in 1..self.steps {
                let after = (b * self.steps + t) * self.width;
                let before = after - self.width;
                let (from, to) = match self.toward {
                    Toward::Later => (before, after),
                    Toward::Earlier => (after, before),
                };
                let moved = &inputs[0].data[from..from + self.width];
                y.data[to..to + self.width].copy_from_slice(moved);
            }
        }
        vec![y]
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        fewer_rows(&[self.facts.spec().clone()])
    }
}

impl<'g> Tensor<'g> {
    /// `self` [B, T, H] moved by one step of T; the step that nothing moves to is 0.
    pub fn shift(self, toward: Toward) -> Tensor<'g> {
        self.graph().apply1(Shift(toward), &[self])
    }
}

/// Awkward cases of [`Shift`].
pub(super) fn cases() -> Vec<Case> {
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
