//! The dispatches that cells consist of: see `lstm/step.wgsl`.

use crate::kernel::{Binding, Caps, Dispatch, Kernel, Variant, grid};

use super::Stack;

/// A step's kernel with its problem.
#[derive(Debug, Clone)]
pub(in crate::op) struct Step {
    kernel: Kernel,
    rows: usize,
    lanes: usize,
    stack: Stack,
}

impl Step {
    /// Ways to deal a step out: on a GPU several invocations share a sum, and the more rows a workgroup has, the less often
    /// the weights are read, as long as there are enough workgroups.
    pub(in crate::op) fn variants(stack: Stack, caps: &Caps) -> Vec<Variant> {
        let by = |rows: u32, slices: u32| {
            Variant::new("step", [("ROWS", rows), ("LANES", 8), ("SLICES", slices)])
        };
        // Sixteen slices of two rows of four gates are the 16 KiB that every device has.
        let slices = 1 << (stack.hidden as u32 / 4).trailing_zeros().min(4);
        let alone = [by(4, 1), by(1, 1)];
        let rows = if stack.batch < 8 { 2 } else { 4 };
        let shared = (slices > 1).then(|| by(rows, slices)).into_iter();
        if caps.software {
            alone.into_iter().chain(shared).collect()
        } else {
            shared.chain(alone).collect()
        }
    }

    /// `problem` is a file that `lstm/step.wgsl` takes in.
    pub(in crate::op) fn new(variant: &Variant, stack: Stack, problem: &str) -> Self {
        let kernel = Kernel::new("lstm/step")
            .with_hook("problem", format!("// use: {problem}\n"))
            .with_consts(&variant.consts)
            .with_consts(&[
                ("BATCH", stack.batch),
                ("COLUMNS", stack.hidden / 4),
                ("UNITS", stack.units),
            ]);
        let (rows, lanes) = (variant.get("ROWS") as usize, variant.get("LANES") as usize);
        Self { kernel, rows, lanes, stack }
    }

    /// Cells, whichever way.
    pub(in crate::op) fn cells(variant: &Variant, stack: Stack, problem: &str) -> Self {
        Self::new(variant, stack, problem).with_consts(&[("STEPS", stack.steps)])
    }

    /// The same backward, where a layer asks for what is above it.
    pub(in crate::op) fn cells_below(variant: &Variant, stack: Stack, problem: &str) -> Self {
        Self::cells(variant, stack, problem).with_consts(&[("LAYERS", stack.layers)])
    }

    /// With further lengths of the problem.
    pub(in crate::op) fn with_consts(mut self, consts: &[(&'static str, usize)]) -> Self {
        self.kernel = self.kernel.with_consts(consts);
        self
    }

    /// With a switch of the problem on.
    pub(in crate::op) fn with(mut self, switch: &'static str) -> Self {
        self.kernel = self.kernel.with_text(switch, "true");
        self
    }

    /// The dispatch of a step of `cells` at once, nothing bound yet.
    pub(in crate::op) fn at(&self, step: usize, cells: usize) -> Dispatch {
        self.dispatch(cells).param("step", step)
    }

    /// The same where the problem has one step alone.
    pub(in crate::op) fn dispatch(&self, cells: usize) -> Dispatch {
        let across = (self.stack.hidden / 4).div_ceil(self.lanes) as u32;
        let down = self.stack.batch.div_ceil(self.rows) as u32;
        Dispatch::new(self.kernel.clone(), [across, down, cells as u32])
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
