//! Convolutions as dispatches: the matrix product's kernels with gathered operands, or the plain loops.

use crate::kernel::{
    Caps, Dispatch, Kernel, Lowered, MOST_TURNS, Planned, Variant, grid, input, output,
};
use crate::op::matmul::lower::{NARROW_STORE, Parts, Tiling, finished, stored, sum_of_parts};
use crate::op::matmul::matrices::{self, MATRICES};
use crate::op::matmul::plan::{self, Block, Sizes, plan};
use crate::tensor::TensorSpec;

use super::{Conv2dProblem, Geometry, Pass};

/// The longest sum that one invocation takes, at least 4 of it in a turn: half of [`MOST_TURNS`].
pub(super) const LONGEST: usize = 2 * (MOST_TURNS + 1);

/// The share of a CPU's peak that `pixels` reaches with 8 channels, and with more; likewise `strips`.
const PIXELS: [f64; 2] = [0.34, 0.44];
const STRIPS: [f64; 2] = [0.35, 0.45];

/// Pixels of a lane of `strips`, the most channels, and the longest line of a window: all its products are in the text.
const STRIP: usize = 8;
const STRIP_CHANNELS: usize = 16;
const STRIP_LINE: usize = 40;

/// `a` where it is bytes, four to a word, that count as x / 255.
const BYTES: &str = "\
@group(0) @binding(0) var<storage, read> a: array<u32>;
fn a4(i: u32) -> vec4<f32> { return unpack4x8unorm(a[i / 4u]); }
fn a1(i: u32) -> f32 { return unpack4x8unorm(a[i / 4u])[i % 4u]; }
";

/// `a` and `b` where their rows are not whole vec4s.
const NARROW_A: &str = "\
@group(0) @binding(0) var<storage, read> a: array<One>;
fn a4(i: u32) -> Four { return Four(a[i], a[i + 1u], a[i + 2u], a[i + 3u]); }
fn a1(i: u32) -> One { return a[i]; }
";
/// `four_from` where `a` is read as vec4s although its rows are no whole ones: of two that lie side by side.
const FOUR_OF_TWO: &str = "\
fn four_from(i: u32, inside: u32) -> Four {
    let first = i32(i) >> 2u;
    let x = a[clamp(first, 0, LAST)];
    let y = a[clamp(first + 1, 0, LAST)];
    let by_two = (i & 2u) != 0u;
    let near = select(x, Four(x.zw, y.xy), by_two);
    return select(near, Four(near.yzw, select(y.x, y.z, by_two)), (i & 1u) != 0u);
}
";
const NARROW_B: &str = "\
@group(0) @binding(1) var<storage, read> b: array<One>;
fn b4(i: u32) -> Four { return Four(b[i], b[i + 1u], b[i + 2u], b[i + 3u]); }
fn b1(i: u32) -> One { return b[i]; }
";

/// How `operands.wgsl` sees a pass.
struct Shape {
    pass: u32,
    run: usize,
    across: usize,
    taps: usize,
    sizes: Sizes,
}

fn shape(pass: Pass, g: &Geometry) -> Shape {
    let (groups, stride) = (g.conv.groups, g.conv.stride);
    // Without groups a row of the window is one run.
    let (run, across) = if groups == 1 { (g.s * g.c, 1) } else { (g.c / groups, g.s) };
    let taps = g.r * across;
    let window = taps * run.next_multiple_of(4);
    let pixels = g.batch * g.p * g.q;
    let sizes = |batch, m, n, k| Sizes { batch, m, n, k };
    match pass {
        Pass::Forward => {
            Shape { pass: 0, run, across, taps, sizes: sizes(groups, pixels, g.n / groups, window) }
        }
        Pass::Input { .. } => {
            let run = g.n / groups;
            let taps = g.r.div_ceil(stride) * g.s.div_ceil(stride);
            let pixels = g.batch * g.h.div_ceil(stride) * g.w.div_ceil(stride);
            let sum = taps * run.next_multiple_of(4);
            Shape {
                pass: 1,
                run,
                across: 1,
                taps,
                sizes: sizes(groups * stride * stride, pixels, g.c / groups, sum),
            }
        }
        Pass::Weight { .. } => {
            Shape { pass: 2, run, across, taps, sizes: sizes(groups, window, g.n / groups, pixels) }
        }
    }
}

/// Every variant, the most promising first.
pub(super) fn planned(pass: Pass, g: &Geometry, caps: &Caps) -> Vec<Planned> {
    let p = shape(pass, g).sizes;
    // The short sums of the other passes go faster by `pixels` and `strips` than by `outer`.
    let suits = |planned: &Planned| match planned.variant.name {
        "vector" | "naive" => false,
        "outer" => matches!(pass, Pass::Weight { .. }),
        _ => true,
    };
    let tiled = plan(p, caps).into_iter().filter(suits);
    let direct = (!caps.software || p.k <= MOST_TURNS).then(|| plan::one_by_one(p, caps, "direct"));
    let for_lanes = pixels(p, caps).into_iter().chain(strips(pass, g, caps));
    let mut planned = plan::sorted(for_lanes.chain(tiled).chain(direct).collect());
    if planned.is_empty() {
        let variant = Variant::new("register", [("TM", 4), ("TN", 4)]);
        planned.push(Planned { ns: 0.0, variant });
    }
    planned
}

/// With cooperative matrices, where the operands `inputs` are stored for them.
pub(super) fn matrices(
    pass: Pass,
    g: &Geometry,
    inputs: &[TensorSpec],
    caps: &Caps,
) -> Vec<Planned> {
    matrices::planned(shape(pass, g).sizes, inputs, caps)
}

/// `pixels`, where a CPU adapter's subgroup would be wider than the result has channels.
fn pixels(p: Sizes, caps: &Caps) -> Option<Planned> {
    let width = plan::subgroup(caps)?;
    let rows = p.n.next_multiple_of(width.max(8) as usize) as u32;
    // A lane owns fewer pixels where there are few, or its results would be many.
    let cols = if rows <= 16 && p.m >= 2 * 8 * width as usize { 8 } else { 4 };
    let suits = rows <= 24 && p.m >= (cols * width) as usize;
    let consts = [("W", width), ("TM", rows), ("TN", cols)];
    let share = PIXELS[usize::from(rows > 8)];
    let block = Block { rows, cols: cols * width, results: cols * rows, slices: 1, share };
    let swapped = Sizes { m: p.n, n: p.m, ..p };
    suits.then(|| block.planned(swapped, caps, Variant::new("pixels", consts)))
}

/// `strips`, where the lines of an image are whole vec4s and its channels are not.
fn strips(pass: Pass, g: &Geometry, caps: &Caps) -> Option<Planned> {
    let width = plan::subgroup(caps)?;
    let suits = matches!(pass, Pass::Forward)
        && g.conv.groups == 1
        && wide(g) == [false, true]
        && g.s * g.c <= STRIP_LINE
        && (g.w * g.c).is_multiple_of(4);
    let p = strip_sizes(g);
    let rows = p.m.div_ceil(p.m.div_ceil(STRIP_CHANNELS)).next_multiple_of(4) as u32;
    let consts = [("W", width), ("TM", rows), ("TN", STRIP as u32)];
    let (cols, share) = (STRIP as u32 * width, STRIPS[usize::from(rows > 8)]);
    let block = Block { rows, cols, results: STRIP as u32 * rows, slices: 1, share };
    suits.then(|| block.planned(p, caps, Variant::new("strips", consts)))
}

/// The product as `strips` sees it: channels by pixels, of which a row is whole strips.
fn strip_sizes(g: &Geometry) -> Sizes {
    let pixels = g.batch * g.p * g.q.next_multiple_of(STRIP);
    Sizes { batch: 1, m: g.n, n: pixels, k: g.r * g.s * g.c }
}

impl Conv2dProblem {
    pub(super) fn dispatches(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let (g, count) = (&self.geometry, self.facts.spec().len());
        let shape = shape(self.pass, g);
        let columns = self.sums.then_some(g.n);
        let store = |product| stored(product, output(0), columns.map(|_| output(1)));
        if variant.name == "direct" {
            let kernel = geometry(Kernel::new("conv2d/direct"), &shape, g);
            let results = count + columns.unwrap_or(0);
            let product = Dispatch::new(self.with_pixels(kernel), grid(results.div_ceil(64), caps))
                .bind("a", input(0))
                .bind("b", input(1))
                .param("batch", g.batch)
                .param("count", count);
            return Lowered::one(self.epilogue.attach(store(product)));
        }
        let mut p = shape.sizes;
        match variant.name {
            "pixels" => std::mem::swap(&mut p.m, &mut p.n),
            "strips" => p = strip_sizes(g),
            _ => {}
        }
        let tiling = Tiling::of(variant);
        let splits = tiling.splits.max(p.k.div_ceil(LONGEST));
        // llvmpipe, which loads word by word, loads two vec4s in less time than four words.
        let length = self.inputs[0].len();
        let vectors = caps.llvmpipe && !self.bytes && length.is_multiple_of(4);
        let vectors = vectors.then_some(length / 4);
        let mut kernel =
            self.with_pixels(operands(variant, &tiling, p, self.pass, &shape, g, vectors));
        if variant.name == MATRICES {
            let transposed = [shape.pass == 2, shape.pass == 1];
            kernel = matrices::with(kernel, variant, transposed, &self.inputs, caps)
                .with_text("One", "f16");
        }
        let product = tiling.dispatch(kernel, p, splits, caps);
        if splits == 1 {
            Lowered::one(finished(store(product), &self.epilogue, wide_store(self.pass, g)))
        } else {
            sum_of_parts(product, Parts { count, columns, splits }, &self.epilogue, caps)
        }
    }

    /// The kernel with the first operand's element type.
    fn with_pixels(&self, kernel: Kernel) -> Kernel {
        if self.bytes { kernel.with_hook("pixels", BYTES) } else { kernel }
    }
}

/// The lengths as constants: divisions by them become multiplications.
fn geometry(kernel: Kernel, shape: &Shape, g: &Geometry) -> Kernel {
    let consts = [
        ("HEIGHT", g.h),
        ("WIDTH", g.w),
        ("CHANNELS", g.c),
        ("P", g.p),
        ("Q", g.q),
        ("N", g.n),
        ("R", g.r),
        ("S", g.s),
        ("STRIDE", g.conv.stride),
        ("PAD", g.conv.pad),
        ("GROUPS", g.conv.groups),
    ];
    kernel
        .with_consts(&consts.map(|(name, value)| (name, value as u32)))
        .with_consts(&[("PASS", shape.pass)])
}

/// Whether the channels of x, and those of y, are whole vec4s in each group.
fn wide(g: &Geometry) -> [bool; 2] {
    let wide = |channels: usize| (channels / g.conv.groups).is_multiple_of(4);
    [g.c, g.n].map(|channels| channels.is_multiple_of(4) && wide(channels))
}

/// Whether those of a pass's result are.
fn wide_store(pass: Pass, g: &Geometry) -> bool {
    let [wide_c, wide_n] = wide(g);
    if matches!(pass, Pass::Input { .. }) { wide_c } else { wide_n }
}

/// A product's kernel over the gathered operands, the first of which may be read as that many `vectors`.
fn operands(
    variant: &Variant,
    tiling: &Tiling,
    p: Sizes,
    pass: Pass,
    shape: &Shape,
    g: &Geometry,
    vectors: Option<usize>,
) -> Kernel {
    let strips = variant.name == "strips";
    let swap = strips || variant.name == "pixels";
    let kernel = if swap {
        Kernel::of("conv2d", variant)
    } else {
        tiling.kernel().with_hook("operands", "// use: conv2d/operands\n")
    };
    let [wide_c, wide_n] = wide(g);
    let wide_a = if matches!(pass, Pass::Input { .. }) { wide_n } else { wide_c || strips };
    let run4 = shape.run.next_multiple_of(4);
    // Whether rows of a tile may be no part of the result, or the step pass the sum's end.
    let gaps = match pass {
        Pass::Forward => false,
        Pass::Input { .. } => {
            !(g.h.is_multiple_of(g.conv.stride) && g.w.is_multiple_of(g.conv.stride))
        }
        Pass::Weight { .. } => run4 != shape.run,
    };
    let tail = match pass {
        Pass::Weight { .. } => shape.sizes.k,
        _ => run4,
    };
    let consts = [("RUN", shape.run), ("ACROSS", shape.across), ("TAPS", shape.taps)];
    let kernel = geometry(kernel, shape, g)
        .with_text("SWAP", swap.to_string())
        .with_consts(&consts.map(|(name, value)| (name, value as u32)))
        .with_text("TRANSPOSE_A", (shape.pass == 2).to_string())
        .with_text("TRANSPOSE_B", (shape.pass == 1).to_string())
        .with_text("WIDE_A", wide_a.to_string())
        .with_text("WIDE_B", wide_n.to_string())
        .with_text("EDGE", (gaps || !tiling.divides(p)).to_string())
        .with_text("TAIL", (!tail.is_multiple_of(tiling.step)).to_string());
    let kernel = match vectors {
        _ if wide_a => kernel,
        Some(vectors) => {
            let last = (vectors - 1).to_string();
            kernel.with_hook("four_from", FOUR_OF_TWO.replace("LAST", &last))
        }
        None => kernel.with_hook("pixels", NARROW_A),
    };
    let narrow = [("filters", NARROW_B, wide_n), ("store", NARROW_STORE, wide_store(pass, g))];
    let narrow = narrow.into_iter().filter(|(_, _, is_wide)| !is_wide);
    narrow.fold(kernel, |kernel, (hook, text, _)| kernel.with_hook(hook, text))
}

#[cfg(test)]
mod tests {
    use super::super::Conv;
    use super::*;

    fn geometry([batch, h, w, c]: [usize; 4], filter: usize, n: usize, conv: Conv) -> Geometry {
        let [p, q] = [h, w].map(|length| (length + 2 * conv.pad - filter) / conv.stride + 1);
        Geometry { batch, h, w, c, r: filter, s: filter, n, p, q, conv }
    }

    fn first(pass: Pass, g: &Geometry, caps: &Caps) -> String {
        planned(pass, g, caps)[0].variant.to_string()
    }

    #[test]
    fn images_of_three_channels_go_by_strips_on_a_cpu_adapter() {
        let cpu = Caps::portable_software();
        let conv = Conv { stride: 4, pad: 2, groups: 1 };
        let alexnet = geometry([4, 64, 64, 3], 11, 12, conv);
        assert_eq!(first(Pass::Forward, &alexnet, &cpu), "strips[W=8,TM=12,TN=8]");
        let odd = geometry([4, 64, 63, 3], 11, 12, conv);
        let wide = geometry([4, 64, 64, 4], 11, 12, conv);
        let long = geometry([4, 64, 64, 6], 11, 12, conv);
        let gpu = Caps::portable();
        for (g, caps) in [(&odd, &cpu), (&wide, &cpu), (&long, &cpu), (&alexnet, &gpu)] {
            let all = planned(Pass::Forward, g, caps);
            assert!(all.iter().all(|planned| planned.variant.name != "strips"));
        }
    }

    #[test]
    fn results_of_few_channels_are_shared_out_by_pixels_on_a_cpu_adapter() {
        let cpu = Caps::portable_software();
        let conv = Conv { stride: 1, pad: 1, groups: 1 };
        let weight = Pass::Weight { filter: [3, 3] };
        // 4,096 pixels, and 72 and 288 elements of a window.
        let [vgg, narrow] = [8, 32].map(|c| geometry([4, 32, 32, c], 3, 8, conv));
        assert_eq!(first(Pass::Forward, &vgg, &cpu), "pixels[W=8,TM=8,TN=8]");
        assert_eq!(first(weight, &vgg, &cpu), "pixels[W=8,TM=8,TN=4]");
        assert_eq!(first(weight, &narrow, &cpu), "pixels[W=8,TM=8,TN=8]");
        let wide = geometry([4, 8, 8, 32], 3, 32, conv);
        assert!(first(Pass::Forward, &wide, &cpu).starts_with("subgroup"));
    }
}
