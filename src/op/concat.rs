//! Concatenation along an axis.

use crate::graph::by_rows::ByRows;
use crate::graph::op::{Backward, Kind, Op, Problem};
use crate::graph::{Builder, Tensor};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::copy_columns::{self, CopyColumns, Copying, Piece, Stripe};

/// Most inputs.
pub(crate) const MOST_INPUTS: usize = copy_columns::NAMES.len();

/// The inputs, which differ in length along `axis` at most, behind each other along it. Any 32-bit type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concat {
    /// The axis that grows.
    pub axis: usize,
}

impl Op for Concat {
    fn kind(&self) -> Kind {
        Kind::new("concat", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (n, axis) = (inputs.len(), self.axis);
        if n == 0 || n > MOST_INPUTS {
            return Err(format!("takes 1 to {MOST_INPUTS} inputs, not {n}"));
        }
        copy_columns::check(&inputs[0], axis)?;
        let (rows, each) = copy_columns::split(&inputs[0].shape, axis);
        let beside = copy_columns::resized(&inputs[0], axis, 1);
        let (mut length, mut pieces) = (0, Vec::new());
        for spec in inputs {
            copy_columns::check(spec, axis)?;
            if copy_columns::resized(spec, axis, 1) != beside {
                return Err(format!("{} and {spec} differ in more than axis {axis}", inputs[0]));
            }
            let len = spec.dims()[axis] * each;
            let stripe = Stripe::ALL;
            pieces.push(Piece { to: length * each, len, from: 0, columns: len, stripe });
            length += spec.dims()[axis];
        }
        let y = copy_columns::resized(&inputs[0], axis, length);
        let columns = CopyColumns { rows, height: None, columns: length * each, pieces };
        Ok(Copying::new(*self, columns, y))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        (self.axis > 0).then(|| ByRows::all(inputs, 1)).flatten()
    }

    /// To each input its slice of dy.
    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let Some(dy) = dy[0] else {
            return vec![None; x.len()];
        };
        let mut start = 0;
        let part = |x: &Tensor<'g>| {
            let len = x.spec().dims()[self.axis];
            start += len;
            Some(dy.slice(self.axis, start - len, len))
        };
        x.iter().map(part).collect()
    }
}

impl copy_columns::Reference for Concat {
    fn copied(&self, inputs: &[&Array]) -> Vec<f64> {
        let (rows, each) = copy_columns::split(&inputs[0].spec.shape, self.axis);
        let mut data = Vec::new();
        for row in 0..rows {
            for input in inputs {
                let len = input.dims()[self.axis] * each;
                data.extend(&input.data[row * len..(row + 1) * len]);
            }
        }
        data
    }
}

impl Builder {
    /// Tensors behind each other along `axis`; 1 to 7 of them.
    pub fn concat<'g>(&'g self, tensors: &[Tensor<'g>], axis: usize) -> Tensor<'g> {
        self.apply1(Concat { axis }, tensors)
    }
}

/// Awkward cases of [`Concat`].
pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, axis, dims: &[&[usize]]| {
        let specs: Vec<_> = dims.iter().map(|d| TensorSpec::f32(*d)).collect();
        Case::new(name, Concat { axis }, specs)
    };
    let words = [[3, 5], [3, 2]].map(|d| TensorSpec::new(d, DType::U32));
    vec![
        case("single", 0, &[&[1]]),
        case("rows", 0, &[&[3, 5], &[1, 5], &[2, 5]]),
        case("columns", 1, &[&[7, 3], &[7, 1], &[7, 13]]),
        case("columns_vec4", 1, &[&[5, 8], &[5, 4], &[5, 12]]),
        case("middle", 1, &[&[2, 3, 5], &[2, 1, 5]]),
        case("six", 2, &[&[2, 2, 4][..]; 6]),
        case("many_workgroups", 1, &[&[70_000, 33], &[70_000, 31]]),
        Case::new("u32", Concat { axis: 1 }, words),
    ]
}
