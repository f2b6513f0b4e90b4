//! What concat, slice and pad have in common: a row-major matrix assembled from ranges of columns of
//! other matrices with the same number of rows, and zeros elsewhere.

use crate::graph::op::{Cost, Distribution, Facts, Problem, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, Shape, TensorSpec};

const WORKGROUP: usize = 64;

/// The shader's inputs: storage bindings every WebGPU device has in a stage, less the output.
pub(super) const NAMES: [&str; 7] = ["in0", "in1", "in2", "in3", "in4", "in5", "in6"];

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
    /// The rows it fills.
    pub(super) stripe: Stripe,
}

/// Which rows of each of the result's matrices a piece fills, and with which of its input's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stripe {
    /// First row it fills.
    pub(super) to: usize,
    /// How many.
    pub(super) len: usize,
    /// First row of the input it takes.
    pub(super) from: usize,
    /// Rows that a matrix of the input has.
    pub(super) rows: usize,
}

impl Stripe {
    /// All rows of matrices of one row: rows that know nothing of each other.
    pub(super) const ALL: Self = Self { to: 0, len: 1, from: 0, rows: 1 };
}

/// A matrix of `rows` x `columns` of 32-bit words; pieces are apart, and in order where they know nothing of rows.
#[derive(Debug)]
pub(super) struct CopyColumns {
    pub(super) rows: usize,
    /// Rows that are one matrix, where pieces are of some of its rows only.
    pub(super) height: Option<usize>,
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

/// What an op that copies columns adds: the same in f64, by its own formula.
pub(super) trait Reference: std::fmt::Debug + Send + Sync {
    fn copied(&self, inputs: &[&Array]) -> Vec<f64>;
}

/// The problem of such an op.
#[derive(Debug)]
pub(super) struct Copying<R> {
    op: R,
    columns: CopyColumns,
    facts: Facts,
}

impl<R: Reference> Copying<R> {
    /// `op` puts `y` together from `columns`. What is not taken need not be read.
    pub(super) fn new(op: R, columns: CopyColumns, y: TensorSpec) -> Box<Self> {
        let matrices = columns.rows / columns.height.unwrap_or(1);
        let elements = |piece: &Piece| matrices * piece.stripe.len * piece.len;
        let taken: usize = columns.pieces.iter().map(elements).sum();
        let cost = Cost { flops: 0, bytes: 4 * taken as u64 + y.bytes() };
        // Words are moved whatever they hold.
        let facts = Facts::new([y], cost, Tolerance::EXACT).drawn_from(&[Distribution::Uniform]);
        Box::new(Self { op, columns, facts })
    }
}

impl<R: Reference> Problem for Copying<R> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        self.columns.variants()
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        self.columns.lower(variant, caps)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![Array::new(self.facts.spec().clone(), self.op.copied(inputs))]
    }
}

impl CopyColumns {
    /// Groups of four words where every range allows, else single words.
    fn variants(&self) -> Vec<Variant> {
        let by = |width| Variant::new("columns", [("WIDTH", width)]);
        let whole = |p: &Piece| [p.to, p.len, p.from, p.columns].iter().all(|n| n % 4 == 0);
        if self.columns.is_multiple_of(4) && self.pieces.iter().all(whole) {
            vec![by(4), by(1)]
        } else {
            vec![by(1)]
        }
    }

    /// One dispatch: the output, then an input for each piece.
    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let columns = self.columns / width;
        let groups = self.rows * columns;
        let kernel = Kernel::new("copy_columns/columns")
            .with_text("T", if width == 4 { "vec4<u32>" } else { "u32" })
            .with_consts(&[("COLUMNS", columns as u32)])
            .with_hook("load", self.load(width));
        let mut dispatch = Dispatch::new(kernel, grid(groups.div_ceil(WORKGROUP), caps))
            .bind("y", output(0))
            .param("groups", groups);
        for (n, name) in NAMES.into_iter().take(self.pieces.len()).enumerate() {
            dispatch = dispatch.bind(name, input(n));
        }
        Lowered::one(dispatch)
    }

    /// `fn load` of matrices of several rows.
    fn load_blocks(&self, width: usize, height: usize) -> String {
        let (mut declarations, mut body) = (String::new(), String::new());
        for (n, piece) in self.pieces.iter().enumerate() {
            let Piece { to, len, from, columns, stripe } = *piece;
            declarations +=
                &format!("@group(0) @binding({}) var<storage, read> in{n}: array<T>;\n", n + 1);
            // Below the first row or column a difference wraps, and is no less than any length.
            body += &format!(
                "    if row % {all}u - {to_row}u < {rows}u && column - {to}u < {len}u {{\n        \
                     return in{n}[(row / {all}u * {input}u + row % {all}u - {to_row}u + {from_row}u) * {columns}u \
                     + column - {to}u + {from}u];\n    }}\n",
                all = height,
                to_row = stripe.to,
                rows = stripe.len,
                input = stripe.rows,
                from_row = stripe.from,
                to = to / width,
                len = len / width,
                columns = columns / width,
                from = from / width,
            );
        }
        format!(
            "{declarations}fn load(row: u32, column: u32) -> T {{\n{body}    return T(0u);\n}}\n"
        )
    }

    /// `fn load`, in groups of `width` words.
    fn load(&self, width: usize) -> String {
        if let Some(height) = self.height {
            return self.load_blocks(width, height);
        }
        let (mut declarations, mut body) = (String::new(), String::new());
        let mut done = 0;
        for (n, piece) in self.pieces.iter().enumerate() {
            let Piece { to, len, from, columns, .. } = *piece;
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
