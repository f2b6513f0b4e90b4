//! The dispatches that cells consist of: see `lstm/step.wgsl`.

use crate::kernel::{Binding, Caps, Dispatch, Kernel, Variant, grid};

use super::Stack;

/// A step's kernel with its problem.
#[derive(Debug, Clone)]
pub(in crate::op) struct Step {
    kernel: Kernel,
    /// Rows and vec4 columns of a workgroup.
    rows: usize,
    cols: usize,
    /// Whether the tiles lie along the first dimension of the grid alone.
    in_line: bool,
    stack: Stack,
}

/// Invocations of a tile's workgroup at most, whose sums of a row of four gates are the 16 KiB that every device has, and how
/// many of them share k.
const LANES: u32 = 256;
const PLACES: u32 = 8;

impl Step {
    /// Ways to deal a step out: on a GPU several invocations share a sum, and the more rows a workgroup has, the less often
    /// the weights are read, as long as there are enough workgroups.
    pub(in crate::op) fn variants(stack: Stack, caps: &Caps) -> Vec<Variant> {
        let by = |rows: u32, slices: u32| {
            Variant::new("step", [("ROWS", rows), ("LANES", 8), ("SLICES", slices)])
        };
        // Sixteen slices of two rows of four gates are the 16 KiB that every device has.
        let slices = slices(stack).min(16);
        let alone = [by(4, 1), by(1, 1)];
        let rows = if stack.batch < 8 { 2 } else { 4 };
        let shared = (slices > 1).then(|| by(rows, slices)).into_iter();
        if caps.software {
            alone.into_iter().chain(shared).collect()
        } else {
            shared.chain(alone).collect()
        }
    }

    /// The same for one layer at a time: on a GPU in tiles first, whose workgroups are as large as may be, with `groups` of rows
    /// at most where the batch has as many.
    pub(in crate::op) fn variants_of_a_layer(
        stack: Stack,
        groups: u32,
        caps: &Caps,
    ) -> Vec<Variant> {
        let (rows, groups) = match stack.batch as u32 {
            ..8 => (2, 1),
            batch => (4, groups.min(1 << (batch / 4).ilog2())),
        };
        let slices = slices(stack).min(LANES / PLACES);
        let tile =
            [("ROWS", rows), ("COLS", PLACES / groups), ("GROUPS", groups), ("SLICES", slices)];
        let tiles = (slices >= rows).then(|| Variant::new("tile", tile)).into_iter();
        let others = Self::variants(stack, caps).into_iter();
        if caps.software { others.chain(tiles).collect() } else { tiles.chain(others).collect() }
    }

    /// `problem` is a file that the variant's kernel takes in.
    pub(in crate::op) fn new(variant: &Variant, stack: Stack, problem: &str) -> Self {
        let columns = stack.hidden / 4;
        let kernel = Kernel::of("lstm", variant)
            .with_hook("problem", format!("// use: {problem}\n"))
            .with_consts(&[("BATCH", stack.batch), ("COLUMNS", columns), ("UNITS", stack.units)]);
        let get = |name| variant.get(name) as usize;
        if variant.name == "tile" {
            // Two turns of a segment in the text, where there are two.
            let each = 1 + usize::from((columns / get("SLICES")).is_multiple_of(2));
            let kernel = kernel.with_consts(&[("EACH", each)]);
            let rows = get("ROWS") * get("GROUPS");
            return Self { kernel, rows, cols: get("COLS"), in_line: true, stack };
        }
        Self { kernel, rows: get("ROWS"), cols: get("LANES"), in_line: false, stack }
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
        let down = self.stack.batch.div_ceil(self.rows) as u32;
        let (across, cells) = (self.across() as u32, cells as u32);
        let grid = if self.in_line { [across * down, 1, cells] } else { [across, down, cells] };
        Dispatch::new(self.kernel.clone(), grid)
    }

    /// Workgroups that share a row.
    pub(in crate::op) fn across(&self) -> usize {
        (self.stack.hidden / 4).div_ceil(self.cols)
    }

    /// With text for one of the kernel's marked blocks.
    pub(in crate::op) fn with_hook(mut self, name: &'static str, text: String) -> Self {
        self.kernel = self.kernel.with_hook(name, text);
        self
    }
}

/// Most invocations that may share a sum: a power of two that divides H / 4.
fn slices(stack: Stack) -> u32 {
    1 << (stack.hidden as u32 / 4).trailing_zeros()
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
