//! The place of the largest value along the last axis.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Lowered, Variant, input, output, unnamed};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{MANY_ROWS, Rows, SHAPES, check, fewer_rows, outer, size};

/// [.., C] to u32 [..]: the index below C of the largest value, the first of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argmax;

impl OldOp for Argmax {
    fn name(&self) -> &'static str {
        "argmax"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        check(&inputs[0])?;
        Ok(vec![TensorSpec::u32(outer(&inputs[0]))])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(inputs[0].len() as u64, inputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        Rows::of(&inputs[0].shape).variants(caps, |_| [])
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let rows = Rows::of(&io.inputs[0].shape);
        Lowered::one(Dispatch {
            kernel: rows.kernel("argmax/rows", variant),
            bindings: vec![input(0), output(0)],
            params: unnamed(rows.params()),
            grid: rows.grid(variant, io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = inputs[0].data.chunks(inputs[0].spec.shape.last());
        let place = |row: &[f64]| {
            let mut best = 0;
            for (at, value) in row.iter().enumerate() {
                if *value > row[best] {
                    best = at;
                }
            }
            best as f64
        };
        let data = rows.map(place).collect();
        vec![Array::new(TensorSpec::u32(outer(&inputs[0].spec)), data)]
    }

    /// Integers are exact.
    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Tiny is left out: where denormals are flushed, different values are equal.
        &[
            Distribution::Uniform,
            Distribution::Offset,
            Distribution::Ties,
            Distribution::Zeros,
            Distribution::Extreme,
        ]
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        fewer_rows(inputs)
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
