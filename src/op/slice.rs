//! A range of indices along an axis.

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::op::{Backward, Kind, Op, Problem};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::copy_columns::{self, CopyColumns, Copying, Piece, Stripe};

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

impl Op for Slice {
    fn kind(&self) -> Kind {
        Kind::new("slice", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (x, Self { axis, start, len }) = (&inputs[0], *self);
        copy_columns::check(x, axis)?;
        let end = start + len;
        if len == 0 || end > x.dims()[axis] {
            return Err(format!("{x} has no indices {start}..{end} along axis {axis}"));
        }
        let (rows, each) = copy_columns::split(&x.shape, axis);
        let piece = Piece {
            to: 0,
            len: len * each,
            from: start * each,
            columns: x.dims()[axis] * each,
            stripe: Stripe::ALL,
        };
        let columns = CopyColumns { rows, height: None, columns: piece.len, pieces: vec![piece] };
        let y = copy_columns::resized(x, axis, len);
        Ok(Copying::new(*self, columns, y))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        (self.axis > 0).then(|| ByRows::all(inputs, 1)).flatten()
    }

    /// dy with zeros where nothing was taken.
    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let after = x[0].spec().dims()[self.axis] - self.start - self.len;
        vec![dy[0].map(|dy| dy.pad(self.axis, self.start, after))]
    }
}

impl copy_columns::Reference for Slice {
    fn copied(&self, inputs: &[&Array]) -> Vec<f64> {
        let (rows, each) = copy_columns::split(&inputs[0].spec.shape, self.axis);
        let length = inputs[0].dims()[self.axis];
        let mut data = Vec::new();
        for row in 0..rows {
            let first = (row * length + self.start) * each;
            data.extend(&inputs[0].data[first..first + self.len * each]);
        }
        data
    }
}

impl<'g> Tensor<'g> {
    /// Indices `start .. start + len` along `axis`.
    pub fn slice(self, axis: usize, start: usize, len: usize) -> Tensor<'g> {
        let op = Slice { axis, start, len };
        self.graph().apply1(op, &[self])
    }
}

/// Awkward cases of [`Slice`].
pub(super) fn cases() -> Vec<Case> {
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
