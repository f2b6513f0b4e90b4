//! Which kernels can compute a product, the most promising first: a pure function of the sizes and of the
//! device.
//!
//! Each candidate's time is estimated from its share of the device's peak when all of it is busy (known
//! from measurements), the work it does including what falls outside the matrix, and how much of the device
//! it keeps busy. The estimates only have to rank: tuning measures.

use crate::kernel::{Caps, Variant};

/// Sizes of one problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct Sizes {
    pub(in crate::op) batch: usize,
    pub(in crate::op) m: usize,
    pub(in crate::op) n: usize,
    pub(in crate::op) k: usize,
}

/// Constants of `tile.wgsl` and its share of a GPU's peak.
struct Tile {
    bm: u32,
    bn: u32,
    bk: u32,
    /// Rows and columns of an invocation.
    side: u32,
    share: f64,
}

const fn tile(bm: u32, bn: u32, bk: u32, side: u32, share: f64) -> Tile {
    Tile { bm, bn, bk, side, share }
}

/// The 4 x 4 tiles trade reads of workgroup memory for more invocations.
const TILES: [Tile; 6] = [
    tile(128, 128, 8, 8, 1.0),
    tile(128, 64, 8, 8, 0.95),
    tile(64, 64, 8, 8, 0.85),
    tile(32, 32, 16, 4, 0.5),
    tile(128, 128, 16, 8, 0.99),
    tile(64, 64, 16, 4, 0.6),
];

/// How many of them a CPU adapter is offered. There tiles lose anyway, and each costs seconds to compile.
const CPU_TILES: usize = 4;

/// Rows and columns of an invocation of `register.wgsl`, share of a GPU's peak and GFLOP/s on a CPU.
const REGISTERS: [(u32, u32, f64, f64); 2] = [(8, 8, 0.4, 17.0), (4, 4, 0.2, 8.5)];

/// Rows and columns of a lane of `subgroup.wgsl`, GFLOP/s on a CPU.
const SUBGROUPS: [(u32, u32, f64); 4] = [(32, 8, 48.0), (16, 8, 43.0), (32, 4, 41.0), (8, 8, 29.0)];

/// Most columns or rows of a matrix that is a few vectors.
const MOST_VECTORS: usize = 8;

/// Processors of a large GPU, and invocations of 8 x 8 results that keep one busy.
const PROCESSORS: f64 = 132.0;
const BUSY: f64 = 128.0;

/// What a second dispatch and a byte that crosses the memory bus cost, in multiply-adds at peak.
const DISPATCH: f64 = 6e7;
const BYTE: f64 = 7.0;

/// Every variant for a problem, the most promising first.
pub(in crate::op) fn plan(p: Sizes, caps: &Caps) -> Vec<Variant> {
    let mut candidates = if caps.software { on_cpu(p, caps) } else { on_gpu(p, caps) };
    candidates.sort_by(|x, y| x.0.total_cmp(&y.0));
    let naive = Variant::new("naive", []);
    candidates.into_iter().map(|(_, v)| v).chain([naive]).collect()
}

impl Sizes {
    /// Multiply-adds of tiles of this size, with those outside the matrix, and the number of tiles.
    fn tiled(&self, rows: u32, cols: u32) -> (f64, f64) {
        let tiles = self.m.div_ceil(rows as usize) * self.n.div_ceil(cols as usize) * self.batch;
        let tiles = tiles as f64;
        (tiles * f64::from(rows) * f64::from(cols) * self.k as f64, tiles)
    }

    /// Whether a tile is no more than half outside in either direction, or the smallest kind. That one, in
    /// turn, is too large where less than 1 in 256 of it is inside.
    fn fits(&self, rows: u32, cols: u32) -> bool {
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

    fn vector(&self) -> Option<Variant> {
        let (few, _) = self.vectors()?;
        // Few sizes, few pipelines.
        let vectors = few.next_power_of_two() as u32;
        Some(Variant::new("vector", [("VECTORS", vectors)]))
    }

    /// Parts that a long sum over k is split into, so that tiles of this size fill a large GPU: a power of
    /// two, each part a good number of steps.
    fn splits(&self, tile: &Tile, caps: &Caps) -> Option<u32> {
        let (_, tiles) = self.tiled(tile.bm, tile.bn);
        let wanted = (PROCESSORS / tiles).ceil() as usize;
        let most = (self.k / 64).min(64);
        let room = caps.max_binding / (4 * self.outputs() as u64).max(1);
        let parts = wanted.next_power_of_two().min(most).min(room as usize);
        let parts = (parts + 1).next_power_of_two() / 2;
        (parts > 1).then_some(parts as u32)
    }
}

impl Tile {
    fn variant(&self) -> Variant {
        Variant::new("tile", self.consts())
    }

    fn split(&self, splits: u32) -> Variant {
        let mut consts = self.consts().to_vec();
        consts.push(("SPLITS", splits));
        Variant::new("split_k", consts)
    }

    fn consts(&self) -> [(&'static str, u32); 5] {
        [("BM", self.bm), ("BN", self.bn), ("BK", self.bk), ("TM", self.side), ("TN", self.side)]
    }

    fn invocations(&self) -> f64 {
        f64::from(self.bm * self.bn / (self.side * self.side))
    }
}

fn register((tm, tn, ..): (u32, u32, f64, f64)) -> Variant {
    Variant::new("register", [("TM", tm), ("TN", tn)])
}

/// The share of a large GPU that so many workgroups keep busy. An invocation of 8 x 8 results hides more
/// latency than one of 4 x 4.
fn busy(workgroups: f64, invocations: f64, results: u32) -> f64 {
    let weight = f64::from(results).sqrt() / 8.0;
    let processors = workgroups / PROCESSORS;
    processors.min(processors * invocations * weight / BUSY).min(1.0)
}

fn on_gpu(p: Sizes, caps: &Caps) -> Vec<(f64, Variant)> {
    let mut candidates = Vec::new();
    for tile in TILES.iter().filter(|t| p.fits(t.bm, t.bn)) {
        let (work, tiles) = p.tiled(tile.bm, tile.bn);
        let time = |workgroups: f64| {
            work / tile.share / busy(workgroups, tile.invocations(), tile.side * tile.side)
        };
        candidates.push((time(tiles), tile.variant()));
        if let Some(splits) = p.splits(tile, caps) {
            let parts = f64::from(splits);
            let partial = 8.0 * parts * p.outputs() as f64;
            let time = time(tiles * parts) + DISPATCH + BYTE * partial;
            candidates.push((time, tile.split(splits)));
        }
    }
    for r in REGISTERS {
        let (tm, tn, share, _) = r;
        if p.fits(8 * tm, 8 * tn) {
            let (work, tiles) = p.tiled(8 * tm, 8 * tn);
            candidates.push((work / share / busy(tiles, 64.0, tm * tn), register(r)));
        }
    }
    if let Some(vector) = p.vector() {
        // The long operand is read once, by 256 invocations for each 8 rows or more.
        let long = p.m.max(p.n);
        let bytes = 4.0 * (p.batch * p.k * long) as f64;
        let workgroups = (p.batch * long) as f64 / 16.0;
        candidates.push((bytes * BYTE / busy(workgroups, 256.0, 8), vector));
    }
    candidates
}

fn on_cpu(p: Sizes, caps: &Caps) -> Vec<(f64, Variant)> {
    let mut candidates = Vec::new();
    let mut add = |rows: u32, cols: u32, rate: f64, variant: Variant| {
        if p.fits(rows, cols) {
            candidates.push((p.tiled(rows, cols).0 / rate, variant));
        }
    };
    if let Some(width @ 4..=16) = caps.subgroup {
        for (tm, tn, rate) in SUBGROUPS {
            if tm >= width {
                let consts = [("W", width), ("TM", tm), ("TN", tn)];
                add(tm, width * tn, rate, Variant::new("subgroup", consts));
            }
        }
    }
    for r in REGISTERS {
        add(8 * r.0, 8 * r.1, r.3, register(r));
    }
    for tile in &TILES[..CPU_TILES] {
        // Workgroup memory is ordinary memory, and the more results an invocation has the fewer reads.
        let rate = f64::from(tile.side) + tile.share;
        add(tile.bm, tile.bn, rate, tile.variant());
        if let Some(splits) = p.splits(tile, caps).filter(|_| tile.bm == 32) {
            add(tile.bm, tile.bn, rate * 0.9, tile.split(splits));
        }
    }
    if let Some(vector) = p.vector() {
        candidates.push((p.tiled(1, 1).0 / 4.0, vector));
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(m: usize, n: usize, k: usize, caps: &Caps) -> Variant {
        plan(Sizes { batch: 1, m, n, k }, caps).remove(0)
    }

    #[test]
    fn a_gpu_gets_large_tiles_for_large_products_and_the_rest_what_suits_it() {
        let gpu = Caps::portable();
        let large = first(4096, 4096, 4096, &gpu);
        assert_eq!((large.name, large.get("BM"), large.get("BN")), ("tile", 128, 128));
        assert_eq!(first(1, 4096, 4096, &gpu).name, "vector");
        assert_eq!(first(64, 64, 1 << 16, &gpu).name, "split_k");
    }

    #[test]
    fn a_cpu_adapter_gets_subgroups_where_it_has_them() {
        let cpu = Caps::portable_software();
        assert_eq!(first(512, 512, 512, &cpu).name, "subgroup");
        let none = Caps { subgroup: None, ..cpu };
        let other = plan(Sizes { batch: 1, m: 512, n: 512, k: 512 }, &none);
        assert!(other.iter().all(|v| v.name != "subgroup"));
    }

    #[test]
    fn naive_is_always_there_and_last() {
        for caps in [Caps::portable(), Caps::portable_software()] {
            for (m, n, k) in [(1, 1, 1), (3, 70_000, 2), (129, 65, 1000)] {
                let variants = plan(Sizes { batch: 2, m, n, k }, &caps);
                assert_eq!(variants.last().map(|v| v.name), Some("naive"));
            }
        }
    }
}
