//! How a reduction runs: which invocations fold which values, in one dispatch or in two.

use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch,
};
use crate::op::rows::{self, GPU_WORKGROUP, REFERENCE_ELEMENTS, Rows, lanes};
use crate::tensor::TensorSpec;

/// The input as [outer, length, inner], where `length` is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extents {
    pub(crate) outer: usize,
    pub(crate) length: usize,
    pub(crate) inner: usize,
}

/// What is folded, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold<'a> {
    /// The maximum rather than the sum.
    pub(crate) max: bool,
    /// Multiplies the result.
    pub(crate) scale: f32,
    /// In place of the `load` of `reduce/rows`, where that computes what is folded.
    pub(crate) load: Option<Load<'a>>,
}

/// A `load` of several inputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    /// The hook.
    pub(crate) text: &'a str,
    /// What it calls the op's inputs, which it binds from binding 1 on.
    pub(crate) operands: &'a [&'static str],
}

/// Workgroups of a first dispatch that fill a large GPU.
const GPU_WORKGROUPS: usize = 1024;
/// Elements below which a second dispatch costs more than it saves.
const SPLITS_FROM: usize = 1 << 17;

/// One variant that suits GPUs and one that suits CPUs, the device's own first. Both cut a long reduction
/// to few values into SPLIT chunks, which a second dispatch folds.
pub(crate) fn variants(extents: Extents, caps: &Caps) -> Vec<Variant> {
    let of = if extents.inner == 1 { row_variant } else { column_variant };
    let mut variants = vec![of(extents, caps.software), of(extents, !caps.software)];
    variants.dedup();
    variants
}

fn row_variant(extents: Extents, software: bool) -> Variant {
    let rows = Rows { rows: extents.outer, columns: extents.length };
    let (layout, split) = if software {
        (rows.cpu_layout(), (64 / rows.rows).max(1))
    } else {
        let layout = rows.gpu_layout();
        let workgroups = (rows.rows * layout.lanes_per_row).div_ceil(layout.workgroup);
        let most = rows.vectors() / (8 * layout.lanes_per_row);
        (layout, (GPU_WORKGROUPS / workgroups).min(most).max(1))
    };
    let large = rows.rows * rows.columns >= SPLITS_FROM;
    let consts = [
        ("WORKGROUP", layout.workgroup),
        ("LANES_PER_ROW", layout.lanes_per_row),
        ("WIDTH", rows.width()),
        ("SPLIT", if large { split } else { 1 }),
    ];
    Variant::new("rows", consts.map(|(name, value)| (name, value as u32)))
}

fn column_variant(extents: Extents, software: bool) -> Variant {
    let Extents { outer, length, inner } = extents;
    let width = |pack: usize| rows::width(inner * pack);
    let large = outer * length * inner >= SPLITS_FROM;
    // PACK rows side by side make whole vectors of columns that alone do not: [2 n, 62] is [n, 124], and
    // the second dispatch folds the halves.
    let whole = |pack: &usize| length.is_multiple_of(*pack) && width(*pack) == 4;
    let packs = if large { &[1, 2, 4][..] } else { &[1] };
    let mut pack = packs.iter().copied().find(whole).unwrap_or(1);
    let outputs = outer * inner * pack / width(pack);
    let length = length / pack;
    let (workgroup, columns, split) = if software {
        // One invocation a column: several would need barriers. Chunks of 16 rows or more, so that the
        // lines of neighbouring columns stay in cache.
        let columns = outputs.next_power_of_two().min(16);
        (columns, columns, (length / 16).min(128))
    } else {
        // Half a kilobyte of neighbours, and at least four rows for each of those who share a column.
        let share = (length / 4).clamp(1, GPU_WORKGROUP).next_power_of_two();
        let columns = outputs.next_power_of_two().min(32);
        let columns = columns.max(GPU_WORKGROUP / share);
        let most = length / (8 * (GPU_WORKGROUP / columns));
        let split = (GPU_WORKGROUPS / outputs.div_ceil(columns)).min(most);
        (GPU_WORKGROUP, columns, split)
    };
    let split = if large { split.max(1) } else { 1 };
    if split == 1 {
        pack = 1;
    }
    let consts = [
        ("WORKGROUP", workgroup),
        ("COLUMNS", columns),
        ("WIDTH", width(pack)),
        ("SPLIT", split),
        ("PACK", pack),
    ];
    Variant::new("columns", consts.map(|(name, value)| (name, value as u32)))
}

/// The dispatches of one variant.
pub(crate) fn lower(extents: Extents, fold: Fold<'_>, variant: &Variant, caps: &Caps) -> Lowered {
    let get = |name| variant.get(name) as usize;
    let pass = Pass { fold, workgroup: get("WORKGROUP"), caps };
    let (width, split) = (get("WIDTH"), get("SPLIT"));
    if variant.name == "rows" {
        pass.rows(extents, get("LANES_PER_ROW"), width, split)
    } else {
        pass.columns(extents, get("COLUMNS"), (width, split, get("PACK")))
    }
}

/// What all dispatches of a lowering have in common.
struct Pass<'a> {
    fold: Fold<'a>,
    workgroup: usize,
    caps: &'a Caps,
}

/// A dispatch of `reduce/rows`: `rows` of `length` vectors, each cut into `chunks` of `chunk` vectors.
struct Chunks {
    rows: usize,
    chunks: usize,
    chunk: usize,
    length: usize,
}

impl Pass<'_> {
    fn kernel(&self, shader: &str, width: usize, (name, value): (&'static str, usize)) -> Kernel {
        let consts = [("WORKGROUP", self.workgroup as u32), (name, value as u32)];
        Kernel::new(shader)
            .with_consts(&consts)
            .with_text("MAX", self.fold.max.to_string())
            .with_hook("lanes", lanes(width))
    }

    fn rows(&self, extents: Extents, lanes_per_row: usize, width: usize, split: usize) -> Lowered {
        let (rows, length) = (extents.outer, extents.length / width);
        let chunk = length.div_ceil(split);
        let chunks = length.div_ceil(chunk);
        let mut kernel = self.kernel("reduce/rows", width, ("LANES_PER_ROW", lanes_per_row));
        if let Some(load) = self.fold.load {
            kernel = kernel.with_hook("load", load.text);
        }
        let names = self.fold.load.map_or(&["x"][..], |load| load.operands);
        let read = |dispatch: Dispatch| {
            let inputs = names.iter().enumerate();
            inputs.fold(dispatch, |dispatch, (at, name)| dispatch.bind(name, input(at)))
        };
        let scale = self.fold.scale;
        if split == 1 {
            let whole = Chunks { rows, chunks: 1, chunk: length, length };
            let dispatch = self.row_dispatch(kernel, whole, lanes_per_row, scale);
            return Lowered::one(read(dispatch.bind("y", output(0))));
        }
        let parts = Chunks { rows, chunks, chunk, length };
        let first = self.row_dispatch(kernel, parts, lanes_per_row, 1.0);
        let lanes_per_row = chunks.div_ceil(2).next_power_of_two().min(self.workgroup);
        let kernel = self.kernel("reduce/rows", 1, ("LANES_PER_ROW", lanes_per_row));
        let rest = Chunks { rows, chunks: 1, chunk: chunks, length: chunks };
        let second = self
            .row_dispatch(kernel, rest, lanes_per_row, scale)
            .bind("y", output(0))
            .bind("x", scratch(0).read());
        Lowered {
            dispatches: vec![read(first.bind("y", scratch(0))), second],
            scratch: vec![TensorSpec::f32([rows * chunks])],
        }
    }

    fn row_dispatch(
        &self,
        kernel: Kernel,
        Chunks { rows, chunks, chunk, length }: Chunks,
        lanes_per_row: usize,
        scale: f32,
    ) -> Dispatch {
        let pieces = rows * chunks;
        Dispatch::new(kernel, grid(pieces.div_ceil(self.workgroup / lanes_per_row), self.caps))
            .param("pieces", pieces)
            .param("chunks", chunks)
            .param("chunk", chunk)
            .param("length", length)
            .param("scale", scale)
    }

    fn columns(
        &self,
        extents: Extents,
        columns: usize,
        (width, split, pack): (usize, usize, usize),
    ) -> Lowered {
        let Extents { outer, length, inner } = extents;
        let scale = self.fold.scale;
        if split == 1 {
            let io = [input(0), output(0)];
            let whole = self.column_dispatch(extents, columns, (width, length), io, scale);
            return Lowered::one(whole);
        }
        let packed = Extents { outer, length: length / pack, inner: inner * pack };
        let chunk = packed.length.div_ceil(split);
        let chunks = packed.length.div_ceil(chunk);
        let io = [input(0), scratch(0)];
        let first = self.column_dispatch(packed, columns, (width, chunk), io, 1.0);
        let rest = Extents { outer, length: chunks * pack, inner };
        let width = rows::width(inner);
        let columns = (outer * inner / width).next_power_of_two().min(16).min(self.workgroup);
        let io = [scratch(0).read(), output(0)];
        let second = self.column_dispatch(rest, columns, (width, rest.length), io, scale);
        Lowered {
            dispatches: vec![first, second],
            scratch: vec![TensorSpec::f32([outer, rest.length, inner])],
        }
    }

    fn column_dispatch(
        &self,
        extents: Extents,
        columns: usize,
        (width, chunk): (usize, usize),
        [x, y]: [Binding; 2],
        scale: f32,
    ) -> Dispatch {
        let inner = extents.inner / width;
        let outputs = extents.outer * inner;
        let chunks = extents.length.div_ceil(chunk);
        let kernel = self.kernel("reduce/columns", width, ("COLUMNS", columns));
        Dispatch::new(kernel, grid(outputs.div_ceil(columns) * chunks, self.caps))
            .bind("x", x)
            .bind("y", y)
            .param("outputs", outputs)
            .param("inner", inner)
            .param("length", extents.length)
            .param("chunks", chunks)
            .param("chunk", chunk)
            .param("scale", scale)
    }
}

impl Extents {
    /// Rows along their last axis.
    pub(crate) fn of(Rows { rows, columns }: Rows) -> Self {
        Self { outer: rows, length: columns, inner: 1 }
    }

    /// Values that are left.
    pub(crate) fn outputs(self) -> usize {
        self.outer * self.inner
    }

    /// The elements of the input that output `i` is made of, in order.
    pub(crate) fn places(self, i: usize) -> impl Iterator<Item = usize> {
        let (o, n) = (i / self.inner, i % self.inner);
        (0..self.length).map(move |r| (o * self.length + r) * self.inner + n)
    }

    /// A smaller problem that takes a variant's same path: fewer rows or columns where there are many,
    /// else a shorter reduction, with the same remainders.
    pub(crate) fn reduced(self) -> Self {
        let cut = |size: usize, others: usize| {
            let most = (REFERENCE_ELEMENTS / others.max(1)).max(16) / 16 * 16;
            if size <= most { size } else { most + size % 16 }
        };
        let Self { outer, length, inner } = self;
        let outer = cut(outer, length * inner);
        let inner = cut(inner, outer * length);
        Self { outer, length: cut(length, outer * inner), inner }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: Fold<'_> = Fold { max: false, scale: 1.0, load: None };

    #[test]
    fn smaller_problems_take_the_same_path() {
        let sizes = [
            (1, 25_056, 2048),
            (1, 401_411, 64),
            (1, 9_000_003, 3),
            (1, 100_000_001, 1),
            (1_000_003, 62, 1),
            (40, 501, 3004),
        ];
        let caps = Caps::portable();
        for (outer, length, inner) in sizes {
            let whole = Extents { outer, length, inner };
            let part = whole.reduced();
            let elements = part.outer * part.length * part.inner;
            assert!(elements <= 2 * REFERENCE_ELEMENTS, "{part:?}");
            for variant in variants(whole, &caps) {
                let kernels = |extents| {
                    let dispatches = lower(extents, SUM, &variant, &caps).dispatches;
                    dispatches.into_iter().map(|d| d.kernel).collect::<Vec<_>>()
                };
                assert_eq!(kernels(whole)[0], kernels(part)[0], "{variant} of {whole:?}");
                assert_eq!(kernels(whole).len(), kernels(part).len());
            }
        }
    }
}
