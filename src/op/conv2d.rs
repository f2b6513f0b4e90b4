//! Two-dimensional convolution and its gradients, as products of gathered operands (implicit GEMM,
//! Chetlur 2014, "cuDNN: efficient primitives for deep learning"), with an elementwise epilogue.

use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::chain::Chain;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Op, Tolerance};
use crate::kernel::{Caps, Lowered, Variant};
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

mod cases;
mod lower;
mod reference;

pub use cases::Family;

/// Settings of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    /// Pixels between neighbouring windows, in both directions.
    pub stride: usize,
    /// Rows and columns of zeros on each side.
    pub pad: usize,
    /// Parts that the channels are cut into; each part of the output sees its own of the input.
    pub groups: usize,
}

impl Default for Conv {
    fn default() -> Self {
        Self { stride: 1, pad: 0, groups: 1 }
    }
}

/// Which of the three products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// x [B, H, W, C], w [R, S, C/groups, N] to y [B, P, Q, N], P = floor((H + 2 pad - R) / stride) + 1.
    /// An x of bytes counts as x / 255.
    Forward,
    /// dy, w to dx.
    Input {
        /// Last rows and columns of x that no window begins at: (H + 2 pad - R) mod stride.
        rest: [usize; 2],
    },
    /// x, dy to dw.
    Weight {
        /// R and S.
        filter: [usize; 2],
    },
}

/// A convolution or one of its gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2d {
    /// Its settings.
    pub conv: Conv,
    /// Which product.
    pub pass: Pass,
    /// Applied to each value as it is stored; its other inputs follow the operands.
    pub epilogue: Option<Chain>,
}

/// All lengths of a problem, as the papers name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Geometry {
    batch: usize,
    h: usize,
    w: usize,
    c: usize,
    p: usize,
    q: usize,
    n: usize,
    r: usize,
    s: usize,
    conv: Conv,
}

impl Geometry {
    fn x(&self) -> [usize; 4] {
        [self.batch, self.h, self.w, self.c]
    }

    fn filter(&self) -> [usize; 4] {
        [self.r, self.s, self.c / self.conv.groups, self.n]
    }

    fn y(&self) -> [usize; 4] {
        [self.batch, self.p, self.q, self.n]
    }

    /// Multiply-adds, those with padding included.
    fn products(&self) -> usize {
        self.batch * self.p * self.q * self.n * self.r * self.s * (self.c / self.conv.groups)
    }
}

impl Conv2d {
    fn new(conv: Conv, pass: Pass) -> Self {
        Self { conv, pass, epilogue: None }
    }

    fn geometry(&self, inputs: &[TensorSpec]) -> Result<Geometry, String> {
        let dims = |i: usize| {
            <[usize; 4]>::try_from(inputs[i].dims())
                .map_err(|_| format!("{} has not four axes", inputs[i].shape))
        };
        let ([a, b], conv) = ([dims(0)?, dims(1)?], self.conv);
        let windows = |length: usize, filter: usize| {
            let room = (length + 2 * conv.pad).checked_sub(filter);
            room.map(|room| room / conv.stride + 1).ok_or_else(|| {
                format!("a filter of {filter} in {length} pixels with {} of padding", conv.pad)
            })
        };
        let g = match self.pass {
            Pass::Forward => Geometry {
                batch: a[0],
                h: a[1],
                w: a[2],
                c: a[3],
                p: windows(a[1], b[0])?,
                q: windows(a[2], b[1])?,
                n: b[3],
                r: b[0],
                s: b[1],
                conv,
            },
            Pass::Input { rest } => {
                let length = |windows: usize, filter: usize, rest: usize| {
                    ((windows - 1) * conv.stride + filter + rest).saturating_sub(2 * conv.pad)
                };
                Geometry {
                    batch: a[0],
                    h: length(a[1], b[0], rest[0]),
                    w: length(a[2], b[1], rest[1]),
                    c: b[2] * conv.groups,
                    p: a[1],
                    q: a[2],
                    n: a[3],
                    r: b[0],
                    s: b[1],
                    conv,
                }
            }
            Pass::Weight { filter: [r, s] } => Geometry {
                batch: a[0],
                h: a[1],
                w: a[2],
                c: a[3],
                p: b[1],
                q: b[2],
                n: b[3],
                r,
                s,
                conv,
            },
        };
        let wanted = match self.pass {
            Pass::Forward => [g.x(), g.filter()],
            Pass::Input { .. } => [g.y(), g.filter()],
            Pass::Weight { .. } => [g.x(), g.y()],
        };
        let divides = g.c.is_multiple_of(conv.groups) && g.n.is_multiple_of(conv.groups);
        let covers = windows(g.h, g.r)? == g.p && windows(g.w, g.s)? == g.q;
        if [a, b] != wanted || !divides || !covers || g.products() == 0 {
            return Err(format!(
                "{} and {} do not fit in {} groups with stride {} and {} of padding",
                inputs[0].shape, inputs[1].shape, conv.groups, conv.stride, conv.pad
            ));
        }
        Ok(g)
    }

    /// What the product gives before the epilogue.
    fn product(&self, inputs: &[TensorSpec]) -> Result<(Geometry, TensorSpec), String> {
        let g = self.geometry(inputs)?;
        let dims = match self.pass {
            Pass::Forward => g.y(),
            Pass::Input { .. } => g.x(),
            Pass::Weight { .. } => g.filter(),
        };
        Ok((g, TensorSpec::f32(dims)))
    }

    fn epilogue_inputs(product: &TensorSpec, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let extras = inputs[2..].iter().cloned();
        std::iter::once(product.clone()).chain(extras).collect()
    }
}

impl OldOp for Conv2d {
    fn name(&self) -> &'static str {
        match self.pass {
            Pass::Forward => "conv2d",
            Pass::Input { .. } => "conv2d_grad_input",
            Pass::Weight { .. } => "conv2d_grad_weight",
        }
    }

    fn class(&self) -> Class {
        Class::Convolution
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let (_, product) = self.product(inputs)?;
        if let Some(map) = &self.epilogue {
            let shape = map.shape(&Self::epilogue_inputs(&product, inputs))?;
            if shape != product.shape {
                return Err(format!("the epilogue changes {} to {shape}", product.shape));
            }
        }
        Ok(vec![product])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let Ok((g, product)) = self.product(inputs) else {
            return Cost::default();
        };
        let stored = self.epilogue.as_ref().map_or(0, Chain::flops) * product.len() as u64;
        Cost::new(2 * g.products() as u64 + stored, inputs, &[product])
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        self.geometry(inputs).map_or_else(|_| Vec::new(), |g| lower::variants(self.pass, &g, caps))
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        self.geometry(io.inputs)
            .map_or_else(|_| Lowered::default(), |g| self.dispatches(variant, &g, io))
    }

    /// dx = the product over the windows that saw each pixel, dw = that over all pixels.
    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let specs: Vec<_> = x.iter().map(Tensor::spec).collect();
        // Epilogues are made after differentiation, and no model needs second derivatives.
        let (Some(dy), None, Pass::Forward, Ok(g)) =
            (dy[0], &self.epilogue, self.pass, self.geometry(&specs))
        else {
            return vec![None; x.len()];
        };
        let rest =
            |length: usize, filter: usize| (length + 2 * self.conv.pad - filter) % self.conv.stride;
        let graph = dy.graph();
        let dx = (specs[0].dtype == DType::F32).then(|| {
            let rest = [rest(g.h, g.r), rest(g.w, g.s)];
            graph.apply1(Self::new(self.conv, Pass::Input { rest }), &[dy, x[1]])
        });
        let filter = [g.r, g.s];
        let dw = graph.apply1(Self::new(self.conv, Pass::Weight { filter }), &[x[0], dy]);
        vec![dx, Some(dw)]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let Ok((g, spec)) = self.product(&specs) else {
            return vec![];
        };
        let data = reference::product(self.pass, &g, inputs[0], inputs[1]);
        let product = Array::new(spec.clone(), data);
        match &self.epilogue {
            None => vec![product],
            Some(map) => {
                let extras = inputs[2..].iter().copied();
                let all: Vec<_> = std::iter::once(&product).chain(extras).collect();
                vec![map.apply(&spec.shape, &all)]
            }
        }
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        let length = self.geometry(inputs).map_or(1, |g| match self.pass {
            Pass::Forward => g.r * g.s * g.c / g.conv.groups,
            Pass::Input { .. } => g.r * g.s * g.n / g.conv.groups,
            Pass::Weight { .. } => g.batch * g.p * g.q,
        });
        let depth = self.epilogue.as_ref().map_or(0, Chain::depth);
        Tolerance::sum(length + 16 * depth)
    }

    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        // Bytes times values near 1e-38 are denormal, which a device may flush.
        let bytes = inputs[0].dtype == DType::U8;
        let distribution = match distribution {
            Distribution::Tiny if bytes => Distribution::Uniform,
            other => other,
        };
        let draw = |spec: &TensorSpec| distribution.array(spec, 256, rng);
        inputs.iter().map(draw).collect()
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        self.product(inputs).map_or_else(|_| inputs.to_vec(), |(g, y)| self.smaller(&g, &y, inputs))
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        // Gradients of weights are stored as they are; for draws see the matrix product.
        if chain.is_random() || matches!(self.pass, Pass::Weight { .. }) {
            return None;
        }
        let epilogue = chain.behind(self.epilogue.as_ref());
        Some(Arc::new(Self { epilogue: Some(epilogue), ..self.clone() }))
    }

    fn types(&self) -> Vec<(&'static str, Class)> {
        let own = (self.name(), self.class());
        let rest = self.epilogue.as_ref().map(Chain::types).unwrap_or_default();
        std::iter::once(own).chain(rest).collect()
    }
}

impl<'g> Tensor<'g> {
    /// `self` [B, H, W, C] convolved with `filter` [R, S, C/groups, N]. Bytes count as x / 255.
    pub fn conv2d(self, filter: Tensor<'g>, conv: Conv) -> Tensor<'g> {
        let (x, f) = (self.spec(), filter.spec());
        if let (&[1, 1, c, n], true, DType::F32) = (f.dims(), conv == Conv::default(), x.dtype) {
            // One pixel sees one pixel: a plain matrix product.
            return self.matmul(filter.reshape([c, n]));
        }
        let op = Conv2d::new(conv, Pass::Forward);
        self.graph().apply1(op, &[self, filter])
    }
}
