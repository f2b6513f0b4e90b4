//! The contract of an operation: what the graph, the passes and the checks may ask of it.

use std::any::Any;
use std::fmt;

use crate::graph::Tensor;
use crate::graph::chain::Chain;
use crate::kernel::{Caps, Lowered, Variant};
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};

/// The paper's seven classes of operation (Fathom, IISWC 2016, section V).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A: matrix products.
    Matrix,
    /// B: convolutions and their gradients.
    Convolution,
    /// C: elementwise arithmetic.
    Elementwise,
    /// D: reductions and expansions: sums, softmax, losses, pooling, normalisation.
    Reduction,
    /// E: random sampling.
    Random,
    /// F: optimisation: updates, clipping, target copies.
    Optimisation,
    /// G: data movement.
    Movement,
}

impl Class {
    /// Every class, in the paper's order.
    pub const ALL: [Class; 7] = [
        Self::Matrix,
        Self::Convolution,
        Self::Elementwise,
        Self::Reduction,
        Self::Random,
        Self::Optimisation,
        Self::Movement,
    ];

    /// The class's letter, A to G.
    pub fn letter(self) -> char {
        (b'A' + self as u8) as char
    }
}

/// The least work a problem needs: arithmetic, and each operand moved once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Floating-point operations; a multiply-add counts two.
    pub flops: u64,
    /// Bytes read and written when every operand crosses the memory bus once.
    pub bytes: u64,
}

impl Cost {
    /// `flops`, and the bytes of all inputs and outputs once.
    pub fn new(flops: u64, inputs: &[TensorSpec], outputs: &[TensorSpec]) -> Self {
        let bytes = |specs: &[TensorSpec]| specs.iter().map(TensorSpec::bytes).sum::<u64>();
        Self { flops, bytes: bytes(inputs) + bytes(outputs) }
    }
}

impl std::ops::Add for Cost {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { flops: self.flops + other.flops, bytes: self.bytes + other.bytes }
    }
}

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

/// How far a result may lie from the f64 reference, as a share of the larger of the reference value and
/// the root mean square of its tensor. Integers must agree exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance(pub f64);

impl Tolerance {
    /// For a sum of `length` products in f32: rounding errors add like a random walk, and the factor
    /// covers orders of summation, fused or separate multiply-adds, and 4-ulp built-ins.
    pub fn sum(length: usize) -> Self {
        Self(8.0 * f64::from(f32::EPSILON) * (length.max(1) as f64).sqrt())
    }
}

/// What values a test or verification feeds an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Uniform in [-1, 1).
    Uniform,
    /// Uniform around 1000: cancellation.
    Offset,
    /// Few distinct values: ties.
    Ties,
    /// All zeros.
    Zeros,
    /// About 1e-38: below it f32 is denormal.
    Tiny,
    /// Up to +-80: where exp overflows.
    Extreme,
}

impl Distribution {
    /// Every distribution.
    pub const ALL: [Self; 6] =
        [Self::Uniform, Self::Offset, Self::Ties, Self::Zeros, Self::Tiny, Self::Extreme];

    /// One f32 value.
    pub fn draw(self, rng: &mut Rng) -> f64 {
        let u = 2.0 * rng.uniform() - 1.0;
        let value = match self {
            Self::Uniform => u,
            Self::Offset => 1000.0 + u,
            Self::Ties => (u * 2.0).round() / 2.0,
            Self::Zeros => 0.0,
            Self::Tiny => u * 4e-38,
            Self::Extreme => 80.0 * u,
        };
        f64::from(value as f32)
    }

    /// A tensor of values; integers are below `limit`.
    pub fn array(self, spec: &TensorSpec, limit: usize, rng: &mut Rng) -> Array {
        let data = (0..spec.len())
            .map(|_| match spec.dtype {
                DType::F32 => self.draw(rng),
                _ => rng.below(limit) as f64,
            })
            .collect();
        Array::new(spec.clone(), data)
    }
}

/// An operation with its problem settled up to the inputs' shapes.
pub trait Op: fmt::Debug + Any + Send + Sync + CloneBox {
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

    /// How far the GPU may lie from [`Op::reference`].
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
    fn with_epilogue(&self, chain: &Chain) -> Option<Box<dyn Op>> {
        let _ = chain;
        None
    }

    /// The op types inside with their classes: more than one after fusion.
    fn types(&self) -> Vec<(&'static str, Class)> {
        vec![(self.name(), self.class())]
    }
}

/// Cloning behind `dyn`: any op that is [`Clone`] has it.
pub trait CloneBox {
    /// A copy on the heap.
    fn clone_box(&self) -> Box<dyn Op>;
}

impl<T: Op + Clone> CloneBox for T {
    fn clone_box(&self) -> Box<dyn Op> {
        Box::new(self.clone())
    }
}
