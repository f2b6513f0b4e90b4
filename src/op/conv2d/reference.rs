//! Convolutions in f64, straight from the definition, and smaller problems for verification.

use crate::host::parallel::*;
use crate::tensor::{Array, DType, TensorSpec};

use super::{Conv2dProblem, Geometry, Pass};

/// Multiply-adds up to which a problem is checked as it is: a second or two in f64.
const MOST_WORK: usize = 1 << 28;

/// Windows in each direction of a smaller problem: more than a tile of any kernel, with both borders.
const WINDOWS: usize = 9;

/// Calls `each(x, w, y)` with the elements of every product of image `b`.
fn products(g: &Geometry, b: usize, mut each: impl FnMut(usize, usize, usize)) {
    let (cg, ng) = (g.c / g.conv.groups, g.n / g.conv.groups);
    for (p, q) in (0..g.p).flat_map(|p| (0..g.q).map(move |q| (p, q))) {
        for (r, s) in (0..g.r).flat_map(|r| (0..g.s).map(move |s| (r, s))) {
            let h = (p * g.conv.stride + r).wrapping_sub(g.conv.pad);
            let w = (q * g.conv.stride + s).wrapping_sub(g.conv.pad);
            if h >= g.h || w >= g.w {
                continue;
            }
            for group in 0..g.conv.groups {
                for c in 0..cg {
                    let x = ((b * g.h + h) * g.w + w) * g.c + group * cg + c;
                    let f = ((r * g.s + s) * cg + c) * g.n + group * ng;
                    let y = ((b * g.p + p) * g.q + q) * g.n + group * ng;
                    for n in 0..ng {
                        each(x, f + n, y + n);
                    }
                }
            }
        }
    }
}

/// The result of a pass over its two operands.
pub(super) fn product(pass: Pass, g: &Geometry, a: &Array, b: &Array) -> Vec<f64> {
    // What a value of x counts, where it is the first operand.
    let unit = if a.spec.dtype == DType::U8 { 1.0 / 255.0 } else { 1.0 };
    let images = |length: usize, each: &(dyn Fn(usize, &mut [f64]) + Sync)| {
        let mut result = vec![0.0; g.batch * length];
        let parts = result.par_chunks_mut(length).enumerate();
        parts.for_each(|(image, part)| each(image, part));
        result
    };
    match pass {
        Pass::Forward => images(g.p * g.q * g.n, &|image, part| {
            let first = image * part.len();
            products(g, image, |x, w, y| {
                part[y - first] += unit * a.data[x] * b.data[w];
            });
        }),
        Pass::Input { .. } => images(g.h * g.w * g.c, &|image, part| {
            let first = image * part.len();
            products(g, image, |x, w, y| part[x - first] += a.data[y] * b.data[w]);
        }),
        Pass::Weight { .. } => {
            let mut dw = vec![0.0; g.filter().iter().product()];
            for image in 0..g.batch {
                products(g, image, |x, w, y| dw[w] += unit * a.data[x] * b.data[y]);
            }
            dw
        }
    }
}

impl Conv2dProblem {
    /// Inputs of one image or two with fewer windows, where the problem is large: the same channels,
    /// filter, borders and kernels.
    pub(super) fn smaller(&self) -> Option<Vec<TensorSpec>> {
        let g = &self.geometry;
        if g.products() <= MOST_WORK {
            return None;
        }
        let length = |windows: usize, filter: usize, pixels: usize, covered_by: usize| {
            if windows == covered_by {
                return pixels;
            }
            let rest = (pixels + 2 * g.conv.pad - filter) % g.conv.stride;
            g.conv.pixels(windows, filter, rest)
        };
        // No fewer than leave pixels between the borders.
        let least = |filter: usize| WINDOWS.max(2 * g.conv.pad.div_ceil(g.conv.stride) + filter);
        let (p, q) = (g.p.min(least(g.r)), g.q.min(least(g.s)));
        let small = Geometry {
            batch: g.batch.min(2),
            p,
            q,
            h: length(p, g.r, g.h, g.p),
            w: length(q, g.s, g.w, g.q),
            ..*g
        };
        let (whole, result) = (g.result(self.pass), small.result(self.pass));
        let extras = self.epilogue.resized(&self.inputs[2..], &whole, &result);
        let operands = self.inputs.iter().zip(small.operands(self.pass));
        let operands = operands.map(|(spec, dims)| TensorSpec::new(dims, spec.dtype));
        let smaller: Vec<_> = operands.chain(extras).collect();
        (smaller != self.inputs).then_some(smaller)
    }
}
