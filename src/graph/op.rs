//! The contract of an op: what the graph, the passes and the checks may ask of it.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::chain::{Chain, Function, Instruction};
use crate::kernel::{Caps, Lowered, Planned, Variant};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

mod sampler;

pub use sampler::{Distribution, Sampler};

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

/// Refuses what is no float, 16-bit ones included.
pub fn floats(specs: &[TensorSpec]) -> Result<(), String> {
    match specs.iter().find(|spec| !spec.dtype.is_float()) {
        Some(other) => Err(format!("takes floats, not {other}")),
        None => Ok(()),
    }
}

impl std::ops::Add for Cost {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { flops: self.flops + other.flops, bytes: self.bytes + other.bytes }
    }
}

/// How far a result may lie from the f64 reference, as a share of the larger of the reference value and
/// the root mean square of its tensor. Integers must agree exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance(pub f64);

impl Tolerance {
    /// Values are moved or chosen, not computed.
    pub const EXACT: Self = Self(0.0);

    /// For a sum of `length` products in f32: rounding errors add like a random walk, and the factor
    /// covers orders of summation, fused or separate multiply-adds, and 4-ulp built-ins.
    pub fn sum(length: usize) -> Self {
        Self(8.0 * f64::from(f32::EPSILON) * (length.max(1) as f64).sqrt())
    }
}

/// One value of a reference that is a sum, with what rounding goes by.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ValueAt {
    /// The value.
    pub value: f64,
    /// The size of its terms: errors of an order of summation are a share of it, however the terms cancel.
    pub scale: f64,
}

impl ValueAt {
    /// Of the sum of some terms: they walk at random, or for long stretches one way, as neighbouring pixels do.
    pub fn sum(terms: impl IntoIterator<Item = f64>) -> Self {
        /// Share of the sum of all terms' sizes that a stretch one way comes to.
        const STRETCH: f64 = 1.0 / 16.0;
        let (mut value, mut squares, mut sizes) = (0.0, 0.0, 0.0);
        for term in terms {
            value += term;
            squares += term * term;
            sizes += term.abs();
        }
        Self { value, scale: f64::sqrt(squares).max(STRETCH * sizes) }
    }
}

/// What an op is called and which of the paper's classes it belongs to: once, for every table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    /// Its type in every table: `matmul`.
    pub name: &'static str,
    /// The paper's class.
    pub class: Class,
}

impl Kind {
    /// Type `name` in `class`.
    pub const fn new(name: &'static str, class: Class) -> Self {
        Self { name, class }
    }
}

/// A chain's functions as the ops that they were before they were merged.
impl Chain {
    /// Their kinds, in order.
    pub fn kinds(&self) -> Vec<Kind> {
        let class = |function: Function| match function {
            Function::Dropout { .. } => Class::Random,
            Function::Copy | Function::Gather(_) => Class::Movement,
            Function::Max(_) => Class::Reduction,
            _ => Class::Elementwise,
        };
        let kind = |step: &Instruction| Kind::new(step.function.name(), class(step.function));
        self.code.iter().map(kind).collect()
    }
}

/// Whether the values that an op reads and makes may lie in memory as f16; it computes in f32 all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// None of them, for a reason.
    F32(&'static str),
    /// Those it reads; what it makes is f32.
    F16Read,
    /// Those it reads and makes. What it keeps for the backward pass alone is f32: statistics.
    F16,
}

/// One tensor that an op makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Shape and type.
    pub spec: TensorSpec,
    /// Kept for the backward pass alone: a value without a gradient.
    pub saved: bool,
    /// The input whose storage it is: the op updates state in place.
    pub in_place: Option<usize>,
}

impl Output {
    /// A tensor of its own.
    pub fn new(spec: TensorSpec) -> Self {
        Self { spec, saved: false, in_place: None }
    }

    /// One that is kept for the backward pass alone.
    pub fn saved(spec: TensorSpec) -> Self {
        Self { saved: true, ..Self::new(spec) }
    }

    /// One that updates the state `input`.
    pub fn in_place(spec: TensorSpec, input: usize) -> Self {
        Self { in_place: Some(input), ..Self::new(spec) }
    }
}

impl From<TensorSpec> for Output {
    fn from(spec: TensorSpec) -> Self {
        Self::new(spec)
    }
}

/// What an op's sizes say about it, however it is computed.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What it makes.
    pub outputs: Vec<Output>,
    /// Least work.
    pub cost: Cost,
    /// How far the GPU may lie from [`Problem::reference`].
    pub tolerance: Tolerance,
    /// The distributions of inputs that this holds for.
    pub distributions: &'static [Distribution],
    /// What [`Problem::reduced_problem`] says.
    pub reduced: Option<Vec<TensorSpec>>,
}

impl Facts {
    /// Outputs and a cost of any kind.
    pub fn new(
        outputs: impl IntoIterator<Item = impl Into<Output>>,
        cost: Cost,
        tolerance: Tolerance,
    ) -> Self {
        let outputs = outputs.into_iter().map(Into::into).collect();
        Self { outputs, cost, tolerance, distributions: &Distribution::ALL, reduced: None }
    }

    /// Of an op that reads and writes every operand once.
    pub fn moving(
        flops: u64,
        inputs: &[TensorSpec],
        outputs: impl IntoIterator<Item = impl Into<Output>>,
        tolerance: Tolerance,
    ) -> Self {
        let mut facts = Self::new(outputs, Cost::new(flops, inputs, &[]), tolerance);
        facts.cost.bytes += facts.outputs.iter().map(|output| output.spec.bytes()).sum::<u64>();
        facts
    }

    /// The same with a tolerance that holds for inputs of these distributions alone.
    pub fn drawn_from(self, distributions: &'static [Distribution]) -> Self {
        Self { distributions, ..self }
    }

    /// The same, checked with these smaller inputs, if any, in place of its own.
    pub fn reduced_to(self, reduced: Option<Vec<TensorSpec>>) -> Self {
        Self { reduced, ..self }
    }

    /// Shape and type of the first output.
    pub fn spec(&self) -> &TensorSpec {
        &self.outputs[0].spec
    }

    /// The values of the only output.
    pub fn result(&self, data: Vec<f64>) -> Vec<Array> {
        vec![Array::new(self.spec().clone(), data)]
    }

    /// Zeros of the shapes of all N outputs, for a reference to fill.
    pub fn zeros<const N: usize>(&self) -> [Array; N] {
        std::array::from_fn(|at| Array::zeros(self.outputs[at].spec.clone()))
    }
}

/// What the rule of a gradient is made from.
#[derive(Debug, Clone, Copy)]
pub struct Backward<'a, 'g> {
    /// The op's inputs.
    pub x: &'a [Tensor<'g>],
    /// Its outputs.
    pub y: &'a [Tensor<'g>],
    /// The gradients of these: `None` where the loss does not depend on one, which is not so of all.
    pub dy: &'a [Option<Tensor<'g>>],
}

/// What an operation is, whatever the sizes.
pub trait Op: fmt::Debug + Any + Send + Sync {
    /// Name and class.
    fn kind(&self) -> Kind;

    /// The op at these inputs: the only place that reads their shapes, and the only one that can fail. The
    /// error names the shapes; the graph adds the place.
    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String>;

    /// The gradients of the inputs. `None` marks an input that has none.
    ///
    /// CONTRACT: every rule multiplies by `dy` and never assumes that it is 1; what it needs of the
    /// forward pass it takes from `x` and `y`.
    fn gradient<'g>(&self, Backward { x, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None; x.len()]
    }

    /// How it is computed over some rows at a time; `None` where its rows depend on each other.
    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        let _ = inputs;
        None
    }

    /// The op over those rows of `inputs`, where it is another than over all of them: one that goes by the number of
    /// an element.
    fn over_rows(&self, inputs: &[TensorSpec], rows: Range<usize>) -> Option<Arc<dyn Op>> {
        let _ = (inputs, rows);
        None
    }

    /// The op with an elementwise chain applied to each value of its first output as it is stored, or
    /// `None` where it has no such hook. The chain's argument 0 is that value.
    fn with_epilogue(&self, chain: &Chain) -> Option<Arc<dyn Op>> {
        let _ = chain;
        None
    }

    /// The op with what a chain makes in place of its input `at`, computed as it is read, or `None` where it has no such
    /// hook. The chain's inputs stand where that input stood.
    fn with_prologue(&self, at: usize, chain: &Chain) -> Option<Arc<dyn Op>> {
        let _ = (at, chain);
        None
    }

    /// Whether its values may be stored as f16.
    fn storage(&self) -> Storage {
        Storage::F32(match self.kind().class {
            Class::Movement => "it moves whole words",
            Class::Optimisation => "parameters and what is kept of them are f32",
            Class::Random => "draws are f32",
            _ => "a state, a sum or a loss needs f32",
        })
    }

    /// How many of its inputs, the first, are factors of products that matrices of f16 may compute.
    fn factors(&self) -> usize {
        0
    }

    /// What [`Op::with_epilogue`] gave it.
    fn epilogue(&self) -> Option<&Chain> {
        None
    }

    /// The op with a second output, the sums of its second operand's columns, or `None` where it reads no such
    /// operand whole. A weight's gradient reads all of its layer's `dy`, whose columns' sums are the bias's.
    fn with_column_sums(&self) -> Option<Arc<dyn Op>> {
        None
    }

    /// The kinds inside: more than one after fusion.
    fn kinds(&self) -> Vec<Kind> {
        let fused = self.epilogue().into_iter().flat_map(Chain::kinds);
        std::iter::once(self.kind()).chain(fused).collect()
    }
}

/// What an operation is at given sizes. Nothing here can fail.
pub trait Problem: fmt::Debug + Send + Sync {
    /// Outputs, cost and tolerance.
    fn facts(&self) -> &Facts;

    /// Every way to compute it with its time, the most promising first, of an op that estimates these.
    fn planned(&self, caps: &Caps) -> Vec<Planned> {
        let _ = caps;
        Vec::new()
    }

    /// Every way to compute it on a device; the first is the heuristic choice.
    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        self.planned(caps).into_iter().map(|planned| planned.variant).collect()
    }

    /// Those of the variants that are worth measuring against each other: an op that estimates their times leaves out
    /// what is far from the first. Of the others' a CPU adapter is offered the first alone: the rest are made for GPUs, lose
    /// by up to 2.5 times there, and each takes such a driver as long to compile as hundreds of steps.
    fn candidates(&self, caps: &Caps) -> Vec<Variant> {
        let planned = self.planned(caps);
        if !planned.is_empty() {
            return Planned::near(planned).map(|planned| planned.variant).collect();
        }
        let mut variants = self.variants(caps);
        variants.truncate(if caps.software { 1 } else { variants.len() });
        variants
    }

    /// How far an output of a variant may lie from [`Problem::reference`]: another order of summation has its own rounding
    /// within the op's, another algorithm a bound of its own.
    fn tolerance(&self, variant: &Variant, output: usize) -> Tolerance {
        let _ = (variant, output);
        self.facts().tolerance
    }

    /// Whether a variant makes several values of the same products, so that each has the rounding of what the others are
    /// the sums of, also where its own terms are all 0.
    fn shares_products(&self, variant: &Variant) -> bool {
        let _ = variant;
        false
    }

    /// The dispatches of one variant, their bindings and parameters under the shader's names.
    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered;

    /// The same in f64, written like the formula.
    fn reference(&self, inputs: &[&Array]) -> Vec<Array>;

    /// The values of an output at some places, in f64: what stands for [`Problem::reference`] where that would run for
    /// minutes. `None` where a value takes the whole; `Some` without reading the inputs where no place is asked for.
    fn reference_at(
        &self,
        output: usize,
        inputs: &[&Array],
        places: &[usize],
    ) -> Option<Vec<ValueAt>> {
        let _ = (output, inputs, places);
        None
    }

    /// Inputs for a test; ops with integer or otherwise constrained inputs write their own.
    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sampler.arrays(inputs, 4)
    }

    /// Smaller inputs that take the same variants through the same code, for ops whose reference would
    /// run for minutes at the real size. Verification says so where it uses them.
    fn reduced_problem(&self) -> Option<Vec<TensorSpec>> {
        self.facts().reduced.clone()
    }
}

impl dyn Problem + '_ {
    /// What it makes.
    pub fn outputs(&self) -> &[Output] {
        &self.facts().outputs
    }

    /// Least work.
    pub fn cost(&self) -> Cost {
        self.facts().cost
    }

    /// The distributions of inputs that its tolerance holds for.
    pub fn distributions(&self) -> &'static [Distribution] {
        self.facts().distributions
    }

    /// Shapes and types of the outputs.
    pub fn output_specs(&self) -> Vec<TensorSpec> {
        self.outputs().iter().map(|output| output.spec.clone()).collect()
    }

    /// How far each output of a variant may lie from its reference.
    pub fn tolerances(&self, variant: &Variant) -> Vec<Tolerance> {
        (0..self.outputs().len()).map(|output| self.tolerance(variant, output)).collect()
    }

    /// Pairs (output, input) that are one storage.
    pub fn in_place(&self) -> impl Iterator<Item = (usize, usize)> {
        self.outputs().iter().enumerate().filter_map(|(at, output)| Some((at, output.in_place?)))
    }
}
