//! Convolutions in f64, straight from the definition, and smaller problems for verification.

use crate::host::parallel::*;
use crate::tensor::{Array, DType, TensorSpec};

use super::{Conv2d, Geometry, Pass};

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
        let mut all = vec![0.0; g.batch * length];
        let parts = all.par_chunks_mut(length).enumerate();
        parts.for_each(|(image, part)| each(image, part));
        all
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

impl Conv2d {
    /// Inputs of one image or two with fewer windows, where the problem is large: the same channels,
    /// filter, borders and kernels. `y` is the result's spec.
    pub(super) fn smaller(
        &self,
        g: &Geometry,
        y: &TensorSpec,
        inputs: &[TensorSpec],
    ) -> Vec<TensorSpec> {
        if g.products() <= MOST_WORK {
            return inputs.to_vec();
        }
        let length = |windows: usize, filter: usize, whole: usize, all: usize| {
            if windows == all {
                return whole;
            }
            let rest = (whole + 2 * g.conv.pad - filter) % g.conv.stride;
            (windows - 1) * g.conv.stride + filter + rest - 2 * g.conv.pad
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
        let operands = match self.pass {
            Pass::Forward => [small.x(), small.filter()],
            Pass::Input { .. } => [small.y(), small.filter()],
            Pass::Weight { .. } => [small.x(), small.y()],
        };
        let result = match self.pass {
            Pass::Forward => small.y(),
            Pass::Input { .. } => small.x(),
            Pass::Weight { .. } => small.filter(),
        };
        // An epilogue's inputs broadcast to the result: each axis is the result's, or 1.
        let extra = |spec: &TensorSpec| {
            let lead = y.shape.rank() - spec.shape.rank();
            let axes = spec.dims().iter().zip(lead..);
            let dims = axes.map(|(&d, axis)| if d == y.dims()[axis] { result[axis] } else { d });
            TensorSpec::new(dims.collect::<Vec<_>>(), spec.dtype)
        };
        let first = inputs.iter().zip(operands);
        let first = first.map(|(spec, dims)| TensorSpec::new(dims, spec.dtype));
        first.chain(inputs[2..].iter().map(extra)).collect()
    }
}
