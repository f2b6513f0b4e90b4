//! Filters of 3 x 3 by Winograd's minimal filtering, F(2 x 2, 3 x 3) (Lavin & Gray 2016, "Fast algorithms for
//! convolutional neural networks"): y = A^T [(G w G^T) * (B^T x B)] A over tiles of 4 x 4 pixels takes 16 multiply-adds
//! for four results where the definition takes 36.
//!
//! The parts are dispatches of their own: the filters are transformed, then chunk by chunk the tiles; their channels are
//! summed by 16 matrix products in one dispatch of `matmul`'s kernels, and these are transformed back with the epilogue.
//! The gradient in x is the convolution of dy with the filter turned by half a turn, padded by 2 - pad. That in w has the
//! same tiles of x: see [`weight`].
//!
//! # How exact it is
//! A result's error is held against the root mean square of its own sum, as everywhere ([`Tolerance::sum`]).
//! Each of the 16 products is a sum of as many terms as there are channels, c; the transforms add 11 roundings to each
//! (two sums for x, four for w, one product, four sums back), and these errors walk at random: `sum(c + 11)` of the
//! product's own root mean square. What is left is how much larger the products that make a result are than the result.
//!
//! Along one axis a result is the sum of three products (G_i g)(B_i^T d), i = 0 .. 2; the other of a tile mirrors it, and
//! neither sees pixels outside its window. Over weights g of which nothing is known their mean square is
//! (d0 - d2)^2 + 3/2 (d1^2 + d2^2), against d0^2 + d1^2 + d2^2 of the result: 5/3 for pixels of which nothing is known
//! either, 3 at most, for d ~ (1, 0, -2). Over pixels d of which nothing is known it is 2 g0^2 + (g0 + g2)^2 + g1^2:
//! 5/3 and 2 + sqrt(2) at most, for g ~ (1 + sqrt(2), 0, 1). The two axes multiply: the root is 5/3 typically and never
//! more than 2 + sqrt(2), which the bound has. Beside the definition's `sum(9 c)` that is 2.4 times as much for 3
//! channels and 1.2 times for 64: more amplification, but shorter sums.

use std::ops::Range;

use crate::graph::chain::{Epilogue, vector};
use crate::graph::op::Tolerance;
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch,
};
use crate::op::matmul::plan::{NEAR, Planned, Sizes, plan};
use crate::op::matmul::{MatMul, product_by};
use crate::tensor::TensorSpec;

use super::lower::LONGEST;
use super::{Geometry, Pass, WINOGRAD};

mod weight;

/// Matrix products.
const PRODUCTS: usize = 16;

/// How many of the product's variants are offered at most.
const OFFERED: usize = 2;

/// Bytes of the transformed tiles in a chunk at most: a binding of any device.
const CHUNK: u64 = 128 << 20;

/// Roundings that the transforms add to each term.
const ROUNDINGS: usize = 11;

/// Root mean square of the products against that of the results, at most: 2 + sqrt(2).
const AMPLIFICATION: f64 = 2.0 + std::f64::consts::SQRT_2;

/// Times as long as estimated: the estimates put it first only where it is ahead by a good part.
const MARGIN: f64 = 1.2;

/// The share of the memory's rate that the transforms reach.
const COPY: f64 = 0.85;

/// How far results may lie from the f64 reference, of `channels` summed and an epilogue of `depth` steps.
fn tolerance(channels: usize, depth: usize) -> Tolerance {
    Tolerance(AMPLIFICATION * Tolerance::sum(channels + ROUNDINGS + 16 * depth).0)
}

/// A convolution in tiles of 2 x 2 results, or its gradient in w.
#[derive(Debug)]
pub(super) struct Tiles {
    /// Images, rows, columns and channels of what is convolved.
    from: [usize; 4],
    /// Those of the result, or of its gradient.
    to: [usize; 4],
    /// Rows and columns of zeros before the first; fewer than none where the first are not seen.
    padding: isize,
    made: Made,
}

/// What is made of the tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// y, or dx, for which the filter is turned and its channels exchanged.
    Results { turned: bool },
    /// dw, and the sums of dy's channels where they are asked for.
    Filter { sums: bool },
}

impl Tiles {
    /// A pass in tiles, where it can be; `sums` asks for those of dy's channels as well.
    pub(super) fn of(pass: Pass, g: &Geometry, sums: bool) -> Option<Self> {
        let suits = (g.r, g.s, g.conv.stride, g.conv.groups) == (3, 3, 1, 1);
        let padding = g.conv.pad as isize;
        let (from, to, padding, made) = match pass {
            Pass::Forward => (g.x(), g.y(), padding, Made::Results { turned: false }),
            Pass::Input { .. } => (g.y(), g.x(), 2 - padding, Made::Results { turned: true }),
            Pass::Weight { .. } => (g.x(), g.y(), padding, Made::Filter { sums }),
        };
        (suits && from[3] <= LONGEST).then_some(Self { from, to, padding, made })
    }

    /// How far results may lie from the f64 reference, with an epilogue of `depth` steps.
    pub(super) fn tolerance(&self, depth: usize) -> Tolerance {
        match self.made {
            Made::Results { .. } => tolerance(self.channels()[0], depth),
            Made::Filter { .. } => weight::tolerance(self.count()),
        }
    }

    /// Channels of what is convolved and channels of the result.
    fn channels(&self) -> [usize; 2] {
        [self.from[3], self.to[3]]
    }

    /// Tiles down and across an image.
    fn sides(&self) -> [usize; 2] {
        [self.to[1].div_ceil(2), self.to[2].div_ceil(2)]
    }

    fn count(&self) -> usize {
        let [down, across] = self.sides();
        self.to[0] * down * across
    }

    /// Tiles of each chunk but the last, which may have fewer; none where not one can be bound.
    fn chunk(&self, caps: &Caps) -> Option<usize> {
        let [from, to] = self.channels();
        let bytes = |values: usize| (4 * PRODUCTS * values) as u64;
        let most = caps.max_binding.min(CHUNK) / bytes(from.max(to));
        // The gradient in w is a sum over them.
        let most = (most as usize).min(LONGEST);
        let chunks = self.count().div_ceil(Some(most).filter(|most| *most > 0)?);
        (bytes(from * to) <= caps.max_binding).then(|| self.count().div_ceil(chunks))
    }

    /// The 16 products of some tiles.
    fn products(&self, tiles: usize) -> Sizes {
        let [from, n] = self.channels();
        match self.made {
            Made::Results { .. } => Sizes { batch: PRODUCTS, m: tiles, n, k: from },
            Made::Filter { .. } => Sizes { batch: PRODUCTS, m: from, n, k: tiles },
        }
    }

    /// The variants with their times.
    pub(super) fn planned(&self, caps: &Caps) -> Vec<Planned> {
        let Some(chunk) = self.chunk(caps) else { return Vec::new() };
        let transforms = self.transforms_ns(caps);
        let chunks = self.count().div_ceil(chunk);
        let whole = |product: Planned| Planned {
            ns: MARGIN * (transforms + chunks as f64 * product.ns),
            // Its constants tell which product is inside.
            variant: Variant::new(WINOGRAD, product.variant.consts),
        };
        let suits = |one: &Planned| match one.variant.name {
            "tile" | "sliced" | "register" | "subgroup" => true,
            // The parts are added up where the filter is transformed back.
            "split_k" => matches!(self.made, Made::Filter { .. }),
            _ => false,
        };
        let products: Vec<_> = plan(self.products(chunk), caps).into_iter().filter(suits).collect();
        let most = products.first().map_or(0.0, |first| NEAR * first.ns);
        let products = products.into_iter().take_while(|one| one.ns <= most);
        products.take(OFFERED).map(whole).collect()
    }

    /// Nanoseconds of the three transforms: what they move, each value once, what they add, and their dispatches.
    fn transforms_ns(&self, caps: &Caps) -> f64 {
        let ([from, to], speeds) = (self.channels(), &caps.speeds);
        let values =
            |[images, rows, columns, channels]: [usize; 4]| images * rows * columns * channels;
        let (count, filters) = (self.count(), (9 + PRODUCTS) * from * to);
        let chunks = self.chunk(caps).map_or(1, |chunk| count.div_ceil(chunk));
        // Sums and products: 32 for a tile of x, 24 for one of y, 12 for one of dy, 28 for a filter, 42 for its gradient.
        let (filters, added, dispatches) = match self.made {
            Made::Results { .. } => (filters, 28 * from * to + 24 * count * to, 1 + 2 * chunks),
            Made::Filter { .. } => {
                (chunks * filters, chunks * 42 * from * to + 12 * count * to, 3 * chunks)
            }
        };
        let added = added + 32 * count * from;
        let moved = filters + PRODUCTS * count * (from + to) + values(self.from) + values(self.to);
        speeds.bytes_ns(4.0 * moved as f64) / COPY
            + speeds.products_ns(added as f64) / f64::from(speeds.processors)
            + speeds.dispatches_ns(dispatches)
    }

    /// The dispatches of a variant.
    pub(super) fn lower(&self, variant: &Variant, epilogue: &Epilogue, caps: &Caps) -> Lowered {
        match self.made {
            Made::Results { turned } => self.results(variant, turned, epilogue, caps),
            Made::Filter { sums } => self.filter_gradient(variant, sums, caps),
        }
    }

    /// The filter's transform, and for each chunk the tiles', the products and the results'.
    fn results(
        &self,
        variant: &Variant,
        turned: bool,
        epilogue: &Epilogue,
        caps: &Caps,
    ) -> Lowered {
        let [from, to] = self.channels();
        let chunk = self.chunk(caps).unwrap_or_else(|| self.count());
        let lengths = [from * to, chunk * from, chunk * to].map(|length| PRODUCTS * length);
        let [u, v, m] = [0, 1, 2].map(|at| move |length: usize| scratch(at).range(0, length));
        // Turned filters lie as [c, n] all the same: the product reads them transposed.
        let op = MatMul { transpose_b: turned, ..MatMul::default() };
        let mut dispatches = vec![self.filter(u(lengths[0]), turned, caps)];
        for first in (0..self.count()).step_by(chunk) {
            let tiles = chunk.min(self.count() - first);
            let (v, m) = (v(PRODUCTS * tiles * from), m(PRODUCTS * tiles * to));
            dispatches.push(self.input(v, first, tiles, caps));
            let operands = [v.read(), u(lengths[0]).read(), m];
            let (product, sizes) = (product(variant), self.products(tiles));
            dispatches.push(product_by(&product, &op, sizes, &operands, caps));
            dispatches.push(self.output(m.read(), first, tiles, epilogue, caps));
        }
        let scratch = lengths.iter().map(|length| TensorSpec::f32([*length])).collect();
        Lowered { dispatches, scratch }
    }

    fn filter(&self, u: Binding, turned: bool, caps: &Caps) -> Dispatch {
        let [from, to] = self.channels();
        let width = width(from * to);
        let count = from * to / width;
        let kernel = Kernel::new("conv2d/winograd_filter")
            .with_text("T", vector(width))
            .with_text("TURNED", turned.to_string());
        Dispatch::new(kernel, grid(count.div_ceil(64), caps))
            .bind("w", input(1))
            .bind("u", u)
            .param("count", count)
    }

    fn input(&self, v: Binding, first: usize, tiles: usize, caps: &Caps) -> Dispatch {
        let width = width(self.from[3]);
        self.over("conv2d/winograd_input", (self.from, width), first..first + tiles, caps)
            .bind("x", input(0))
            .bind("v", v)
            // Fewer than none wrap, as places in the padding do.
            .param("padding", self.padding as u32)
    }

    fn output(
        &self,
        m: Binding,
        first: usize,
        tiles: usize,
        epilogue: &Epilogue,
        caps: &Caps,
    ) -> Dispatch {
        let width = if epilogue.allows_vec4() { width(self.to[3]) } else { 1 };
        let results = self
            .over("conv2d/winograd_output", (self.to, width), first..first + tiles, caps)
            .bind("m", m)
            .bind("y", output(0));
        epilogue.attach_wide(results, width)
    }

    /// A kernel over some tiles of an image, whose channels are taken `width` at a time; nothing is bound yet.
    fn over(
        &self,
        shader: &str,
        ([_, rows, columns, channels], width): ([usize; 4], usize),
        tiles: Range<usize>,
        caps: &Caps,
    ) -> Dispatch {
        let [down, across] = self.sides();
        let kernel = Kernel::new(shader).with_text("T", vector(width));
        Dispatch::new(kernel, grid((tiles.len() * channels / width).div_ceil(64), caps))
            .param("rows", rows)
            .param("columns", columns)
            .param("channels", channels / width)
            .param("down", down)
            .param("across", across)
            .param("first", tiles.start)
            .param("tiles", tiles.len())
    }
}

/// Values that are taken together.
fn width(channels: usize) -> usize {
    if channels.is_multiple_of(4) { 4 } else { 1 }
}

/// The variant of the product inside.
fn product(variant: &Variant) -> Variant {
    let has = |name: &str| variant.consts.iter().any(|(known, _)| *known == name);
    let known = [("SPLITS", "split_k"), ("SLICES", "sliced"), ("BM", "tile"), ("W", "subgroup")];
    let name = known.into_iter().find(|(name, _)| has(name)).map_or("register", |(_, name)| name);
    Variant::new(name, variant.consts.clone())
}

#[cfg(test)]
mod tests;
