//! A product under one variant as dispatches: constants that follow from the operands' storage and the
//! sizes, parameters, grids.

use crate::graph::chain::{Chain, Epilogue, operand_name};
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch, vector,
};
use crate::op::map;
use crate::tensor::TensorSpec;

use super::MatMulProblem;
use super::matrices::{self, MATRICES};
use super::plan::{Sizes, VECTOR_ROWS, VECTOR_STEP};
use super::ranges::in_ranges;

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

/// `store` with an epilogue over four values at once.
const WIDE_STORE: &str = "\
@group(0) @binding(2) var<storage, read_write> c: array<vec4<f32>>;
fn store(i: u32, x: vec4<f32>, left: u32) { c[i / 4u] = epilogue(x, i / 4u); }
";

/// `store_sum` of a product that is stored in the third binding.
const SUMS: &str = "\
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
fn store_sum(i: u32, x: f32) { sums[i] = x; }
";

/// The same where parts of them are summed.
const SUMS_OF_PARTS: &str = "\
@group(0) @binding(2) var<storage, read> partial_sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
fn partial_sum(i: u32) -> f32 { return partial_sums[i]; }
fn store_sum(i: u32, x: f32) { sums[i] = x; }
";

/// Results of an invocation of `split_k.wgsl` where there are enough of them to keep every processor busy all the same.
const SUMMED: usize = 4;

/// Workgroup memory every device has, in bytes.
const SHARED: usize = 16_384;

/// Whether stored rows of this length can be read as vec4s.
fn wide(length: usize) -> bool {
    length.is_multiple_of(4)
}

fn element(wide: bool) -> &'static str {
    vector(if wide { 4 } else { 1 })
}

/// Into how many parts a variant splits the sum, which a second dispatch adds.
pub(super) fn splits(variant: &Variant) -> usize {
    match variant.name {
        "split_k" | "vector" | MATRICES => variant.get("SPLITS") as usize,
        _ => 1,
    }
}

impl MatMulProblem {
    /// The one dispatch of a variant that splits no sum, with C in `c`.
    pub(super) fn single(
        &self,
        variant: &Variant,
        c: Binding,
        epilogue: &Epilogue,
        caps: &Caps,
    ) -> Dispatch {
        let plain = epilogue.chain.is_none().then(|| self.facts.spec());
        let store = |product| {
            let product = stored(product, c, self.columns().map(|_| output(1)));
            in_ranges(product, &self.inputs, plain, wide(self.sizes.n), caps)
        };
        match variant.name {
            "naive" => epilogue.attach(store(self.naive(caps))),
            "vector" => epilogue.attach(store(self.vector(variant, caps))),
            _ => finished(store(self.tiled(variant, caps)), epilogue, wide(self.sizes.n)),
        }
    }

    /// The product to scratch, and `chain`, its epilogue, in a dispatch of its own. Draws unrolled as often as a tile has
    /// results for each invocation take a driver a minute to compile; the second pass of a split sum has room for them.
    pub(super) fn apart(&self, chain: &Chain, variant: &Variant, caps: &Caps) -> Lowered {
        let product = self.single(variant, scratch(0), &Epilogue::none(), caps);
        let operands = &self.epilogue.operands;
        let width = if self.epilogue.allows_vec4() { 4 } else { 1 };
        let apply = map::dispatch(chain, operands, &operands[0].shape, width, caps)
            .bind(operand_name(0), scratch(0).read());
        let bind = |apply: Dispatch, at| apply.bind(operand_name(at), input(1 + at));
        let apply = (1..operands.len()).fold(apply, bind);
        let scratch = vec![TensorSpec::f32([self.sizes.outputs()])];
        Lowered { dispatches: vec![product, apply], scratch }
    }

    /// How many columns of B are summed.
    pub(super) fn columns(&self) -> Option<usize> {
        self.sums.then_some(self.sizes.batch * self.sizes.n)
    }

    /// Partial products to scratch, then their sum with the epilogue.
    pub(super) fn split(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let parts = match variant.name {
            "vector" => self.vector(variant, caps),
            _ => self.tiled(variant, caps),
        };
        let count = self.sizes.outputs();
        let splits = splits(variant);
        let parts_of_sums = Parts { count, columns: self.columns(), splits };
        let mut sum = sum_of_parts(parts, parts_of_sums, &self.epilogue, caps);
        let product = sum.dispatches.remove(0);
        sum.dispatches.insert(0, in_ranges(product, &self.inputs, None, false, caps));
        sum
    }

    fn naive(&self, caps: &Caps) -> Dispatch {
        let Sizes { batch, m, n, k } = self.sizes;
        let kernel = Kernel::new("matmul/naive")
            .with_text("TRANSPOSE_A", self.transpose_a.to_string())
            .with_text("TRANSPOSE_B", self.transpose_b.to_string());
        let results = self.sizes.outputs() + self.columns().unwrap_or(0);
        Dispatch::new(kernel, grid(results.div_ceil(64), caps))
            .bind("a", input(0))
            .bind("b", input(1))
            .param("M", m)
            .param("N", n)
            .param("K", k)
            .param("G", batch)
    }

    /// `vector.wgsl`: X is the operand with the long dimension, Y the few vectors.
    fn vector(&self, variant: &Variant, caps: &Caps) -> Dispatch {
        let Sizes { batch, m, n, k } = self.sizes;
        let few_rows = self.sizes.vectors().is_some_and(|(_, rows)| rows);
        let (long, few) = if few_rows { (n, m) } else { (m, n) };
        // Whether k is the last axis of the stored operand.
        let (x_along_k, y_along_k) = if few_rows {
            (self.transpose_b, !self.transpose_a)
        } else {
            (!self.transpose_a, self.transpose_b)
        };
        let wide_x = wide(if x_along_k { k } else { long });
        let wide_y = y_along_k && wide(k);
        let (vectors, splits) = (variant.get("VECTORS"), splits(variant));
        let kernel = Kernel::new("matmul/vector")
            .with_consts(&[("VECTORS", vectors), ("TOGETHER", vectors.min(4))])
            .with_text("ALONG_R", (!x_along_k).to_string())
            .with_text("WIDE_X", wide_x.to_string())
            .with_text("WIDE_Y", wide_y.to_string())
            .with_text("ElementX", element(wide_x))
            .with_text("ElementY", element(wide_y));
        let (y_s, y_k) = if y_along_k { (k, 1) } else { (1, few) };
        let (c_r, c_s) = if few_rows { (1, n) } else { (n, 1) };
        let [x, y] = if few_rows { [input(1), input(0)] } else { [input(0), input(1)] };
        let workgroups = long.div_ceil(VECTOR_ROWS) * batch * splits;
        Dispatch::new(kernel, grid(workgroups, caps))
            .bind("x", x)
            .bind("y", y)
            .param("R", long)
            .param("S", few)
            .param("K", k)
            .param("G", batch)
            .param("y_s", y_s)
            .param("y_k", y_k)
            .param("c_r", c_r)
            .param("c_s", c_s)
            .param("splits", splits)
            .param("span", self.sizes.span(splits, VECTOR_STEP))
    }

    /// What the kernels of tiles have in common; c is not bound yet.
    fn tiled(&self, variant: &Variant, caps: &Caps) -> Dispatch {
        let (p, tiling) = (self.sizes, Tiling::of(variant));
        let wide_a = wide(if self.transpose_a { p.m } else { p.k });
        let wide_b = wide(if self.transpose_b { p.k } else { p.n });
        let mut kernel = tiling.kernel();
        let mut elements = [element(wide_a), element(wide_b)].map(String::from);
        if variant.name == MATRICES {
            let transposed = [self.transpose_a, self.transpose_b];
            kernel = matrices::with(kernel, variant, transposed, &self.inputs, caps);
            elements = elements.map(|element| element.replace("f32", "f16"));
        }
        let [element_a, element_b] = elements;
        kernel = kernel
            .with_text("TRANSPOSE_A", self.transpose_a.to_string())
            .with_text("TRANSPOSE_B", self.transpose_b.to_string())
            .with_text("WIDE_A", wide_a.to_string())
            .with_text("WIDE_B", wide_b.to_string())
            .with_text("ElementA", element_a)
            .with_text("ElementB", element_b)
            .with_text("EDGE", (!tiling.divides(p)).to_string())
            .with_text("TAIL", (!p.k.is_multiple_of(tiling.step)).to_string());
        if !wide(p.n) {
            kernel = kernel.with_hook("store", NARROW_STORE);
        }
        tiling.dispatch(kernel, p, tiling.splits, caps)
    }
}

/// The product `dispatch` with its results bound: C, and the sums of B's columns where they are asked for.
pub(in crate::op) fn stored(dispatch: Dispatch, c: Binding, sums: Option<Binding>) -> Dispatch {
    let mut dispatch = dispatch.bind("c", c);
    let Some(sums) = sums else {
        return dispatch;
    };
    dispatch.kernel = dispatch.kernel.with_text("SUMS", "true").with_hook("sums", SUMS);
    dispatch.bind("sums", sums)
}

/// A product in tiles with the epilogue: over whole vec4s where C's rows are `wide` and the other operands are read so.
pub(in crate::op) fn finished(mut product: Dispatch, epilogue: &Epilogue, wide: bool) -> Dispatch {
    if epilogue.chain.is_none() || !wide || !epilogue.allows_vec4() {
        return epilogue.attach(product);
    }
    product.kernel = product.kernel.with_hook("store", WIDE_STORE);
    epilogue.attach_wide_to_tiles(product)
}

/// Partial results.
#[derive(Debug, Clone, Copy)]
pub(in crate::op) struct Parts {
    /// Values of C.
    pub(in crate::op) count: usize,
    /// Columns of B that are summed, if they are.
    pub(in crate::op) columns: Option<usize>,
    /// Of how many parts.
    pub(in crate::op) splits: usize,
}

/// `product`, which makes partial results in scratch, and their sum with the epilogue.
pub(in crate::op) fn sum_of_parts(
    product: Dispatch,
    Parts { count, columns, splits }: Parts,
    epilogue: &Epilogue,
    caps: &Caps,
) -> Lowered {
    // What is drawn is drawn for four at a time.
    let wide = epilogue.is_random() && columns.is_none() && epilogue.allows_vec4();
    let width = if wide { 4 } else { 1 };
    let results = (count + columns.unwrap_or(0)) / width;
    let fills = results.div_ceil(64 * SUMMED) >= 2 * caps.speeds.processors as usize;
    let each = if fills { SUMMED } else { 1 };
    let kernel =
        Kernel::new("matmul/split_k").with_consts(&[("EACH", each)]).with_text("T", vector(width));
    let mut sum = Dispatch::new(kernel, grid(results.div_ceil(64 * each), caps))
        .bind("partial", scratch(0).read())
        .bind("c", output(0))
        .param("count", count / width)
        .param("splits", splits)
        .param("columns", columns.unwrap_or(0));
    let mut lengths = vec![count];
    if let Some(columns) = columns {
        sum.kernel = sum.kernel.with_text("SUMS", "true").with_hook("sums", SUMS_OF_PARTS);
        sum = sum.bind("partial_sums", scratch(1).read()).bind("sums", output(1));
        lengths.push(columns);
    }
    let product = stored(product, scratch(0), columns.map(|_| scratch(1)));
    Lowered {
        dispatches: vec![product, epilogue.attach_wide(sum, width)],
        scratch: lengths.into_iter().map(|length| TensorSpec::f32([splits, length])).collect(),
    }
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
    /// How much of the sum a step of all slices takes.
    pub(in crate::op) step: usize,
    /// Parts the sum is split into.
    pub(in crate::op) splits: usize,
    /// Parts of a workgroup that take their own steps.
    slices: usize,
}

impl<'a> Tiling<'a> {
    pub(in crate::op) fn of(variant: &'a Variant) -> Self {
        let get = |name| variant.get(name) as usize;
        let (shader, rows, cols, step) = match variant.name {
            "register" => ("matmul/register", 8 * get("TM"), 8 * get("TN"), 4),
            // Also a convolution's `pixels` and `strips`, which have kernels of their own.
            "subgroup" | "pixels" | "strips" => {
                ("matmul/subgroup", get("TM"), get("W") * get("TN"), 4)
            }
            "outer" => ("matmul/outer", get("ROWS"), 4 * get("W"), 4),
            "sliced" => ("matmul/tile", get("BM"), get("BN"), get("BK") * get("SLICES")),
            MATRICES => ("matmul/matrices", get("BM"), get("BN"), get("BK")),
            _ => ("matmul/tile", get("BM"), get("BN"), get("BK")),
        };
        let slices = if variant.name == "sliced" { get("SLICES") } else { 1 };
        Self { variant, shader, rows, cols, step, splits: splits(variant), slices }
    }

    /// The kernel with the constants that do not depend on the operands.
    pub(in crate::op) fn kernel(&self) -> Kernel {
        let consts = self.variant.consts.iter().copied();
        let consts: Vec<_> = consts.filter(|(n, _)| *n != "SPLITS").collect();
        let kernel = Kernel::new(self.shader).with_consts(&consts);
        if self.shader != "matmul/tile" {
            return kernel;
        }
        let bytes = 4 * self.step * (self.rows + self.cols);
        let results = (self.variant.get("TM") * self.variant.get("TN")) as usize;
        let invocations = self.rows * self.cols / results;
        // Blocks of 4 x 4 that a slice fetches in a step.
        let blocks = (self.rows + self.cols) * self.step / self.slices / 16;
        let buffers = if 2 * bytes <= SHARED { 2 } else { 1 };
        kernel.with_consts(&[("BUFFERS", buffers), ("PASSES", blocks.div_ceil(invocations) as u32)])
    }

    /// Whether tiles cover the result exactly.
    pub(in crate::op) fn divides(&self, p: Sizes) -> bool {
        p.m.is_multiple_of(self.rows) && p.n.is_multiple_of(self.cols)
    }

    /// `kernel` over the tiles of all parts, a and b bound, with `struct Params` of `common/tiles`.
    pub(in crate::op) fn dispatch(
        &self,
        kernel: Kernel,
        p: Sizes,
        splits: usize,
        caps: &Caps,
    ) -> Dispatch {
        let tiles = p.m.div_ceil(self.rows) * p.n.div_ceil(self.cols) * p.batch;
        Dispatch::new(kernel, grid(tiles * splits, caps))
            .bind("a", input(0))
            .bind("b", input(1))
            .param("M", p.m)
            .param("N", p.n)
            .param("K", p.k)
            .param("G", p.batch)
            .param("splits", splits)
            // Parts of whole steps; with a short k the last ones are empty and give zeros.
            .param("span", p.k.div_ceil(splits).next_multiple_of(self.step))
    }
}
