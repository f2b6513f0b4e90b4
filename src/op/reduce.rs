//! Reductions over a run of adjacent axes: sum, mean, maximum.

use std::ops::Range;
use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::by_rows::{ByRows, Joined};
use crate::graph::chain::{Chain, Function};
use crate::graph::op::{
    Backward, Distribution, Facts, Kind, Op, Problem, Sampler, Storage, Tolerance,
};
use crate::kernel::{Caps, Lowered, Variant};
use crate::tensor::{Array, Shape, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{MANY_ROWS, size};

mod max_grad;
mod of_chain;
pub(crate) mod pass;

pub use max_grad::MaxGrad;
use of_chain::ReduceOf;
use pass::{Extents, Fold, Load};

/// What is computed of the reduced values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The largest; its gradient goes to the first of several.
    Max,
}

/// Neighbouring axes: one by its number, or several by a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    /// The first.
    pub first: usize,
    /// How many.
    pub count: usize,
}

impl From<usize> for Axes {
    fn from(first: usize) -> Self {
        Self { first, count: 1 }
    }
}

impl From<Range<usize>> for Axes {
    fn from(axes: Range<usize>) -> Self {
        Self { first: axes.start, count: axes.len() }
    }
}

/// Reduces axes, which disappear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reduce {
    /// What is computed.
    pub reduction: Reduction,
    /// Of which axes.
    pub axes: Axes,
}

/// Values up to which a largest is found by whoever needs it.
const SHORT: usize = 8;

impl Reduce {
    /// The same as an elementwise function of the rows of `x`, where it is one that is cheap.
    pub(crate) fn as_chain(&self, x: &TensorSpec) -> Option<Chain> {
        let last = self.axes.count == 1 && self.end() == x.shape.rank();
        let short = self.reduction == Reduction::Max && last && x.shape.last() <= SHORT;
        short.then(|| Chain::one(Function::Max(x.shape.last())))
    }

    fn end(&self) -> usize {
        self.axes.first + self.axes.count
    }

    /// What is left of axes of these lengths.
    fn kept(&self, dims: &[usize]) -> TensorSpec {
        TensorSpec::f32([&dims[..self.axes.first], &dims[self.end()..]].concat())
    }

    fn sized(&self, inputs: &[TensorSpec]) -> Result<ReduceProblem, String> {
        let dims = inputs[0].dims();
        let (first, end) = (self.axes.first, self.end());
        if !inputs[0].dtype.is_float() || end > dims.len() {
            return Err(format!("takes axes {first}..{end} of f32, not {}", inputs[0]));
        }
        let length = |dims: &[usize]| dims.iter().product();
        let extents = Extents {
            outer: length(&dims[..first]),
            length: length(&dims[first..end]),
            inner: length(&dims[end..]),
        };
        let tolerance = match self.reduction {
            Reduction::Sum | Reduction::Mean => Tolerance::sum(extents.length),
            Reduction::Max => Tolerance::EXACT,
        };
        let x = inputs[0].clone();
        let facts = Facts::moving(x.len() as u64, inputs, [self.kept(dims)], tolerance);
        Ok(ReduceProblem { op: *self, extents, x, facts })
    }
}

impl Op for Reduce {
    fn kind(&self) -> Kind {
        let name = match self.reduction {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::Max => "max",
        };
        Kind::new(name, Class::Reduction)
    }

    fn storage(&self) -> Storage {
        Storage::F16Read
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        Ok(Box::new(self.sized(inputs)?))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        let rows = ByRows::all(inputs, 1)?;
        match self.reduction {
            _ if self.axes.first > 0 => Some(rows),
            Reduction::Sum => Some(ByRows { outputs: vec![Joined::Sum], ..rows }),
            Reduction::Mean | Reduction::Max => None,
        }
    }

    fn with_prologue(&self, _at: usize, chain: &Chain) -> Option<Arc<dyn Op>> {
        Some(Arc::new(ReduceOf { reduce: *self, chain: chain.unless_random()?.clone() }))
    }

    fn gradient<'g>(&self, Backward { x, y, dy }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let (Some(dy), Ok(sized)) = (dy[0], self.sized(&[x[0].spec()])) else {
            return vec![None]; // unused, or an impossible op, which the graph has reported already
        };
        let shape = x[0].spec().shape;
        let mut kept = shape.dims().to_vec();
        kept[self.axes.first..self.end()].fill(1);
        let repeat = |dy: Tensor<'g>| dy.reshape(kept).broadcast_to(&shape);
        vec![Some(match self.reduction {
            Reduction::Sum => repeat(dy),
            Reduction::Mean => repeat(dy.scale(sized.mean_factor())),
            Reduction::Max => x[0].graph().apply1(MaxGrad { max: *self }, &[x[0], y[0], dy]),
        })]
    }
}

/// A reduction at given sizes.
#[derive(Debug)]
struct ReduceProblem {
    op: Reduce,
    extents: Extents,
    x: TensorSpec,
    facts: Facts,
}

impl ReduceProblem {
    fn mean_factor(&self) -> f32 {
        1.0 / self.extents.length as f32
    }

    fn fold<'a>(&self, load: Option<Load<'a>>) -> Fold<'a> {
        let scale = match self.op.reduction {
            Reduction::Mean => self.mean_factor(),
            Reduction::Sum | Reduction::Max => 1.0,
        };
        Fold { max: self.op.reduction == Reduction::Max, scale, load }
    }

    fn in_f64(&self, x: &Array) -> Array {
        let value = |i: usize| {
            let values = self.extents.places(i).map(|at| x.data[at]);
            match self.op.reduction {
                Reduction::Sum => values.sum::<f64>(),
                Reduction::Mean => values.sum::<f64>() / self.extents.length as f64,
                Reduction::Max => values.fold(f64::NEG_INFINITY, f64::max),
            }
        };
        let data = (0..self.extents.outputs()).map(value).collect();
        Array::new(self.facts.spec().clone(), data)
    }

    /// An x that takes the same path, where this one is long.
    fn smaller_x(&self) -> TensorSpec {
        let mut dims = vec![1; self.x.dims().len()];
        let smaller = self.extents.reduced();
        let (first, end) = (self.op.axes.first, self.op.end());
        let groups = [
            (0..first, smaller.outer),
            (first..end, smaller.length),
            (end..dims.len(), smaller.inner),
        ];
        for (axes, length) in groups {
            // A group of no axes has length 1 anyway.
            if let Some(axis) = dims[axes].first_mut() {
                *axis = length;
            }
        }
        TensorSpec::f32(dims)
    }
}

impl Problem for ReduceProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        pass::variants(self.extents, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        pass::lower(self.extents, self.fold(None), variant, caps)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![self.in_f64(inputs[0])]
    }

    /// Tiny values are positive and not denormal: a device may take denormal terms and partial sums for 0,
    /// and a long sum would be off by all of them.
    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut x = sampler.array(&inputs[0], 1);
        if sampler.distribution == Distribution::Tiny {
            let normal = |x: &mut f64| *x = x.abs().max(f64::from(f32::MIN_POSITIVE));
            x.data.iter_mut().for_each(normal);
        }
        vec![x]
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let smaller = self.smaller_x();
        (smaller != self.x).then(|| vec![smaller])
    }
}

impl<'g> Tensor<'g> {
    fn reduce(self, reduction: Reduction, axes: Axes) -> Tensor<'g> {
        self.graph().apply1(Reduce { reduction, axes }, &[self])
    }

    /// The sum along `axes`, which disappear: `x.sum(1)`, `x.sum(1..3)`.
    pub fn sum(self, axes: impl Into<Axes>) -> Tensor<'g> {
        self.reduce(Reduction::Sum, axes.into())
    }

    /// The mean along `axes`, which disappear.
    pub fn mean(self, axes: impl Into<Axes>) -> Tensor<'g> {
        self.reduce(Reduction::Mean, axes.into())
    }

    /// The largest value along `axes`, which disappear. Its gradient goes to the first of several.
    pub fn max(self, axes: impl Into<Axes>) -> Tensor<'g> {
        self.reduce(Reduction::Max, axes.into())
    }

    /// The sum over all elements, a scalar.
    pub fn sum_all(self) -> Tensor<'g> {
        self.sum(0..self.spec().shape.rank())
    }

    /// The mean over all elements, a scalar.
    pub fn mean_all(self) -> Tensor<'g> {
        self.mean(0..self.spec().shape.rank())
    }

    /// Undoes broadcasting from `shape`: sums over the axes along which it was repeated.
    pub fn sum_to(self, shape: &Shape) -> Tensor<'g> {
        let from = self.spec().shape;
        if from == *shape {
            return self;
        }
        let missing = from.rank() - shape.rank().min(from.rank());
        let repeated = |axis: usize| {
            axis < missing || (shape.dims()[axis - missing] == 1 && from.dims()[axis] != 1)
        };
        let mut sum = self;
        // From the last axis on, so that the numbers of those before stay true.
        let mut axis = from.rank();
        while axis > 0 {
            axis -= 1;
            if repeated(axis) {
                let end = axis + 1;
                while axis > 0 && repeated(axis - 1) {
                    axis -= 1;
                }
                sum = sum.sum(axis..end);
            }
        }
        sum.reshape(shape.clone())
    }
}

/// Awkward cases of [`Reduce`] and [`MaxGrad`].
pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&[usize], Axes); 17] = [
        (&[1], 0.into()),
        (&[4, 1], 1.into()),
        (&[1, 31], 1.into()),
        (&[7, 300], 1.into()),
        (&[33, 62], 1.into()),
        (&[5, 1021], 1.into()),
        (&[66_000, 3], 1.into()),
        (&[3, 40_000], 1.into()),
        (&[19, 101, 103], (0..3).into()), // one value: split
        (&[300, 7], 0.into()),
        (&[3, 5, 4], 1.into()),
        (&[2, 3, 5, 7], (1..3).into()),
        (&[6, 49, 12], 1.into()),
        (&[2502, 62], 0.into()), // split, two rows side by side
        (&[2111, 64], 0.into()),
        (&[65_537, 3], 0.into()), // split, single columns
        (&[2, 3, 70_001], 1.into()),
    ];
    let reductions = [("sum", Reduction::Sum), ("mean", Reduction::Mean), ("max", Reduction::Max)];
    let mut cases = Vec::new();
    for (prefix, reduction) in reductions {
        for (dims, axes) in shapes {
            let op = Reduce { reduction, axes };
            let x = TensorSpec::f32(dims);
            let name = format!("{prefix}_{}_axis{}", size(dims), axes.first);
            if reduction == Reduction::Max {
                let inputs = [x.clone(), op.kept(dims), op.kept(dims)];
                cases.push(Case::new(format!("{name}_grad"), MaxGrad { max: op }, inputs));
            }
            cases.push(Case::new(name, op, [x]));
        }
    }
    // More than 65,535 workgroups, where one has 16 rows or 16 columns.
    for (dims, axes) in [(MANY_ROWS, Axes::from(1)), (&[2, 1_050_001], Axes::from(0))] {
        let op = Reduce { reduction: Reduction::Sum, axes };
        let name = format!("sum_{}_axis{}", size(dims), axes.first);
        cases.push(Case::new(name, op, [TensorSpec::f32(dims)]));
    }
    cases.extend(of_chain::cases());
    cases
}
