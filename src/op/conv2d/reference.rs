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
        for (r, s) in g.taps() {
            let Some((h, w)) = g.pixel((p, q), (r, s)) else { continue };
            for c in 0..g.c {
                // The first channel of y in the group.
                let n = c / cg * ng;
                let x = place_of([b, h, w, c], [g.h, g.w, g.c]);
                let y = place_of([b, p, q, n], [g.p, g.q, g.n]);
                let weight = g.weight(r, s, c, n);
                for n in 0..ng {
                    each(x, weight + n, y + n);
                }
            }
        }
    }
}

/// What a value of x counts, where it is the first operand.
fn unit(x: &Array) -> f64 {
    if x.spec.dtype == DType::U8 { 1.0 / 255.0 } else { 1.0 }
}

/// The result of a pass over its two operands.
pub(super) fn product(pass: Pass, g: &Geometry, a: &Array, b: &Array) -> Vec<f64> {
    let unit = unit(a);
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

/// The terms of one value of a pass's result.
pub(super) fn terms_at(pass: Pass, g: &Geometry, a: &Array, b: &Array, place: usize) -> Vec<f64> {
    let unit = unit(a);
    let (cg, ng) = (g.c / g.conv.groups, g.n / g.conv.groups);
    let mut terms = Vec::new();
    match pass {
        Pass::Forward => {
            let [image, p, q, n] = axes_of(place, [g.p, g.q, g.n]);
            for (r, s) in g.taps() {
                let Some((h, w)) = g.pixel((p, q), (r, s)) else { continue };
                for c in n / ng * cg..(n / ng + 1) * cg {
                    let x = place_of([image, h, w, c], [g.h, g.w, g.c]);
                    terms.push(unit * a.data[x] * b.data[g.weight(r, s, c, n)]);
                }
            }
        }
        Pass::Input { .. } => {
            let [image, h, w, c] = axes_of(place, [g.h, g.w, g.c]);
            for (r, s) in g.taps() {
                let Some((p, q)) = g.window((h, w), (r, s)) else { continue };
                for n in c / cg * ng..(c / cg + 1) * ng {
                    let y = place_of([image, p, q, n], [g.p, g.q, g.n]);
                    terms.push(a.data[y] * b.data[g.weight(r, s, c, n)]);
                }
            }
        }
        Pass::Weight { .. } => {
            let [r, s, c, n] = axes_of(place, [g.s, cg, g.n]);
            let c = n / ng * cg + c;
            for window in 0..g.batch * g.p * g.q {
                let [_, image, p, q] = axes_of(window, [g.batch, g.p, g.q]);
                let Some((h, w)) = g.pixel((p, q), (r, s)) else { continue };
                let x = place_of([image, h, w, c], [g.h, g.w, g.c]);
                terms.push(unit * a.data[x] * b.data[window * g.n + n]);
            }
        }
    }
    terms
}

/// The place of a value along each of four axes, of which the last three have these lengths.
fn axes_of(place: usize, [second, third, fourth]: [usize; 3]) -> [usize; 4] {
    let (rows, last) = (place / fourth, place % fourth);
    [rows / third / second, rows / third % second, rows % third, last]
}

/// The inverse.
fn place_of([a, b, c, d]: [usize; 4], [second, third, fourth]: [usize; 3]) -> usize {
    ((a * second + b) * third + c) * fourth + d
}

impl Geometry {
    /// The filter's rows and columns.
    fn taps(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.r).flat_map(move |r| (0..self.s).map(move |s| (r, s)))
    }

    /// The pixel of x that a window sees with a tap of the filter; nothing in the padding.
    fn pixel(self, window: (usize, usize), tap: (usize, usize)) -> Option<(usize, usize)> {
        let h = (window.0 * self.conv.stride + tap.0).checked_sub(self.conv.pad)?;
        let w = (window.1 * self.conv.stride + tap.1).checked_sub(self.conv.pad)?;
        (h < self.h && w < self.w).then_some((h, w))
    }

    /// The window that sees a pixel with a tap, where there is one.
    fn window(self, pixel: (usize, usize), tap: (usize, usize)) -> Option<(usize, usize)> {
        let h = (pixel.0 + self.conv.pad).checked_sub(tap.0)?;
        let w = (pixel.1 + self.conv.pad).checked_sub(tap.1)?;
        let is_whole = h.is_multiple_of(self.conv.stride) && w.is_multiple_of(self.conv.stride);
        let (p, q) = (h / self.conv.stride, w / self.conv.stride);
        (is_whole && p < self.p && q < self.q).then_some((p, q))
    }

    /// The place of the weight that joins channel `c` of x with channel `n` of y, which are of one group.
    fn weight(self, r: usize, s: usize, c: usize, n: usize) -> usize {
        let channels = self.c / self.conv.groups;
        ((r * self.s + s) * channels + c % channels) * self.n + n
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
