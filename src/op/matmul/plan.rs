//! Which kernels can compute a product, the most promising first: a pure function of the sizes and of the
//! device.
//!
//! A candidate's time is the waves that its workgroups take times the time of a wave. That follows from the share
//! of a processor's peak that its kernel reaches (known from measurements), and from the work of a tile with what
//! falls outside the matrix. The estimates only have to rank: tuning measures.

use crate::kernel::{self, Caps, Planned, Variant};

/// Sizes of one problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct Sizes {
    pub(in crate::op) batch: usize,
    pub(in crate::op) m: usize,
    pub(in crate::op) n: usize,
    pub(in crate::op) k: usize,
}

/// Constants of `tile.wgsl`.
struct Tile {
    bm: u32,
    bn: u32,
    bk: u32,
    /// Rows and columns of an invocation.
    side: u32,
    /// Share of a GPU's peak.
    share: f64,
}

const fn tile(bm: u32, bn: u32, bk: u32, side: u32, share: f64) -> Tile {
    Tile { bm, bn, bk, side, share }
}

/// The 4 x 4 tiles trade reads of workgroup memory for more invocations. Measured on an H200, products of 4,096 x 4,096 x
/// 4,096.
const TILES: [Tile; 7] = [
    tile(128, 128, 8, 8, 0.59),
    tile(128, 64, 8, 8, 0.65),
    tile(64, 64, 8, 8, 0.64),
    tile(32, 32, 16, 4, 0.49),
    tile(128, 128, 16, 8, 0.69),
    tile(64, 64, 16, 4, 0.51),
    tile(128, 64, 16, 8, 0.68),
];

/// The share of a CPU's peak that the smallest reaches: workgroup memory is ordinary memory there.
const CPU_TILE: f64 = 0.033;

/// The same tiles in slices: rows, columns, step, rows and columns of an invocation, slices, share of a GPU's peak.
const SLICED: [([u32; 6], f64); 4] = [
    ([16, 32, 8, 4, 4, 8], 0.22),
    ([32, 32, 16, 4, 4, 4], 0.49),
    ([32, 64, 8, 4, 8, 4], 0.48),
    ([64, 64, 8, 8, 8, 4], 0.58),
];

/// What a GPU takes for the slices' results to be added up, in nanoseconds.
const GPU_EXCHANGE: f64 = 300.0;

/// What a GPU takes from the end of the parts of a sum to the first of them added, beside launching: by the same products.
const GPU_PAUSE: f64 = 2000.0;

/// Rows and columns of an invocation of `register.wgsl`, share of a GPU's peak and of a CPU's.
const REGISTERS: [(u32, u32, f64, f64); 2] = [(8, 8, 0.28, 0.126), (4, 4, 0.14, 0.063)];

/// Rows and columns of a lane of `subgroup.wgsl`, share of a CPU's peak.
const SUBGROUPS: [(u32, u32, f64); 5] =
    [(32, 8, 0.53), (16, 8, 0.44), (32, 4, 0.45), (16, 4, 0.39), (8, 8, 0.32)];

/// The longest sum that `outer.wgsl` takes, rows of its tiles, share of a CPU's peak; and nanoseconds for an element of B that
/// is kept.
const OUTER_DEPTH: usize = 64;
const OUTER_ROWS: u32 = 64;
const OUTER_SHARE: f64 = 0.7;
const OUTER_KEPT: f64 = 0.87;

/// Nanoseconds by which one of them is not told from another: a part of what a dispatch takes.
const CPU_SLACK: f64 = 5e3;

/// The share of one multiply-add after another, a result an invocation: on a GPU, on a CPU.
const NAIVE: [f64; 2] = [0.04, 0.0037];

/// What a CPU adapter takes for a workgroup and for a result in it, in nanoseconds.
const CPU_WORKGROUP: f64 = 450.0;
const CPU_RESULT: f64 = 0.5;

/// What the tree of a vector's 256 invocations takes there, in nanoseconds, since each barrier switches between all subgroups;
/// then without subgroups, as in a browser, which clears the tree's 16 KiB of workgroup memory besides.
const CPU_TREE: [f64; 2] = [4e4, 1e6];

/// Rows that a workgroup of `vector.wgsl` owns, and how much of the sum it takes in a turn.
pub(super) const VECTOR_ROWS: usize = 32;
pub(super) const VECTOR_STEP: u32 = 128;

/// What a vector's tree takes on a GPU, in nanoseconds, and how many of its workgroups a processor needs for all of its
/// share of the memory's rate.
const GPU_TREE: f64 = 600.0;
const VECTOR_RESIDENT: usize = 3;

/// The share of the memory's rate that a kernel gets which reads its operands once: 2.2 of 4.2 TB/s on an H200.
const STREAMED: f64 = 0.53;

/// Registers and invocations that a processor of a GPU holds.
const GPU_REGISTERS: u32 = 65_536;
const GPU_INVOCATIONS: u32 = 2_048;

/// Most columns or rows of a matrix that is a few vectors.
const MOST_VECTORS: usize = 8;

/// Parts of a sum at most, and its steps in a part at least.
const MOST_SPLITS: usize = 64;
const SHORTEST_PART: usize = 64;

/// Every variant for a problem, the most promising first.
pub(in crate::op) fn plan(p: Sizes, caps: &Caps) -> Vec<Planned> {
    let mut planned = Planner { p, caps, planned: Vec::new() };
    planned.tiles();
    planned.sliced();
    planned.registers();
    planned.subgroups();
    planned.outer();
    planned.vector();
    planned.planned.push(one_by_one(p, caps, "naive"));
    sorted(planned.planned)
}

/// The most promising first; of equals the one named first, of shapes of `subgroup` the one with the fewest results a lane:
/// what a driver takes to compile it, up to half a second, goes by these.
pub(in crate::op) fn sorted(mut planned: Vec<Planned>) -> Vec<Planned> {
    planned.sort_by(|x, y| x.ns.total_cmp(&y.ns));
    let most = planned.first().map_or(0.0, |first| first.ns + CPU_SLACK);
    let equals = planned.iter().enumerate().take_while(|(_, shape)| shape.ns <= most);
    let equals = equals.filter(|(_, shape)| shape.variant.name == "subgroup");
    let least = equals.min_by_key(|(_, shape)| shape.variant.get("TM") * shape.variant.get("TN"));
    if let (Some((at, _)), Some("subgroup")) =
        (least, planned.first().map(|first| first.variant.name))
    {
        planned[..=at].rotate_right(1);
    }
    planned
}

impl Sizes {
    /// Tiles of this size.
    pub(super) fn tiles(&self, rows: u32, cols: u32) -> usize {
        self.m.div_ceil(rows as usize) * self.n.div_ceil(cols as usize) * self.batch
    }

    /// Whether a tile is no more than half outside in either direction, or the smallest kind. That one, in
    /// turn, is too large where less than 1 in 256 of it is inside.
    pub(super) fn fits(&self, rows: u32, cols: u32) -> bool {
        let (rows, cols) = (rows as usize, cols as usize);
        let half = |length: usize, tile: usize| tile <= 32 || 2 * length > tile;
        let inside = self.m.min(rows) * self.n.min(cols);
        half(self.m, rows) && half(self.n, cols) && 256 * inside >= rows * cols
    }

    /// Elements of C.
    pub(in crate::op) fn outputs(&self) -> usize {
        self.batch * self.m * self.n
    }

    /// The few vectors of a matrix-vector product: how many, and whether they are A's rows.
    pub(super) fn vectors(&self) -> Option<(usize, bool)> {
        let few = self.m.min(self.n);
        (few <= MOST_VECTORS).then_some((few, self.m <= self.n))
    }

    /// Numbers of parts that a sum over k may be split into: none of them empty, each a good number of steps of `bk`.
    fn splits(self, bk: u32, caps: &Caps) -> impl Iterator<Item = usize> {
        let room = caps.max_binding / (4 * self.outputs() as u64).max(1);
        let most = (self.k / SHORTEST_PART).min(MOST_SPLITS).min(room as usize);
        (2..=most).filter(move |&splits| self.k.div_ceil(self.span(splits, bk)) == splits)
    }

    /// The number of such parts that takes the least `time`, behind what it takes.
    pub(super) fn best_split(
        self,
        bk: u32,
        caps: &Caps,
        time: impl Fn(usize) -> f64,
    ) -> Option<(f64, usize)> {
        let timed = self.splits(bk, caps).map(|splits| (time(splits), splits));
        timed.min_by(|x, y| x.0.total_cmp(&y.0))
    }

    /// The length along k of one of `splits` parts.
    pub(super) fn span(&self, splits: usize, bk: u32) -> usize {
        self.k.div_ceil(splits).next_multiple_of(bk as usize)
    }
}

impl Tile {
    fn variant(&self) -> Variant {
        Variant::new("tile", self.consts())
    }

    fn split(&self, splits: usize) -> Variant {
        let mut consts = self.consts().to_vec();
        consts.push(("SPLITS", splits as u32));
        Variant::new("split_k", consts)
    }

    fn consts(&self) -> [(&'static str, u32); 5] {
        [("BM", self.bm), ("BN", self.bn), ("BK", self.bk), ("TM", self.side), ("TN", self.side)]
    }

    /// What a workgroup is.
    fn block(&self, software: bool) -> Block {
        let share = if software { CPU_TILE } else { self.share };
        Block { rows: self.bm, cols: self.bn, results: self.side * self.side, slices: 1, share }
    }
}

/// A workgroup that owns a block of C.
#[derive(Debug, Clone, Copy)]
pub(in crate::op) struct Block {
    pub(in crate::op) rows: u32,
    pub(in crate::op) cols: u32,
    /// Results of an invocation.
    pub(in crate::op) results: u32,
    /// Groups of invocations that each have a part of the sum.
    pub(in crate::op) slices: u32,
    /// Of the device's peak, where all of it is busy.
    pub(in crate::op) share: f64,
}

impl Block {
    fn invocations(&self) -> u32 {
        self.rows * self.cols / self.results * self.slices
    }

    /// How many of them a processor of a GPU holds: 157 registers are an invocation's of 8 x 8 results, by sm_90 code
    /// made from these kernels.
    fn resident(&self) -> usize {
        let registers = 29 + 2 * self.results;
        let most = (GPU_REGISTERS / registers).min(GPU_INVOCATIONS);
        (most / self.invocations()).max(1) as usize
    }

    /// A variant that takes one dispatch over such blocks.
    pub(in crate::op) fn planned(&self, p: Sizes, caps: &Caps, variant: Variant) -> Planned {
        let workgroups = p.tiles(self.rows, self.cols);
        let ns = self.ns(workgroups, p.k, caps) + caps.speeds.dispatches_ns(1);
        Planned { ns, variant }
    }

    /// Nanoseconds of `workgroups`, each over `k` terms of the sum.
    fn ns(&self, workgroups: usize, k: usize, caps: &Caps) -> f64 {
        let (results, speeds) = (f64::from(self.rows * self.cols), &caps.speeds);
        let alone = speeds.products_ns(results * k as f64) / self.share;
        if caps.software {
            let alone = alone + CPU_WORKGROUP + CPU_RESULT * results;
            return speeds.waves_ns(workgroups, 1, |_| alone);
        }
        // An invocation of 8 x 8 results hides more latency than one of 4 x 4, and less than one of multiply-adds alone:
        // four subgroups of the former reach seven tenths on an H200.
        let weight = f64::from(self.results).sqrt() / 8.0 * 0.75;
        let one = f64::from(self.invocations()) * weight / f64::from(speeds.busy);
        speeds.waves_ns(workgroups, self.resident(), |k| {
            let together = k as f64;
            alone * together / (together * one).min(1.0)
        })
    }
}

struct Planner<'a> {
    p: Sizes,
    caps: &'a Caps,
    planned: Vec<Planned>,
}

impl Planner<'_> {
    /// Adds a variant whose dispatches take `ns`, launching not counted.
    fn add(&mut self, ns: f64, dispatches: usize, variant: Variant) {
        let ns = ns + self.caps.speeds.dispatches_ns(dispatches);
        self.planned.push(Planned { ns, variant });
    }

    /// What reading both operands once takes a GPU: more than the arithmetic where one of them is a few rows.
    fn streamed_ns(&self) -> f64 {
        if self.caps.software {
            return 0.0;
        }
        let operands = 4 * self.p.batch * self.p.k * (self.p.m + self.p.n);
        self.caps.speeds.bytes_ns(operands as f64) / STREAMED
    }

    /// What the second pass over parts of a sum takes beside being launched: they are written and read.
    fn adding_ns(&self, splits: usize) -> f64 {
        let bytes = 8.0 * (splits * self.p.outputs()) as f64;
        self.caps.speeds.bytes_ns(bytes) + if self.caps.software { 0.0 } else { GPU_PAUSE }
    }

    /// Whole and with their sums split. On a CPU adapter registers are faster, and a tile takes up to seconds to compile: it is
    /// offered the smallest, split, where only that keeps all processors busy.
    fn tiles(&mut self) {
        let (p, caps) = (self.p, self.caps);
        let offered = |tile: &&Tile| p.fits(tile.bm, tile.bn) && (!caps.software || tile.bm == 32);
        for tile in TILES.iter().filter(offered) {
            let (block, tiles) = (tile.block(caps.software), p.tiles(tile.bm, tile.bn));
            let streamed = self.streamed_ns();
            if !caps.software {
                let whole = block.ns(tiles, p.span(1, tile.bk), caps);
                self.add(whole.max(streamed), 1, tile.variant());
            }
            let time = |splits: usize| {
                let parts = block.ns(tiles * splits, p.span(splits, tile.bk), caps);
                parts.max(streamed) + self.adding_ns(splits)
            };
            if let Some((ns, splits)) = p.best_split(tile.bk, caps, time) {
                self.add(ns, 2, tile.split(splits));
            }
        }
    }

    /// Tiles in slices, for GPUs: on a CPU adapter the barriers of larger workgroups cost more than a dispatch.
    fn sliced(&mut self) {
        let (p, caps) = (self.p, self.caps);
        let suits = |[rows, cols, ..]: &[u32; 6]| !caps.software && p.fits(*rows, *cols);
        for ([rows, cols, bk, tm, tn, slices], share) in
            SLICED.into_iter().filter(|(s, _)| suits(s))
        {
            let block = Block { rows, cols, results: tm * tn, slices, share };
            let depth = p.k.next_multiple_of((bk * slices) as usize);
            let products = block.ns(p.tiles(rows, cols), depth, caps);
            let ns = products.max(self.streamed_ns()) + GPU_EXCHANGE;
            let consts = [
                ("BM", rows),
                ("BN", cols),
                ("BK", bk),
                ("TM", tm),
                ("TN", tn),
                ("SLICES", slices),
            ];
            self.add(ns, 1, Variant::new("sliced", consts));
        }
    }

    fn registers(&mut self) {
        for (tm, tn, on_gpu, on_cpu) in REGISTERS {
            let (rows, cols) = (8 * tm, 8 * tn);
            let share = if self.caps.software { on_cpu } else { on_gpu };
            let block = Block { rows, cols, results: tm * tn, slices: 1, share };
            self.block(block, Variant::new("register", [("TM", tm), ("TN", tn)]));
        }
    }

    /// On CPU adapters whose subgroups have a width that the kernel is made for; for short sums, which `outer` is better at, not
    /// with the rows that take longest to compile.
    fn subgroups(&mut self) {
        let Some(width) = subgroup(self.caps) else { return };
        let most = if self.p.k <= OUTER_DEPTH / 2 { 16 } else { 32 };
        let shapes = SUBGROUPS.into_iter().filter(|(tm, ..)| (width..=most).contains(tm));
        for (tm, tn, share) in shapes {
            let block = Block { rows: tm, cols: width * tn, results: tm * tn, slices: 1, share };
            let consts = [("W", width), ("TM", tm), ("TN", tn)];
            self.block(block, Variant::new("subgroup", consts));
        }
    }

    /// Likewise, where the sum is short enough for a lane to keep its columns of B.
    fn outer(&mut self) {
        let (p, speeds) = (self.p, &self.caps.speeds);
        let Some(width) = subgroup(self.caps).filter(|_| p.k <= OUTER_DEPTH) else { return };
        let (cols, depth) = (4 * width, p.k.next_multiple_of(4) as u32);
        let kept = f64::from(cols * depth);
        // Rows that are no part of C are not walked.
        let rows = p.m.min(OUTER_ROWS as usize) as f64;
        let alone = CPU_WORKGROUP
            + OUTER_KEPT * kept
            + CPU_RESULT * rows * f64::from(cols)
            + speeds.products_ns(rows * kept) / OUTER_SHARE;
        let ns = speeds.waves_ns(p.tiles(OUTER_ROWS, cols), 1, |_| alone);
        let consts = [("W", width), ("ROWS", OUTER_ROWS), ("DEPTH", depth)];
        self.add(ns, 1, Variant::new("outer", consts));
    }

    fn block(&mut self, block: Block, variant: Variant) {
        if self.p.fits(block.rows, block.cols) {
            self.planned.push(block.planned(self.p, self.caps, variant));
        }
    }

    fn vector(&mut self) {
        let (p, caps) = (self.p, self.caps);
        let Some((few, _)) = p.vectors() else { return };
        // Few sizes, few pipelines.
        let vectors = few.next_power_of_two();
        let variant = |splits: usize| {
            Variant::new("vector", [("VECTORS", vectors as u32), ("SPLITS", splits as u32)])
        };
        self.add(self.vector_ns(vectors, 1), 1, variant(1));
        let time = |splits| self.vector_ns(vectors, splits) + self.adding_ns(splits);
        if let Some((ns, splits)) = p.best_split(VECTOR_STEP, caps, time) {
            self.add(ns, 2, variant(splits));
        }
    }

    /// What the workgroups of `vector.wgsl` take, each over a part of the sum.
    fn vector_ns(&self, vectors: usize, splits: usize) -> f64 {
        let (p, speeds) = (self.p, &self.caps.speeds);
        // The long operand is read once.
        let long = p.m.max(p.n);
        let bytes = speeds.bytes_ns(4.0 * (p.batch * p.k * long) as f64);
        let workgroups = p.batch * long.div_ceil(VECTOR_ROWS) * splits;
        let trees = vectors.div_ceil(4) as f64;
        if self.caps.software {
            let products = (p.outputs() * p.k) as f64 / f64::from(speeds.processors);
            let products = speeds.products_ns(products) / 0.03;
            let tree = CPU_TREE[usize::from(self.caps.subgroup.is_none())];
            return speeds.waves_ns(workgroups, 1, |_| tree * trees) + products.max(bytes);
        }
        // Fewer workgroups than these do not fill the memory bus.
        let enough = f64::from(speeds.processors) * VECTOR_RESIDENT as f64;
        let filled = (workgroups as f64 / enough).min(1.0);
        speeds.waves_ns(workgroups, VECTOR_RESIDENT, |_| GPU_TREE * trees)
            + bytes / STREAMED / filled
    }
}

/// A variant without tiles, an invocation a result.
pub(in crate::op) fn one_by_one(p: Sizes, caps: &Caps, name: &'static str) -> Planned {
    let share = NAIVE[usize::from(caps.software)];
    let block = Block { rows: 64, cols: 1, results: 1, slices: 1, share };
    let flat = Sizes { batch: 1, m: p.outputs(), n: 1, k: p.k };
    block.planned(flat, caps, Variant::new(name, []))
}

/// The width of a CPU adapter's subgroups, where `subgroup.wgsl` is made for it.
pub(in crate::op) fn subgroup(caps: &Caps) -> Option<u32> {
    caps.subgroup.filter(|width| kernel::SUBGROUPS && caps.software && (4..=16).contains(width))
}

#[cfg(test)]
mod tests;
