//! A product under one variant as dispatches: constants that follow from the operands' storage and the
//! sizes, parameters, grids.

use crate::graph::chain::text_epilogue;
use crate::graph::op::old::Io;
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch, unnamed,
};
use crate::tensor::TensorSpec;

use super::MatMul;
use super::plan::Problem;

/// `store` where C's rows are no whole vec4s.
pub(in crate::op) const NARROW_STORE: &str = "\
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
fn store(i: u32, x: vec4<f32>, left: u32) {
    c[i] = epilogue(x.x, i);
    if left > 1u { c[i + 1u] = epilogue(x.y, i + 1u); }
    if left > 2u { c[i + 2u] = epilogue(x.z, i + 2u); }
    if left > 3u { c[i + 3u] = epilogue(x.w, i + 3u); }
}
";

/// Workgroup memory every device has, in bytes.
const SHARED: usize = 16_384;

/// Whether stored rows of this length can be read as vec4s.
fn wide(length: usize) -> bool {
    length.is_multiple_of(4)
}

fn element(wide: bool) -> &'static str {
    if wide { "vec4<f32>" } else { "f32" }
}

impl MatMul {
    /// The dispatches of a variant of [`super::plan::plan`].
    pub(super) fn dispatches(&self, variant: &Variant, p: Problem, io: &Io) -> Lowered {
        match variant.name {
            "naive" => self.naive(p, io),
            "vector" => self.vector(variant, p, io),
            "split_k" => self.split(variant, p, io),
            _ => Lowered::one(self.tiled(variant, p, io.caps).finish(self, io)),
        }
    }

    fn naive(&self, p: Problem, io: &Io) -> Lowered {
        let kernel = Kernel::new("matmul/naive")
            .with_text("TRANSPOSE_A", self.transpose_a.to_string())
            .with_text("TRANSPOSE_B", self.transpose_b.to_string());
        let params = words([p.m, p.n, p.k, p.batch]);
        let grid = grid(p.outputs().div_ceil(64), io.caps);
        Lowered::one(Product { kernel, params, grid, operands: [0, 1] }.finish(self, io))
    }

    /// `vector.wgsl`: X is the operand with the long dimension, Y the few vectors.
    fn vector(&self, variant: &Variant, p: Problem, io: &Io) -> Lowered {
        let few_rows = p.vectors().is_some_and(|(_, rows)| rows);
        let (long, few) = if few_rows { (p.n, p.m) } else { (p.m, p.n) };
        // Whether k is the last axis of the stored operand.
        let (x_along_k, y_along_k) = if few_rows {
            (self.transpose_b, !self.transpose_a)
        } else {
            (!self.transpose_a, self.transpose_b)
        };
        let wide_x = wide(if x_along_k { p.k } else { long });
        let wide_y = y_along_k && wide(p.k);
        let kernel = Kernel::of("matmul", variant)
            .with_text("ALONG_R", (!x_along_k).to_string())
            .with_text("WIDE_X", wide_x.to_string())
            .with_text("WIDE_Y", wide_y.to_string())
            .with_text("ElementX", element(wide_x))
            .with_text("ElementY", element(wide_y));
        let (y_s, y_k) = if y_along_k { (p.k, 1) } else { (1, few) };
        let (c_r, c_s) = if few_rows { (1, p.n) } else { (p.n, 1) };
        let height = if x_along_k { 8 } else { 32 };
        let product = Product {
            kernel,
            params: words([long, few, p.k, p.batch, y_s, y_k, c_r, c_s]),
            grid: grid(long.div_ceil(height) * p.batch, io.caps),
            operands: if few_rows { [1, 0] } else { [0, 1] },
        };
        Lowered::one(product.finish(self, io))
    }

    /// Partial products to scratch, then their sum with the epilogue.
    fn split(&self, variant: &Variant, p: Problem, io: &Io) -> Lowered {
        let splits = variant.get("SPLITS") as usize;
        let first = self.tiled(variant, p, io.caps);
        let (kernel, extras) = self.with_epilogue_hook(Kernel::new("matmul/split_k"), io, 2);
        let second = Dispatch {
            kernel,
            bindings: [scratch(0).read(), output(0)].into_iter().chain(extras).collect(),
            params: unnamed(words([p.outputs(), splits])),
            grid: grid(p.outputs().div_ceil(64), io.caps),
        };
        Lowered {
            dispatches: vec![first.into_dispatch([scratch(0)]), second],
            scratch: vec![TensorSpec::f32([splits, p.outputs()])],
        }
    }

    /// What `tile.wgsl`, `register.wgsl` and `subgroup.wgsl` have in common.
    fn tiled(&self, variant: &Variant, p: Problem, caps: &Caps) -> Product {
        let tiling = Tiling::of(variant);
        let wide_a = wide(if self.transpose_a { p.m } else { p.k });
        let wide_b = wide(if self.transpose_b { p.k } else { p.n });
        let kernel = tiling
            .kernel()
            .with_text("TRANSPOSE_A", self.transpose_a.to_string())
            .with_text("TRANSPOSE_B", self.transpose_b.to_string())
            .with_text("WIDE_A", wide_a.to_string())
            .with_text("WIDE_B", wide_b.to_string())
            .with_text("ElementA", element(wide_a))
            .with_text("ElementB", element(wide_b))
            .with_text("EDGE", (!tiling.divides(p)).to_string())
            .with_text("TAIL", (!p.k.is_multiple_of(tiling.step)).to_string());
        Product {
            kernel: if wide(p.n) { kernel } else { kernel.with_hook("store", NARROW_STORE) },
            params: tiling.params(p, tiling.splits),
            grid: tiling.grid(p, tiling.splits, caps),
            operands: [0, 1],
        }
    }

    /// The kernel with this op's epilogue, whose own inputs are bound from `first` on.
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

/// A dispatch but for where its result goes.
struct Product {
    kernel: Kernel,
    params: Vec<u32>,
    grid: [u32; 3],
    /// The inputs at bindings 0 and 1.
    operands: [usize; 2],
}

impl Product {
    /// Writes C through the epilogue.
    fn finish(mut self, op: &MatMul, io: &Io) -> Dispatch {
        let (kernel, extras) = op.with_epilogue_hook(self.kernel, io, 3);
        self.kernel = kernel;
        self.into_dispatch(std::iter::once(output(0)).chain(extras))
    }

    fn into_dispatch(self, rest: impl IntoIterator<Item = Binding>) -> Dispatch {
        Dispatch {
            kernel: self.kernel,
            bindings: self.operands.into_iter().map(input).chain(rest).collect(),
            params: unnamed(self.params),
            grid: self.grid,
        }
    }
}

pub(in crate::op) fn words<const N: usize>(sizes: [usize; N]) -> Vec<u32> {
    sizes.iter().map(|&s| s as u32).collect()
}

/// How a variant cuts a product into tiles: what its kernel and its grid follow from.
#[derive(Debug)]
pub(in crate::op) struct Tiling<'a> {
    variant: &'a Variant,
    shader: &'static str,
    /// Rows of a tile.
    rows: usize,
    /// Columns of a tile.
    cols: usize,
    /// How much of the sum a step takes.
    pub(in crate::op) step: usize,
    /// Parts the sum is split into.
    pub(in crate::op) splits: usize,
}

impl<'a> Tiling<'a> {
    pub(in crate::op) fn of(variant: &'a Variant) -> Self {
        let get = |name| variant.get(name) as usize;
        let (shader, rows, cols, step) = match variant.name {
            "register" => ("matmul/register", 8 * get("TM"), 8 * get("TN"), 4),
            // Also a convolution's `pixels`, which has a kernel of its own.
            "subgroup" | "pixels" => ("matmul/subgroup", get("TM"), get("W") * get("TN"), 4),
            _ => ("matmul/tile", get("BM"), get("BN"), get("BK")),
        };
        let splits = if variant.name == "split_k" { get("SPLITS") } else { 1 };
        Self { variant, shader, rows, cols, step, splits }
    }

    /// The kernel with the constants that do not depend on the operands.
    pub(in crate::op) fn kernel(&self) -> Kernel {
        let own = self.variant.consts.iter().copied();
        let consts: Vec<_> = own.filter(|(n, _)| *n != "SPLITS").collect();
        let kernel = Kernel::new(self.shader).with_consts(&consts);
        if self.shader != "matmul/tile" {
            return kernel;
        }
        let bytes = 4 * self.step * (self.rows + self.cols);
        let results = (self.variant.get("TM") * self.variant.get("TN")) as usize;
        let invocations = self.rows * self.cols / results;
        // Blocks of 4 x 4 that are fetched in a step.
        let blocks = (self.rows + self.cols) * self.step / 16;
        let buffers = if 2 * bytes <= SHARED { 2 } else { 1 };
        kernel.with_consts(&[("BUFFERS", buffers), ("PASSES", blocks.div_ceil(invocations) as u32)])
    }

    /// Whether tiles cover the result exactly.
    pub(in crate::op) fn divides(&self, p: Problem) -> bool {
        p.m.is_multiple_of(self.rows) && p.n.is_multiple_of(self.cols)
    }

    /// `struct Params` of `common/tiles`.
    pub(in crate::op) fn params(&self, p: Problem, splits: usize) -> Vec<u32> {
        // Parts of whole steps; with a short k the last ones are empty and give zeros.
        let span = p.k.div_ceil(splits).next_multiple_of(self.step);
        words([p.m, p.n, p.k, p.batch, splits, span])
    }

    pub(in crate::op) fn grid(&self, p: Problem, splits: usize, caps: &Caps) -> [u32; 3] {
        let tiles = p.m.div_ceil(self.rows) * p.n.div_ceil(self.cols) * p.batch;
        grid(tiles * splits, caps)
    }
}
