//! What the rest of the program may know about an operation, and the list of all of them.
//!
//! An op is one Rust file here (problem, shape rule, cost, variants, lowering, gradient, f64 reference,
//! awkward cases), one folder of the same name under `shaders/`, and one line in [`LIST`]. Tests,
//! benches, verification and the tables all follow from that line.

use std::any::Any;
use std::fmt;

use crate::gpu::Caps;
use crate::graph::Tensor;
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};

pub mod argmax;
pub mod attention;
pub mod bag;
pub mod batch_norm;
pub mod bernoulli_cross_entropy;
pub mod blend;
pub mod clip;
pub mod concat;
pub mod conv2d;
pub mod cross_entropy;
pub mod ctc;
pub mod ctc_decode;
pub mod decoder;
pub mod embedding;
pub mod gather;
pub mod hops;
pub mod ids;
pub mod log_uniform;
pub mod lrn;
pub mod lstm;
pub mod map;
pub mod matmul;
pub mod max_pool;
pub mod optimizer;
pub mod pad;
pub mod random;
pub mod recurrent;
pub mod reduce;
mod rows;
pub mod sampled_softmax;
pub mod shift;
pub mod slice;
pub mod softmax;
pub mod sparse;
mod splice;
pub mod tick;
pub mod transpose;

/// Every op family there is.
pub const LIST: &[&dyn Family] = &[
    &matmul::Family,
    &conv2d::Family,
    &batch_norm::Family,
    &max_pool::Family,
    &lrn::Family,
    &map::Family,
    &reduce::Family,
    &argmax::Family,
    &cross_entropy::Family,
    &bernoulli_cross_entropy::Family,
    &random::Family,
    &ctc_decode::Family,
    &optimizer::Family,
    &clip::Family,
    &blend::Family,
    &softmax::Family,
    &tick::Family,
    &recurrent::Family,
    &shift::Family,
    &transpose::Family,
    &concat::Family,
    &gather::Family,
    &slice::Family,
    &pad::Family,
    &ctc::Family,
    &bag::Family,
    &hops::Family,
    &lstm::Family,
    &attention::Family,
    &decoder::Family,
    &embedding::Family,
    &sparse::Family,
    &ids::Family,
    &log_uniform::Family,
    &sampled_softmax::Family,
];

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

/// One way to compute an op: a shader and the constants that specialise it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Variant {
    /// File name under the op's shader folder, without `.wgsl`: `tile`.
    pub name: &'static str,
    /// Constants replaced in the shader's text, in the order printed.
    pub consts: Vec<(&'static str, u32)>,
}

impl Variant {
    /// A variant of shader `name`.
    pub fn new(name: &'static str, consts: impl Into<Vec<(&'static str, u32)>>) -> Self {
        Self { name, consts: consts.into() }
    }

    /// The value of a constant.
    ///
    /// # Panics
    /// If the variant has no such constant: a fault in the op's own lowering.
    pub fn get(&self, name: &str) -> u32 {
        match self.consts.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => *value,
            None => panic!("variant {self} has no constant {name}"),
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if !self.consts.is_empty() {
            let consts: Vec<_> = self.consts.iter().map(|(n, v)| format!("{n}={v}")).collect();
            write!(f, "[{}]", consts.join(","))?;
        }
        Ok(())
    }
}

/// A shader specialised: the text that reaches the driver is a function of this alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Path under `shaders/` without `.wgsl`: `matmul/tile`.
    pub shader: String,
    /// Entry point.
    pub entry: &'static str,
    /// Top-level `const` and `alias` declarations whose right-hand side is replaced.
    pub consts: Vec<(&'static str, String)>,
    /// Marked blocks that are replaced (`// hook: NAME` to `// end`).
    pub hooks: Vec<(&'static str, String)>,
}

impl Kernel {
    /// Entry `main` of `op/variant` with the variant's constants.
    pub fn of(op: &str, variant: &Variant) -> Self {
        Self::new(format!("{op}/{}", variant.name)).with_consts(&variant.consts)
    }

    /// Entry `main` of `shader`.
    pub fn new(shader: impl Into<String>) -> Self {
        Self { shader: shader.into(), entry: "main", consts: Vec::new(), hooks: Vec::new() }
    }

    /// Another entry point.
    pub fn entry(mut self, entry: &'static str) -> Self {
        self.entry = entry;
        self
    }

    /// Adds unsigned constants.
    pub fn with_consts(mut self, consts: &[(&'static str, u32)]) -> Self {
        self.consts.extend(consts.iter().map(|(n, v)| (*n, format!("{v}u"))));
        self
    }

    /// Replaces the right-hand side of one declaration by any text.
    pub fn with_text(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.consts.push((name, text.into()));
        self
    }

    /// Replaces a hook.
    pub fn with_hook(mut self, name: &'static str, body: impl Into<String>) -> Self {
        self.hooks.push((name, body.into()));
        self
    }
}

/// Which of an op's tensors a binding shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The op's n-th input.
    Input(usize),
    /// The op's n-th output; where it is updated in place, this is the input as well.
    Output(usize),
    /// The n-th scratch tensor the lowering asked for.
    Scratch(usize),
}

/// One storage binding of a dispatch. Its position in the list is its `@binding` in group 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Binding {
    /// The tensor.
    pub operand: Operand,
    /// `var<storage, read_write>` rather than `read`.
    pub write: bool,
    /// First element shown. Its byte offset must be a multiple of 256.
    pub offset: usize,
    /// Elements shown; `None` for all that follow.
    pub len: Option<usize>,
}

/// The n-th input, read.
pub fn input(n: usize) -> Binding {
    bind(Operand::Input(n), false)
}

/// The n-th output, read and written.
pub fn output(n: usize) -> Binding {
    bind(Operand::Output(n), true)
}

/// The n-th scratch tensor, read and written.
pub fn scratch(n: usize) -> Binding {
    bind(Operand::Scratch(n), true)
}

fn bind(operand: Operand, write: bool) -> Binding {
    Binding { operand, write, offset: 0, len: None }
}

impl Binding {
    /// Only `len` elements from `offset`.
    pub fn range(mut self, offset: usize, len: usize) -> Self {
        self.offset = offset;
        self.len = Some(len);
        self
    }

    /// The same tensor, only read: a scratch or output of an earlier dispatch of this op.
    pub fn read(mut self) -> Self {
        self.write = false;
        self
    }
}

/// One dispatch.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// What runs.
    pub kernel: Kernel,
    /// Group 0.
    pub bindings: Vec<Binding>,
    /// Group 1, binding 0: the 32-bit words of `struct Params`, in order. May be empty.
    pub params: Vec<u32>,
    /// Workgroups in x, y, z.
    pub grid: [u32; 3],
}

/// What an op becomes under one variant.
#[derive(Debug, Clone, Default)]
pub struct Lowered {
    /// In order.
    pub dispatches: Vec<Dispatch>,
    /// Scratch tensors, uninitialised, alive during this op only.
    pub scratch: Vec<TensorSpec>,
}

impl Lowered {
    /// A single dispatch and no scratch.
    pub fn one(dispatch: Dispatch) -> Self {
        Self { dispatches: vec![dispatch], scratch: Vec::new() }
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
    fn with_epilogue(&self, chain: &map::Map) -> Option<Box<dyn Op>> {
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

/// An op family: what only testing needs.
pub trait Family: Sync {
    /// As in [`Op::name`].
    fn name(&self) -> &'static str;

    /// Named problems: tiny, prime-sized, non-square, just over a tile, more than 65,535 workgroups.
    fn cases(&self) -> Vec<Case>;

    /// Problems worth timing: the cases that move or compute the most.
    fn benches(&self) -> Vec<Case> {
        let mut cases = self.cases();
        let work = |case: &Case| {
            let cost = case.op.cost(&case.inputs);
            cost.flops + cost.bytes
        };
        cases.sort_by_key(|case| std::cmp::Reverse(work(case)));
        cases.truncate(3);
        cases
    }
}

/// One problem of a family.
#[derive(Debug)]
pub struct Case {
    /// `m3_n5_k7`.
    pub name: String,
    /// The op.
    pub op: Box<dyn Op>,
    /// Its inputs.
    pub inputs: Vec<TensorSpec>,
}

impl Case {
    /// A case.
    pub fn new(name: impl Into<String>, op: impl Op, inputs: impl Into<Vec<TensorSpec>>) -> Self {
        Self { name: name.into(), op: Box::new(op), inputs: inputs.into() }
    }
}

/// A grid of `workgroups` in one line, folded into two dimensions where a line would be longer than the
/// device allows. Shaders find their number as `wid.y * groups.x + wid.x` and must check it.
pub fn grid(workgroups: usize, caps: &Caps) -> [u32; 3] {
    let most = caps.max_workgroups as usize;
    if workgroups <= most {
        [workgroups.max(1) as u32, 1, 1]
    } else {
        let rows = workgroups.div_ceil(most);
        [workgroups.div_ceil(rows) as u32, rows as u32, 1]
    }
}
