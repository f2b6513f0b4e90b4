//! The dispatches that cells and the linear layers around them consist of: see `lstm/step.wgsl`.

use crate::kernel::{Binding, Caps, Dispatch, Kernel, Variant, grid};

use super::Stack;

impl Stack {
    /// Step t's rows of a [B, T, ..] with rows of `columns` vec4s.
    pub(in crate::op) fn step_rows(self, tensor: Binding, t: usize, columns: usize) -> Rows {
        Rows { tensor, first: t * columns, apart: self.steps * columns }
    }

    /// Row t of each sequence's states, from vec4 `first` of it on.
    pub(in crate::op) fn state_rows(self, tensor: Binding, t: usize, first: usize) -> Rows {
        let row = self.row_len() / 4;
        Rows { tensor, first: t * row + first, apart: (self.steps + 1) * row }
    }
}

/// A step's kernel with its problem.
#[derive(Debug, Clone)]
pub(in crate::op) struct Step {
    kernel: Kernel,
    rows: usize,
    lanes: usize,
    stack: Stack,
}

impl Step {
    /// Ways to deal a step out: on a GPU several invocations share a sum.
    pub(in crate::op) fn variants(hidden: usize, caps: &Caps) -> Vec<Variant> {
        let by = |rows: u32, lanes: u32, slices: u32| {
            Variant::new("step", [("ROWS", rows), ("LANES", lanes), ("SLICES", slices)])
        };
        // Sixteen slices of two rows of four gates are the 16 KiB that every device has.
        let slices = 1 << (hidden as u32 / 4).trailing_zeros().min(4);
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

    /// `problem` is a file that `lstm/step.wgsl` takes in.
    fn new(variant: &Variant, stack: Stack, problem: &str) -> Self {
        let kernel = Kernel::new("lstm/step")
            .with_hook("problem", format!("// use: {problem}\n"))
            .with_consts(&variant.consts)
            .with_consts(&[("BATCH", stack.batch)]);
        let (rows, lanes) = (variant.get("ROWS") as usize, variant.get("LANES") as usize);
        Self { kernel, rows, lanes, stack }
    }

    fn cells(variant: &Variant, stack: Stack, problem: &str, wave: bool) -> Self {
        let mut step = Self::new(variant, stack, problem);
        let columns = stack.hidden / 4;
        let consts = [("COLUMNS", columns), ("STEPS", stack.steps), ("UNITS", stack.units)];
        step.kernel = step.kernel.with_consts(&consts).with_text("WAVE", wave.to_string());
        step
    }

    /// Cells forward: all layers at once from zeros, or one layer at a time.
    pub(in crate::op) fn forward(variant: &Variant, stack: Stack, wave: bool) -> Self {
        let mut step = Self::cells(variant, stack, "lstm/forward", wave);
        step.kernel = step.kernel.with_consts(&[("DEPTH", stack.hidden / 4)]);
        step
    }

    /// Cells backward; with `start` only what reaches the start.
    pub(in crate::op) fn backward(
        variant: &Variant,
        stack: Stack,
        wave: bool,
        start: bool,
    ) -> Self {
        let mut step = Self::cells(variant, stack, "lstm/backward", wave);
        let consts = [("DEPTH", stack.hidden), ("LAYERS", stack.layers)];
        step.kernel = step.kernel.with_consts(&consts).with_text("START", start.to_string());
        step
    }

    /// A cell's dispatch at a step, nothing bound yet: of all layers at once, or of one.
    pub(in crate::op) fn cell(&self, step: usize, layer: Option<usize>) -> Dispatch {
        let layers = if layer.is_some() { 1 } else { self.stack.layers };
        self.dispatch(self.stack.hidden / 4, layers)
            .param("step", step)
            .param("layer", layer.unwrap_or(0))
    }

    fn dispatch(&self, columns: usize, layers: usize) -> Dispatch {
        let across = columns.div_ceil(self.lanes) as u32;
        let down = self.stack.batch.div_ceil(self.rows) as u32;
        Dispatch::new(self.kernel.clone(), [across, down, layers as u32])
    }
}

/// A linear layer of a step: y = start + a W. Lengths are in vec4s.
#[derive(Debug, Clone, Copy)]
pub(in crate::op) struct Linear {
    /// W [4 depth, pitch], from column 0 on.
    pub(in crate::op) weights: Binding,
    pub(in crate::op) pitch: usize,
    /// Of a row of a.
    pub(in crate::op) depth: usize,
    /// Of a row of y.
    pub(in crate::op) columns: usize,
    pub(in crate::op) a: Rows,
    pub(in crate::op) y: Rows,
    pub(in crate::op) start: Start,
}

/// Where in a tensor a row a sequence begins, and how far these lie apart, in vec4s.
#[derive(Debug, Clone, Copy)]
pub(in crate::op) struct Rows {
    pub(in crate::op) tensor: Binding,
    pub(in crate::op) first: usize,
    pub(in crate::op) apart: usize,
}

/// What a linear layer's sum is added to.
#[derive(Debug, Clone, Copy)]
pub(in crate::op) enum Start {
    /// Nothing.
    None,
    /// What lies there.
    Result,
    /// Rows of a tensor.
    Rows(Rows),
}

impl Linear {
    /// Its dispatch.
    pub(in crate::op) fn dispatch(self, variant: &Variant, stack: Stack) -> Dispatch {
        // Where no start is read, its binding shows a.
        let unread = Rows { first: 0, apart: 0, ..self.a };
        let (kind, start) = match self.start {
            Start::None => (0, unread),
            Start::Result => (1, unread),
            Start::Rows(rows) => (2, rows),
        };
        let mut step = Step::new(variant, stack, "decoder/linear");
        step.kernel = step.kernel.with_consts(&[
            ("COLUMNS", self.columns),
            ("DEPTH", self.depth),
            ("PITCH", self.pitch),
            ("START", kind),
        ]);
        step.dispatch(self.columns, 1)
            .bind("weights", self.weights)
            .bind("a", self.a.tensor)
            .bind("y", self.y.tensor)
            .bind("start", start.tensor)
            .param("a", self.a.first)
            .param("a_row", self.a.apart)
            .param("y", self.y.first)
            .param("y_row", self.y.apart)
            .param("start", start.first)
            .param("start_row", start.apart)
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
    let kernel = Kernel::new("lstm/rows").with_consts(&consts);
    let grid = grid((batch * length / 4).div_ceil(64), caps);
    Dispatch::new(kernel, grid).bind("x", x).bind("y", y)
}

/// What each cell multiplied by its weight, [L, B, T, 2H], from x [B, T, H] and the states.
pub(in crate::op) fn cell_inputs(
    x: Binding,
    states: Binding,
    y: Binding,
    stack: Stack,
    caps: &Caps,
) -> Dispatch {
    let kernel = Kernel::new("lstm/inputs").with_consts(&[
        ("COLUMNS", stack.hidden / 4),
        ("BATCH", stack.batch),
        ("STEPS", stack.steps),
        ("LAYERS", stack.layers),
        ("UNITS", stack.units),
    ]);
    let vectors = stack.cell_inputs().len() / 4;
    Dispatch::new(kernel, grid(vectors.div_ceil(64), caps))
        .bind("below", x)
        .bind("states", states)
        .bind("y", y)
}
