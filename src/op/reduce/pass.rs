//! How a reduction runs: which invocations fold which values, in one dispatch or in two.

use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch, unnamed,
};
use crate::op::rows::{GPU_WORKGROUP, REFERENCE_ELEMENTS, Rows, lanes};
use crate::tensor::TensorSpec;

/// The input as [outer, length, inner], where `length` is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) outer: usize,
    pub(crate) length: usize,
    pub(crate) inner: usize,
}

/// What is folded, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold {
    /// The maximum rather than the sum.
    pub(crate) max: bool,
    /// Multiplies the result.
    pub(crate) scale: f32,
    /// The `load` of `reduce/rows` where it computes what is folded, and how many inputs it binds, from
    /// binding 1 on.
    pub(crate) load: Option<(&'static str, usize)>,
}

/// Workgroups of a first dispatch that fill a large GPU.
const GPU_WORKGROUPS: usize = 1024;
/// Elements below which a second dispatch costs more than it saves.
const SPLITS_FROM: usize = 1 << 17;

/// One variant that suits GPUs and one that suits CPUs, the device's own first. Both cut a long reduction
/// to few values into SPLIT chunks, which a second dispatch folds.
pub(crate) fn variants(problem: Problem, caps: &Caps) -> Vec<Variant> {
    let of = if problem.inner == 1 { row_variant } else { column_variant };
    let mut variants = vec![of(problem, caps.software), of(problem, !caps.software)];
    variants.dedup();
    variants
}

fn row_variant(problem: Problem, software: bool) -> Variant {
    let rows = Rows { rows: problem.outer, columns: problem.length };
    let (team, split) = if software {
        (rows.cpu_team(), (64 / rows.rows).max(1))
    } else {
        let team = rows.gpu_team();
        let workgroups = (rows.rows * team.team).div_ceil(team.workgroup);
        let most = rows.vectors() / (8 * team.team);
        (team, (GPU_WORKGROUPS / workgroups).min(most).max(1))
    };
    let large = rows.rows * rows.columns >= SPLITS_FROM;
    let consts = [
        ("WORKGROUP", team.workgroup),
        ("TEAM", team.team),
        ("WIDTH", rows.width()),
        ("SPLIT", if large { split } else { 1 }),
    ];
    Variant::new("rows", consts.map(|(name, value)| (name, value as u32)))
}

fn column_variant(problem: Problem, software: bool) -> Variant {
    let Problem { outer, length, inner } = problem;
    let width = |pack: usize| {
        if (inner * pack).is_multiple_of(4) { 4 } else { 1 }
    };
    let large = outer * length * inner >= SPLITS_FROM;
    // PACK rows side by side make whole vectors of columns that alone do not: [2 n, 62] is [n, 124], and
    // the second dispatch folds the halves.
    let whole = |pack: &usize| length.is_multiple_of(*pack) && width(*pack) == 4;
    let packs = if large { &[1, 2, 4][..] } else { &[1] };
    let mut pack = packs.iter().copied().find(whole).unwrap_or(1);
    let outputs = outer * inner * pack / width(pack);
    let length = length / pack;
    let (workgroup, columns, split) = if software {
        // One invocation a column: a team would need barriers. Chunks of 16 rows or more, so that the
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
pub(crate) fn lower(problem: Problem, fold: Fold, variant: &Variant, caps: &Caps) -> Lowered {
    let pass = Pass { fold, workgroup: variant.get("WORKGROUP") as usize, caps };
    let [width, split] = ["WIDTH", "SPLIT"].map(|name| variant.get(name) as usize);
    if variant.name == "rows" {
        pass.rows(problem, variant.get("TEAM") as usize, width, split)
    } else {
        let [columns, pack] = ["COLUMNS", "PACK"].map(|name| variant.get(name) as usize);
        pass.columns(problem, columns, (width, split, pack))
    }
}

struct Pass<'a> {
    fold: Fold,
    workgroup: usize,
    caps: &'a Caps,
}

impl Pass<'_> {
    fn kernel(&self, shader: &str, width: usize, own: (&'static str, usize)) -> Kernel {
        let consts = [("WORKGROUP", self.workgroup as u32), (own.0, own.1 as u32)];
        Kernel::new(shader)
            .with_consts(&consts)
            .with_text("MAX", self.fold.max.to_string())
            .with_hook("lanes", lanes(width))
    }

    fn rows(&self, problem: Problem, team: usize, width: usize, split: usize) -> Lowered {
        let length = problem.length / width;
        let chunk = length.div_ceil(split);
        let chunks = length.div_ceil(chunk);
        let (load, inputs) = self.fold.load.unzip();
        let read = (0..inputs.unwrap_or(1)).map(input);
        let mut first = self.kernel("reduce/rows", width, ("TEAM", team));
        if let Some(load) = load {
            first = first.with_hook("load", load);
        }
        let dispatch = |kernel, bindings, team, sizes: [usize; 4], scale: f32| Dispatch {
            kernel,
            bindings,
            params: unnamed(sizes.map(|s| s as u32).into_iter().chain([scale.to_bits()]).collect()),
            grid: grid(sizes[0].div_ceil(self.workgroup / team), self.caps),
        };
        let to = |result: Binding| std::iter::once(result).chain(read.clone()).collect();
        let scale = self.fold.scale;
        if split == 1 {
            let sizes = [problem.outer, 1, length, length];
            return Lowered::one(dispatch(first, to(output(0)), team, sizes, scale));
        }
        let pieces = problem.outer * chunks;
        let sizes = [pieces, chunks, chunk, length];
        let first = dispatch(first, to(scratch(0)), team, sizes, 1.0);
        let team = chunks.div_ceil(2).next_power_of_two().min(self.workgroup);
        let kernel = self.kernel("reduce/rows", 1, ("TEAM", team));
        let bindings = vec![output(0), scratch(0).read()];
        let second = dispatch(kernel, bindings, team, [problem.outer, 1, chunks, chunks], scale);
        Lowered { dispatches: vec![first, second], scratch: vec![TensorSpec::f32([pieces])] }
    }

    fn columns(
        &self,
        problem: Problem,
        columns: usize,
        (width, split, pack): (usize, usize, usize),
    ) -> Lowered {
        let Problem { outer, length, inner } = problem;
        let scale = self.fold.scale;
        if split == 1 {
            let io = [input(0), output(0)];
            return Lowered::one(self.column_dispatch(
                problem,
                columns,
                (width, length),
                io,
                scale,
            ));
        }
        let packed = Problem { outer, length: length / pack, inner: inner * pack };
        let chunk = packed.length.div_ceil(split);
        let chunks = packed.length.div_ceil(chunk);
        let io = [input(0), scratch(0)];
        let first = self.column_dispatch(packed, columns, (width, chunk), io, 1.0);
        let rest = Problem { outer, length: chunks * pack, inner };
        let width = if inner.is_multiple_of(4) { 4 } else { 1 };
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
        problem: Problem,
        columns: usize,
        (width, chunk): (usize, usize),
        io: [Binding; 2],
        scale: f32,
    ) -> Dispatch {
        let inner = problem.inner / width;
        let outputs = problem.outer * inner;
        let chunks = problem.length.div_ceil(chunk);
        let sizes = [outputs, inner, problem.length, chunks, chunk].map(|s| s as u32);
        Dispatch {
            kernel: self.kernel("reduce/columns", width, ("COLUMNS", columns)),
            bindings: io.to_vec(),
            params: unnamed(sizes.into_iter().chain([scale.to_bits()]).collect()),
            grid: grid(outputs.div_ceil(columns) * chunks, self.caps),
        }
    }
}

impl Problem {
    /// A smaller problem that takes a variant's same path: fewer rows or columns where there are many,
    /// else a shorter reduction, with the same remainders.
    pub(crate) fn representative(self) -> Self {
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

    const SUM: Fold = Fold { max: false, scale: 1.0, load: None };

    #[test]
    fn representatives_take_the_same_path() {
        let sizes = [
            (1, 25_056, 2048),
            (1, 401_411, 64),
            (1, 9_000_003, 3),
            (1, 100_000_001, 1),
            (1_000_003, 62, 1),
            (40, 501, 3004),
        ];
        let caps = Caps {
            software: false,
            subgroup: None,
            max_binding: 128 << 20,
            max_buffer: 256 << 20,
            max_bindings: 8,
            max_workgroups: 65_535,
            max_invocations: 256,
            max_shared: 16_384,
            timestamps: true,
        };
        for (outer, length, inner) in sizes {
            let whole = Problem { outer, length, inner };
            let part = whole.representative();
            let elements = part.outer * part.length * part.inner;
            assert!(elements <= 2 * REFERENCE_ELEMENTS, "{part:?}");
            for variant in variants(whole, &caps) {
                let kernels = |problem| {
                    let dispatches = lower(problem, SUM, &variant, &caps).dispatches;
                    dispatches.into_iter().map(|d| d.kernel).collect::<Vec<_>>()
                };
                assert_eq!(kernels(whole)[0], kernels(part)[0], "{variant} of {whole:?}");
                assert_eq!(kernels(whole).len(), kernels(part).len());
            }
        }
    }
}
