//! Zeros around a tensor along an axis: the gradient of a slice.

use crate::graph::Tensor;
use crate::graph::op::{Backward, Kind, Op, Problem};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::copy_columns::{self, CopyColumns, Copying, Piece, Stripe};

/// `before` zeros, the input, `after` zeros along `axis`. Any 32-bit type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pad {
    /// The axis that grows.
    pub axis: usize,
    /// Zeros in front.
    pub before: usize,
    /// Zeros behind.
    pub after: usize,
}

impl Op for Pad {
    fn kind(&self) -> Kind {
        Kind::new("pad", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (x, Self { axis, before, after }) = (&inputs[0], *self);
        copy_columns::check(x, axis)?;
        let (rows, each) = copy_columns::split(&x.shape, axis);
        let length = before + x.dims()[axis] + after;
        let len = x.dims()[axis] * each;
        let piece = Piece { to: before * each, len, from: 0, columns: len, stripe: Stripe::ALL };
        let columns =
            CopyColumns { rows, height: None, columns: length * each, pieces: vec![piece] };
        let y = copy_columns::resized(x, axis, length);
        Ok(Copying::new(*self, columns, y))
    }

    /// dy without what lies over the zeros.
    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let len = x[0].spec().dims()[self.axis];
        vec![dy[0].map(|dy| dy.slice(self.axis, self.before, len))]
    }
}

impl copy_columns::Reference for Pad {
    fn copied(&self, inputs: &[&Array]) -> Vec<f64> {
        let (rows, each) = copy_columns::split(&inputs[0].spec.shape, self.axis);
        let len = inputs[0].dims()[self.axis] * each;
        let mut data = Vec::new();
        for row in 0..rows {
            data.resize(data.len() + self.before * each, 0.0);
            data.extend(&inputs[0].data[row * len..(row + 1) * len]);
            data.resize(data.len() + self.after * each, 0.0);
        }
        data
    }
}

impl<'g> Tensor<'g> {
    /// `before` zeros, these values, `after` zeros along `axis`.
    pub fn pad(self, axis: usize, before: usize, after: usize) -> Tensor<'g> {
        if before + after == 0 {
            return self;
        }
        let op = Pad { axis, before, after };
        self.graph().apply1(op, &[self])
    }
}

/// Awkward cases of [`Pad`].
pub(super) fn cases() -> Vec<Case> {
    let pad = |axis, before, after| Pad { axis, before, after };
    let case = |name: &str, dims: &[usize], op| Case::new(name, op, [TensorSpec::f32(dims)]);
    let words = TensorSpec::new([4, 3], DType::U32);
    vec![
        case("one", &[1], pad(0, 1, 1)),
        case("before", &[3, 5], pad(1, 2, 0)),
        case("after", &[3, 5], pad(0, 0, 4)),
        case("both_vec4", &[3, 4, 8], pad(1, 3, 2)),
        case("misaligned", &[5, 12], pad(1, 1, 3)),
        case("many_workgroups", &[70_000, 33], pad(1, 30, 1)),
        Case::new("u32", pad(1, 2, 1), [words]),
    ]
}
