//! The product in f64, and smaller problems that stand in for those that would take minutes.

use crate::host::parallel::*;
use crate::tensor::{Array, TensorSpec};

use super::MatMulProblem;
use super::plan::Sizes;

/// Multiply-adds above which verification takes a smaller problem.
const MOST_WORK: usize = 200_000_000;

/// Least common multiple of all tiles' rows and columns, and a multiple of every step of k.
const TILE: usize = 128;

impl MatMulProblem {
    /// C, row by row, without the epilogue.
    pub(super) fn product_in_f64(&self, a: &Array, b: &Array) -> Vec<f64> {
        let Sizes { m, n, k, .. } = self.sizes;
        let mut c = vec![0.0; self.sizes.outputs()];
        c.par_chunks_mut(n).enumerate().for_each(|(row, c)| {
            let (matrix, row) = (row / m, row % m);
            let a = &a.data[matrix * m * k..][..m * k];
            let b = &b.data[matrix * k * n..][..k * n];
            let a = |at: usize| {
                if self.transpose_a { a[at * m + row] } else { a[row * k + at] }
            };
            if self.transpose_b {
                for (c, b) in c.iter_mut().zip(b.chunks_exact(k)) {
                    *c = b.iter().enumerate().map(|(at, b)| a(at) * b).sum();
                }
            } else {
                for (at, b) in b.chunks_exact(n).enumerate() {
                    let a = a(at);
                    c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
                }
            }
        });
        c
    }

    /// The terms of one value of C, without the epilogue.
    pub(super) fn terms_at<'a>(
        &self,
        a: &'a Array,
        b: &'a Array,
        place: usize,
    ) -> impl Iterator<Item = f64> + 'a {
        let Sizes { m, n, k, .. } = self.sizes;
        let (matrix, row, column) = (place / n / m, place / n % m, place % n);
        let a = &a.data[matrix * m * k..][..m * k];
        let b = &b.data[matrix * k * n..][..k * n];
        let (turned_a, turned_b) = (self.transpose_a, self.transpose_b);
        (0..k).map(move |at| {
            let a = if turned_a { a[at * m + row] } else { a[row * k + at] };
            let b = if turned_b { b[column * k + at] } else { b[at * n + column] };
            a * b
        })
    }

    /// The sums of B's columns, matrix by matrix.
    pub(super) fn column_sums_in_f64(&self, b: &Array) -> Vec<f64> {
        let Sizes { batch, n, k, .. } = self.sizes;
        let at = |i: usize, row: usize| {
            let inside = if self.transpose_b { i % n * k + row } else { row * n + i % n };
            i / n * n * k + inside
        };
        (0..batch * n).map(|i| (0..k).map(|row| b.data[at(i, row)]).sum()).collect()
    }

    /// Inputs of a problem that takes every variant through the same text: each length that spans several
    /// tiles is cut by whole tiles, so that remainders and vec4 alignment stay, and k likewise.
    ///
    /// What it leaves out, grids folded into two dimensions and rounding over a longer k, is seen at sampled places of
    /// the whole. An epilogue with a shape of its own keeps M and N.
    pub(super) fn cut(&self) -> Option<Vec<TensorSpec>> {
        let p = self.sizes;
        if p.outputs() * p.k <= MOST_WORK {
            return None;
        }
        let inputs = if self.b_serves_all { self.flattened()? } else { self.inputs.clone() };
        let chain = self.epilogue.chain.as_ref();
        let (tiles, batch) = if chain.is_some_and(|chain| chain.expand.is_some()) {
            (usize::MAX / TILE - 1, p.batch)
        } else {
            (2, p.batch.min(3))
        };
        let q = Sizes { batch, m: cut_to(p.m, tiles), n: cut_to(p.n, tiles), k: cut_to(p.k, 4) };
        let rank = inputs[0].shape.rank();
        let dims = |axes: [usize; 3]| axes[3 - rank..].to_vec();
        let stored = |r, c, turned| if turned { [q.batch, c, r] } else { [q.batch, r, c] };
        let (old, new) = (dims([p.batch, p.m, p.n]), dims([q.batch, q.m, q.n]));
        let operands = [stored(q.m, q.k, self.transpose_a), stored(q.k, q.n, self.transpose_b)];
        let operands = operands.map(|axes| TensorSpec::f32(dims(axes)));
        let smaller = [&operands[..], &self.epilogue.resized(&inputs[2..], &old, &new)].concat();
        (smaller != self.inputs).then_some(smaller)
    }

    /// The inputs of a product over rows as plain matrices; `None` where an epilogue's input has a shape that
    /// only the leading axes explain.
    fn flattened(&self) -> Option<Vec<TensorSpec>> {
        let Sizes { m, n, k, .. } = self.sizes;
        let mut flat = self.inputs.clone();
        flat[0] = TensorSpec::f32([m, k]);
        for spec in &mut flat[2..] {
            if spec.len() == m * n {
                *spec = TensorSpec::f32([m, n]);
            } else if spec.len() != 1 && spec.shape.rank() > 1 {
                return None;
            }
        }
        Some(flat)
    }
}

/// `length` cut by whole tiles to at most `tiles` of them and the remainder.
fn cut_to(length: usize, tiles: usize) -> usize {
    length.min(length % TILE + tiles * TILE)
}
