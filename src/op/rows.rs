//! How kernels that own whole rows of a matrix distribute them: what softmax, losses, argmax and row sums
//! share. Not an op itself.

use crate::graph::op::{Facts, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Variant, grid};
use crate::tensor::TensorSpec;

/// Invocations a workgroup has on a GPU: what every device allows.
pub(crate) const GPU_WORKGROUP: usize = 256;

/// A tensor as rows along its last axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Invocations a workgroup, and how many of them, neighbours, share a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) workgroup: usize,
    pub(crate) lanes_per_row: usize,
}

impl Layout {
    /// Most vectors of a row that an invocation keeps in registers. A CPU has its stack for that, and reads
    /// the row again from its cache as fast.
    pub(crate) fn most_kept(self) -> usize {
        if self.workgroup == GPU_WORKGROUP { 8 } else { 1 }
    }
}

impl Rows {
    /// The rows of an op's input: floats and at least one axis.
    pub(crate) fn of(spec: &TensorSpec) -> Result<Self, String> {
        check(spec)?;
        Ok(Self { rows: spec.shape.rows(), columns: spec.shape.last() })
    }

    /// Elements of the widest vector that rows consist of.
    pub(crate) fn width(self) -> usize {
        width(self.columns)
    }

    /// Length of a row in such vectors.
    pub(crate) fn vectors(self) -> usize {
        self.columns / self.width()
    }

    /// About four vectors an invocation, fewer where there are too few rows to fill the device.
    pub(crate) fn gpu_layout(self) -> Layout {
        /// Invocations that keep a large GPU's memory bus busy.
        const ENOUGH: usize = 1 << 16;
        let mut lanes_per_row = self.vectors().div_ceil(4).next_power_of_two();
        while self.rows * lanes_per_row < ENOUGH && lanes_per_row < self.vectors() {
            lanes_per_row *= 2;
        }
        Layout { workgroup: GPU_WORKGROUP, lanes_per_row: lanes_per_row.min(GPU_WORKGROUP) }
    }

    /// A CPU's invocations are lanes of a loop, and a barrier costs it a walk over all of them: a row
    /// an invocation, or the eight lanes of one AVX register a row where there are few.
    pub(crate) fn cpu_layout(self) -> Layout {
        let (workgroup, lanes_per_row) = if self.rows >= 16 { (16, 1) } else { (8, 8) };
        Layout { workgroup, lanes_per_row }
    }

    /// The layouts worth trying, the likeliest first, as variants `rows`; `more` adds constants.
    pub(crate) fn variants<const N: usize>(
        self,
        caps: &Caps,
        more: impl Fn(Layout) -> [(&'static str, u32); N],
    ) -> Vec<Variant> {
        let mut layouts = [self.gpu_layout(), self.cpu_layout()];
        if caps.software {
            layouts.reverse();
        }
        let variant = |layout: Layout| {
            let [workgroup, lanes] = [layout.workgroup, layout.lanes_per_row].map(|n| n as u32);
            let consts = [("WORKGROUP", workgroup), ("LANES_PER_ROW", lanes)];
            Variant::new("rows", [&consts[..], &more(layout)].concat())
        };
        layouts.map(variant).to_vec()
    }

    /// The kernel of a variant, its vectors as wide as the rows allow.
    pub(crate) fn kernel(self, shader: &str, variant: &Variant) -> Kernel {
        Kernel::new(shader).with_consts(&variant.consts).with_hook("lanes", lanes(self.width()))
    }

    /// `kernel` with a workgroup for each WORKGROUP / LANES_PER_ROW rows, and `struct Params { rows, length }`.
    pub(crate) fn dispatch(self, kernel: Kernel, variant: &Variant, caps: &Caps) -> Dispatch {
        let rows_each = variant.get("WORKGROUP") / variant.get("LANES_PER_ROW");
        Dispatch::new(kernel, grid(self.rows.div_ceil(rows_each as usize), caps))
            .param("rows", self.rows)
            .param("length", self.vectors())
    }
}

/// An op over rows at given sizes.
#[derive(Debug)]
pub(crate) struct RowsProblem<T> {
    pub(crate) op: T,
    pub(crate) rows: Rows,
    pub(crate) facts: Facts,
}

impl<T> RowsProblem<T> {
    /// The op over `rows` of its inputs, with this much arithmetic for each element of the rows.
    pub(crate) fn new(
        op: T,
        rows: Rows,
        inputs: &[TensorSpec],
        output: TensorSpec,
        flops_each: usize,
        tolerance: Tolerance,
    ) -> Box<Self> {
        let flops = (flops_each * rows.rows * rows.columns) as u64;
        let facts = Facts::moving(flops, inputs, [output], tolerance);
        Box::new(Self { op, rows, facts: facts.reduced_to(fewer_rows(inputs)) })
    }
}

/// The input of an op over rows, checked: floats and at least one axis.
pub(crate) fn check(spec: &TensorSpec) -> Result<(), String> {
    match spec.dims() {
        [_, ..] if spec.dtype.is_float() => Ok(()),
        _ => Err(format!("takes rows of floats, not {spec}")),
    }
}

/// The axes before the last.
pub(crate) fn outer(spec: &TensorSpec) -> &[usize] {
    spec.dims().split_last().map_or(&[], |(_, outer)| outer)
}

/// Elements of the widest vector that rows of this length consist of.
pub(crate) fn width(length: usize) -> usize {
    if length.is_multiple_of(4) { 4 } else { 1 }
}

/// Elements that an invocation takes at once where all of `lengths` are whole fours and more invocations are the other
/// choice. A software adapter fetches lane by lane, four values for less than twice the time of one; a GPU has the
/// invocations instead.
pub(crate) fn at_once(lengths: &[usize], caps: &Caps) -> u32 {
    let whole = lengths.iter().all(|length| width(*length) == 4);
    if caps.software && whole { 4 } else { 1 }
}

/// A variant for each width that rows of this length allow, the widest first.
pub(crate) fn widths(name: &'static str, length: usize) -> Vec<Variant> {
    let by = |width: u32| Variant::new(name, [("WIDTH", width)]);
    if width(length) == 4 { vec![by(4), by(1)] } else { vec![by(1)] }
}

/// The hook that makes T a vector of `width` lanes.
pub(crate) fn lanes(width: usize) -> String {
    format!("// use: common/lanes{width}\n")
}

/// Elements of an input that an f64 reference gets through in well under a second.
pub(crate) const REFERENCE_ELEMENTS: usize = 1 << 22;

/// The same tensors with so few rows (along their first axis, which all share) that the largest has about
/// [`REFERENCE_ELEMENTS`], or `None` where they have no more. Where that leaves many rows, the last workgroup
/// is as full as it was.
pub(crate) fn fewer_rows(inputs: &[TensorSpec]) -> Option<Vec<TensorSpec>> {
    let rows = inputs[0].dims().first().copied().unwrap_or(1);
    let largest = inputs.iter().map(TensorSpec::len).max().unwrap_or(0);
    let kept = fewer(rows, largest)?;
    Some(inputs.iter().map(|spec| spec.with_rows(kept)).collect())
}

/// How many of the rows of a tensor of `elements` [`fewer_rows`] leaves; `None` for all.
pub(crate) fn fewer(rows: usize, elements: usize) -> Option<usize> {
    const FULL: usize = 256; // a multiple of every workgroup's rows
    let rows = rows.max(1);
    let kept = (REFERENCE_ELEMENTS / (elements / rows).max(1)).max(1);
    let whole = if kept >= 2 * FULL { kept / FULL * FULL - FULL + rows % FULL } else { kept };
    (kept < rows).then_some(whole)
}

/// More rows than 65,535 workgroups of a CPU's 16.
pub(crate) const MANY_ROWS: &[usize] = &[1_050_001, 1];

/// Shapes that every kernel of rows is tested on: one column, one row, odd, prime, about a workgroup, longer
/// than what registers hold, the largest vocabulary, many short rows.
pub(crate) const SHAPES: &[&[usize]] = &[
    &[1, 1],
    &[5, 1],
    &[1, 3],
    &[3, 2, 4],
    &[7, 62],
    &[67, 64],
    &[13, 257],
    &[2, 1021],
    &[3, 1024],
    &[1, 2111],
    &[2, 40_000],
    &[70_001, 3],
];

/// `3x2x4`.
pub(crate) fn size(dims: &[usize]) -> String {
    let dims: Vec<_> = dims.iter().map(ToString::to_string).collect();
    dims.join("x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_rows_keep_the_row_and_the_last_workgroup() {
        let inputs = [TensorSpec::f32([1_000_003, 62]), TensorSpec::u32([1_000_003])];
        let fewer = fewer_rows(&inputs).unwrap();
        let rows = fewer[0].dims()[0];
        assert_eq!(fewer[0].dims(), [rows, 62]);
        assert_eq!(fewer[1], TensorSpec::u32([rows]));
        assert_eq!(rows % 256, 1_000_003 % 256);
        assert!((REFERENCE_ELEMENTS / 2..=REFERENCE_ELEMENTS).contains(&fewer[0].len()));
        let small = [TensorSpec::f32([7, 62])];
        assert_eq!(fewer_rows(&small), None);
    }
}
