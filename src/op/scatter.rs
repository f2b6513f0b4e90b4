//! Values put at one place of each row: the gradient of [`Tensor::gather`].

use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::chain::{Chain, Function, Read};
use crate::graph::op::{Cost, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::map::ChainProblem;
use super::rows::size;

/// Indices [..] below C and dy [..] to [.., C], zero but at the indices.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// C.
    pub length: usize,
    /// What makes dy of the inputs behind the indices; a copy where dy is what is read.
    pub prologue: Chain,
}

impl Scatter {
    fn new(length: usize) -> Self {
        Self { length, prologue: Chain::one(Function::Copy) }
    }
}

impl Op for Scatter {
    fn kind(&self) -> Kind {
        Kind::new("scatter", Class::Movement)
    }

    fn kinds(&self) -> Vec<Kind> {
        let made = self.prologue.kinds().into_iter();
        made.filter(|kind| kind.name != "copy").chain([self.kind()]).collect()
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let index = &inputs[0];
        let dy = ChainProblem::new(&self.prologue, &inputs[1..])?;
        if *index != TensorSpec::u32(dy.shape().clone()) {
            return Err(format!("indices {index} do not fit f32{}", dy.shape()));
        }
        let dx = TensorSpec::f32([dy.shape().dims(), &[self.length]].concat());
        let Cost { flops, bytes } = dy.facts().cost;
        let moved = bytes - dy.facts().spec().bytes() + index.bytes() + dx.bytes();
        let tolerance = match self.prologue == Chain::one(Function::Copy) {
            true => Tolerance::EXACT,
            false => dy.facts().tolerance,
        };
        let facts = Facts::new([dx], Cost { flops, bytes: moved }, tolerance)
            .drawn_from(dy.facts().distributions);
        Ok(Box::new(ScatterProblem { length: self.length, dy, facts }))
    }

    fn with_prologue(&self, at: usize, chain: &Chain) -> Option<Arc<dyn Op>> {
        let at = at.checked_sub(1).filter(|&at| self.prologue.read(at) == Read::Value)?;
        let prologue = self.prologue.after(chain.unless_random()?, at);
        Some(Arc::new(Self { prologue, ..*self }))
    }
}

/// [`Scatter`] at given sizes.
#[derive(Debug)]
struct ScatterProblem {
    length: usize,
    dy: ChainProblem,
    facts: Facts,
}

impl Problem for ScatterProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("scatter", [])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let (rows, length) = (self.dy.shape().len(), self.length);
        let load = format!("alias T = f32;\n{}", self.dy.text("load", 2, 1));
        let kernel = Kernel::of("scatter", variant).with_hook("load", load);
        let dispatch = Dispatch::new(kernel, grid((rows * length).div_ceil(64), caps))
            .bind("index", input(0))
            .bind("dx", output(0))
            .param("rows", rows)
            .param("length", length);
        Lowered::one(self.dy.bind(dispatch, 1))
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [mut dx] = self.facts.zeros();
        let dy = &self.dy.reference(&inputs[1..])[0];
        let rows = dx.data.chunks_mut(self.length);
        for ((dx, &i), &dy) in rows.zip(&inputs[0].data).zip(&dy.data) {
            dx[i as usize] = dy;
        }
        vec![dx]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        let mut arrays = vec![sampler.array(&inputs[0], self.length)];
        arrays.extend(self.dy.sample(&inputs[1..], sampler));
        arrays
    }
}

impl<'g> Tensor<'g> {
    /// `self` [..] at the indices u32 [..] of rows of `length` zeros.
    pub(crate) fn scatter(self, index: Tensor<'g>, length: usize) -> Tensor<'g> {
        self.graph().apply1(Scatter::new(length), &[index, self])
    }
}

/// Awkward cases.
pub(super) fn cases() -> Vec<Case> {
    const SHAPES: [&[usize]; 4] = [&[1, 1], &[7, 5], &[2, 33, 4], &[70_001, 3]];
    let plain = SHAPES.map(|dims| {
        let (length, rows) = (dims[dims.len() - 1], &dims[..dims.len() - 1]);
        let inputs = [TensorSpec::u32(rows), TensorSpec::f32(rows)];
        Case::new(size(dims), Scatter::new(length), inputs)
    });
    // Huber's gradient of a difference of what rows hold, as a Q-network's.
    let difference = Chain::one(Function::Sub).after(&Chain::one(Function::Gather(5)), 1);
    let prologue = Chain::one(Function::HuberGrad)
        .after(&difference.after(&Chain::one(Function::Max(5)), 0), 0);
    let scatter = Scatter { length: 5, prologue };
    let (rows, index) = (TensorSpec::f32([33, 5]), TensorSpec::u32([33]));
    let inputs = [index.clone(), rows.clone(), rows, index, TensorSpec::f32([33])];
    plain.into_iter().chain([Case::new("of_chain_33x5", scatter, inputs)]).collect()
}
