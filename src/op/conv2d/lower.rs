//! Convolutions as dispatches: the matrix product's kernels with gathered operands, or the plain loops.

use crate::graph::chain::text_epilogue;
use crate::graph::op::old::Io;
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch, unnamed,
};
use crate::op::matmul::lower::{NARROW_STORE, Tiling, words};
use crate::op::matmul::plan::{Problem, plan};
use crate::tensor::{DType, TensorSpec};

use super::{Conv2d, Geometry, Pass};

/// The longest sum that one invocation takes. A loop of lavapipe's ends silently after 65,535 turns, and a
/// step is at least 4 of the sum.
const LONGEST: usize = 1 << 17;

/// The longest sum of `direct`, whose turns are 1 of the sum, on a CPU adapter.
const LONGEST_DIRECT: usize = 60_000;

/// `a` where it is bytes, four to a word, that count as x / 255.
const BYTES: &str = "\
@group(0) @binding(0) var<storage, read> a: array<u32>;
fn a4(i: u32) -> vec4<f32> { return unpack4x8unorm(a[i / 4u]); }
fn a1(i: u32) -> f32 { return unpack4x8unorm(a[i / 4u])[i % 4u]; }
";

/// `a` and `b` where their rows are no whole vec4s.
const NARROW_A: &str = "\
@group(0) @binding(0) var<storage, read> a: array<f32>;
fn a4(i: u32) -> vec4<f32> { return vec4<f32>(a[i], a[i + 1u], a[i + 2u], a[i + 3u]); }
fn a1(i: u32) -> f32 { return a[i]; }
";
const NARROW_B: &str = "\
@group(0) @binding(1) var<storage, read> b: array<f32>;
fn b4(i: u32) -> vec4<f32> { return vec4<f32>(b[i], b[i + 1u], b[i + 2u], b[i + 3u]); }
fn b1(i: u32) -> f32 { return b[i]; }
";

/// How `operands.wgsl` sees a pass.
struct Shape {
    pass: u32,
    run: usize,
    across: usize,
    taps: usize,
    problem: Problem,
}

fn shape(pass: Pass, g: &Geometry) -> Shape {
    let (groups, stride) = (g.conv.groups, g.conv.stride);
    // Without groups a row of the window is one run.
    let (run, across) = if groups == 1 { (g.s * g.c, 1) } else { (g.c / groups, g.s) };
    let taps = g.r * across;
    let window = taps * run.next_multiple_of(4);
    let pixels = g.batch * g.p * g.q;
    let problem = |batch, m, n, k| Problem { batch, m, n, k };
    match pass {
        Pass::Forward => Shape {
            pass: 0,
            run,
            across,
            taps,
            problem: problem(groups, pixels, g.n / groups, window),
        },
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
                problem: problem(groups * stride * stride, pixels, g.c / groups, sum),
            }
        }
        Pass::Weight { .. } => Shape {
            pass: 2,
            run,
            across,
            taps,
            problem: problem(groups, window, g.n / groups, pixels),
        },
    }
}

/// Every variant, the most promising first.
pub(super) fn variants(pass: Pass, g: &Geometry, caps: &Caps) -> Vec<Variant> {
    let p = shape(pass, g).problem;
    let tiled = plan(p, caps).into_iter().filter(|v| !matches!(v.name, "vector" | "naive"));
    let narrow = pixels(p, caps);
    let direct = (!caps.software || p.k <= LONGEST_DIRECT).then(|| Variant::new("direct", []));
    let mut found: Vec<_> = narrow.into_iter().chain(tiled).chain(direct).collect();
    if found.is_empty() {
        found.push(Variant::new("register", [("TM", 4), ("TN", 4)]));
    }
    found
}

/// `pixels`, where a CPU adapter's subgroup would be wider than the result has channels.
fn pixels(p: Problem, caps: &Caps) -> Option<Variant> {
    let width = caps.subgroup.filter(|w| caps.software && (4..=16).contains(w))?;
    let rows = p.n.next_multiple_of(width.max(8) as usize) as u32;
    let consts = [("W", width), ("TM", rows), ("TN", 8)];
    // As many columns as the narrowest tile of `subgroup` has, and as many pixels as a tile of this one.
    let suits = rows <= 16 && p.m >= 2 * 8 * width as usize;
    suits.then(|| Variant::new("pixels", consts))
}

impl Conv2d {
    pub(super) fn dispatches(&self, variant: &Variant, g: &Geometry, io: &Io) -> Lowered {
        let shape = shape(self.pass, g);
        if variant.name == "direct" {
            let count = io.outputs[0].len();
            let kernel = geometry(Kernel::new("conv2d/direct"), &shape, g);
            let (kernel, extras) = self.with_hooks(kernel, io, 3);
            return Lowered::one(Dispatch {
                kernel,
                bindings: [input(0), input(1), output(0)].into_iter().chain(extras).collect(),
                params: unnamed(words([g.batch, count])),
                grid: grid(count.div_ceil(64), io.caps),
            });
        }
        let mut p = shape.problem;
        if variant.name == "pixels" {
            std::mem::swap(&mut p.m, &mut p.n);
        }
        let tiling = Tiling::of(variant);
        let splits = tiling.splits.max(p.k.div_ceil(LONGEST));
        let kernel = operands(variant, &tiling, p, self.pass, &shape, g);
        let dispatch = |kernel, rest: Vec<Binding>| Dispatch {
            kernel,
            bindings: [input(0), input(1)].into_iter().chain(rest).collect(),
            params: unnamed(tiling.params(p, splits)),
            grid: tiling.grid(p, splits, io.caps),
        };
        if splits == 1 {
            let (kernel, extras) = self.with_hooks(kernel, io, 3);
            let rest = std::iter::once(output(0)).chain(extras).collect();
            return Lowered::one(dispatch(kernel, rest));
        }
        // Parts of the sums to scratch, then their sum with the epilogue.
        let count = io.outputs[0].len();
        let partial = self.bytes(kernel, io);
        let (kernel, extras) = self.with_epilogue_hook(Kernel::new("matmul/split_k"), io, 2);
        let second = Dispatch {
            kernel,
            bindings: [scratch(0).read(), output(0)].into_iter().chain(extras).collect(),
            params: unnamed(words([count, splits])),
            grid: grid(count.div_ceil(64), io.caps),
        };
        Lowered {
            dispatches: vec![dispatch(partial, vec![scratch(0)]), second],
            scratch: vec![TensorSpec::f32([splits, count])],
        }
    }

    /// The kernel with this op's epilogue and element type.
    fn with_hooks(&self, kernel: Kernel, io: &Io, first: usize) -> (Kernel, Vec<Binding>) {
        let (kernel, extras) = self.with_epilogue_hook(kernel, io, first);
        (self.bytes(kernel, io), extras)
    }

    fn bytes(&self, kernel: Kernel, io: &Io) -> Kernel {
        if io.inputs[0].dtype == DType::U8 { kernel.with_hook("pixels", BYTES) } else { kernel }
    }

    fn with_epilogue_hook(&self, kernel: Kernel, io: &Io, first: usize) -> (Kernel, Vec<Binding>) {
        let extras = (2..io.inputs.len()).map(input).collect();
        let Some(map) = &self.epilogue else {
            return (kernel, extras);
        };
        let inputs = Self::epilogue_inputs(&io.outputs[0], io.inputs);
        let text = text_epilogue(map, &inputs, &io.outputs[0].shape, first);
        (kernel.with_hook("epilogue", text), extras)
    }
}

/// The lengths as constants: divisions by them become multiplications.
fn geometry(kernel: Kernel, shape: &Shape, g: &Geometry) -> Kernel {
    let consts = [
        ("HEIGHT", g.h),
        ("WIDTH", g.w),
        ("C", g.c),
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

/// A product's kernel over the gathered operands.
fn operands(
    variant: &Variant,
    tiling: &Tiling,
    p: Problem,
    pass: Pass,
    shape: &Shape,
    g: &Geometry,
) -> Kernel {
    let swap = variant.name == "pixels";
    let kernel = if swap {
        Kernel::of("conv2d", variant)
    } else {
        tiling.kernel().with_hook("operands", "// use: conv2d/operands\n")
    };
    let groups = g.conv.groups;
    let (cg, ng) = (g.c / groups, g.n / groups);
    let wide = |all: usize, part: usize| all.is_multiple_of(4) && part.is_multiple_of(4);
    let wide_n = wide(g.n, ng);
    let (wide_a, wide_store) = match pass {
        Pass::Forward => (wide(g.c, cg), wide_n),
        Pass::Input { .. } => (wide_n, wide(g.c, cg)),
        Pass::Weight { .. } => (wide(g.c, cg), wide_n),
    };
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
        Pass::Weight { .. } => shape.problem.k,
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
    let kernel = if wide_a { kernel } else { kernel.with_hook("pixels", NARROW_A) };
    let kernel = if wide_n { kernel } else { kernel.with_hook("filters", NARROW_B) };
    if wide_store { kernel } else { kernel.with_hook("store", NARROW_STORE) }
}
