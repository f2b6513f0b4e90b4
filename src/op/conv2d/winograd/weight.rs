//! The gradient in w by the same 16 points, F(3 x 3, 2 x 2) (Lavin & Gray 2016, section 4.2), which is the transpose of
//! the convolution's: dw = G^T [sum over tiles of (B^T x B) * (A dy A^T)] G takes 16 multiply-adds a tile and pair of
//! channels where the definition takes 36. The tiles of x are those of y.
//!
//! Chunk by chunk the tiles of x and dy are transformed, one dispatch of `matmul`'s kernels sums their products over the
//! chunk, in parts where the filters are too few to keep a GPU busy, and the sums are transformed back and added to what
//! earlier chunks made. (A dy A^T)[1, 1] is the sum of a tile of dy, so that the columns which the products sum anyway have
//! the gradient of a bias.
//!
//! # How exact it is
//! As for y ([`super`]), a result's error is held against the root mean square of its own sum. Each product is a sum over t
//! tiles, the transforms add 9 roundings to a term (two sums for x, two for dy, one product, four sums back), and adding up
//! parts and chunks is part of the sum: `sum(t + 9)` of the product's own root mean square.
//!
//! Along one axis a tile adds to the three results, tap 0, 1, 2,
//!   (d0 - d2) g0 + p + q, p - q, p + q + (d3 - d1) g1, p = (d1 + d2) (g0 + g1) / 2, q = (d2 - d1) (g0 - g1) / 2.
//! Over pixels d of which nothing is known the mean square of the first is 3 g0^2 + g1^2, against g0^2 + g1^2 of the result:
//! 2 for a dy of which nothing is known, 3 at most, for g ~ (1, 0). The second has 1 and the last mirrors the first. Over
//! a dy of which nothing is known the first is (d0 - d2)^2 + d1^2 + d2^2, where d2 is the next tile's d0. Odd pixels have
//! 1; even ones 2, and 5 where their signs alternate. At the border a pixel is seen by fewer taps than three: summed over a
//! line of tiles, against the mean of the three results, it is a chain of couplings 1 that begins with sqrt(3) and ends
//! with sqrt(3 / 2) around 3, whose largest eigenvalue is 3 + 3 / sqrt(2) for any number of tiles, 5.12. The axes
//! multiply: the root is 2 typically and never more than 3 + 3 / sqrt(2), which the bound has. Beside the definition's
//! `sum(4 t)` that is 2.6 times as much.

use crate::graph::chain::vector;
use crate::graph::op::Tolerance;
use crate::kernel::{
    Binding, Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, scratch,
};
use crate::op::matmul::lower::Tiling;
use crate::op::matmul::{MatMul, product_by};
use crate::tensor::TensorSpec;

use super::{PRODUCTS, Tiles, product, width};

/// Roundings that the transforms add to each term.
const ROUNDINGS: usize = 9;

/// Root mean square of the products against that of the results, at most: 3 + 3 / sqrt(2).
const AMPLIFICATION: f64 = 3.0 + 3.0 * std::f64::consts::FRAC_1_SQRT_2;

/// The sums of dy's channels, which are among those of the products' columns.
const SUMS: &str = "\
@group(0) @binding(2) var<storage, read> partial_sums: array<T>;
@group(0) @binding(3) var<storage, read_write> sums: array<T>;
fn partial_sum(i: u32) -> T { return partial_sums[i]; }
fn store_sum(i: u32, x: T) {
    if ADDS { sums[i] += x; } else { sums[i] = x; }
}
";

/// How far results may lie from the f64 reference, which are sums over so many tiles.
pub(super) fn tolerance(tiles: usize) -> Tolerance {
    Tolerance(AMPLIFICATION * Tolerance::sum(tiles + ROUNDINGS).0)
}

impl Tiles {
    /// For each chunk the transforms of x and of dy, the products, in parts if need be, and the filter's.
    pub(super) fn filter_gradient(&self, variant: &Variant, sums: bool, caps: &Caps) -> Lowered {
        let [from, to] = self.channels();
        let chunk = self.chunk(caps).unwrap_or_else(|| self.count());
        let product = product(variant);
        let splits = Tiling::of(&product).splits;
        let lengths = [chunk * from, chunk * to, splits * from * to, splits * to];
        let lengths = lengths.map(|length| PRODUCTS * length);
        let op = MatMul { transpose_a: true, sums, ..MatMul::default() };
        let mut dispatches = Vec::new();
        for first in (0..self.count()).step_by(chunk) {
            let tiles = chunk.min(self.count() - first);
            let v = scratch(0).range(0, PRODUCTS * tiles * from);
            let e = scratch(1).range(0, PRODUCTS * tiles * to);
            dispatches.push(self.input(v, first, tiles, caps));
            dispatches.push(self.dy(e, first, tiles, caps));
            let operands = [v.read(), e.read(), scratch(2), scratch(3)];
            dispatches.push(product_by(&product, &op, self.products(tiles), &operands, caps));
            dispatches.push(self.dw(splits, sums, first > 0, caps));
        }
        let lengths = &lengths[..3 + usize::from(sums)];
        let scratch = lengths.iter().map(|length| TensorSpec::f32([*length])).collect();
        Lowered { dispatches, scratch }
    }

    fn dy(&self, e: Binding, first: usize, tiles: usize, caps: &Caps) -> Dispatch {
        let width = width(self.to[3]);
        self.over("conv2d/winograd_dy", (self.to, width), first..first + tiles, caps)
            .bind("dy", input(1))
            .bind("e", e)
    }

    /// Of sums in `splits` parts; `adds` to what there is.
    fn dw(&self, splits: usize, sums: bool, adds: bool, caps: &Caps) -> Dispatch {
        let [from, to] = self.channels();
        let width = width(to);
        let (count, columns) = (from * to / width, if sums { to / width } else { 0 });
        let kernel = Kernel::new("conv2d/winograd_dw")
            .with_text("T", vector(width))
            .with_text("ADDS", adds.to_string());
        let mut dispatch = Dispatch::new(kernel, grid((count + columns).div_ceil(64), caps))
            .bind("m", scratch(2).read())
            .bind("dw", output(0))
            .param("count", count)
            .param("splits", splits)
            .param("columns", columns);
        if sums {
            dispatch.kernel = dispatch.kernel.with_text("SUMS", "true").with_hook("sums", SUMS);
            dispatch = dispatch.bind("partial_sums", scratch(3).read()).bind("sums", output(1));
        }
        dispatch
    }
}

#[cfg(test)]
mod tests;
