//! Two-dimensional convolution and its gradients, as products of gathered operands (implicit GEMM,
//! Chetlur 2014, "cuDNN: efficient primitives for deep learning"), with an elementwise epilogue.

use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::by_rows::{ByRows, Joined};
use crate::graph::chain::{Chain, Epilogue};
use crate::graph::op::{
    Backward, Distribution, Facts, Kind, Op, Problem, Sampler, Storage, Tolerance, ValueAt, floats,
};
use crate::kernel::{Caps, Lowered, Planned, Variant};
use crate::op::matmul::{COLUMN_SUMS, matrices, plan};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

mod cases;
mod grads;
mod lower;
mod reference;
mod winograd;

pub(super) use cases::{benches, cases};
pub use grads::Conv2dGrads;
use winograd::Tiles;

/// Name of the variants that take fewer multiply-adds than the definition, which is what their op is counted.
pub const WINOGRAD: &str = "winograd";

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

impl Conv {
    /// Windows of `filter` pixels in `length`.
    fn windows(self, length: usize, filter: usize) -> Result<usize, String> {
        let room = (length + 2 * self.pad).checked_sub(filter);
        room.map(|room| room / self.stride + 1).ok_or_else(|| {
            format!("a filter of {filter} in {length} pixels with {} of padding", self.pad)
        })
    }

    /// Pixels that hold `windows` and leave `rest` behind the last.
    fn pixels(self, windows: usize, filter: usize, rest: usize) -> usize {
        ((windows - 1) * self.stride + filter + rest).saturating_sub(2 * self.pad)
    }
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
    /// A second output of the gradient in w, `[N]`: the sums of dy's channels, which are the gradient of a bias.
    pub sums: bool,
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

    /// The operands of a pass.
    fn operands(&self, pass: Pass) -> [[usize; 4]; 2] {
        match pass {
            Pass::Forward => [self.x(), self.filter()],
            Pass::Input { .. } => [self.y(), self.filter()],
            Pass::Weight { .. } => [self.x(), self.y()],
        }
    }

    /// The result of a pass.
    fn result(&self, pass: Pass) -> [usize; 4] {
        match pass {
            Pass::Forward => self.y(),
            Pass::Input { .. } => self.x(),
            Pass::Weight { .. } => self.filter(),
        }
    }

    /// Multiply-adds, those with padding included.
    fn products(&self) -> usize {
        self.batch * self.p * self.q * self.n * self.r * self.s * (self.c / self.conv.groups)
    }

    /// Products that a value of the result is the sum of.
    fn summed(&self, pass: Pass) -> usize {
        match pass {
            Pass::Forward => self.r * self.s * self.c / self.conv.groups,
            Pass::Input { .. } => self.r * self.s * self.n / self.conv.groups,
            Pass::Weight { .. } => self.batch * self.p * self.q,
        }
    }
}

impl Conv2d {
    fn new(conv: Conv, pass: Pass) -> Self {
        Self { conv, pass, epilogue: None, sums: false }
    }

    fn geometry(&self, inputs: &[TensorSpec]) -> Result<Geometry, String> {
        let dims = |i: usize| {
            <[usize; 4]>::try_from(inputs[i].dims())
                .map_err(|_| format!("{} does not have four axes", inputs[i].shape))
        };
        let ([a, b], conv) = ([dims(0)?, dims(1)?], self.conv);
        if inputs[..2].iter().any(TensorSpec::is_empty) || conv.stride == 0 || conv.groups == 0 {
            let [a, b] = [0, 1].map(|at: usize| &inputs[at].shape);
            return Err(format!("a convolution of nothing: {a} and {b} with {conv:?}"));
        }
        let g = match self.pass {
            Pass::Forward => Geometry {
                batch: a[0],
                h: a[1],
                w: a[2],
                c: a[3],
                p: conv.windows(a[1], b[0])?,
                q: conv.windows(a[2], b[1])?,
                n: b[3],
                r: b[0],
                s: b[1],
                conv,
            },
            Pass::Input { rest } => Geometry {
                batch: a[0],
                h: conv.pixels(a[1], b[0], rest[0]),
                w: conv.pixels(a[2], b[1], rest[1]),
                c: b[2] * conv.groups,
                p: a[1],
                q: a[2],
                n: a[3],
                r: b[0],
                s: b[1],
                conv,
            },
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
        let divides = g.c.is_multiple_of(conv.groups) && g.n.is_multiple_of(conv.groups);
        let covers = conv.windows(g.h, g.r)? == g.p && conv.windows(g.w, g.s)? == g.q;
        let is_empty = g.result(self.pass).contains(&0);
        if [a, b] != g.operands(self.pass) || !divides || !covers || is_empty {
            return Err(format!(
                "{} and {} do not fit in {} groups with stride {} and {} of padding",
                inputs[0].shape, inputs[1].shape, conv.groups, conv.stride, conv.pad
            ));
        }
        Ok(g)
    }

    /// The op at given sizes.
    fn at(&self, inputs: &[TensorSpec]) -> Result<Conv2dProblem, String> {
        // Images may be bytes.
        let bytes = inputs[0].dtype == DType::U8 && !matches!(self.pass, Pass::Input { .. });
        floats(&inputs[usize::from(bytes)..2])?;
        let geometry = self.geometry(inputs)?;
        let product = TensorSpec::f32(geometry.result(self.pass));
        let epilogue = Epilogue::new(self.epilogue.as_ref(), &product, inputs, 2)?;
        let stored = epilogue.flops() * product.len() as u64;
        let flops = 2 * geometry.products() as u64 + stored;
        let tolerance = Tolerance::sum(geometry.summed(self.pass) + 16 * epilogue.depth());
        let sums = self.sums.then(|| TensorSpec::f32([geometry.n]));
        let added = if self.sums { inputs[1].len() as u64 } else { 0 };
        let outputs = std::iter::once(product).chain(sums);
        // Of sums: a device may take each of a channel's denormal values for 0.
        let facts = Facts::moving(flops + added, inputs, outputs, tolerance)
            .drawn_from(Distribution::without_tiny_if(self.sums));
        Ok(Conv2dProblem {
            pass: self.pass,
            geometry,
            bytes,
            epilogue,
            inputs: inputs.to_vec(),
            sums: self.sums,
            facts,
        })
    }
}

impl Op for Conv2d {
    fn kind(&self) -> Kind {
        let name = match self.pass {
            Pass::Forward => "conv2d",
            Pass::Input { .. } => "conv2d_grad_input",
            Pass::Weight { .. } => "conv2d_grad_weight",
        };
        Kind::new(name, Class::Convolution)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn factors(&self) -> usize {
        2
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        Ok(Box::new(self.at(inputs)?))
    }

    /// dx = the product over the windows that saw each pixel, dw = that over all pixels.
    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
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

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        match self.pass {
            Pass::Forward | Pass::Input { .. } => {
                let result = self.problem(inputs).ok()?.output_specs();
                ByRows::with_operands(&[true, false], inputs, &result[0])
            }
            Pass::Weight { .. } => {
                let outputs = vec![Joined::Sum; 1 + usize::from(self.sums)];
                Some(ByRows { outputs, ..ByRows::all(inputs, 1)? })
            }
        }
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        // Gradients of weights are stored as they are; for draws see the matrix product.
        if chain.is_random() || matches!(self.pass, Pass::Weight { .. }) {
            return None;
        }
        let epilogue = chain.behind(self.epilogue.as_ref());
        Some(Arc::new(Self { epilogue: Some(epilogue), ..self.clone() }))
    }

    fn epilogue(&self) -> Option<&Chain> {
        self.epilogue.as_ref()
    }

    fn with_column_sums(&self) -> Option<Arc<dyn Op>> {
        let weight = matches!(self.pass, Pass::Weight { .. });
        weight.then(|| Arc::new(Self { sums: true, ..self.clone() }) as Arc<dyn Op>)
    }

    fn kinds(&self) -> Vec<Kind> {
        let sums = self.sums.then_some(COLUMN_SUMS);
        let fused = self.epilogue.iter().flat_map(Chain::kinds);
        std::iter::once(self.kind()).chain(sums).chain(fused).collect()
    }
}

/// [`Conv2d`] at given sizes.
#[derive(Debug)]
struct Conv2dProblem {
    pass: Pass,
    geometry: Geometry,
    /// The first operand is bytes.
    bytes: bool,
    sums: bool,
    epilogue: Epilogue,
    inputs: Vec<TensorSpec>,
    facts: Facts,
}

impl Problem for Conv2dProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn planned(&self, caps: &Caps) -> Vec<Planned> {
        let direct = lower::planned(self.pass, &self.geometry, caps);
        let in_tiles = self.tiles().flat_map(|tiles| tiles.planned(caps));
        let matrices = lower::matrices(self.pass, &self.geometry, &self.inputs, caps);
        plan::sorted(direct.into_iter().chain(in_tiles).chain(matrices).collect())
    }

    fn candidates(&self, caps: &Caps) -> Vec<Variant> {
        matrices::candidates(self.planned(caps))
    }

    fn tolerance(&self, variant: &Variant, _: usize) -> Tolerance {
        match self.tiles_of(variant) {
            Some(tiles) => tiles.tolerance(self.epilogue.depth()),
            None => {
                let summed = self.geometry.summed(self.pass);
                matrices::tolerance(variant, summed, self.facts.tolerance)
            }
        }
    }

    fn shares_products(&self, variant: &Variant) -> bool {
        self.tiles_of(variant).is_some()
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        match self.tiles_of(variant) {
            Some(tiles) => tiles.lower(variant, &self.epilogue, caps),
            None => self.dispatches(variant, caps),
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let data = reference::product(self.pass, &self.geometry, inputs[0], inputs[1]);
        let product = Array::new(self.facts.spec().clone(), data);
        let product = self.epilogue.apply(product, inputs);
        let sums = self.facts.outputs.get(1).map(|sums| {
            let channel = |n: usize| inputs[1].data.iter().skip(n).step_by(self.geometry.n).sum();
            Array::new(sums.spec.clone(), (0..self.geometry.n).map(channel).collect())
        });
        std::iter::once(product).chain(sums).collect()
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        // Bytes times values near 1e-38 are denormal, which a device may flush.
        let distribution = match sampler.distribution {
            Distribution::Tiny if self.bytes => Distribution::Uniform,
            other => other,
        };
        let draw = |spec: &TensorSpec| distribution.array(spec, 256, &mut sampler.rng);
        inputs.iter().map(draw).collect()
    }

    fn reference_at(
        &self,
        output: usize,
        inputs: &[&Array],
        places: &[usize],
    ) -> Option<Vec<ValueAt>> {
        if output > 0 {
            return None;
        }
        let value = |&place: &usize| {
            let terms = reference::terms_at(self.pass, &self.geometry, inputs[0], inputs[1], place);
            self.epilogue.apply_at(ValueAt::sum(terms), inputs, place)
        };
        Some(places.iter().map(value).collect())
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.smaller()
    }
}

impl Conv2dProblem {
    /// In tiles of every size, for Winograd's kernels; these do not take bytes.
    fn tiles(&self) -> impl Iterator<Item = Tiles> {
        Tiles::all(self.pass, &self.geometry, self.sums).filter(|_| !self.bytes)
    }

    /// Those of a variant where it is one of these.
    fn tiles_of(&self, variant: &Variant) -> Option<Tiles> {
        self.tiles().find(|tiles| tiles.makes(variant))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_convolution_is_refused() {
        let plain = Conv { stride: 1, pad: 3, groups: 1 };
        let (square, input) = ([1, 4, 4, 4], Pass::Input { rest: [0, 0] });
        for (pass, conv, a, b) in [
            // All of the result is padding.
            (input, plain, square, [3, 3, 6, 4]),
            (input, plain, [1, 0, 4, 4], [3, 3, 6, 4]),
            (Pass::Forward, Conv { stride: 0, ..plain }, square, [3, 3, 4, 8]),
            (Pass::Forward, Conv { groups: 0, ..plain }, square, [3, 3, 4, 8]),
        ] {
            let problem = Conv2d::new(conv, pass).problem(&[a, b].map(TensorSpec::f32));
            assert!(problem.is_err(), "{pass:?} {conv:?}: {problem:?}");
        }
    }
}
