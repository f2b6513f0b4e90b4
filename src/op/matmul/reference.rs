//! The product in f64, and smaller problems that stand for those it would take minutes for.

use crate::host::parallel::*;
use crate::tensor::{Array, TensorSpec};

use super::MatMul;
use super::plan::Problem;

/// Multiply-adds above which verification takes a smaller problem.
const MOST_WORK: usize = 200_000_000;

/// Least common multiple of all tiles' rows and columns, and a multiple of every step of k.
const TILE: usize = 128;

impl MatMul {
    /// C, row by row, without the epilogue.
    pub(super) fn product_in_f64(&self, p: Problem, a: &Array, b: &Array) -> Vec<f64> {
        let mut c = vec![0.0; p.outputs()];
        c.par_chunks_mut(p.n).enumerate().for_each(|(row, c)| {
            let (g, m) = (row / p.m, row % p.m);
            let a = &a.data[g * p.m * p.k..][..p.m * p.k];
            let b = &b.data[g * p.k * p.n..][..p.k * p.n];
            let a = |k: usize| {
                if self.transpose_a { a[k * p.m + m] } else { a[m * p.k + k] }
            };
            if self.transpose_b {
                for (c, b) in c.iter_mut().zip(b.chunks_exact(p.k)) {
                    *c = b.iter().enumerate().map(|(k, b)| a(k) * b).sum();
                }
            } else {
                for (k, b) in b.chunks_exact(p.n).enumerate() {
                    let a = a(k);
                    c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
                }
            }
        });
        c
    }

    /// Inputs of a problem that takes every variant through the same text: each length that spans several
    /// tiles is cut by whole tiles, so that remainders and vec4 alignment stay, and k likewise.
    ///
    /// What it leaves out: grids folded into two dimensions, and rounding over a longer k. An epilogue
    /// with a shape of its own keeps M and N.
    pub(super) fn cut(&self, p: Problem, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        if p.outputs() * p.k <= MOST_WORK {
            return inputs.to_vec();
        }
        if self.has_rows(&inputs[0].shape, &inputs[1].shape) {
            return match flattened(p, inputs) {
                Some(flat) => self.cut(p, &flat),
                None => inputs.to_vec(),
            };
        }
        let short = |length: usize, tiles: usize| length.min(length % TILE + tiles * TILE);
        let expands = self.epilogue.as_ref().is_some_and(|e| e.expand.is_some());
        let (tiles, batch) =
            if expands { (usize::MAX / TILE - 1, p.batch) } else { (2, p.batch.min(3)) };
        let q = Problem { batch, m: short(p.m, tiles), n: short(p.n, tiles), k: short(p.k, 4) };
        let rank = inputs[0].shape.rank();
        let dims = |g: usize, r: usize, c: usize| [g, r, c][3 - rank..].to_vec();
        let operand = |r: usize, c: usize, turned: bool| {
            TensorSpec::f32(if turned { dims(q.batch, c, r) } else { dims(q.batch, r, c) })
        };
        let (old, new) = (dims(p.batch, p.m, p.n), dims(q.batch, q.m, q.n));
        let clock = |i: usize| self.epilogue.as_ref().is_some_and(|e| e.is_clock(i - 1));
        // The epilogue's inputs broadcast to C: their last axes are C's last axes, or 1.
        let extra = |(i, spec): (usize, &TensorSpec)| {
            if clock(i) {
                return spec.clone();
            }
            let missing = rank.saturating_sub(spec.shape.rank());
            let axes = spec.dims().iter().zip(old[missing..].iter().zip(&new[missing..]));
            let dims = axes.map(|(&d, (&old, &new))| if d == old { new } else { d });
            TensorSpec::new(dims.collect::<Vec<_>>(), spec.dtype)
        };
        [operand(q.m, q.k, self.transpose_a), operand(q.k, q.n, self.transpose_b)]
            .into_iter()
            .chain(inputs.iter().enumerate().skip(2).map(extra))
            .collect()
    }
}

/// The inputs of a product over rows as plain matrices; `None` where an epilogue's input has a shape that
/// only the leading axes explain.
fn flattened(p: Problem, inputs: &[TensorSpec]) -> Option<Vec<TensorSpec>> {
    let mut flat = inputs.to_vec();
    flat[0] = TensorSpec::f32([p.m, p.k]);
    for spec in &mut flat[2..] {
        if spec.len() == p.outputs() {
            *spec = TensorSpec::f32([p.m, p.n]);
        } else if spec.len() != 1 && spec.shape.rank() > 1 {
            return None;
        }
    }
    Some(flat)
}
