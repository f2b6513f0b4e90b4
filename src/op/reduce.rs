//! Reductions over a run of neighbouring axes: sum, mean.

use crate::gpu::Caps;
use crate::graph::Tensor;
use crate::tensor::{Array, Shape, TensorSpec};

use super::{
    Case, Class, Cost, Dispatch, Io, Kernel, Lowered, Op, Tolerance, Variant, grid, input, output,
};

/// What is computed of the reduced values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
}

/// Reduces axes `first .. first + count`, which disappear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reduce {
    /// What is computed.
    pub reduction: Reduction,
    /// First axis reduced.
    pub first: usize,
    /// How many axes.
    pub count: usize,
}

impl Reduce {
    /// The input as [outer, length, inner]: `length` is what is reduced.
    fn split(&self, shape: &Shape) -> (usize, usize, usize) {
        let dims = shape.dims();
        let end = self.first + self.count;
        let product = |d: &[usize]| d.iter().product();
        (
            product(&dims[..self.first]),
            product(&dims[self.first..end]),
            product(&dims[end..]),
        )
    }
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        match self.reduction {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
        }
    }

    fn class(&self) -> Class {
        Class::Reduction
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let dims = inputs[0].dims();
        let end = self.first + self.count;
        if end > dims.len() {
            return Err(format!(
                "{} has no axes {}..{end}",
                inputs[0].shape, self.first
            ));
        }
        let kept = [&dims[..self.first], &dims[end..]].concat();
        Ok(vec![TensorSpec::f32(kept)])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(inputs[0].len() as u64, inputs, &outputs)
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        let (_, _, inner) = self.split(&inputs[0].shape);
        vec![Variant::new(
            if inner == 1 { "rows" } else { "columns" },
            [],
        )]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let (outer, length, inner) = self.split(&io.inputs[0].shape);
        let scale = match self.reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => 1.0 / length as f32,
        };
        let workgroups = if inner == 1 {
            outer
        } else {
            (outer * inner).div_ceil(64)
        };
        Lowered::one(Dispatch {
            kernel: Kernel::of("reduce", variant),
            bindings: vec![input(0), output(0)],
            params: vec![
                outer as u32,
                length as u32,
                inner as u32,
                f32::to_bits(scale),
            ],
            grid: grid(workgroups, io.caps),
        })
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let Some(dy) = dy[0] else {
            return vec![None];
        };
        let shape = x[0].spec().shape;
        let (_, length, _) = self.split(&shape);
        let mut kept = shape.dims().to_vec();
        kept[self.first..self.first + self.count].fill(1);
        let dy = match self.reduction {
            Reduction::Sum => dy,
            Reduction::Mean => dy.scale(1.0 / length as f32),
        };
        vec![Some(dy.reshape(kept).broadcast_to(&shape))]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (outer, length, inner) = self.split(&inputs[0].spec.shape);
        let specs = self.output(&[inputs[0].spec.clone()]).unwrap_or_default();
        let value = |i: usize| {
            let (o, n) = (i / inner, i % inner);
            let each = (0..length).map(|r| inputs[0].data[(o * length + r) * inner + n]);
            let sum: f64 = each.sum();
            match self.reduction {
                Reduction::Sum => sum,
                Reduction::Mean => sum / length as f64,
            }
        };
        let data = (0..outer * inner).map(value).collect();
        specs
            .into_iter()
            .next()
            .map(|s| Array::new(s, data))
            .into_iter()
            .collect()
    }

    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance {
        Tolerance::sum(self.split(&inputs[0].shape).1)
    }
}

impl<'g> Tensor<'g> {
    /// The sum over all elements, a scalar.
    pub fn sum_all(self) -> Tensor<'g> {
        let count = self.spec().shape.rank();
        let op = Reduce {
            reduction: Reduction::Sum,
            first: 0,
            count,
        };
        self.graph().apply1(op, &[self])
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
                let op = Reduce {
                    reduction: Reduction::Sum,
                    first: axis,
                    count: end - axis,
                };
                sum = sum.graph().apply1(op, &[sum]);
            }
        }
        sum.reshape(shape.clone())
    }
}

/// Cases of [`Reduce`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "reduce"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (name, reduction) in [("sum", Reduction::Sum), ("mean", Reduction::Mean)] {
            let shapes: [(&[usize], usize, usize); 5] = [
                (&[1], 0, 1),
                (&[7, 300], 1, 1),
                (&[300, 7], 0, 1),
                (&[3, 5, 4], 1, 1),
                (&[66_000, 3], 1, 1),
            ];
            for (dims, first, count) in shapes {
                let op = Reduce {
                    reduction,
                    first,
                    count,
                };
                let size: Vec<_> = dims.iter().map(ToString::to_string).collect();
                let name = format!("{name}_{}_axis{first}", size.join("x"));
                cases.push(Case::new(name, op, [TensorSpec::f32(dims)]));
            }
        }
        cases
    }
}
