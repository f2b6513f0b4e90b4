//! One value of each row, by its index: Q(s, a) of the action taken.

use crate::graph::Tensor;
use crate::graph::op::{Backward, Cost, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
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

impl Op for Gather {
    fn kind(&self) -> Kind {
        Kind::new("gather", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (x, index) = (&inputs[0], &inputs[1]);
        check(x)?;
        let rows = outer(x);
        if *index != TensorSpec::u32(rows) {
            return Err(format!("{x} needs indices u32{rows:?}, not {index}"));
        }
        // What is not taken need not be read.
        let cost = Cost { flops: 0, bytes: 3 * index.bytes() };
        let facts = Facts::new([TensorSpec::f32(rows)], cost, Tolerance::EXACT);
        let (backward, rows, length) = (false, index.len(), x.shape.last());
        Ok(Box::new(Indexed { backward, rows, length, facts }))
    }

    fn gradient<'g>(&self, Backward { x, dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        let length = x[0].spec().shape.last();
        let dx = dy[0].map(|dy| dy.graph().apply1(Scatter { length }, &[x[1], dy]));
        vec![dx, None]
    }
}

impl Op for Scatter {
    fn kind(&self) -> Kind {
        Kind::new("scatter", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (index, dy) = (&inputs[0], &inputs[1]);
        if *index != TensorSpec::u32(dy.shape.clone()) {
            return Err(format!("indices {index} do not fit {dy}"));
        }
        let dx = TensorSpec::f32([dy.dims(), &[self.length]].concat());
        let facts = Facts::moving(0, inputs, [dx], Tolerance::EXACT);
        let (backward, rows, length) = (true, dy.len(), self.length);
        Ok(Box::new(Indexed { backward, rows, length, facts }))
    }
}

/// One value of each of `rows`, or the gradient of that.
#[derive(Debug)]
struct Indexed {
    backward: bool,
    rows: usize,
    length: usize,
    facts: Facts,
}

impl Problem for Indexed {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new(if self.backward { "scatter" } else { "gather" }, [])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let (written, names) = match self.backward {
            true => (self.rows * self.length, ["index", "dy", "dx"]),
            false => (self.rows, ["x", "index", "y"]),
        };
        Lowered::one(
            Dispatch::new(Kernel::of("gather", variant), grid(written.div_ceil(64), caps))
                .bind(names[0], input(0))
                .bind(names[1], input(1))
                .bind(names[2], output(0))
                .param("rows", self.rows)
                .param("length", self.length),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [mut result] = self.facts.zeros();
        if self.backward {
            let rows = result.data.chunks_mut(self.length);
            for ((dx, &i), &dy) in rows.zip(&inputs[0].data).zip(&inputs[1].data) {
                dx[i as usize] = dy;
            }
        } else {
            let rows = inputs[0].data.chunks(self.length);
            for ((y, x), &i) in result.data.iter_mut().zip(rows).zip(&inputs[1].data) {
                *y = x[i as usize];
            }
        }
        vec![result]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sampler.arrays(inputs, self.length)
    }
}

impl<'g> Tensor<'g> {
    /// One value of each row of `self` [.., C]: indices u32 [..] to [..].
    pub fn gather(self, index: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(Gather, &[self, index])
    }
}

/// Awkward cases of [`Gather`] and [`Scatter`].
pub(super) fn cases() -> Vec<Case> {
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
