//! Elementwise arithmetic with numpy broadcasting: one function, or a fused chain of them.
//!
//! A chain is straight-line code over its inputs. As an op of its own it is `shaders/map/map.wgsl` with
//! the chain's text in its hook; as an epilogue it runs on another op's values as they are stored.

use std::ops::Range;
use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::by_rows::{ByRows, lies_along};
use crate::graph::chain::{Chain, Function, function_of, operand_name};
use crate::graph::op::{
    Backward, Distribution, Facts, Kind, Op, Problem, Sampler, Storage, Tolerance,
};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, vector};
use crate::tensor::{Array, DType, Shape, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{fewer, size};

const WORKGROUP: usize = 64;

impl Op for Chain {
    fn kind(&self) -> Kind {
        match &Chain::kinds(self)[..] {
            [only] => *only,
            // A fused chain, whatever is in it.
            _ => Kind::new("map", Class::Elementwise),
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        Chain::kinds(self)
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        Ok(Box::new(ChainProblem::new(self, inputs)?))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        let result = TensorSpec::f32(self.shape(inputs).ok().filter(|_| !self.reads_rows())?);
        let cut = inputs.iter().enumerate();
        let cut = cut.map(|(i, input)| !self.is_clock(i) && lies_along(input, &result));
        Some(ByRows { inputs: cut.collect(), ..ByRows::all(&[result], 1)? })
    }

    fn over_rows(&self, inputs: &[TensorSpec], rows: Range<usize>) -> Option<Arc<dyn Op>> {
        let shape = self.shape(inputs).ok()?;
        let each = shape.len() / shape.dims().first().copied()?.max(1);
        let expand = self.expand.as_ref().map(|expand| match expand.dims().split_first() {
            Some((_, rest)) if expand.rank() == shape.rank() => {
                [&[rows.len()], rest].concat().into()
            }
            _ => expand.clone(),
        });
        // Draws go by an element's number in the whole.
        let first = if self.is_random() { self.first + rows.start * each } else { 0 };
        Some(Arc::new(Self { expand, first, ..self.clone() }))
    }

    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let (Some(dy), [only]) = (dy[0], &self.code[..]) else {
            // Chains are made after differentiation.
            return vec![None; x.len()];
        };
        only.function
            .gradient(x, y[0], dy)
            .into_iter()
            .zip(x)
            .map(|(d, x)| d.map(|d| d.sum_to(&x.spec().shape)))
            .collect()
    }
}

/// The dispatch of a chain over groups of `width` elements. Its inputs' declarations are part of the hook and follow
/// the output: they are still to be bound.
pub(super) fn dispatch(
    chain: &Chain,
    inputs: &[TensorSpec],
    shape: &Shape,
    width: usize,
    caps: &Caps,
) -> Dispatch {
    let groups = shape.len() / width;
    let kernel = Kernel::new("map/map")
        .with_text("T", vector(width))
        .with_hook("apply", function_of("apply", chain, inputs, shape, 1, width));
    Dispatch::new(kernel, grid(groups.div_ceil(WORKGROUP), caps))
        .param("groups", groups)
        .bind("y", output(0))
}

/// A chain at given sizes.
#[derive(Debug)]
pub(super) struct ChainProblem {
    chain: Chain,
    pub(super) inputs: Vec<TensorSpec>,
    facts: Facts,
}

impl ChainProblem {
    pub(super) fn new(chain: &Chain, inputs: &[TensorSpec]) -> Result<Self, String> {
        let y = TensorSpec::f32(chain.shape(inputs)?);
        let flops = chain.flops() * y.len() as u64;
        let tolerance = match chain.depth() {
            0 => Tolerance::EXACT,
            depth => Tolerance::sum(16 * depth),
        };
        // exp(1000) is infinite, and so are products of such values.
        let mut facts = Facts::moving(flops, inputs, [y], tolerance).drawn_from(&[
            Distribution::Uniform,
            Distribution::Ties,
            Distribution::Zeros,
            Distribution::Tiny,
            Distribution::Extreme,
        ]);
        facts.cost.bytes -= chain.passed_over(inputs);
        Ok(Self { chain: chain.clone(), inputs: inputs.to_vec(), facts })
    }

    /// The shape of what it makes.
    pub(super) fn shape(&self) -> &Shape {
        &self.facts.spec().shape
    }

    /// Whether groups of four elements can be computed at once.
    pub(super) fn allows_vec4(&self) -> bool {
        self.chain.allows_vec4(&self.inputs, self.shape())
    }

    /// `fn NAME(i)`, which reads its inputs from bindings `first` on.
    pub(super) fn text(&self, name: &str, first: usize, width: usize) -> String {
        function_of(name, &self.chain, &self.inputs, self.shape(), first, width)
    }

    /// A dispatch in which such a function reads the inputs, which are the op's from `at` on.
    pub(super) fn bind(&self, dispatch: Dispatch, at: usize) -> Dispatch {
        let bind = |dispatch: Dispatch, i| dispatch.bind(operand_name(i), input(at + i));
        (0..self.chain.inputs).fold(dispatch, bind)
    }
}

impl Problem for ChainProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        let by = |width: u32| Variant::new("map", [("WIDTH", width)]);
        if self.allows_vec4() { vec![by(4), by(1)] } else { vec![by(1)] }
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        Lowered::one(self.bind(dispatch(&self.chain, &self.inputs, self.shape(), width, caps), 0))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![self.chain.apply(self.shape(), inputs)]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let positive = |i: usize| {
            self.chain
                .code
                .iter()
                .any(|s| s.function.wants_positive() == s.arguments.iter().position(|&a| a == i))
        };
        inputs
            .iter()
            .enumerate()
            .map(|(i, spec)| {
                let mut array = sampler.array(spec, self.chain.indices(i).unwrap_or(4));
                if spec.dtype == DType::F32 && positive(i) {
                    array.data.iter_mut().for_each(|x| *x = f64::from(x.abs() as f32 + 0.5));
                }
                array
            })
            .collect()
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let y = self.facts.spec();
        let all = y.dims().first().copied()?;
        let rows = fewer(all, y.len())?;
        // As many groups of four, or none: what chooses a variant.
        let each = y.len() / all;
        if self.chain.expand.is_some()
            || self.chain.reads_rows()
            || (rows * each) % 4 != (all * each) % 4
        {
            return None;
        }
        let cut = |(i, input): (usize, &TensorSpec)| {
            let along = !self.chain.is_clock(i) && lies_along(input, y);
            if along { input.with_rows(rows) } else { input.clone() }
        };
        Some(self.inputs.iter().enumerate().map(cut).collect())
    }
}

impl<'g> Tensor<'g> {
    fn map(self, function: Function, others: &[Tensor<'g>]) -> Tensor<'g> {
        let inputs: Vec<_> = std::iter::once(self).chain(others.iter().copied()).collect();
        self.graph().apply1(Chain::one(function), &inputs)
    }

    /// The same values in memory of their own.
    pub fn copy(self) -> Tensor<'g> {
        self.map(Function::Copy, &[])
    }

    /// `self * factor`.
    pub fn scale(self, factor: f32) -> Tensor<'g> {
        let shape = self.spec().shape;
        let constant = self.graph().constant(self, &shape, factor);
        constant.unwrap_or_else(|| self.map(Function::Scale(factor), &[]))
    }

    /// `self + constant`.
    pub fn offset(self, constant: f32) -> Tensor<'g> {
        self.map(Function::Offset(constant), &[])
    }

    /// The same values repeated along axes of length 1, or along new leading axes.
    pub fn broadcast_to(self, shape: &Shape) -> Tensor<'g> {
        if self.spec().shape == *shape {
            return self;
        }
        if let Some(same) = self.graph().constant(self, shape, 1.0) {
            return same;
        }
        let copy = Chain { expand: Some(shape.clone()), ..Chain::one(Function::Copy) };
        self.graph().apply1(copy, &[self])
    }

    /// e to the power of each value.
    pub fn exp(self) -> Tensor<'g> {
        self.map(Function::Exp, &[])
    }

    /// The square of each value.
    pub fn square(self) -> Tensor<'g> {
        self.map(Function::Square, &[])
    }

    /// Hyperbolic tangent.
    pub fn tanh(self) -> Tensor<'g> {
        self.map(Function::Tanh, &[])
    }

    /// Logistic function.
    pub fn sigmoid(self) -> Tensor<'g> {
        self.map(Function::Sigmoid, &[])
    }

    /// max(x, 0).
    pub fn relu(self) -> Tensor<'g> {
        self.map(Function::Relu, &[])
    }

    /// (x - mean) / sqrt(variance + epsilon).
    pub fn standardize(self, mean: Tensor<'g>, variance: Tensor<'g>, epsilon: f32) -> Tensor<'g> {
        self.map(Function::Standardize(epsilon), &[mean, variance])
    }

    /// x^2 / 2 where |x| <= 1, else |x| - 1/2 (Huber 1964).
    pub fn huber(self) -> Tensor<'g> {
        self.map(Function::Huber, &[])
    }

    /// min(max(x, 0), limit) (Hannun 2014, eq. 1).
    pub fn clipped_relu(self, limit: f32) -> Tensor<'g> {
        self.map(Function::ClippedRelu(limit), &[])
    }

    /// Inverted dropout: each element is dropped with probability `rate`, the others divided by
    /// 1 - rate. The mask is drawn from `stream` and drawn again in the backward pass.
    pub fn dropout(self, rate: f32, stream: u32) -> Tensor<'g> {
        let clock = self.graph().clock();
        self.map(Function::Dropout { rate, stream }, &[clock])
    }

    /// One value of each row of `self` [.., C]: indices u32 [..] to [..].
    pub fn gather(self, index: Tensor<'g>) -> Tensor<'g> {
        self.map(Function::Gather(self.spec().shape.last()), &[index])
    }

    /// Any function of several tensors.
    pub(crate) fn map_with(self, function: Function, others: &[Tensor<'g>]) -> Tensor<'g> {
        self.map(function, others)
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl<'g> std::ops::$trait for Tensor<'g> {
            type Output = Tensor<'g>;
            fn $method(self, other: Self) -> Self {
                self.map(Function::$trait, &[other])
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl<'g> std::ops::Neg for Tensor<'g> {
    type Output = Tensor<'g>;
    fn neg(self) -> Self {
        self.scale(-1.0)
    }
}

/// Awkward cases of elementwise functions.
pub(super) fn cases() -> Vec<Case> {
    let f = |dims: &[usize]| TensorSpec::f32(dims);
    let mut cases: Vec<Case> = Function::EXAMPLES
        .iter()
        .map(|&function| {
            let map = Chain::one(function);
            let specs: Vec<_> = (0..map.inputs)
                .map(|i| if map.is_clock(i) { TensorSpec::u32([4]) } else { f(&[5, 12]) })
                .collect();
            Case::new(format!("{}_5x12", function.name()), map, specs)
        })
        .collect();
    let add = || Chain::one(Function::Add);
    let shapes: [(&str, &[usize], &[usize]); 9] = [
        ("one", &[1], &[1]),
        ("prime", &[101], &[101]),
        ("scalar", &[6, 8], &[]),
        ("row", &[6, 8], &[8]),
        ("row_odd", &[6, 7], &[7]),
        ("column", &[6, 8], &[6, 1]),
        ("middle", &[3, 5, 4], &[3, 1, 4]),
        ("outer", &[3, 1], &[1, 5]),
        ("long", &[70_000, 64], &[64]),
    ];
    for (name, a, b) in shapes {
        cases.push(Case::new(format!("add_{name}"), add(), [f(a), f(b)]));
    }
    let chain =
        Chain::one(Function::Tanh).after(&add(), 0).after(&Chain::one(Function::Scale(0.5)), 1);
    cases.push(Case::new("chain_tanh_add_scale", chain, [f(&[9, 8]), f(&[8])]));
    let index = |dims: &[usize]| TensorSpec::u32(dims);
    for rows in [&[1, 1][..], &[7, 5], &[2, 33, 4], &[70_001, 3]] {
        let (length, outer) = (rows[rows.len() - 1], &rows[..rows.len() - 1]);
        let gather = Chain::one(Function::Gather(length));
        cases.push(Case::new(format!("gather_{}", size(rows)), gather, [f(rows), index(outer)]));
        let largest = Chain::one(Function::Max(length));
        cases.push(Case::new(format!("max_{}", size(rows)), largest, [f(rows)]));
    }
    // Of rows that each of two others' has: what a Q-network is off by.
    let difference = Chain::one(Function::Sub)
        .after(&Chain::one(Function::Gather(3)), 1)
        .after(&Chain::one(Function::Max(5)), 0);
    let inputs = [f(&[4, 1, 5]), f(&[6, 3]), index(&[6])];
    cases.push(Case::new("difference_of_rows", difference, inputs));
    let dropout = Function::Dropout { rate: 0.5, stream: 9 };
    let clock = TensorSpec::u32([4]);
    cases.push(Case::new("dropout_odd", Chain::one(dropout), [f(&[37]), clock]));
    cases
}
