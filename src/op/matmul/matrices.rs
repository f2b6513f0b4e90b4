//! Products by cooperative matrices (tensor cores): which tiles there are, how long they take, how exact they are, and what
//! their kernel has to know. Both operands are stored as f16; sums are f32.

use crate::graph::op::Tolerance;
use crate::kernel::{Caps, Kernel, Planned, Variant};
use crate::tensor::TensorSpec;

use super::plan::Sizes;

/// The kernel.
pub(crate) const MATRICES: &str = "matrices";

/// A tile of a workgroup and of its subgroups.
#[derive(Debug, Clone, Copy)]
struct Tile {
    rows: u32,
    cols: u32,
    /// How much of the sum a step takes.
    step: u32,
    /// Rows and columns of a subgroup.
    own: [u32; 2],
    /// How many steps before its products a block is fetched.
    ahead: u32,
}

const fn tile([rows, cols, step]: [u32; 3], own: [u32; 2], ahead: u32) -> Tile {
    Tile { rows, cols, step, own, ahead }
}

/// How fast a kernel of tiles is.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// Of a device's f32 peak, where all of it is busy.
    share: f64,
    /// Workgroups that a processor holds: their invocations have all the registers that there are.
    resident: usize,
    /// What one of them alone reaches of the rate of a processor that is full.
    alone: f64,
}

const fn rate(share: f64, resident: usize, alone: f64) -> Rate {
    Rate { share, resident, alone }
}

/// As an H200 has them.
const TILES: [(Tile, Rate); 4] = [
    (tile([128, 128, 32], [64, 64], 2), rate(3.2, 2, 0.7)),
    (tile([128, 128, 64], [64, 32], 2), rate(3.0, 1, 1.0)),
    (tile([128, 64, 32], [64, 32], 2), rate(2.2, 3, 0.7)),
    (tile([64, 64, 64], [32, 32], 1), rate(2.0, 4, 0.5)),
];

/// On a CPU, whose drivers take minutes to compile larger ones.
const ON_CPU: [(Tile, Rate); 2] = [
    (tile([32, 32, 16], [16, 16], 1), rate(0.05, 1, 1.0)),
    (tile([32, 32, 16], [16, 16], 2), rate(0.05, 1, 1.0)),
];

/// Vec4s behind a row in workgroup memory, so that the rows of a matrix meet different banks.
const PAD: u32 = 2;

impl Tile {
    fn of(variant: &Variant) -> Self {
        let get = |name| variant.get(name);
        tile(["BM", "BN", "BK"].map(get), ["WM", "WN"].map(get), get("AHEAD"))
    }

    fn variant(&self, splits: usize) -> Variant {
        let [own_rows, own_cols] = self.own;
        let consts = [
            ("BM", self.rows),
            ("BN", self.cols),
            ("BK", self.step),
            ("WM", own_rows),
            ("WN", own_cols),
            ("AHEAD", self.ahead),
            ("SPLITS", splits as u32),
        ];
        Variant::new(MATRICES, consts)
    }

    fn subgroups(&self) -> u32 {
        self.rows / self.own[0] * (self.cols / self.own[1])
    }

    /// Rows of an operand's part as it is stored, and their length in vec4s.
    fn stored(&self, length: u32, along_k: bool) -> [u32; 2] {
        let [rows, length] = if along_k { [length, self.step] } else { [self.step, length] };
        [rows, length / 4 + PAD]
    }

    /// Vec4s of f32: a matrix of each subgroup's, or the sums of columns of all blocks of a step.
    fn stage(&self, side: u32) -> u32 {
        (self.subgroups() * side * side / 4).max(self.step * self.cols / 16)
    }

    /// Workgroup memory in bytes at most, however the operands are stored.
    fn shared(&self, side: u32) -> u32 {
        let vec4s =
            |length| [false, true].map(|along_k| self.stored(length, along_k).iter().product());
        let most = |length| vec4s(length).into_iter().max().unwrap_or(0u32);
        8 * (most(self.rows) + most(self.cols)) + 16 * self.stage(side)
    }

    /// Whether a device can run it, each invocation as busy as the others.
    fn suits(&self, side: u32, lanes: u32, caps: &Caps) -> bool {
        let invocations = self.subgroups() * lanes;
        let blocks = [self.rows, self.cols].map(|length| length * self.step / 16);
        invocations <= caps.max_invocations
            && self.shared(side) <= caps.max_shared
            && blocks.iter().all(|blocks| blocks.is_multiple_of(invocations))
            && (side * side / 4).is_multiple_of(lanes)
    }

    /// Alone, and with its sum in as many parts as are fastest.
    fn planned(self, rate: Rate, p: Sizes, caps: &Caps) -> impl Iterator<Item = Planned> {
        let speeds = &caps.speeds;
        let tiles = p.tiles(self.rows, self.cols);
        let time = |splits: usize| {
            let terms = f64::from(self.rows * self.cols) * p.span(splits, self.step) as f64;
            let full = speeds.products_ns(terms) / rate.share;
            // Behind a full wave a processor gets as many at once as it holds, while others get none.
            let first = tiles * splits <= speeds.processors as usize * rate.resident;
            let alone = if first { rate.alone } else { 1.0 / rate.resident as f64 };
            speeds.waves_ns(tiles * splits, rate.resident, |together| {
                let together = together as f64;
                full * together / (together * alone).min(1.0)
            })
        };
        // Partial results are written and read.
        let parts =
            |splits: usize| time(splits) + speeds.bytes_ns(8.0 * (splits * p.outputs()) as f64);
        let best = p.best_split(self.step, caps, parts);
        let whole = Planned { ns: time(1) + speeds.dispatches_ns(1), variant: self.variant(1) };
        let split = best.map(|(ns, splits)| Planned {
            ns: ns + speeds.dispatches_ns(2),
            variant: self.variant(splits),
        });
        std::iter::once(whole).chain(split)
    }
}

/// The variants for a product of a problem's first two `inputs`, where both are stored as f16 and the device has such
/// matrices.
pub(in crate::op) fn planned(p: Sizes, inputs: &[TensorSpec], caps: &Caps) -> Vec<Planned> {
    let halves = inputs.iter().take(2).all(|operand| operand.dtype.is_half());
    let (Some(side), Some(lanes), true) = (caps.matrices, caps.subgroup, halves) else {
        return Vec::new();
    };
    let tiles: &[(Tile, Rate)] = if caps.software { &ON_CPU } else { &TILES };
    let suits = |tile: &Tile| p.fits(tile.rows, tile.cols) && tile.suits(side, lanes, caps);
    let tiles = tiles.iter().filter(|(tile, _)| suits(tile));
    tiles.flat_map(|(tile, rate)| tile.planned(*rate, p, caps)).collect()
}

/// How many times as slow as the first by the estimates a kernel of matrices is measured at most. These estimates are the
/// rates of these very tiles, and a driver takes seconds to compile one.
const NEAR: f64 = 1.3;

/// Those of the variants that are worth measuring against each other.
pub(in crate::op) fn candidates(planned: Vec<Planned>) -> Vec<Variant> {
    let most = planned.first().map_or(0.0, |first| NEAR * first.ns);
    let near = Planned::near(planned)
        .filter(|planned| planned.variant.name != MATRICES || planned.ns <= most);
    near.map(|planned| planned.variant).collect()
}

/// How exact a variant is that sums `length` products, where others are as exact as `rounded`. Products of f16 are exact in
/// f32. Tensor cores add several of them to a sum at once: all are shifted to the largest, and what falls off is cut off,
/// on V100 all beyond the last bit of an f32 (Fasi et al. 2021). Such errors are one-sided, up to a last bit for each term:
/// of a sum that grows evenly half of it on average.
pub(in crate::op) fn tolerance(variant: &Variant, length: usize, rounded: Tolerance) -> Tolerance {
    if variant.name != MATRICES {
        return rounded;
    }
    Tolerance(rounded.0 + 0.5 * f64::from(f32::EPSILON) * length as f64)
}

/// `kernel` with what follows from how its operands are stored: transposed or not, and scaled.
pub(in crate::op) fn with(
    kernel: Kernel,
    variant: &Variant,
    transposed: [bool; 2],
    operands: &[TensorSpec],
    caps: &Caps,
) -> Kernel {
    let (tile, side) = (Tile::of(variant), caps.matrices.unwrap_or(16));
    let [rows_a, row_a] = tile.stored(tile.rows, !transposed[0]);
    let [rows_b, row_b] = tile.stored(tile.cols, transposed[1]);
    let matrix = |role| format!("coop_mat{side}x{side}<{role}>");
    let scale = |operand: &TensorSpec| format!("{:?}", 1.0 / operand.dtype.scale());
    kernel
        .with_consts(&[("SIDE", side), ("LANES", caps.subgroup.unwrap_or(32))])
        .with_consts(&[("ROWS_A", rows_a), ("ROW_A", row_a), ("ROWS_B", rows_b), ("ROW_B", row_b)])
        .with_consts(&[("STAGE", tile.stage(side))])
        .with_text("MatrixA", matrix("f16, A"))
        .with_text("MatrixB", matrix("f16, B"))
        .with_text("MatrixC", matrix("f32, C"))
        .with_text("SCALE_A", scale(&operands[0]))
        .with_text("SCALE_B", scale(&operands[1]))
        .with_text("Four", "vec4<f16>")
        .with_text("Sixteen", "mat4x4<f16>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    fn operands(dtypes: [DType; 2]) -> Vec<TensorSpec> {
        dtypes.map(|dtype| TensorSpec::new([512, 512], dtype)).into()
    }

    #[test]
    fn only_halves_are_multiplied_and_only_where_a_device_has_the_matrices() {
        let p = Sizes { batch: 1, m: 512, n: 512, k: 512 };
        let count = |dtypes, caps: &Caps| planned(p, &operands(dtypes), caps).len();
        let halves = [DType::F16, DType::ScaledF16];
        assert!(count(halves, &Caps::portable_matrices()) > 0);
        assert_eq!(count([DType::F16, DType::F32], &Caps::portable_matrices()), 0);
        assert_eq!(count(halves, &Caps { matrices: None, ..Caps::portable_matrices() }), 0);
        assert_eq!(count(halves, &Caps { subgroup: None, ..Caps::portable_matrices() }), 0);
        assert_eq!(count(halves, &Caps { max_shared: 4 << 10, ..Caps::portable_matrices() }), 0);
    }

    #[test]
    fn a_long_sum_of_few_results_is_split() {
        // The filter gradient of 256 x 3 x 3 to 256 channels at 56 x 56, batch 8.
        let p = Sizes { batch: 1, m: 9 * 256, n: 256, k: 8 * 56 * 56 };
        let planned =
            planned(p, &operands([DType::F16, DType::ScaledF16]), &Caps::portable_matrices());
        let best = planned.iter().min_by(|x, y| x.ns.total_cmp(&y.ns)).unwrap();
        assert!(best.variant.get("SPLITS") > 1, "{best:?}");
    }

    #[test]
    fn kernels_of_matrices_are_measured_where_their_estimates_are_closer() {
        let planned = |name, ns| Planned { ns, variant: Variant::new(name, []) };
        let by = [(MATRICES, 1.0), (MATRICES, 1.2), ("tile", 1.4), (MATRICES, 1.5), ("tile", 1.7)];
        let names: Vec<_> = candidates(by.map(|(name, ns)| planned(name, ns)).into())
            .into_iter()
            .map(|variant| variant.name)
            .collect();
        assert_eq!(names, [MATRICES, MATRICES, "tile"]);
    }

    #[test]
    fn halves_of_the_terms_may_be_lost_one_sided() {
        let rounded = Tolerance::sum(1024);
        let of = |name| tolerance(&Variant::new(name, []), 1024, rounded).0;
        assert_eq!(of("tile"), rounded.0);
        assert_eq!(of(MATRICES), rounded.0 + 512.0 * f64::from(f32::EPSILON));
    }
}
