//! The former contract, and the adapter that makes it the present one until every op has moved.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::chain::Chain;
use crate::kernel::{Caps, Lowered, Variant};
use crate::random::Rng;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{Cost, Distribution, Kind, Op, Output, Problem, Tolerance};

/// What a lowering may look at.
#[derive(Debug, Clone, Copy)]
pub struct Io<'a> {
    /// The inputs' shapes and types.
    pub inputs: &'a [TensorSpec],
    /// The outputs' shapes and types.
    pub outputs: &'a [TensorSpec],
    /// What the device can do.
    pub caps: &'a Caps,
}

/// An operation with its problem settled up to the inputs' shapes.
pub trait OldOp: fmt::Debug + Any + Send + Sync + Clone {
    /// Its type in every table: `matmul`. Also the shader folder, unless the lowering says otherwise.
    fn name(&self) -> &'static str;

    /// The paper's class.
    fn class(&self) -> Class;

    /// The shape rule. The error names both shapes; the graph adds the place.
    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String>;

    /// Least work for these inputs.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost;

    /// Every way to compute it on a device; the first is the heuristic choice.
    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant>;

    /// The dispatches of one variant.
    fn lower(&self, variant: &Variant, io: &Io) -> Lowered;

    /// The gradients of the inputs, from those of the outputs (`None`: that output is unused).
    ///
    /// CONTRACT: every rule multiplies by `dy` and never assumes that it is 1; what it needs of the
    /// forward pass it takes from `x` and `y`. `None` marks an input that has no gradient.
    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let _ = (y, dy);
        vec![None; x.len()]
    }

    /// How many of the last outputs are kept for the backward pass alone: values without a gradient.
    fn saved(&self) -> usize {
        0
    }

    /// The same in f64, written like the formula.
    fn reference(&self, inputs: &[&Array]) -> Vec<Array>;

    /// How far the GPU may lie from [`OldOp::reference`].
    fn tolerance(&self, inputs: &[TensorSpec]) -> Tolerance;

    /// Pairs (output, input) that are one storage: the op updates state in place.
    fn in_place(&self) -> Vec<(usize, usize)> {
        Vec::new()
    }

    /// Inputs for a test; ops with integer or otherwise constrained inputs write their own.
    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        inputs.iter().map(|spec| distribution.array(spec, 4, rng)).collect()
    }

    /// The distributions its tolerance holds for.
    fn distributions(&self) -> &'static [Distribution] {
        &Distribution::ALL
    }

    /// Smaller inputs that take the same variants through the same code, for ops whose reference would
    /// run for minutes at the real size. Verification says so where it uses them.
    fn representative(&self, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
        inputs.to_vec()
    }

    /// The op with an elementwise chain applied to each value of its only output as it is stored, or
    /// `None` where it has no such hook. The chain's argument 0 is that value.
    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        let _ = chain;
        None
    }

    /// The op types inside with their classes: more than one after fusion.
    fn types(&self) -> Vec<(&'static str, Class)> {
        vec![(self.name(), self.class())]
    }
}

impl<T: OldOp> Op for T {
    fn kind(&self) -> Kind {
        Kind::new(self.name(), self.class())
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let specs = self.output(inputs)?;
        let saved = specs.len() - self.saved();
        let output = |(at, spec): (usize, &TensorSpec)| Output {
            spec: spec.clone(),
            saved: at >= saved,
            in_place: self.in_place().iter().find(|pair| pair.0 == at).map(|pair| pair.1),
        };
        let outputs = specs.iter().enumerate().map(output).collect();
        Ok(Box::new(OldProblem { op: self.clone(), inputs: inputs.to_vec(), specs, outputs }))
    }

    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        OldOp::gradient(self, x, y, dy)
    }

    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        OldOp::with_epilogue(self, chain)
    }

    fn kinds(&self) -> Vec<Kind> {
        self.types().into_iter().map(|(name, class)| Kind::new(name, class)).collect()
    }
}

#[derive(Debug)]
struct OldProblem<T> {
    op: T,
    inputs: Vec<TensorSpec>,
    specs: Vec<TensorSpec>,
    outputs: Vec<Output>,
}

impl<T: OldOp> Problem for OldProblem<T> {
    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn cost(&self) -> Cost {
        self.op.cost(&self.inputs)
    }

    fn tolerance(&self) -> Tolerance {
        self.op.tolerance(&self.inputs)
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.op.variants(&self.inputs, caps)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        self.op.lower(variant, &Io { inputs: &self.inputs, outputs: &self.specs, caps })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        self.op.reference(inputs)
    }

    fn sample(
        &self,
        inputs: &[TensorSpec],
        distribution: Distribution,
        rng: &mut Rng,
    ) -> Vec<Array> {
        self.op.sample(inputs, distribution, rng)
    }

    fn distributions(&self) -> &'static [Distribution] {
        self.op.distributions()
    }

    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        let reduced = self.op.representative(&self.inputs);
        (reduced != self.inputs).then_some(reduced)
    }
}
