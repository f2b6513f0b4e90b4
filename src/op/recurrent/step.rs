//! What the recurrence and its gradient share: T dispatches of one kernel, each a time step of both
//! directions, that differ only in how a value is finished.

use crate::kernel::{Binding, Caps, Dispatch, Kernel, Variant, unnamed};
use crate::tensor::TensorSpec;

/// Invocations in a workgroup of `register`.
const LANES: u32 = 64;
/// Rows a `tile` invocation owns.
const GROUP: usize = 8;

/// Sizes of one problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) batch: usize,
    pub(super) steps: usize,
    pub(super) width: usize,
}

impl Size {
    /// Of a [B, T, H].
    pub(super) fn of(states: &TensorSpec) -> Option<Self> {
        match *states.dims() {
            [batch, steps, width] if !states.is_empty() => Some(Self { batch, steps, width }),
            _ => None,
        }
    }

    /// The floating-point operations of both directions' products, and `each` more a value.
    pub(super) fn flops(self, each: u64) -> u64 {
        2 * (self.batch * self.steps * self.width) as u64 * (2 * self.width as u64 + each)
    }

    /// As small as takes every variant through the same code: the first step, which has no product,
    /// two that have one, and as many rows as the largest tile has.
    pub(super) fn representative(self) -> Self {
        Self { batch: self.batch.min(4 * GROUP), steps: self.steps.min(3), ..self }
    }
}

/// Every way to do a step. On a CPU adapter the smallest register tile that holds the rows comes first,
/// elsewhere the shared tile.
pub(super) fn variants(size: Size, caps: &Caps) -> Vec<Variant> {
    let register = |width: u32, rows: u32| {
        let lanes = ("LANES", LANES.min(caps.max_invocations));
        Variant::new("register", [("WIDTH", width), ("ROWS", rows), lanes])
    };
    let naive = register(1, 1);
    if !size.width.is_multiple_of(4) {
        return vec![register(1, 4), naive];
    }
    let mut broadcasts: Vec<_> =
        caps.subgroup.map_or(vec![], |lanes| [4, 8, 16].map(|rows| broadcast(rows, lanes)).into());
    let fitting = broadcasts.iter().position(|v| v.get("ROWS") as usize >= size.batch);
    let first = fitting.unwrap_or(broadcasts.len().saturating_sub(1));
    broadcasts[..].rotate_left(first);
    let registers = [register(4, 4), register(4, 8), naive];
    let tiles = [tile(size, 8), tile(size, 16)];
    if caps.software {
        broadcasts.into_iter().chain(registers).chain(tiles).collect()
    } else {
        tiles.into_iter().chain(registers).chain(broadcasts).collect()
    }
}

/// Two vec4 columns a lane: a cache line is then used by neighbouring lanes before it is evicted.
fn broadcast(rows: u32, lanes: u32) -> Variant {
    let held = rows.div_ceil(lanes);
    let consts = [("ROWS", rows), ("COLS", 2), ("LANES", lanes), ("HELD", held)];
    Variant::new("broadcast", consts)
}

/// 256 invocations; K is staged in chunks as large as 16 KiB hold, and no larger than a slice of it.
fn tile(size: Size, cols: u32) -> Variant {
    let groups = size.batch.div_ceil(GROUP).next_power_of_two().min(4) as u32;
    let slices = 256 / (groups * cols);
    let slice = size.width.div_ceil(slices as usize).next_multiple_of(4);
    let chunk = slice.min(2 * cols as usize) as u32;
    let consts = [("GROUPS", groups), ("COLS", cols), ("SLICES", slices), ("CHUNK", chunk)];
    Variant::new("tile", consts)
}

/// The dispatches of all steps. `bindings` are the weights and states upwards and downwards, then what
/// the `finish` hook reads; no hook is the forward pass.
pub(super) fn dispatches(
    variant: &Variant,
    size: Size,
    limit: f32,
    finish: Option<&str>,
    bindings: &[Binding],
) -> Vec<Dispatch> {
    let mut kernel = Kernel::of("recurrent", variant);
    if let Some(text) = finish {
        kernel = kernel.with_hook("finish", text);
    }
    let (rows, columns) = match variant.name {
        "tile" => (variant.get("GROUPS") * GROUP as u32, variant.get("COLS") * 4),
        "broadcast" => (variant.get("ROWS"), variant.get("COLS") * variant.get("LANES") * 4),
        _ => (variant.get("ROWS"), variant.get("LANES") * variant.get("WIDTH")),
    };
    if variant.name == "register" && variant.get("WIDTH") == 1 {
        let scalar = "fn component(v: f32, j: u32) -> f32 { return v; }\n";
        kernel = kernel.with_text("T", "f32").with_hook("component", scalar);
    }
    let across = size.width.div_ceil(columns as usize) as u32;
    let down = size.batch.div_ceil(rows as usize) as u32;
    let step = |step: usize| Dispatch {
        kernel: kernel.clone(),
        bindings: bindings.to_vec(),
        params: unnamed(vec![
            size.batch as u32,
            size.steps as u32,
            size.width as u32,
            step as u32,
            limit.to_bits(),
        ]),
        grid: [across, down, 2],
    };
    (0..size.steps).map(step).collect()
}
