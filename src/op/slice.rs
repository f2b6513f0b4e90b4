//! A range of indices along an axis.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Lowered, Variant};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::copy_columns::{self, CopyColumns, Piece};

/// Indices `start .. start + len` along `axis`. Any 32-bit type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The axis that shrinks.
    pub axis: usize,
    /// First index taken.
    pub start: usize,
    /// How many; at least 1.
    pub len: usize,
}

impl Slice {
    fn copied(&self, input: &TensorSpec) -> CopyColumns {
        let (rows, each) = copy_columns::split(&input.shape, self.axis);
        let piece = Piece {
            to: 0,
            len: self.len * each,
            from: self.start * each,
            columns: input.dims()[self.axis] * each,
        };
        CopyColumns { rows, columns: piece.len, pieces: vec![piece] }
    }
}

impl OldOp for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        copy_columns::check(&inputs[0], self.axis)?;
        let end = self.start + self.len;
        if self.len == 0 || end > inputs[0].dims()[self.axis] {
            return Err(format!(
                "{} has no indices {}..{end} along axis {}",
                inputs[0], self.start, self.axis
            ));
        }
        Ok(vec![copy_columns::resized(&inputs[0], self.axis, self.len)])
    }

    /// What is not taken need not be read.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(0, &outputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        self.copied(&inputs[0]).variants()
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        self.copied(&io.inputs[0]).lower(variant, io.caps)
    }

    /// dy with zeros where nothing was taken.
    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let after = x[0].spec().dims()[self.axis] - self.start - self.len;
        vec![dy[0].map(|dy| dy.pad(self.axis, self.start, after))]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (rows, each) = copy_columns::split(&inputs[0].spec.shape, self.axis);
        let length = inputs[0].dims()[self.axis];
        let mut data = Vec::new();
        for row in 0..rows {
            let first = (row * length + self.start) * each;
            data.extend(&inputs[0].data[first..first + self.len * each]);
        }
        let spec = copy_columns::resized(&inputs[0].spec, self.axis, self.len);
        vec![Array::new(spec, data)]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Words are moved whatever they hold.
        &[Distribution::Uniform]
    }
}

impl<'g> Tensor<'g> {
    /// Indices `start .. start + len` along `axis`.
    pub fn slice(self, axis: usize, start: usize, len: usize) -> Tensor<'g> {
        let op = Slice { axis, start, len };
        self.graph().apply1(op, &[self])
    }
}

/// Cases of [`Slice`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn cases(&self) -> Vec<Case> {
        let case = |name: &str, dims: &[usize], (axis, start, len)| {
            Case::new(name, Slice { axis, start, len }, [TensorSpec::f32(dims)])
        };
        let words = TensorSpec::new([4, 7], DType::U32);
        let middle = Slice { axis: 1, start: 2, len: 3 };
        vec![
            case("all", &[1], (0, 0, 1)),
            case("rows", &[7, 5], (0, 2, 3)),
            case("last_column", &[7, 13], (1, 12, 1)),
            case("columns_vec4", &[7, 20], (1, 8, 12)),
            case("misaligned", &[7, 20], (1, 3, 12)),
            case("middle", &[3, 11, 2], (1, 5, 6)),
            case("many_workgroups", &[70_000, 65], (1, 1, 63)),
            Case::new("u32", middle, [words]),
        ]
    }
}
