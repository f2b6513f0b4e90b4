//! One value of each row, by its index: Q(s, a) of the action taken.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::{check, outer, size};

/// x [.., C] and indices u32 [..], each below C, to `x[.., index]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gather;

/// The gradient of [`Gather`]: indices [..] and dy [..] to [.., C], zero but at the indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scatter {
    /// C.
    pub length: usize,
}

impl OldOp for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        check(&inputs[0])?;
        let rows = outer(&inputs[0]);
        if inputs[1] != TensorSpec::u32(rows) {
            return Err(format!("{} needs indices u32{rows:?}, not {}", inputs[0], inputs[1]));
        }
        Ok(vec![TensorSpec::f32(rows)])
    }

    /// What is not taken need not be read.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let bytes = 3 * inputs[1].bytes();
        Cost { flops: 0, bytes }
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("gather", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let (rows, length) = (io.inputs[1].len(), io.inputs[0].shape.last());
        Lowered::one(Dispatch {
            kernel: Kernel::of("gather", variant),
            bindings: vec![input(0), input(1), output(0)],
            params: unnamed(vec![rows as u32, length as u32]),
            grid: grid(rows.div_ceil(64), io.caps),
        })
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let length = x[0].spec().shape.last();
        let dx = dy[0].map(|dy| dy.graph().apply1(Scatter { length }, &[x[1], dy]));
        vec![dx, None]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = inputs[0].data.chunks(inputs[0].spec.shape.last());
        let taken = rows.zip(&inputs[1].data).map(|(row, &i)| row[i as usize]);
        vec![Array::f32(outer(&inputs[0].spec), taken.collect())]
    }

    /// Values are moved, not changed.
    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let length = inputs[0].shape.last();
        let draw = |spec: &TensorSpec| distribution.array(spec, length, rng);
        inputs.iter().map(draw).collect()
    }
}

impl OldOp for Scatter {
    fn name(&self) -> &'static str {
        "scatter"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        if inputs[0] != TensorSpec::u32(inputs[1].shape.clone()) {
            return Err(format!("{} are no indices for {}", inputs[0], inputs[1]));
        }
        let mut dims = inputs[1].dims().to_vec();
        dims.push(self.length);
        Ok(vec![TensorSpec::f32(dims)])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        Cost::new(0, inputs, &outputs)
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("scatter", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let rows = io.inputs[1].len();
        Lowered::one(Dispatch {
            kernel: Kernel::of("gather", variant),
            bindings: vec![input(0), input(1), output(0)],
            params: unnamed(vec![rows as u32, self.length as u32]),
            grid: grid((rows * self.length).div_ceil(64), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut dims = inputs[1].dims().to_vec();
        dims.push(self.length);
        let mut data = vec![0.0; dims.iter().product()];
        let rows = data.chunks_mut(self.length);
        for ((row, &i), &dy) in rows.zip(&inputs[0].data).zip(&inputs[1].data) {
            row[i as usize] = dy;
        }
        vec![Array::f32(dims, data)]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        let draw = |spec: &TensorSpec| distribution.array(spec, self.length, rng);
        inputs.iter().map(draw).collect()
    }
}

impl<'g> Tensor<'g> {
    /// One value of each row of `self` [.., C]: indices u32 [..] to [..].
    pub fn gather(self, index: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(Gather, &[self, index])
    }
}

/// Cases of [`Gather`] and [`Scatter`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn cases(&self) -> Vec<Case> {
        const SHAPES: [&[usize]; 4] = [&[1, 1], &[7, 5], &[2, 33, 4], &[70_001, 3]];
        let gather = SHAPES.map(|dims| {
            let inputs = [TensorSpec::f32(dims), TensorSpec::u32(&dims[..dims.len() - 1])];
            Case::new(size(dims), Gather, inputs)
        });
        let scatter = SHAPES.map(|dims| {
            let (length, rows) = (dims[dims.len() - 1], &dims[..dims.len() - 1]);
            let inputs = [TensorSpec::u32(rows), TensorSpec::f32(rows)];
            Case::new(format!("{}_back", size(dims)), Scatter { length }, inputs)
        });
        gather.into_iter().chain(scatter).collect()
    }
}
