//! Reductions over a run of neighbouring axes: sum, mean, maximum.

use std::ops::Range;

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Lowered, Variant};
use crate::random::Rng;
use crate::tensor::{Array, DType, Shape, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{MANY_ROWS, size};

mod max_grad;
pub(crate) mod pass;

pub use max_grad::MaxGrad;
use pass::{Fold, Problem};

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

impl Reduce {
    fn end(&self) -> usize {
        self.axes.first + self.axes.count
    }

    fn problem(&self, shape: &Shape) -> Problem {
        let dims = shape.dims();
        let product = |d: &[usize]| d.iter().product();
        Problem {
            outer: product(&dims[..self.axes.first]),
            length: product(&dims[self.axes.first..self.end()]),
            inner: product(&dims[self.end()..]),
        }
    }
}

impl Problem {
    /// The elements of the input that output `i` is made of, in order.
    fn places(self, i: usize) -> impl Iterator<Item = usize> {
        let (o, n) = (i / self.inner, i % self.inner);
        (0..self.length).map(move |r| (o * self.length + r) * self.inner + n)
    }
}

impl OldOp for Reduce {
    fn name(&self) -> &'static str {
        match self.reduction {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::Max => "max",
        }
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let dims = inputs[0].dims();
        let (first, end) = (self.axes.first, self.end());
        if inputs[0].dtype != DType::F32 || end > dims.len() {
            return Err(format!("takes axes {first}..{end} of f32, not {}", inputs[0]));
        }
        let kept = [&dims[..first], &dims[end..]].concat();
        Ok(vec![TensorSpec::f32(kept)])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(inputs[0].len() as u64, inputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        pass::variants(self.problem(&inputs[0].shape), caps)
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let problem = self.problem(&io.inputs[0].shape);
        let fold = Fold {
            max: self.reduction == Reduction::Max,
            scale: match self.reduction {
                Reduction::Mean => 1.0 / problem.length as f32,
                Reduction::Sum | Reduction::Max => 1.0,
            },
            load: None,
        };
        pass::lower(problem, fold, variant, io.caps)
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let (Some(dy), Ok(_)) = (dy[0], self.output(&[x[0].spec()])) else {
            return vec![None]; // unused, or an impossible op, which the graph has told already
        };
        let shape = x[0].spec().shape;
        let mut kept = shape.dims().to_vec();
        kept[self.axes.first..self.end()].fill(1);
        let repeat = |dy: Tensor<'g>| dy.reshape(kept).broadcast_to(&shape);
        vec![Some(match self.reduction {
            Reduction::Sum => repeat(dy),
            Reduction::Mean => repeat(dy.scale(1.0 / self.problem(&shape).length as f32)),
            Reduction::Max => x[0].graph().apply1(MaxGrad { max: *self }, &[x[0], y[0], dy]),
        })]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let problem = self.problem(&inputs[0].spec.shape);
        let value = |i: usize| {
            let values = problem.places(i).map(|at| inputs[0].data[at]);
            match self.reduction {
                Reduction::Sum => values.sum::<f64>(),
                Reduction::Mean => values.sum::<f64>() / problem.length as f64,
                Reduction::Max => values.fold(f64::NEG_INFINITY, f64::max),
            }
        };
        let data = (0..problem.outer * problem.inner).map(value).collect();
        let specs = self.output(&[inputs[0].spec.clone()]).unwrap_or_default();
        let spec = specs.into_iter().next();
        spec.map(|s| Array::new(s, data)).into_iter().collect()
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        match self.reduction {
            Reduction::Sum | Reduction::Mean => {
                Tolerance::sum(self.problem(&inputs[0].shape).length)
            }
            Reduction::Max => Tolerance(0.0), // one of the values as it is
        }
    }

    /// Tiny values are positive and not denormal: a device may take denormal terms and partial sums for 0,
    /// and a long sum would be off by all of them.
    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let mut x = distribution.array(&inputs[0], 1, rng);
        if distribution == Distribution::Tiny {
            let normal = |x: &mut f64| *x = x.abs().max(f64::from(f32::MIN_POSITIVE));
            x.data.iter_mut().for_each(normal);
        }
        vec![x]
    }

    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        let mut dims = vec![1; inputs[0].dims().len()];
        let smaller = self.problem(&inputs[0].shape).representative();
        let groups = [
            (0..self.axes.first, smaller.outer),
            (self.axes.first..self.end(), smaller.length),
            (self.end()..dims.len(), smaller.inner),
        ];
        for (axes, length) in groups {
            // A group of no axes has length 1 anyway.
            if let Some(first) = dims[axes].first_mut() {
                *first = length;
            }
        }
        vec![TensorSpec::f32(dims)]
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
        let own = self.spec().shape;
        if own == *shape {
            return self;
        }
        let missing = own.rank() - shape.rank().min(own.rank());
        let repeated = |axis: usize| {
            axis < missing || (shape.dims()[axis - missing] == 1 && own.dims()[axis] != 1)
        };
        let mut sum = self;
        // From the last axis on, so that the numbers of those before stay true.
        let mut axis = own.rank();
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

/// Cases of [`Reduce`] and [`MaxGrad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "reduce"
    }

    fn cases(&self) -> Vec<Case> {
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
        let reductions =
            [("sum", Reduction::Sum), ("mean", Reduction::Mean), ("max", Reduction::Max)];
        let mut cases = Vec::new();
        for (prefix, reduction) in reductions {
            for (dims, axes) in shapes {
                let op = Reduce { reduction, axes };
                let x = TensorSpec::f32(dims);
                let name = format!("{prefix}_{}_axis{}", size(dims), axes.first);
                if let (Reduction::Max, Ok(y)) = (reduction, op.output(std::slice::from_ref(&x))) {
                    let inputs = [x.clone(), y[0].clone(), y[0].clone()];
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
        cases
    }
}
