//! Blocks of matrices put together: what slices of slices, pads of pads and sums of pads come to.
//!
//! The graph has slices and pads along one axis each; [`crate::pass::windows`] merges them into this.

use crate::graph::by_rows::ByRows;
use crate::graph::op::{Kind, Op, Problem};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::copy_columns::{self, CopyColumns, Copying, Piece, Stripe};

/// A block of an input matrix and where it lies in the result; [rows, columns] each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its first row and column in the result.
    pub to: [usize; 2],
    /// The same in its input.
    pub from: [usize; 2],
    /// Its rows and columns; at least 1.
    pub size: [usize; 2],
}

impl Block {
    /// What `self`, a block of a result, shows of `inner`, a block that the result's input was made of.
    pub fn through(&self, inner: &Self) -> Option<Self> {
        let mut seen = *self;
        for axis in 0..2 {
            let first = self.from[axis].max(inner.to[axis]);
            let end = (self.from[axis] + self.size[axis]).min(inner.to[axis] + inner.size[axis]);
            seen.size[axis] = end.checked_sub(first).filter(|size| *size > 0)?;
            seen.to[axis] += first - self.from[axis];
            seen.from[axis] = inner.from[axis] + first - inner.to[axis];
        }
        Some(seen)
    }

    /// Whether two blocks have no element of the result in common.
    pub fn is_apart(&self, other: &Self) -> bool {
        let ends_before = |a: &Self, b: &Self, axis: usize| a.to[axis] + a.size[axis] <= b.to[axis];
        (0..2).any(|axis| ends_before(self, other, axis) || ends_before(other, self, axis))
    }
}

/// Matrices [.., rows, columns] made of a block of each input [.., r, c], and zeros elsewhere. Any 32-bit type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Rows of a result and its columns.
    pub size: [usize; 2],
    /// One block of each input; they are apart.
    pub blocks: Vec<Block>,
}

impl Op for Window {
    fn kind(&self) -> Kind {
        Kind::new("window", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let first = &inputs[0];
        let rank = first.shape.rank();
        let leading = rank.checked_sub(2).ok_or_else(|| format!("{first} is not a matrix"))?;
        if inputs.len() != self.blocks.len() || inputs.len() > copy_columns::NAMES.len() {
            return Err(format!("{} blocks of {} inputs", self.blocks.len(), inputs.len()));
        }
        let [rows, columns] = self.size;
        let mut pieces = Vec::new();
        for (block, spec) in self.blocks.iter().zip(inputs) {
            copy_columns::check(spec, rank - 1)?;
            let (alike, dims) = (spec.dtype == first.dtype, spec.dims());
            if !alike || dims.len() != rank || dims[..leading] != first.dims()[..leading] {
                return Err(format!("blocks of {first} and {spec}"));
            }
            let ends = |at: [usize; 2], within: &[usize]| {
                (0..2).all(|axis| at[axis] + block.size[axis] <= within[axis])
            };
            if !ends(block.from, &dims[leading..]) || !ends(block.to, &self.size) {
                return Err(format!("{block:?} is not inside {spec} and {rows} x {columns}"));
            }
            pieces.push(Piece {
                to: block.to[1],
                len: block.size[1],
                from: block.from[1],
                columns: dims[rank - 1],
                stripe: Stripe {
                    to: block.to[0],
                    len: block.size[0],
                    from: block.from[0],
                    rows: dims[leading],
                },
            });
        }
        let mut dims = first.dims().to_vec();
        dims[leading..].copy_from_slice(&self.size);
        let y = TensorSpec::new(dims, first.dtype);
        let rows_in_all = y.len() / columns.max(1);
        let copied = CopyColumns { rows: rows_in_all, height: Some(rows), columns, pieces };
        Ok(Copying::new(self.clone(), copied, y))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        (inputs[0].shape.rank() > 2).then(|| ByRows::all(inputs, 1)).flatten()
    }
}

impl copy_columns::Reference for Window {
    fn copied(&self, inputs: &[&Array]) -> Vec<f64> {
        let [rows, columns] = self.size;
        let shape = &inputs[0].spec.shape;
        let matrices = shape.len() / (shape.dims()[shape.rank() - 2] * shape.last());
        let mut y = vec![0.0; matrices * rows * columns];
        for (block, x) in self.blocks.iter().zip(inputs) {
            let (height, width) = (x.dims()[x.dims().len() - 2], x.spec.shape.last());
            for (matrix, row) in (0..matrices).flat_map(|m| (0..block.size[0]).map(move |r| (m, r)))
            {
                let from = (matrix * height + block.from[0] + row) * width + block.from[1];
                let to = (matrix * rows + block.to[0] + row) * columns + block.to[1];
                y[to..to + block.size[1]].copy_from_slice(&x.data[from..from + block.size[1]]);
            }
        }
        y
    }
}

/// Awkward cases of [`Window`].
pub(super) fn cases() -> Vec<Case> {
    let block = |to, from, size| Block { to, from, size };
    let case = |name: &str, size, blocks: &[Block], inputs: &[&[usize]], dtype| {
        let inputs: Vec<_> = inputs.iter().map(|dims| TensorSpec::new(*dims, dtype)).collect();
        Case::new(name, Window { size, blocks: blocks.to_vec() }, inputs)
    };
    let all = block([0, 0], [0, 0], [1, 1]);
    let inside = block([0, 0], [1, 8], [4, 12]);
    let around = block([1, 3], [0, 0], [3, 5]);
    let corner = block([5, 8], [2, 0], [2, 4]);
    let many = block([1, 0], [0, 1], [2, 63]);
    vec![
        case("all", [1, 1], &[all], &[&[1, 1]], DType::F32),
        case("inside", [4, 12], &[inside], &[&[3, 6, 24]], DType::F32),
        case("around", [5, 11], &[around], &[&[2, 3, 5]], DType::F32),
        case(
            "two",
            [7, 12],
            &[block([0, 4], [1, 8], [4, 8]), corner],
            &[&[3, 6, 24], &[3, 4, 4]],
            DType::F32,
        ),
        case("matrices_of_matrices", [5, 11], &[around], &[&[2, 3, 3, 5]], DType::U32),
        case("many_workgroups", [3, 64], &[many], &[&[25_000, 2, 64]], DType::F32),
    ]
}
