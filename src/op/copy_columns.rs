//! What concat, slice and pad have in common: a row-major matrix put together from ranges of columns of
//! other matrices of as many rows, zeros elsewhere.

use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::tensor::{Shape, TensorSpec};

const WORKGROUP: usize = 64;

/// A range of columns of the n-th input, for the n-th piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// First column it fills.
    pub(super) to: usize,
    /// How many.
    pub(super) len: usize,
    /// First column of the input it takes.
    pub(super) from: usize,
    /// Columns the input has.
    pub(super) columns: usize,
}

/// A matrix of `rows` x `columns` of 32-bit words; pieces are in order and apart.
#[derive(Debug, Clone)]
pub(super) struct CopyColumns {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) pieces: Vec<Piece>,
}

/// `shape` as a matrix with `axis` and what follows it as columns: rows, words an index of the axis.
pub(super) fn split(shape: &Shape, axis: usize) -> (usize, usize) {
    let dims = shape.dims();
    (dims[..axis].iter().product(), dims[axis + 1..].iter().product())
}

/// `spec` with another length along `axis`.
pub(super) fn resized(spec: &TensorSpec, axis: usize, length: usize) -> TensorSpec {
    let mut dims = spec.dims().to_vec();
    dims[axis] = length;
    TensorSpec::new(dims, spec.dtype)
}

/// Fails for an axis that is not there and for elements that are not 32 bits.
pub(super) fn check(spec: &TensorSpec, axis: usize) -> Result<(), String> {
    if axis >= spec.shape.rank() {
        Err(format!("{spec} has no axis {axis}"))
    } else if spec.dtype.size() != 4 {
        Err(format!("moves 32-bit elements, not {spec}"))
    } else {
        Ok(())
    }
}

impl CopyColumns {
    /// Groups of four words where every range allows, else single words.
    pub(super) fn variants(&self) -> Vec<Variant> {
        let by = |width| Variant::new("columns", [("WIDTH", width)]);
        let whole = |p: &Piece| [p.to, p.len, p.from, p.columns].iter().all(|n| n % 4 == 0);
        if self.columns.is_multiple_of(4) && self.pieces.iter().all(whole) {
            vec![by(4), by(1)]
        } else {
            vec![by(1)]
        }
    }

    /// One dispatch: the output, then an input for each piece.
    pub(super) fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let columns = self.columns / width;
        let groups = self.rows * columns;
        let kernel = Kernel::new("copy_columns/columns")
            .with_text("T", if width == 4 { "vec4<u32>" } else { "u32" })
            .with_consts(&[("COLUMNS", columns as u32)])
            .with_hook("load", self.load(width));
        let inputs = (0..self.pieces.len()).map(input);
        Lowered::one(Dispatch {
            kernel,
            bindings: std::iter::once(output(0)).chain(inputs).collect(),
            params: unnamed(vec![groups as u32]),
            grid: grid(groups.div_ceil(WORKGROUP), caps),
        })
    }

    /// `fn load`, in groups of `width` words.
    fn load(&self, width: usize) -> String {
        let (mut declarations, mut body) = (String::new(), String::new());
        let mut done = 0;
        for (n, piece) in self.pieces.iter().enumerate() {
            let Piece { to, len, from, columns } = *piece;
            declarations +=
                &format!("@group(0) @binding({}) var<storage, read> in{n}: array<T>;\n", n + 1);
            if to > done {
                body += &format!("    if column < {}u {{ return T(0u); }}\n", to / width);
            }
            done = to + len;
            body += &format!(
                "    if column < {}u {{ return in{n}[row * {}u + column + {}u - {}u]; }}\n",
                done / width,
                columns / width,
                from / width,
                to / width
            );
        }
        format!(
            "{declarations}fn load(row: u32, column: u32) -> T {{\n{body}    return T(0u);\n}}\n"
        )
    }
}
