//! Max pooling over square windows.

use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::chain::{Chain, Epilogue, Function};
use crate::graph::op::{
    Backward, Distribution, Facts, Kind, Op, Problem, Storage, Tolerance, floats,
};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, vector};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{fewer_rows, widths};

/// x [B, H, W, C] to [B, P, Q, C], P = floor((H + 2 pad - window) / stride) + 1. Padding never wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Rows and columns of a window.
    pub window: usize,
    /// Pixels between neighbouring windows.
    pub stride: usize,
    /// Rows and columns around x that hold nothing; less than a window.
    pub pad: usize,
}

/// Its gradient: x, dy to dx. The first largest element of a window, in row-major order, takes all.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxPoolGrad {
    /// What it is the gradient of.
    pub pool: MaxPool,
    /// Applied to each value as it is stored; its other inputs come last and are like x.
    pub epilogue: Option<Chain>,
}

impl MaxPool {
    /// P and Q.
    fn windows(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        let count = |length: usize| {
            let room = (length + 2 * self.pad).checked_sub(self.window)?;
            let windows = room.checked_div(self.stride)? + 1;
            (self.pad < self.window).then_some(windows)
        };
        Some((count(height)?, count(width)?))
    }

    fn pooling(
        self,
        inputs: &[TensorSpec],
        backward: bool,
        epilogue: Option<&Chain>,
    ) -> Result<Pooling, String> {
        floats(inputs)?;
        let x = &inputs[0];
        let &[b, h, w, c] = x.dims() else {
            return Err(format!("{} does not have four axes", x.shape));
        };
        let Some((p, q)) = self.windows(h, w).filter(|_| !x.is_empty()) else {
            return Err(format!("a window of {} does not fit in {}", self.window, x.shape));
        };
        let y = TensorSpec::f32([b, p, q, c]);
        if backward && !inputs[1].is_like(&y) {
            return Err(format!("{} is not {y}", inputs[1]));
        }
        let operands = if backward { 2 } else { 1 };
        if let Some(other) = inputs[operands..].iter().find(|other| !other.is_like(x)) {
            return Err(format!("{other} is not like {x}"));
        }
        let result = if backward { x.clone() } else { y };
        let epilogue = Epilogue::new(epilogue, &result, inputs, operands)?;
        // A comparison for each element of each window.
        let compared = (b * p * q * c * self.window * self.window) as u64;
        let flops = compared + epilogue.flops() * result.len() as u64;
        let tolerance = match backward {
            // As many gradients as windows share an element.
            true => Tolerance::sum(self.window.div_ceil(self.stride).pow(2) + epilogue.depth()),
            false => Tolerance::EXACT,
        };
        // The gradient leaves Tiny out: where denormals are flushed, different values are equal.
        let facts = Facts::moving(flops, inputs, [result], tolerance)
            .drawn_from(Distribution::without_tiny_if(backward));
        let others = inputs.len() - operands;
        Ok(Pooling { pool: self, backward, epilogue, others, b, h, w, c, p, q, facts })
    }
}

impl Op for MaxPool {
    fn kind(&self) -> Kind {
        Kind::new("max_pool", Class::Reduction)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        Ok(Box::new(self.pooling(inputs, false, None)?))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::all(inputs, 1)
    }

    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let op = |pool: MaxPool| MaxPoolGrad { pool, epilogue: None };
        let grad = |dy: Tensor<'g>| dy.graph().apply1(op(*self), &[x[0], dy]);
        vec![dy[0].map(grad)]
    }
}

impl Op for MaxPoolGrad {
    fn kind(&self) -> Kind {
        Kind::new("max_pool_grad", Class::Reduction)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        Ok(Box::new(self.pool.pooling(inputs, true, self.epilogue.as_ref())?))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        ByRows::all(inputs, 1)
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        let epilogue = Some(chain.unless_random()?.behind(self.epilogue.as_ref()));
        Some(Arc::new(Self { epilogue, ..*self }))
    }

    fn epilogue(&self) -> Option<&Chain> {
        self.epilogue.as_ref()
    }
}

/// x [B, H, W, C] and its P x Q windows: the largest of each, or the gradient of that.
#[derive(Debug)]
struct Pooling {
    pool: MaxPool,
    backward: bool,
    epilogue: Epilogue,
    /// Inputs of the epilogue.
    others: usize,
    b: usize,
    h: usize,
    w: usize,
    c: usize,
    p: usize,
    q: usize,
    facts: Facts,
}

impl Pooling {
    /// Calls `each(window, element of x)` in row-major order of windows and of their elements.
    fn walk(&self, mut each: impl FnMut(usize, usize)) {
        let &Self { pool, b, h, w, c, p, q, .. } = self;
        for i in 0..b * p * q * c {
            let (channel, qi, pi, image) = (i % c, i / c % q, i / c / q % p, i / c / q / p);
            for at in 0..pool.window * pool.window {
                let hi = (pi * pool.stride + at / pool.window).wrapping_sub(pool.pad);
                let wi = (qi * pool.stride + at % pool.window).wrapping_sub(pool.pad);
                if hi < h && wi < w {
                    each(i, ((image * h + hi) * w + wi) * c + channel);
                }
            }
        }
    }

    fn largest(&self, x: &Array) -> Vec<f64> {
        let mut y = vec![f64::NEG_INFINITY; self.b * self.p * self.q * self.c];
        self.walk(|window, at| y[window] = y[window].max(x.data[at]));
        y
    }
}

impl Problem for Pooling {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        widths(if self.backward { "grad" } else { "forward" }, self.c)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let MaxPool { window, stride, pad } = self.pool;
        let consts = [("WINDOW", window as u32), ("STRIDE", stride as u32), ("PAD", pad as u32)];
        let kernel = Kernel::new(format!("max_pool/{}", variant.name))
            .with_consts(&consts)
            .with_text("T", vector(width));
        let vectors = self.c / width;
        let lengths = [("H", self.h), ("W", self.w), ("C", vectors), ("P", self.p), ("Q", self.q)];
        let kernel = kernel.with_consts(&lengths.map(|(name, length)| (name, length as u32)));
        let over = |kernel: Kernel, count: usize| {
            let dispatch = Dispatch::new(kernel, grid(count.div_ceil(64), caps));
            dispatch.bind("x", input(0)).param("count", count)
        };
        if !self.backward {
            let forward = over(kernel, self.facts.spec().len() / width);
            return Lowered::one(forward.bind("y", output(0)));
        }
        // Blocks of stride x stride elements, and the windows that cover them.
        let across = window.div_ceil(stride);
        let side = stride * (across - 1) + window.max(stride);
        let [down, across_image] = [self.h, self.w].map(|length| (length - 1 + pad) / stride + 1);
        let kernel = kernel.with_consts(&[
            ("ACROSS", across as u32),
            ("SIDE", side as u32),
            ("BLOCKS_H", down as u32),
            ("BLOCKS_W", across_image as u32),
        ]);
        let gradient = over(kernel, self.b * down * across_image * vectors)
            .bind("dy", input(1))
            .bind("dx", output(0));
        Lowered::one(self.epilogue.attach_wide(gradient, width))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let [mut result] = self.facts.zeros();
        if self.backward {
            let (y, dy) = (self.largest(x), inputs[1]);
            let mut taken = vec![false; y.len()];
            self.walk(|window, at| {
                if !taken[window] && x.data[at] == y[window] {
                    taken[window] = true;
                    result.data[at] += dy.data[window];
                }
            });
        } else {
            result.data = self.largest(x);
        }
        vec![self.epilogue.apply(result, inputs)]
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let &Self { b, h, w, c, p, q, .. } = self;
        let (x, y) = (TensorSpec::f32([b, h, w, c]), TensorSpec::f32([b, p, q, c]));
        let others = vec![x.clone(); self.others];
        let inputs = if self.backward { vec![x, y] } else { vec![x] };
        fewer_rows(&[inputs, others].concat())
    }
}

impl<'g> Tensor<'g> {
    /// The largest value of each window of [B, H, W, C].
    pub fn max_pool(self, pool: MaxPool) -> Tensor<'g> {
        self.graph().apply1(pool, &[self])
    }
}

const fn pool(window: usize, stride: usize, pad: usize) -> MaxPool {
    MaxPool { window, stride, pad }
}

/// Awkward cases of [`MaxPool`] and [`MaxPoolGrad`].
pub(super) fn cases() -> Vec<Case> {
    let sizes = [
        ([1, 1, 1, 1], pool(1, 1, 0)),
        ([1, 2, 2, 4], pool(2, 2, 0)),
        ([2, 7, 5, 3], pool(2, 2, 0)),
        ([2, 7, 9, 8], pool(3, 2, 0)),
        ([1, 8, 7, 5], pool(3, 2, 1)),
        ([2, 6, 6, 12], pool(3, 2, 1)),
        ([1, 5, 5, 4], pool(3, 1, 1)),
        ([1, 9, 9, 2], pool(2, 3, 0)),
        ([3, 56, 56, 64], pool(2, 2, 0)),
        ([33, 129, 65, 20], pool(3, 2, 1)),
    ];
    let mut cases = Vec::new();
    for (dims, pool) in sizes {
        let [b, h, w, c] = dims;
        let MaxPool { window, stride, pad } = pool;
        let x = TensorSpec::f32(dims);
        let name = format!("b{b}_h{h}_w{w}_c{c}_window{window}_stride{stride}_pad{pad}");
        let forward = Case::new(name.as_str(), pool, [x.clone()]);
        let y = forward.problem().facts().spec().clone();
        let grad = MaxPoolGrad { pool, epilogue: None };
        let backward = [x.clone(), y];
        // Behind the relu that made x.
        let relu = Chain::one(Function::ReluGrad).with_first(1);
        if let Some(op) = grad.with_epilogue(&relu).filter(|_| pool.stride == 2) {
            let inputs = [&backward[..], &[x]].concat();
            cases.push(Case { op, ..Case::new(format!("{name}_dx_relu"), grad.clone(), inputs) });
        }
        cases.push(Case::new(format!("{name}_dx"), grad, backward));
        cases.push(forward);
    }
    cases
}
