//! The dispatches that cells and the linear layers around them are made of: see `lstm/step.wgsl`.

use crate::kernel::{Binding, Caps, Dispatch, Kernel, Variant, grid, unnamed};

/// Lengths of a stack of cells over a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct Size {
    pub(in crate::op) batch: usize,
    pub(in crate::op) steps: usize,
    pub(in crate::op) width: usize,
    pub(in crate::op) layers: usize,
    /// Vectors of H in a row of states: c and h of each layer, and what else a row holds.
    pub(in crate::op) units: usize,
}

/// Ways to deal a step out: on a GPU several invocations share a sum.
pub(in crate::op) fn variants(width: usize, caps: &Caps) -> Vec<Variant> {
    let by = |rows: u32, lanes: u32, slices: u32| {
        Variant::new("step", [("ROWS", rows), ("LANES", lanes), ("SLICES", slices)])
    };
    // Sixteen slices of two rows of four gates are the 16 KiB that every device has.
    let slices = 1 << (width as u32 / 4).trailing_zeros().min(4);
    let alone = [by(4, 8, 1), by(1, 8, 1)];
    let shared = [by(2, 8, slices)];
    if slices == 1 {
        alone.to_vec()
    } else if caps.software {
        alone.into_iter().chain(shared).collect()
    } else {
        shared.into_iter().chain(alone).collect()
    }
}

/// A step's kernel with its problem.
#[derive(Debug, Clone)]
pub(in crate::op) struct Step {
    kernel: Kernel,
    rows: usize,
    lanes: usize,
    size: Size,
}

/// Where a linear layer's operand, result or start begins and how far its rows lie apart, in vec4s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::op) struct Rows {
    pub(in crate::op) first: usize,
    pub(in crate::op) apart: usize,
}

/// What a linear layer's sum is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) enum Start {
    /// Nothing.
    None,
    /// What lies there.
    Result,
    /// Rows of a tensor.
    Tensor(Rows),
}

/// Lengths of a linear layer in vec4s: of a row of its operand and of its result, and of a row of its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct Linear {
    pub(in crate::op) depth: usize,
    pub(in crate::op) columns: usize,
    pub(in crate::op) pitch: usize,
}

impl Step {
    /// `problem` is a file that `lstm/step.wgsl` takes in.
    fn new(variant: &Variant, size: Size, problem: &str) -> Self {
        let kernel = Kernel::new("lstm/step")
            .with_hook("problem", format!("// use: {problem}\n"))
            .with_consts(&variant.consts)
            .with_consts(&[("BATCH", size.batch as u32)]);
        Self {
            kernel,
            rows: variant.get("ROWS") as usize,
            lanes: variant.get("LANES") as usize,
            size,
        }
    }

    fn cells(variant: &Variant, size: Size, problem: &str, wave: bool) -> Self {
        let mut step = Self::new(variant, size, problem);
        let consts = [("COLUMNS", size.width / 4), ("STEPS", size.steps), ("UNITS", size.units)];
        let consts = consts.map(|(name, value)| (name, value as u32));
        step.kernel = step.kernel.with_consts(&consts).with_text("WAVE", wave.to_string());
        step
    }

    /// Cells forward: all layers at once from zeros, or one layer at a time.
    pub(in crate::op) fn forward(variant: &Variant, size: Size, wave: bool) -> Self {
        let mut step = Self::cells(variant, size, "lstm/forward", wave);
        step.kernel = step.kernel.with_consts(&[("DEPTH", size.width as u32 / 4)]);
        step
    }

    /// Cells backward; with `start` only what reaches the start.
    pub(in crate::op) fn backward(variant: &Variant, size: Size, wave: bool, start: bool) -> Self {
        let mut step = Self::cells(variant, size, "lstm/backward", wave);
        let consts = [("DEPTH", size.width as u32), ("LAYERS", size.layers as u32)];
        step.kernel = step.kernel.with_consts(&consts).with_text("START", start.to_string());
        step
    }

    /// A cell's dispatch at a step: of all layers at once, or of one.
    pub(in crate::op) fn cell(
        &self,
        step: usize,
        layer: Option<usize>,
        bindings: &[Binding],
    ) -> Dispatch {
        let params = vec![step as u32, layer.unwrap_or(0) as u32];
        let layers = if layer.is_some() { 1 } else { self.size.layers };
        self.dispatch(self.size.width / 4, layers, params, bindings.to_vec())
    }

    /// A linear layer; bindings are its weight, operand, result and start.
    pub(in crate::op) fn linear(
        variant: &Variant,
        size: Size,
        linear: Linear,
        rows: [Rows; 2],
        start: Start,
        bindings: Vec<Binding>,
    ) -> Dispatch {
        let (kind, from) = match start {
            Start::None => (0, Rows::default()),
            Start::Result => (1, Rows::default()),
            Start::Tensor(rows) => (2, rows),
        };
        let mut step = Self::new(variant, size, "decoder/linear");
        let consts = [
            ("COLUMNS", linear.columns),
            ("DEPTH", linear.depth),
            ("PITCH", linear.pitch),
            ("START", kind),
        ];
        step.kernel = step.kernel.with_consts(&consts.map(|(name, value)| (name, value as u32)));
        let places = rows.into_iter().chain([from]);
        let params = places.flat_map(|r| [r.first as u32, r.apart as u32]).collect();
        step.dispatch(linear.columns, 1, params, bindings)
    }

    fn dispatch(
        &self,
        columns: usize,
        layers: usize,
        params: Vec<u32>,
        bindings: Vec<Binding>,
    ) -> Dispatch {
        let across = columns.div_ceil(self.lanes) as u32;
        let down = self.size.batch.div_ceil(self.rows) as u32;
        Dispatch {
            kernel: self.kernel.clone(),
            bindings,
            params: unnamed(params),
            grid: [across, down, layers as u32],
        }
    }
}

/// Copies x to the first row of each of y's batches of rows.
pub(in crate::op) fn copy_rows(
    x: Binding,
    y: Binding,
    batch: usize,
    length: usize,
    pitch: usize,
    caps: &Caps,
) -> Dispatch {
    let consts = [("LENGTH", length / 4), ("PITCH", pitch / 4), ("BATCH", batch)];
    Dispatch {
        kernel: Kernel::new("lstm/rows").with_consts(&consts.map(|(n, v)| (n, v as u32))),
        bindings: vec![x, y],
        params: vec![],
        grid: grid((batch * length / 4).div_ceil(64), caps),
    }
}

/// What each cell multiplied by its weight, [L, B, T, 2H].
pub(in crate::op) fn inputs(
    below: Binding,
    states: Binding,
    made: Binding,
    size: Size,
    caps: &Caps,
) -> Dispatch {
    let consts = [
        ("COLUMNS", size.width / 4),
        ("BATCH", size.batch),
        ("STEPS", size.steps),
        ("LAYERS", size.layers),
        ("UNITS", size.units),
    ];
    let vectors = size.layers * size.batch * size.steps * size.width / 2;
    Dispatch {
        kernel: Kernel::new("lstm/inputs").with_consts(&consts.map(|(n, v)| (n, v as u32))),
        bindings: vec![below, states, made],
        params: vec![],
        grid: grid(vectors.div_ceil(64), caps),
    }
}

impl Size {
    /// First element of a row of states.
    pub(in crate::op) fn row(self, b: usize, t: usize) -> usize {
        (b * (self.steps + 1) + t) * self.units * self.width
    }

    /// First element of a row of gates.
    pub(in crate::op) fn gate(self, l: usize, b: usize, t: usize) -> usize {
        ((l * self.batch + b) * self.steps + t) * 4 * self.width
    }

    /// Multiply-adds of all cells, twice over.
    pub(in crate::op) fn flops(self) -> u64 {
        (2 * self.layers * self.batch * self.steps * 2 * self.width * 4 * self.width) as u64
    }
}
