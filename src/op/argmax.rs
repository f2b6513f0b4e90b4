//! The index of the largest value along the last axis.

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::op::{Cost, Distribution, Facts, Kind, Op, Output, Problem, Tolerance};
use crate::kernel::{Caps, Lowered, Variant, input, output};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{MANY_ROWS, Rows, RowsProblem, SHAPES, fewer_rows, outer, size};

/// [.., C] to u32 [..]: the index below C of the largest value, the first of several. With a column, [B, C] and u32
/// [B, N] whose column it becomes, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argmax {
    /// Of the second input.
    pub column: Option<usize>,
}

impl Op for Argmax {
    fn kind(&self) -> Kind {
        Kind::new("argmax", Class::Reduction)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let rows = Rows::of(&inputs[0])?;
        let places = TensorSpec::u32(outer(&inputs[0]));
        // Tiny is left out: where denormals are flushed, different values are equal.
        let distributions = Distribution::WITHOUT_TINY;
        let Some(column) = self.column else {
            let mut problem = RowsProblem::new(*self, rows, inputs, places, 1, Tolerance::EXACT);
            problem.facts = problem.facts.drawn_from(distributions);
            return Ok(problem);
        };
        match (inputs[1].dims(), inputs[1].dtype) {
            (&[batch, length], DType::U32) if places.dims() == [batch] && column < length => {
                let cost = Cost::new(inputs[0].len() as u64, &inputs[..1], &[places]);
                let written = Output::in_place(inputs[1].clone(), 1);
                let facts = Facts::new([written], cost, Tolerance::EXACT);
                let facts = facts.drawn_from(distributions).reduced_to(fewer_rows(inputs));
                Ok(Box::new(RowsProblem { op: *self, rows, facts }))
            }
            _ => Err(format!("{places} does not fit column {column} of {}", inputs[1])),
        }
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        self.column.is_none().then(|| ByRows::of_rows(inputs)).flatten()
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
        let lanes = variant.get("LANES_PER_ROW");
        let kernel = self.rows.kernel("argmax/rows", variant);
        let kernel = kernel.with_consts(&[("PARTS", lanes.min(16))]);
        let dispatch = self.rows.dispatch(kernel, variant, caps);
        let pitch = if self.op.column.is_some() { self.facts.spec().shape.last() } else { 1 };
        let dispatch = dispatch.param("pitch", pitch).param("place", self.op.column.unwrap_or(0));
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
        let places = inputs[0].data.chunks(self.rows.columns).map(place);
        let Some(column) = self.op.column else {
            return self.facts.result(places.collect());
        };
        let mut table = inputs[1].data.clone();
        let rows = table.chunks_mut(inputs[1].spec.shape.last());
        rows.zip(places).for_each(|(row, place)| row[column] = place);
        self.facts.result(table)
    }
}

impl<'g> Tensor<'g> {
    /// The index of the largest value along the last axis, the first of several: u32.
    pub fn argmax(self) -> Tensor<'g> {
        self.graph().apply1(Argmax { column: None }, &[self])
    }

    /// The same of `self` [B, C] as column `at` of `rows` u32 [B, N], in place.
    pub fn argmax_into(self, rows: Tensor<'g>, at: usize) -> Tensor<'g> {
        self.graph().apply1(Argmax { column: Some(at) }, &[self, rows])
    }
}

/// Awkward cases of [`Argmax`].
pub(super) fn cases() -> Vec<Case> {
    let op = Argmax { column: None };
    let case = |dims: &&[usize]| Case::new(size(dims), op, [TensorSpec::f32(*dims)]);
    let columns = [(1, 3, 1, 0), (5, 67, 3, 1), (64, 40, 50, 49)];
    let into = columns.map(|(rows, length, pitch, at)| {
        let op = Argmax { column: Some(at) };
        let inputs = [TensorSpec::f32([rows, length]), TensorSpec::u32([rows, pitch])];
        Case::new(format!("{rows}x{length}_column{at}"), op, inputs)
    });
    SHAPES.iter().chain([&MANY_ROWS]).map(case).chain(into).collect()
}
