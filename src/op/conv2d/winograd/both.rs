//! Both gradients of a convolution together, where its result has the size of its image: they share all dispatches but the
//! products', four for six, and a tile of dy is read once for the factors of both. Every value is of the same sums and
//! products as where they are made apart.

use std::ops::Range;

use crate::graph::chain::Epilogue;
use crate::kernel::{Binding, Caps, Dispatch, Lowered, Variant, grid, input, output, scratch};
use crate::op::matmul::lower::Tiling;
use crate::op::matmul::{MatMul, product_by};
use crate::tensor::TensorSpec;

use super::weight::storing;
use super::{Tiles, product, workgroups};

/// Scratch: the factors of dx's products, the filters and dy; those of dw's, x and dy, and these products, in parts, with the
/// sums of their columns. The products for dx take the place of x, whose own are made before.
const U: usize = 0;
const V_OF_DY: usize = 1;
const V: usize = 2;
const E: usize = 3;
const PARTS: usize = 4;
const COLUMNS: usize = 5;

/// The tiles of both, which are of one algorithm. The op's inputs are dy, w, the epilogue's and x; its outputs dx, dw and
/// the sums of dy's channels, where they are asked for.
pub(in crate::op::conv2d) struct Both<'a> {
    pub(in crate::op::conv2d) of_x: Tiles,
    pub(in crate::op::conv2d) of_w: Tiles,
    /// Of dx.
    pub(in crate::op::conv2d) epilogue: &'a Epilogue,
    /// Whether dy's channels are summed.
    pub(in crate::op::conv2d) sums: bool,
    /// Which of the inputs x is.
    pub(in crate::op::conv2d) x: usize,
}

impl Both<'_> {
    /// For each chunk the transforms of all factors, the products of either gradient, and both gradients of these.
    pub(in crate::op::conv2d) fn lower(&self, variants: &[Variant; 2], caps: &Caps) -> Lowered {
        let [of_x, of_w] = [&self.of_x, &self.of_w];
        let (products, [dy, x]) = (of_x.algorithm.products(), [of_x.from[3], of_x.to[3]]);
        let chunk = of_x.chunk(caps).unwrap_or_else(|| of_x.count());
        let [for_x, for_w] = variants.each_ref().map(product);
        let splits = Tiling::of(&for_w).splits;
        let weights = of_x.weights();
        let lengths = [weights, chunk * dy, chunk * x, chunk * dy, splits * weights, splits * dy]
            .map(|length| products * length);
        let turned = MatMul { transpose_b: true, ..MatMul::default() };
        let over_tiles = MatMul { transpose_a: true, sums: self.sums, ..MatMul::default() };
        let mut dispatches = Vec::new();
        for first in (0..of_x.count()).step_by(chunk) {
            let tiles = first..of_x.count().min(first + chunk);
            let of_tiles = |at: usize, channels: usize| {
                scratch(at).range(0, products * tiles.len() * channels)
            };
            let u = scratch(U).range(0, lengths[U]);
            let [v_of_dy, v, e] = [of_tiles(V_OF_DY, dy), of_tiles(V, x), of_tiles(E, dy)];
            let operands = self
                .operands(tiles.clone(), caps)
                .bind("x", input(self.x))
                .bind("w", input(1))
                .bind("v", v)
                .bind("u", u)
                .bind("dy", input(0))
                .bind("v_of_dy", v_of_dy)
                .bind("e", e);
            dispatches.push(operands);
            let sizes = of_w.products(tiles.len());
            let factors = [v.read(), e.read(), scratch(PARTS), scratch(COLUMNS)];
            dispatches.push(product_by(&for_w, &over_tiles, sizes, &factors, caps));
            let sizes = of_x.products(tiles.len());
            let factors = [v_of_dy.read(), u.read(), v];
            dispatches.push(product_by(&for_x, &turned, sizes, &factors, caps));
            dispatches.push(self.gradients(v.read(), tiles, splits, caps));
        }
        let lengths = &lengths[..COLUMNS + usize::from(self.sums)];
        let scratch = lengths.iter().map(|length| TensorSpec::f32([*length])).collect();
        Lowered { dispatches, scratch }
    }

    /// All factors of some tiles; the filters with the first.
    fn operands(&self, tiles: Range<usize>, caps: &Caps) -> Dispatch {
        let [of_x, of_w] = [&self.of_x, &self.of_w];
        let width = of_x.width(caps);
        let filters = if tiles.start == 0 { workgroups(of_x.weights() / width) } else { 0 };
        let [dy, x] = [of_x, of_w].map(|of| workgroups(tiles.len() * of.from[3] / width));
        let kernel =
            of_x.over_weights("conv2d/winograd_grads_operands", width).with_text("TURNED", "true");
        let operands = Dispatch::new(kernel, grid(filters + x + dy, caps));
        let operands = of_x.x_in_tiles(operands, tiles, width);
        of_x.filters(operands, true, width)
            .param("of_w", filters)
            .param("x_channels", of_w.from[3] / width)
            .param("x_width", of_w.from[3] / of_w.groups / width)
            .param("of_x", x)
    }

    /// dx of some tiles, and dw, of its products in `splits` parts.
    fn gradients(&self, m: Binding, tiles: Range<usize>, splits: usize, caps: &Caps) -> Dispatch {
        let [of_x, of_w] = [&self.of_x, &self.of_w];
        let width = if self.epilogue.allows_vec4() { of_x.width(caps) } else { 1 };
        let x = workgroups(tiles.len() * of_x.to[3] / width);
        let grid = grid(x + workgroups(of_w.stored(self.sums) / width), caps);
        let kernel = of_x.over_weights("conv2d/winograd_grads", width);
        let gradients = Dispatch::new(kernel, grid).bind("m", m).bind("y", output(0));
        let columns = self.sums.then(|| [scratch(COLUMNS).read(), output(2)]);
        let adds = tiles.start > 0;
        let gradients = storing(gradients, [scratch(PARTS).read(), output(1)], columns, adds);
        let gradients = of_x.cut(of_x.image(gradients, of_x.to, width), tiles);
        let gradients =
            of_w.filters(gradients, false, width).param("splits", splits).param("of_x", x);
        self.epilogue.attach_wide(gradients, width)
    }
}
