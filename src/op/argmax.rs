//! The index of the largest value along the last axis.

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Tolerance};
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{MANY_ROWS, Rows, RowsProblem, SHAPES, fewer_rows, outer, size};

/// [.., C] to u32 [..]: the index below C of the largest value, the first of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argmax;

impl Op for Argmax {
    fn kind(&self) -> Kind {
        Kind::new("argmax", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let rows = Rows::of(&inputs[0])?;
        let places = TensorSpec::u32(outer(&inputs[0]));
        Ok(RowsProblem::new(*self, rows, inputs, places, 1, Tolerance::EXACT))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::of_rows(inputs)
    }
}

impl Problem for RowsProblem<Argmax> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.rows.variants(caps, |_| [])
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let kernel = self.rows.kernel("argmax/rows", variant);
        let dispatch = self.rows.dispatch(kernel, variant, caps);
        Lowered::one(dispatch.bind("x", input(0)).bind("y", output(0)))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let place = |row: &[f64]| {
            let mut best = 0;
            for (at, value) in row.iter().enumerate() {
                if *value > row[best] {
                    best = at;
                }
            }
            best as f64
        };
        let data = inputs[0].data.chunks(self.rows.columns).map(place).collect();
        self.facts.result(data)
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Tiny is left out: where denormals are flushed, different values are equal.
        Distribution::WITHOUT_TINY
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        fewer_rows(&self.inputs)
    }
}

impl<'g> Tensor<'g> {
    /// The index of the largest value along the last axis, the first of several: u32.
    pub fn argmax(self) -> Tensor<'g> {
        self.graph().apply1(Argmax, &[self])
    }
}

/// Cases of [`Argmax`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "argmax"
    }

    fn cases(&self) -> Vec<Case> {
        let case = |dims: &&[usize]| Case::new(size(dims), Argmax, [TensorSpec::f32(*dims)]);
        SHAPES.iter().chain([&MANY_ROWS]).map(case).collect()
    }
}
