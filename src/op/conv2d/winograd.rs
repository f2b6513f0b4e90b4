//! Filters of 3 x 3 and 5 x 5 by Winograd's minimal filtering (Lavin & Gray 2016, "Fast algorithms for convolutional neural
//! networks"): y = A^T [(G w G^T) * (B^T x B)] A. F(2 x 2, 3 x 3) takes tiles of 4 x 4 pixels, 16 multiply-adds for four
//! results where the definition takes 36; F(4 x 4, 3 x 3) tiles of 6 x 6, 36 for sixteen results where that takes 144, and
//! moves 2.25 values a pixel where the other moves 4, at the price of more rounding and of larger tiles at the edge.
//! F(4 x 4, 5 x 5) takes tiles of 8 x 8, 64 multiply-adds where the definition takes 400.
//!
//! Where windows are s pixels apart, x and the filter are taken apart into the s x s pixels of such a step, as channels:
//! what is left is a convolution of windows side by side by filters of r / s, rounded up, with s^2 times the channels. A
//! first layer of 11 x 11 and steps of 4 over 3 channels is one of 3 x 3 over 48, a part of whose weights are 0: forward
//! and the gradient in w, since that in x would have to be put together again.
//!
//! The parts are dispatches of their own. The filters and a chunk of the tiles are transformed side by side, then chunk by
//! chunk the other tiles; their channels are summed by a matrix product for each point and group, all in one dispatch of
//! `matmul`'s kernels, and these are transformed back with the epilogue. The gradient in x is the convolution of dy with the
//! filter turned by half a turn, padded by r - 1 - pad of a filter of r x r. That in w has the same tiles of x: see
//! [`weight`]; both together: [`both`].
//!
//! # How exact it is
//! A result's error is held against the root mean square of its own sum, as everywhere ([`Tolerance::sum`]).
//! Each of the products is a sum of as many terms as a group has channels, c; the transforms add r roundings to each, and
//! these errors walk at random: `sum(c + r)` of the product's own root mean square. What is left is how much larger the
//! products that make a result are than the result.
//!
//! F(2 x 2, 3 x 3): r is 11, two sums for x, four for w, one product, four sums back. Along one axis a result is the sum of
//! three products (G_i g)(B_i^T d), i = 0 .. 2; the other of a tile mirrors it, and neither sees pixels outside its window.
//! Over weights g of which nothing is known their mean square is (d0 - d2)^2 + 3/2 (d1^2 + d2^2), against d0^2 + d1^2 + d2^2
//! of the result: 5/3 for pixels of which nothing is known either, 3 at most, for d ~ (1, 0, -2). Over pixels d of which
//! nothing is known it is 2 g0^2 + (g0 + g2)^2 + g1^2: 5/3 and 2 + sqrt(2) at most, for g ~ (1 + sqrt(2), 0, 1). The two axes
//! multiply: the root is 5/3 typically and never more than 2 + sqrt(2), which the bound has. Beside the definition's
//! `sum(9 c)` that is 2.4 times as much for 3 channels and 1.2 times for 64: more amplification, but shorter sums.
//!
//! F(4 x 4, 3 x 3): r is 29, ten for x (along an axis an even part, an odd one with its root of 2 and the product by it, and
//! their sum), eight for w, one product, ten back. A result k of a tile along an axis is the sum over the points of
//! A_ki (G_i g)(B_i^T d). With nothing known of g and d its products' mean square is sum(A_ki^2 |G_i|^2 |B_i|^2) / 3: 7.1
//! for the first and the last, 2.9 for the inner two. With the points 0, +-1, +-2 it would be 31 for the last, with 0, +-1,
//! 1/2, -2 10, so that these are the points of the shader. Over pixels of which nothing is known it is at most 16.2.
//! Products see pixels outside the result's window, which cancel: over weights of which nothing is known the first results
//! of a line of tiles are held against the mean of all its results, and so is a checked value against a typical one
//! ([`crate::graph::op::Problem::shares_products`]). That is 24.28 at most, of any number of tiles and any padding, by the
//! largest eigenvalues of these quadratic forms, which the tests compute. (A line whose only whole tile is followed by one
//! of three results could come to 40, by a picture made for it.) The axes multiply: the root is 7.1 typically, at a tile's
//! corners, and 24.28 at most, which the bound has. That is 26 times the definition's bound for 3 channels, 10 times for 64
//! and 8 times for 512. A coefficient that is a thousandth off and tiles in half precision are beyond it at all of these.
//!
//! F(4 x 4, 5 x 5): r is 37, fourteen for x (along an axis three for each part of a pair and one for their sum), twelve for
//! w (three sums of the parts, the product by a rounded factor, their sum), one product, ten back. With nothing known the
//! first result and the last have 29.8 along an axis, the inner two 8.4. Over pixels of which nothing is known it is 117.5
//! at most, over weights of which nothing is known 141.07 over a line of any number of tiles and any padding: the bound has
//! 141.08, 38 times the definition's for 48 channels. Pairs of +-9/5 and +-5/9 would have 10 % less and round every
//! coefficient; two results with the points of F(4 x 4, 3 x 3) would have 18.1, and move 9 values a result instead of 4. Here
//! too the faults above are beyond it.
//!
//! Of a filter taken apart by steps of a length that does not divide it some parts lack the last row or column: fewer taps see
//! a pixel, the products are as they were. By the same forms over the taps there are, in a line of any number of tiles, that is
//! 3 + sqrt(5) for F(2 x 2, 3 x 3), 35.01 for F(4 x 4, 3 x 3) and 166.94 for F(4 x 4, 5 x 5), which the bound of all results has
//! then. (Pixels that no window sees are taken to be as large as others.)

use std::ops::Range;

use crate::graph::chain::Epilogue;
use crate::graph::op::Tolerance;
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Planned, Variant, grid, input, output, scratch,
    vector,
};
use crate::op::matmul::plan::{Sizes, plan};
use crate::op::matmul::{MatMul, product_by};
use crate::tensor::TensorSpec;

use super::lower::LONGEST;
use super::{Conv, Geometry, Pass, WINOGRAD};

mod both;
mod weight;

pub(super) use both::Both;

/// The constant of a variant that tells how many results a side its tiles have.
pub(super) const RESULTS: &str = "F";

/// How many of the product's variants are offered at most.
const OFFERED: usize = 2;

/// Bytes of the transformed tiles in a chunk at most: a binding of any device.
const CHUNK: u64 = 128 << 20;

/// Times as long as estimated: the estimates put it first only where it is ahead by a good part.
const MARGIN: f64 = 1.2;

/// The share of the memory's rate that the transforms reach.
const COPY: f64 = 0.85;

/// Winograd's F(m x m, r x r).
#[derive(Debug, PartialEq)]
struct Algorithm {
    /// Results of a tile along an axis, m.
    results: usize,
    /// Taps of a filter along an axis, r.
    taps: usize,
    /// Its transforms.
    shader: &'static str,
    /// Sums and products of a transform: of a tile of x, of one of y, of one of dy, of a filter, of its gradient.
    added: [usize; 5],
    /// Of y and dx.
    rounding: Rounding,
    /// Of dw.
    weight: Rounding,
}

/// How exact results are.
#[derive(Debug, PartialEq)]
struct Rounding {
    /// What the transforms add to each term.
    roundings: usize,
    /// Root mean square of the products against that of the results, at most: of whole filters, and where some of them lack
    /// the last row or column.
    amplification: [f64; 2],
}

/// The algorithms, F(2 x 2, 3 x 3), F(4 x 4, 3 x 3) and F(4 x 4, 5 x 5); the amplifications of the first are 2 + sqrt(2),
/// 3 + 3 / sqrt(2) and 3 + sqrt(5).
const ALGORITHMS: [Algorithm; 3] = [
    Algorithm {
        results: 2,
        taps: 3,
        shader: "conv2d/points4",
        added: [32, 24, 12, 28, 42],
        rounding: Rounding { roundings: 11, amplification: [3.4142, 5.2361] },
        weight: Rounding { roundings: 9, amplification: [5.1213, 5.2361] },
    },
    Algorithm {
        results: 4,
        taps: 3,
        shader: "conv2d/points6",
        added: [168, 140, 100, 90, 99],
        rounding: Rounding { roundings: 29, amplification: [24.29, 35.01] },
        weight: Rounding { roundings: 29, amplification: [19.22, 20.31] },
    },
    Algorithm {
        results: 4,
        taps: 5,
        shader: "conv2d/points8",
        added: [416, 192, 168, 299, 312],
        rounding: Rounding { roundings: 37, amplification: [141.08, 166.94] },
        weight: Rounding { roundings: 35, amplification: [173.97, 173.97] },
    },
];

impl Algorithm {
    /// Points along an axis, and pixels of a tile.
    fn points(&self) -> usize {
        self.results + self.taps - 1
    }

    /// Matrix products, of each group.
    fn products(&self) -> usize {
        self.points() * self.points()
    }

    /// A kernel with these transforms, over values taken `width` at a time.
    fn kernel(&self, name: &str, width: usize) -> Kernel {
        Kernel::new(name)
            .with_hook("points", format!("// use: {}\n", self.shader))
            .with_text("T", vector(width))
    }

    /// Values that are taken together. A GPU has too few registers for tiles of 6 x 6 vectors or more: single values,
    /// whose neighbours are the neighbouring invocations', leave it room to wait for many loads.
    fn width(&self, channels: usize, caps: &Caps) -> usize {
        let fits = self.points() == 4 || caps.software;
        if fits && channels.is_multiple_of(4) { 4 } else { 1 }
    }
}

impl Rounding {
    /// How far sums of so many products may lie from the f64 reference, where filters `lack` a row or column or are whole.
    fn tolerance(&self, summed: usize, lack: bool) -> Tolerance {
        let amplification = self.amplification[usize::from(lack)];
        Tolerance(amplification * Tolerance::sum(summed + self.roundings).0)
    }
}

/// A convolution in tiles, or its gradient in w.
#[derive(Debug)]
pub(super) struct Tiles {
    algorithm: &'static Algorithm,
    /// Images, rows, columns and channels of what is convolved. Where windows are `stride` pixels apart the pixels of a step
    /// are channels of one, for windows side by side.
    from: [usize; 4],
    /// Those of the result, or of its gradient.
    to: [usize; 4],
    /// Parts of the channels that see each other.
    groups: usize,
    /// Rows and columns of the filter.
    size: usize,
    /// Pixels between neighbouring windows.
    stride: usize,
    /// Rows and columns of zeros before the first; fewer than none where the first are not seen.
    padding: isize,
    target: Target,
}

/// What is made of the tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// y, or dx, for which the filter is turned and its channels exchanged.
    Results { turned: bool },
    /// dw, and the sums of dy's channels where they are asked for.
    Filter { sums: bool },
}

impl Tiles {
    /// A pass in tiles of each size, where it can be; `sums` asks for those of dy's channels as well.
    pub(super) fn all(pass: Pass, g: &Geometry, sums: bool) -> impl Iterator<Item = Self> {
        let Conv { stride, pad, groups } = g.conv;
        let (size, padding) = (g.r, pad as isize);
        let (mut from, to, padding, target) = match pass {
            Pass::Forward => (g.x(), g.y(), padding, Target::Results { turned: false }),
            Pass::Input { .. } => {
                (g.y(), g.x(), size as isize - 1 - padding, Target::Results { turned: true })
            }
            Pass::Weight { .. } => (g.x(), g.y(), padding, Target::Filter { sums }),
        };
        from[3] *= stride * stride;
        let tiles =
            move |algorithm| Self { algorithm, from, to, groups, size, stride, padding, target };
        let gathers = stride == 1 || (groups == 1 && !matches!(pass, Pass::Input { .. }));
        let suits = gathers && g.s == size && from[3] / groups <= LONGEST;
        let has = move |algorithm: &&Algorithm| algorithm.taps == size.div_ceil(stride);
        ALGORITHMS.iter().filter(has).filter(move |_| suits).map(tiles)
    }

    /// Whether a variant is of these tiles.
    pub(super) fn makes(&self, variant: &Variant) -> bool {
        variant.name == WINOGRAD && variant.get(RESULTS) as usize == self.algorithm.results
    }

    /// How far results may lie from the f64 reference, with an epilogue of `depth` steps.
    pub(super) fn tolerance(&self, depth: usize) -> Tolerance {
        let Algorithm { rounding, weight, .. } = self.algorithm;
        let lack = !self.size.is_multiple_of(self.stride);
        match self.target {
            Target::Results { .. } => rounding.tolerance(self.channels()[0] + 16 * depth, lack),
            Target::Filter { .. } => weight.tolerance(self.count(), lack),
        }
    }

    /// Channels of a group of what is convolved, and channels of a group of the result.
    fn channels(&self) -> [usize; 2] {
        [self.from[3] / self.groups, self.to[3] / self.groups]
    }

    /// Weights of a tap of the tiles' filter.
    fn weights(&self) -> usize {
        self.channels()[0] * self.to[3]
    }

    /// Tiles down and across an image.
    fn sides(&self) -> [usize; 2] {
        [1, 2].map(|axis| self.to[axis].div_ceil(self.algorithm.results))
    }

    fn count(&self) -> usize {
        let [down, across] = self.sides();
        self.to[0] * down * across
    }

    /// Tiles of each chunk but the last, which may have fewer; none where not one can be bound.
    fn chunk(&self, caps: &Caps) -> Option<usize> {
        let bytes = |values: usize| (4 * self.algorithm.products() * values) as u64;
        let most = caps.max_binding.min(CHUNK) / bytes(self.from[3].max(self.to[3]));
        // The gradient in w is a sum over them.
        let most = (most as usize).min(LONGEST);
        let chunks = self.count().div_ceil(Some(most).filter(|most| *most > 0)?);
        (bytes(self.weights()) <= caps.max_binding).then(|| self.count().div_ceil(chunks))
    }

    /// The products of some tiles.
    fn products(&self, tiles: usize) -> Sizes {
        let (batch, [from, n]) = (self.algorithm.products() * self.groups, self.channels());
        match self.target {
            Target::Results { .. } => Sizes { batch, m: tiles, n, k: from },
            Target::Filter { .. } => Sizes { batch, m: from, n, k: tiles },
        }
    }

    /// The variants with their times.
    pub(super) fn planned(&self, caps: &Caps) -> Vec<Planned> {
        let Some(chunk) = self.chunk(caps) else { return Vec::new() };
        let transforms = self.transforms_ns(caps);
        let chunks = self.count().div_ceil(chunk);
        let results = self.algorithm.results as u32;
        let whole = |product: Planned| Planned {
            ns: MARGIN * (transforms + chunks as f64 * product.ns),
            // Its constants tell which product is inside.
            variant: Variant::new(
                WINOGRAD,
                [vec![(RESULTS, results)], product.variant.consts].concat(),
            ),
        };
        let suits = |product: &Planned| match product.variant.name {
            "tile" | "sliced" | "register" | "subgroup" => true,
            // The parts are added up where the filter is transformed back.
            "split_k" => matches!(self.target, Target::Filter { .. }),
            _ => false,
        };
        let products = plan(self.products(chunk), caps).into_iter().filter(suits);
        Planned::near(products.collect()).take(OFFERED).map(whole).collect()
    }

    /// Nanoseconds of the transforms: what they move, each value once, what they add, and their dispatches.
    fn transforms_ns(&self, caps: &Caps) -> f64 {
        let (products, speeds) = (self.algorithm.products(), &caps.speeds);
        let (count, weights) = (self.count(), self.weights());
        let (from, to) = (self.from[3], self.to[3]);
        let values = |lengths: [usize; 4]| lengths.iter().product::<usize>();
        let stored = self.size.pow(2) * weights / self.stride.pow(2);
        let filters = stored + products * weights;
        let chunks = self.chunk(caps).map_or(1, |chunk| count.div_ceil(chunk));
        let [x, y, dy, filter, gradient] = self.algorithm.added;
        let (filters, added, dispatches) = match self.target {
            Target::Results { .. } => (filters, filter * weights + y * count * to, 2 * chunks),
            Target::Filter { .. } => {
                (chunks * filters, chunks * gradient * weights + dy * count * to, 2 * chunks)
            }
        };
        let added = added + x * count * from;
        let images = values(self.from) / self.stride.pow(2) + values(self.to);
        let moved = filters + products * count * (from + to) + images;
        speeds.bytes_ns(4.0 * moved as f64) / COPY
            + speeds.products_ns(added as f64) / f64::from(speeds.processors)
            + speeds.dispatches_ns(dispatches)
    }

    /// The dispatches of a variant.
    pub(super) fn lower(&self, variant: &Variant, epilogue: &Epilogue, caps: &Caps) -> Lowered {
        match self.target {
            Target::Results { turned } => self.results(variant, turned, epilogue, caps),
            Target::Filter { sums } => self.filter_gradient(variant, sums, caps),
        }
    }

    /// For each chunk the transforms of the tiles, with the first one the filter's, the products, and the results'.
    fn results(
        &self,
        variant: &Variant,
        turned: bool,
        epilogue: &Epilogue,
        caps: &Caps,
    ) -> Lowered {
        let (from, to, products) = (self.from[3], self.to[3], self.algorithm.products());
        let chunk = self.chunk(caps).unwrap_or_else(|| self.count());
        let lengths = [self.weights(), chunk * from, chunk * to].map(|length| products * length);
        let [u, v, m] = [0, 1, 2].map(|at| move |length: usize| scratch(at).range(0, length));
        let u = u(lengths[0]);
        // Turned filters lie as [c, n] all the same: the product reads them transposed.
        let op = MatMul { transpose_b: turned, ..MatMul::default() };
        let mut dispatches = Vec::new();
        for first in (0..self.count()).step_by(chunk) {
            let tiles = chunk.min(self.count() - first);
            let (v, m) = (v(products * tiles * from), m(products * tiles * to));
            dispatches.push(self.operands([v, u], first..first + tiles, turned, caps));
            let operands = [v.read(), u.read(), m];
            let (product, sizes) = (product(variant), self.products(tiles));
            dispatches.push(product_by(&product, &op, sizes, &operands, caps));
            dispatches.push(self.output(m.read(), first..first + tiles, epilogue, caps));
        }
        let scratch = lengths.iter().map(|length| TensorSpec::f32([*length])).collect();
        Lowered { dispatches, scratch }
    }

    /// Values of either factor that are taken together.
    fn width(&self, caps: &Caps) -> usize {
        let [from, to] = self.channels();
        let of_pixel = from / self.stride.pow(2);
        self.algorithm.width(of_pixel, caps).min(self.algorithm.width(to, caps))
    }

    /// Both factors of the products of some tiles, v and u; the latter with the first.
    fn operands(
        &self,
        [v, u]: [Binding; 2],
        tiles: Range<usize>,
        turned: bool,
        caps: &Caps,
    ) -> Dispatch {
        let width = self.width(caps);
        let kernel = self
            .over_weights("conv2d/winograd_operands", width)
            .with_text("TURNED", turned.to_string());
        let of_w = if tiles.start == 0 { workgroups(self.weights() / width) } else { 0 };
        let of_x = workgroups(tiles.len() * self.from[3] / width);
        let operands = Dispatch::new(kernel, grid(of_w + of_x, caps))
            .bind("x", input(0))
            .bind("w", input(1))
            .bind("v", v)
            .bind("u", u);
        let operands = self.x_in_tiles(operands, tiles, width);
        self.filters(operands, turned, width).param("of_w", of_w)
    }

    /// A kernel over the filter as it is stored.
    fn over_weights(&self, shader: &str, width: usize) -> Kernel {
        let consts = [("STRIDE", self.stride as u32), ("SIZE", self.size as u32)];
        self.algorithm.kernel(shader, width).with_consts(&consts)
    }

    /// The filters' channels for such a kernel, those in rows taken `width` at a time: as they are stored, which for the
    /// gradient in x has the result's first.
    fn filters(&self, dispatch: Dispatch, turned: bool, width: usize) -> Dispatch {
        let [rows, columns] =
            if turned { [self.to[3], self.from[3]] } else { [self.from[3], self.to[3]] };
        let (rows, columns) = (rows / self.groups, columns / width);
        dispatch
            .param("w_rows", rows)
            .param("w_columns", columns)
            .param("w_width", columns / self.groups)
    }

    /// The results of some tiles.
    fn output(
        &self,
        m: Binding,
        tiles: Range<usize>,
        epilogue: &Epilogue,
        caps: &Caps,
    ) -> Dispatch {
        let width = self.algorithm.width(self.channels()[1], caps);
        let width = if epilogue.allows_vec4() { width } else { 1 };
        let kernel = self.algorithm.kernel("conv2d/winograd_output", width);
        let grid = grid(workgroups(tiles.len() * self.to[3] / width), caps);
        let results = Dispatch::new(kernel, grid).bind("m", m).bind("y", output(0));
        let results = self.cut(self.image(results, self.to, width), tiles);
        epilogue.attach_wide(results, width)
    }

    /// x's `Image`, channels taken `width` at a time, and some of its `Tiles`.
    fn x_in_tiles(&self, dispatch: Dispatch, tiles: Range<usize>, width: usize) -> Dispatch {
        // Fewer rows of padding than none wrap, as places in it do.
        let image = self.image(dispatch, self.from, width).param("padding", self.padding as u32);
        self.cut(image, tiles)
    }

    /// An `Image` for a kernel that takes its channels `width` at a time, but for its padding.
    fn image(
        &self,
        dispatch: Dispatch,
        [_, rows, columns, channels]: [usize; 4],
        width: usize,
    ) -> Dispatch {
        dispatch
            .param("rows", rows)
            .param("columns", columns)
            .param("channels", channels / width)
            .param("width", channels / self.groups / width)
    }

    /// Some of the `Tiles`.
    fn cut(&self, dispatch: Dispatch, tiles: Range<usize>) -> Dispatch {
        let [down, across] = self.sides();
        dispatch
            .param("down", down)
            .param("across", across)
            .param("first", tiles.start)
            .param("tiles", tiles.len())
    }
}

/// Workgroups of 64 invocations each.
fn workgroups(invocations: usize) -> usize {
    invocations.div_ceil(64)
}

/// The variant of the product inside.
fn product(variant: &Variant) -> Variant {
    let has = |name: &str| variant.consts.iter().any(|(known, _)| *known == name);
    let known = [("SPLITS", "split_k"), ("SLICES", "sliced"), ("BM", "tile"), ("W", "subgroup")];
    let name = known.into_iter().find(|(name, _)| has(name)).map_or("register", |(_, name)| name);
    let consts = variant.consts.iter().copied().filter(|(name, _)| *name != RESULTS);
    Variant::new(name, consts.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
