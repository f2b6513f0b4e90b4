//! Kernels as plain data: what a device can do, which shader runs with which constants and bindings.
//!
//! Ops describe in it how they are computed; [`crate::gpu`] and [`crate::program`] carry it out.

use std::fmt;

use crate::tensor::{DType, TensorSpec};
use crate::terms::{Feature, LimitSet, Restriction, Speeds};

/// Whether values can be stored as f16 at all: a page offers f32 alone, and its visitors need not load the rest.
pub const HALVES: bool = cfg!(not(target_arch = "wasm32"));

/// Whether kernels may be laid out for subgroups: browsers tell a range of their sizes, seldom one.
pub const SUBGROUPS: bool = cfg!(not(target_arch = "wasm32"));

/// Turns after which lavapipe ends a loop, silently: a CPU adapter is offered no kernel that takes more.
pub const MOST_TURNS: usize = 65_535;

/// Bindings that a product takes for an operand longer than one may be.
pub const MOST_RANGES: u64 = 2;

/// What a device can do, as far as a kernel's choice depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// Runs on the CPU: lavapipe, SwiftShader, WARP.
    pub software: bool,
    /// Is Mesa's llvmpipe, for which kernels are rewritten.
    pub llvmpipe: bool,
    /// The one subgroup size, where the adapter reports a single size and shaders may use it.
    pub subgroup: Option<u32>,
    /// Largest storage binding in bytes.
    pub max_binding: u64,
    /// Largest buffer in bytes.
    pub max_buffer: u64,
    /// Storage bindings in a stage.
    pub max_bindings: u32,
    /// Most workgroups along one dimension of a grid.
    pub max_workgroups: u32,
    /// Most invocations in a workgroup.
    pub max_invocations: u32,
    /// Workgroup memory in bytes.
    pub max_shared: u32,
    /// Whether passes can carry timestamps.
    pub timestamps: bool,
    /// Whether kernels may read and write f16.
    pub f16: bool,
    /// Rows and columns of the square matrices of f16 whose products a subgroup adds up in f32, where there are any.
    pub matrices: Option<u32>,
    /// Whether vectors in storage are loaded and stored as 64-bit integers, which is asked for where it is faster.
    pub int64: bool,
    /// How fast it is.
    pub speeds: Speeds,
}

impl Caps {
    /// What the WebGPU standard promises everywhere: for figures that need no device.
    pub fn portable() -> Self {
        Self {
            software: false,
            llvmpipe: false,
            subgroup: None,
            max_binding: 128 << 20,
            max_buffer: 256 << 20,
            max_bindings: 8,
            max_workgroups: 65_535,
            max_invocations: 256,
            max_shared: 16_384,
            timestamps: true,
            f16: false,
            matrices: None,
            int64: false,
            speeds: Speeds::GPU,
        }
    }

    /// What is left of them where some of a device is not used.
    pub fn restricted(self, restriction: &Restriction) -> Self {
        let mut caps = self;
        if restriction.limits == LimitSet::WebGpu {
            let most = Self::portable();
            caps.max_binding = caps.max_binding.min(most.max_binding);
            caps.max_buffer = caps.max_buffer.min(most.max_buffer);
            caps.max_bindings = caps.max_bindings.min(most.max_bindings);
            caps.max_workgroups = caps.max_workgroups.min(most.max_workgroups);
            caps.max_invocations = caps.max_invocations.min(most.max_invocations);
            caps.max_shared = caps.max_shared.min(most.max_shared);
        }
        if restriction.lacks(Feature::Subgroups) {
            caps.subgroup = None;
        }
        caps.timestamps &= !restriction.lacks(Feature::Timestamps);
        caps.f16 &= !restriction.lacks(Feature::F16);
        caps.int64 &= !restriction.lacks(Feature::Int64);
        caps.matrices = caps.matrices.filter(|_| caps.f16 && caps.subgroup.is_some());
        caps
    }

    /// Elements of a binding at most, where the next one goes on behind them: bindings begin at multiples of 256 bytes.
    pub(crate) fn most_elements(&self, dtype: DType) -> usize {
        (self.max_binding / 256 * 256) as usize / dtype.size()
    }

    /// The same on a GPU that multiplies matrices of f16, with the workgroup memory that these take.
    pub fn portable_matrices() -> Self {
        let (subgroup, matrices, max_shared) = (Some(32), Some(16), 48 << 10);
        Self { f16: true, subgroup, matrices, max_shared, ..Self::portable() }
    }

    /// The same on llvmpipe, with subgroups and 64-bit integers.
    pub fn portable_software() -> Self {
        let (subgroup, speeds) = (Some(8), Speeds::SOFTWARE);
        let rewritten = Self { llvmpipe: true, int64: true, ..Self::portable() };
        Self { software: true, subgroup, speeds, ..rewritten }
    }
}

/// One way to compute an op: a shader and the constants that specialise it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Variant {
    /// What tables call it, mostly by its shader's file: `tile`. Variants `rows` of a gradient run a shader `grad`.
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

/// A variant with the nanoseconds that it is expected to take.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// By the estimates.
    pub ns: f64,
    /// What takes it.
    pub variant: Variant,
}

impl Planned {
    /// Those of `planned`, the most promising first, that may well be the fastest.
    pub fn near(planned: Vec<Self>) -> impl Iterator<Item = Self> {
        /// How many times as slow as the first by the estimates.
        const NEAR: f64 = 1.6;
        let most = planned.first().map_or(0.0, |first| NEAR * first.ns);
        planned.into_iter().take_while(move |planned| planned.ns <= most)
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
    /// Storage variables that it only reads and that are declared `read_write` all the same.
    pub writable: Vec<&'static str>,
    /// Storage variables that hold f16, where the shader has f32.
    pub halves: Vec<(&'static str, DType)>,
}

impl Kernel {
    /// Entry `main` of `op/variant` with the variant's constants.
    pub fn of(op: &str, variant: &Variant) -> Self {
        Self::new(format!("{op}/{}", variant.name)).with_consts(&variant.consts)
    }

    /// Entry `main` of `shader`.
    pub fn new(shader: impl Into<String>) -> Self {
        Self {
            shader: shader.into(),
            entry: "main",
            consts: Vec::new(),
            hooks: Vec::new(),
            writable: Vec::new(),
            halves: Vec::new(),
        }
    }

    /// Another entry point.
    pub fn entry(mut self, entry: &'static str) -> Self {
        self.entry = entry;
        self
    }

    /// Adds unsigned constants.
    pub fn with_consts<T: fmt::Display>(mut self, consts: &[(&'static str, T)]) -> Self {
        self.consts.extend(consts.iter().map(|(n, v)| (*n, format!("{v}u"))));
        self
    }

    /// Replaces the right-hand side of one declaration by any text.
    pub fn with_text(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.consts.push((name, text.into()));
        self
    }

    /// Replaces a hook, and what replaced it before.
    pub fn with_hook(mut self, name: &'static str, body: impl Into<String>) -> Self {
        self.hooks.retain(|(hook, _)| *hook != name);
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
    /// The variable's name in the shader.
    pub name: &'static str,
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
    Binding { name: "", operand, write, offset: 0, len: None }
}

impl Binding {
    /// Under the shader's name for it.
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

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

/// A 32-bit word of `struct Params`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Word {
    /// A size, index or count.
    U32(u32),
    /// A factor.
    F32(f32),
}

impl Word {
    /// As it lies in the uniform buffer.
    pub fn bits(self) -> u32 {
        match self {
            Self::U32(word) => word,
            Self::F32(word) => word.to_bits(),
        }
    }
}

impl From<u32> for Word {
    fn from(word: u32) -> Self {
        Self::U32(word)
    }
}

impl From<usize> for Word {
    fn from(size: usize) -> Self {
        debug_assert!(u32::try_from(size).is_ok(), "{size} does not fit a shader's u32");
        Self::U32(size as u32)
    }
}

impl From<f32> for Word {
    fn from(factor: f32) -> Self {
        Self::F32(factor)
    }
}

/// A parameter of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Param {
    /// The member's name in `struct Params`.
    pub name: &'static str,
    /// Its value.
    pub word: Word,
}

/// One dispatch.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// What runs.
    pub kernel: Kernel,
    /// Group 0.
    pub bindings: Vec<Binding>,
    /// Group 1, binding 0: the members of `struct Params`, in order. May be empty.
    pub params: Vec<Param>,
    /// Workgroups in x, y, z.
    pub grid: [u32; 3],
}

impl Dispatch {
    /// `kernel` over `grid` workgroups, nothing bound yet.
    pub fn new(kernel: Kernel, grid: [u32; 3]) -> Self {
        Self { kernel, bindings: Vec::new(), params: Vec::new(), grid }
    }

    /// Binds the shader's next storage variable, `name`.
    pub fn bind(mut self, name: &'static str, binding: Binding) -> Self {
        self.bindings.push(binding.named(name));
        self
    }

    /// Sets the next member of the shader's `struct Params`, `name`.
    pub fn param(mut self, name: &'static str, word: impl Into<Word>) -> Self {
        self.params.push(Param { name, word: word.into() });
        self
    }

    /// Declares a binding `read_write` that the kernel only reads: a device does not let one dispatch read one range of a
    /// buffer and write another, but it does let it write both.
    pub fn make_writable(&mut self, binding: usize) {
        let binding = &mut self.bindings[binding];
        if !binding.write {
            binding.write = true;
            self.kernel.writable.push(binding.name);
        }
    }

    /// Makes a binding f16 where the shader has f32; what is not f16 stays as it is.
    pub fn store_as(&mut self, binding: usize, dtype: DType) {
        if dtype.is_half() {
            self.kernel.halves.push((self.bindings[binding].name, dtype));
        }
    }

    /// The parameters as they lie in the uniform buffer.
    pub fn words(&self) -> Vec<u32> {
        self.params.iter().map(|param| param.word.bits()).collect()
    }
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

/// The WGSL type of a group of `width` elements.
pub(crate) fn vector(width: usize) -> &'static str {
    if width == 4 { "vec4<f32>" } else { "f32" }
}
