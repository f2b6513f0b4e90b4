//! Max pooling over square windows.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

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

/// Its gradient: x, y, dy to dx. The first largest element of a window, in row-major order, takes all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPoolGrad(pub MaxPool);

impl MaxPool {
    fn windows(&self, x: &TensorSpec) -> Result<TensorSpec, String> {
        let &[b, h, w, c] = x.dims() else {
            return Err(format!("{} has not four axes", x.shape));
        };
        let count = |length: usize| {
            let room = (length + 2 * self.pad).checked_sub(self.window);
            room.map(|room| room / self.stride + 1)
        };
        match (count(h), count(w)) {
            (Some(p), Some(q)) if self.pad < self.window && !x.is_empty() => {
                Ok(TensorSpec::f32([b, p, q, c]))
            }
            _ => Err(format!("no window of {} fits in {}", self.window, x.shape)),
        }
    }

    fn variant(x: &TensorSpec, name: &'static str) -> Vec<Variant> {
        let widths: &[u32] = if x.shape.last().is_multiple_of(4) { &[4, 1] } else { &[1] };
        let of = |&width: &u32| Variant::new(name, [("WIDTH", width)]);
        widths.iter().map(of).collect()
    }

    /// Kernel and parameters for a grid over `over`.
    fn dispatch(&self, variant: &Variant, io: &Io, over: &TensorSpec) -> Dispatch {
        let width = variant.get("WIDTH");
        let element = if width == 4 { "vec4<f32>" } else { "f32" };
        let (window, stride, pad) = (self.window as u32, self.stride as u32, self.pad as u32);
        let x = io.inputs[0].dims();
        let y = self.windows(&io.inputs[0]).unwrap_or(TensorSpec::f32([0; 4]));
        let count = over.len() / width as usize;
        let sizes = [x[1], x[2], x[3] / width as usize, y.dims()[1], y.dims()[2], count];
        Dispatch {
            kernel: Kernel::new(format!("max_pool/{}", variant.name))
                .with_consts(&[("WINDOW", window), ("STRIDE", stride), ("PAD", pad)])
                .with_text("T", element),
            bindings: (0..io.inputs.len()).map(input).chain([output(0)]).collect(),
            params: unnamed(sizes.map(|s| s as u32).into()),
            grid: grid(count.div_ceil(64), io.caps),
        }
    }

    /// Calls `each(window, element of x)` in row-major order of windows and of their elements.
    fn walk(&self, x: &TensorSpec, y: &TensorSpec, mut each: impl FnMut(usize, usize)) {
        let (&[_, h, w, c], &[b, p, q, _]) = (x.dims(), y.dims()) else {
            return;
        };
        for i in 0..b * p * q * c {
            let (channel, qi, pi, image) = (i % c, i / c % q, i / c / q % p, i / c / q / p);
            for at in 0..self.window * self.window {
                let hi = (pi * self.stride + at / self.window).wrapping_sub(self.pad);
                let wi = (qi * self.stride + at % self.window).wrapping_sub(self.pad);
                if hi < h && wi < w {
                    each(i, ((image * h + hi) * w + wi) * c + channel);
                }
            }
        }
    }
}

impl OldOp for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        self.windows(&inputs[0]).map(|y| vec![y])
    }

    /// A comparison for each element of each window.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        let windows: usize = outputs.iter().map(TensorSpec::len).sum();
        Cost::new((windows * self.window * self.window) as u64, inputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        Self::variant(&inputs[0], "forward")
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        Lowered::one(self.dispatch(variant, io, &io.outputs[0]))
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let grad = |dy: Tensor<'g>| dy.graph().apply1(MaxPoolGrad(*self), &[x[0], y[0], dy]);
        vec![dy[0].map(grad)]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Ok(spec) = self.windows(&inputs[0].spec) else {
            return vec![];
        };
        let mut y = vec![f64::NEG_INFINITY; spec.len()];
        self.walk(&inputs[0].spec, &spec, |window, at| {
            y[window] = y[window].max(inputs[0].data[at]);
        });
        vec![Array::new(spec, y)]
    }

    /// Values are chosen, not changed.
    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }
}

impl OldOp for MaxPoolGrad {
    fn name(&self) -> &'static str {
        "max_pool_grad"
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let y = self.0.windows(&inputs[0])?;
        if inputs[1] != y || inputs[2] != y {
            return Err(format!("{} and {} are not {y}", inputs[1], inputs[2]));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let compared = inputs[1].len() * self.0.window * self.0.window;
        Cost::new(compared as u64, inputs, &inputs[..1])
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        MaxPool::variant(&inputs[0], "grad")
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        Lowered::one(self.0.dispatch(variant, io, &io.inputs[0]))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, y, dy] = inputs else { return vec![] };
        let mut dx = vec![0.0; x.data.len()];
        let mut taken = vec![false; y.data.len()];
        self.0.walk(&x.spec, &y.spec, |window, at| {
            if !taken[window] && x.data[at] == y.data[window] {
                taken[window] = true;
                dx[at] += dy.data[window];
            }
        });
        vec![Array::new(x.spec.clone(), dx)]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(self.0.window.div_ceil(self.0.stride).pow(2))
    }

    /// y is what the forward pass made of x.
    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let draw = |spec: &TensorSpec| distribution.array(spec, 4, rng);
        let mut arrays: Vec<_> = inputs.iter().map(draw).collect();
        arrays[1] = self.0.reference(&[&arrays[0]]).remove(0);
        arrays
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Tiny is left out: where denormals are flushed, different values are equal.
        &[
            Distribution::Uniform,
            Distribution::Offset,
            Distribution::Ties,
            Distribution::Zeros,
            Distribution::Extreme,
        ]
    }
}

impl<'g> Tensor<'g> {
    /// The largest value of each window of [B, H, W, C].
    pub fn max_pool(self, pool: MaxPool) -> Tensor<'g> {
        self.graph().apply1(pool, &[self])
    }
}

/// Cases of [`MaxPool`] and [`MaxPoolGrad`].
#[derive(Debug)]
pub struct Family;

const fn pool(window: usize, stride: usize, pad: usize) -> MaxPool {
    MaxPool { window, stride, pad }
}

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn cases(&self) -> Vec<Case> {
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
            let x = TensorSpec::f32(dims);
            let Ok(y) = pool.windows(&x) else { continue };
            let [b, h, w, c] = dims;
            let MaxPool { window, stride, pad } = pool;
            let name = format!("b{b}_h{h}_w{w}_c{c}_window{window}_stride{stride}_pad{pad}");
            cases.push(Case::new(
                format!("{name}_dx"),
                MaxPoolGrad(pool),
                [x.clone(), y.clone(), y],
            ));
            cases.push(Case::new(name, pool, [x]));
        }
        cases
    }
}
