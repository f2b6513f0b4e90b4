//! The gradient in w by the same points, F(3 x 3, 2 x 2), F(3 x 3, 4 x 4) or F(5 x 5, 4 x 4) (Lavin & Gray 2016, section 4.2), which is the
//! transpose of the convolution's: dw = G^T [sum over tiles of (B^T x B) * (A dy A^T)] G takes as many multiply-adds a tile
//! and pair of channels. The tiles of x are those of y.
//!
//! Chunk by chunk the tiles of x and dy are transformed, one dispatch of `matmul`'s kernels sums their products over the
//! chunk, in parts where the filters are too few to keep a GPU busy, and the sums are transformed back and added to what
//! earlier chunks made. The sum of a tile of dy is its polynomial at 1, along both axes, so that the columns which the
//! products sum anyway have the gradient of a bias.
//!
//! # How exact it is
//! As for y ([`super`]), a result's error is held against the root mean square of its own sum. Each product is a sum over t
//! tiles, the transforms add r roundings to a term, and adding up parts and chunks is part of the sum: `sum(t + r)` of the
//! product's own root mean square.
//!
//! F(3 x 3, 2 x 2): r is 9, two sums for x, two for dy, one product, four sums back. Along one axis a tile adds to the three
//! results, tap 0, 1, 2,
//!   (d0 - d2) g0 + p + q, p - q, p + q + (d3 - d1) g1, p = (d1 + d2) (g0 + g1) / 2, q = (d2 - d1) (g0 - g1) / 2.
//! Over pixels d of which nothing is known the mean square of the first is 3 g0^2 + g1^2, against g0^2 + g1^2 of the result:
//! 2 for a dy of which nothing is known, 3 at most, for g ~ (1, 0). The second has 1 and the last mirrors the first. Over
//! a dy of which nothing is known the first is (d0 - d2)^2 + d1^2 + d2^2, where d2 is the next tile's d0. Odd pixels have
//! 1; even ones 2, and 5 where their signs alternate. At the border a pixel is seen by fewer taps than three: summed over a
//! line of tiles, against the mean of the three results, it is a chain of couplings 1 that begins with sqrt(3) and ends
//! with sqrt(3 / 2) around 3, whose largest eigenvalue is 3 + 3 / sqrt(2) for any number of tiles, 5.12. The axes
//! multiply: the root is 2 typically and never more than 3 + 3 / sqrt(2), which the bound has. Beside the definition's
//! `sum(4 t)` that is 2.6 times as much.
//!
//! F(3 x 3, 4 x 4): r is 29, ten for x, eight for dy, one product, ten back. With nothing known of x and dy the first tap and
//! the last have 6.0 along an axis, the middle one 3.1. Over pixels of which nothing is known they have 16.2 at most, over a
//! dy of which nothing is known 19.21 over a line of any number of tiles, by the largest eigenvalue of its form, which the
//! tests compute. (A line of one result without padding has 15 typically, and 31 at most.) The bound has 19.22, beside the
//! definition's `sum(16 t)` 4.8 times as much. As all that go by the root of a sum's length, it hides more the longer a sum
//! is: of 131,072 tiles, the most that one sum has, a coefficient that is a thousandth off; of the tests' 576 it does not.
//!
//! F(5 x 5, 4 x 4): r is 35, fourteen for x, six for dy, one product, fourteen back. The first tap and the last have 35.9
//! along an axis typically, the inner ones 6 to 9. Over pixels of which nothing is known it is 116.9 at most, over a dy of
//! which nothing is known 173.96 over a line of tiles. The bound has 173.97, beside the definition's `sum(16 t)` 43 times as much.
//!
//! Where some parts of a filter lack the last row or column ([`super`]), F(3 x 3, 2 x 2) has 3 + sqrt(5) and F(3 x 3, 4 x 4)
//! 20.31; F(5 x 5, 4 x 4) no more than for whole ones.

use std::ops::Range;

use crate::kernel::{Binding, Caps, Dispatch, Lowered, Variant, grid, input, output, scratch};
use crate::op::matmul::lower::Tiling;
use crate::op::matmul::{MatMul, product_by};
use crate::tensor::TensorSpec;

use super::{Tiles, product, workgroups};

/// What `winograd_gradient` stores, from binding `at` on.
fn gradient_at(at: usize) -> String {
    let dw = at + 1;
    format!(
        "\
@group(0) @binding({at}) var<storage, read> parts: array<T>;
@group(0) @binding({dw}) var<storage, read_write> dw: array<T>;
"
    )
}

/// The sums of dy's channels, which are among those of the products' columns, from binding `at` on.
fn sums_at(at: usize) -> String {
    let sums = at + 1;
    format!(
        "\
@group(0) @binding({at}) var<storage, read> partial_sums: array<T>;
@group(0) @binding({sums}) var<storage, read_write> sums: array<T>;
fn partial_sum(i: u32) -> T {{ return partial_sums[i]; }}
fn store_sum(i: u32, x: T) {{
    if ADDS {{ sums[i] += x; }} else {{ sums[i] = x; }}
}}
"
    )
}

impl Tiles {
    /// For each chunk the transforms of x and of dy in one dispatch, the products, in parts if need be, and the filter's.
    pub(super) fn filter_gradient(&self, variant: &Variant, sums: bool, caps: &Caps) -> Lowered {
        let (from, to, products) = (self.from[3], self.to[3], self.algorithm.products());
        let chunk = self.chunk(caps).unwrap_or_else(|| self.count());
        let product = product(variant);
        let splits = Tiling::of(&product).splits;
        let lengths = [chunk * from, chunk * to, splits * self.weights(), splits * to];
        let lengths = lengths.map(|length| products * length);
        let op = MatMul { transpose_a: true, sums, ..MatMul::default() };
        let mut dispatches = Vec::new();
        for first in (0..self.count()).step_by(chunk) {
            let tiles = chunk.min(self.count() - first);
            let v = scratch(0).range(0, products * tiles * from);
            let e = scratch(1).range(0, products * tiles * to);
            dispatches.push(self.factors(v, e, first..first + tiles, caps));
            let operands = [v.read(), e.read(), scratch(2), scratch(3)];
            dispatches.push(product_by(&product, &op, self.products(tiles), &operands, caps));
            dispatches.push(self.dw(splits, sums, first > 0, caps));
        }
        let lengths = &lengths[..3 + usize::from(sums)];
        let scratch = lengths.iter().map(|length| TensorSpec::f32([*length])).collect();
        Lowered { dispatches, scratch }
    }

    /// Both factors of the products over some tiles.
    fn factors(&self, v: Binding, e: Binding, tiles: Range<usize>, caps: &Caps) -> Dispatch {
        let width = self.width(caps);
        let [of_x, of_dy] =
            [self.from, self.to].map(|image| workgroups(tiles.len() * image[3] / width));
        let kernel = self
            .algorithm
            .kernel("conv2d/winograd_dw_operands", width)
            .with_consts(&[("STRIDE", self.stride as u32)]);
        let factors = Dispatch::new(kernel, grid(of_x + of_dy, caps))
            .bind("x", input(0))
            .bind("dy", input(1))
            .bind("v", v)
            .bind("e", e);
        let [_, rows, columns, channels] = self.to;
        self.x_in_tiles(factors, tiles, width)
            .param("dy_rows", rows)
            .param("dy_columns", columns)
            .param("dy_channels", channels / width)
            .param("dy_width", channels / self.groups / width)
            .param("of_x", of_x)
    }

    /// Of sums in `splits` parts; `adds` to what there is.
    fn dw(&self, splits: usize, sums: bool, adds: bool, caps: &Caps) -> Dispatch {
        let width = self.algorithm.width(self.channels()[1], caps);
        let grid = grid(workgroups(self.stored(sums) / width), caps);
        let dispatch = Dispatch::new(self.over_weights("conv2d/winograd_dw", width), grid);
        let products = [scratch(2).read(), output(0)];
        let columns = sums.then(|| [scratch(3).read(), output(1)]);
        let dispatch = storing(dispatch, products, columns, adds);
        self.filters(dispatch, false, width).param("splits", splits)
    }

    /// Values of a plane of the products, and of the sums of dy's channels.
    pub(super) fn stored(&self, sums: bool) -> usize {
        self.weights() + if sums { self.to[3] } else { 0 }
    }
}

/// Has a kernel bind the products, in parts, and the gradient in w that it stores of them; the sums of their columns, in parts,
/// and those that it stores. It `adds` to what there is.
pub(super) fn storing(
    mut dispatch: Dispatch,
    [parts, dw]: [Binding; 2],
    columns: Option<[Binding; 2]>,
    adds: bool,
) -> Dispatch {
    let at = dispatch.bindings.len();
    dispatch.kernel = dispatch.kernel.with_text("ADDS", adds.to_string());
    dispatch.kernel = dispatch.kernel.with_hook("gradient", gradient_at(at));
    dispatch = dispatch.bind("parts", parts).bind("dw", dw);
    if let Some([parts, sums]) = columns {
        dispatch.kernel =
            dispatch.kernel.with_text("SUMS", "true").with_hook("sums", sums_at(at + 2));
        dispatch = dispatch.bind("partial_sums", parts).bind("sums", sums);
    }
    dispatch
}

#[cfg(test)]
mod tests;
