//! What the recurrence and its gradient share: T dispatches of one kernel, each a time step of both
//! directions, that differ only in how a value is finished.

use crate::gpu::Caps;
use crate::op::{Binding, Dispatch, Kernel, Variant};
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
            [batch, steps, width] if !states.is_empty() => Some(Self {
                batch,
                steps,
                width,
            }),
            _ => None,
        }
    }

    /// The floating-point operations of both directions' products, and `each` more a value.
    pub(super) fn flops(self, each: u64) -> u64 {
        2 * (self.batch * self.steps * self.width) as u64 * (2 * self.width as u64 + each)
    }

    /// As small as takes every variant through the same code: the first step, which has no product,
    /// two that have one, and a whole tile of rows.
    pub(super) fn representative(self) -> Self {
        Self {
            batch: self.batch.min(4 * GROUP),
            steps: self.steps.min(3),
            ..self
        }
    }
}

/// Every way to do a step.
pub(super) fn variants(size: Size, caps: &Caps) -> Vec<Variant> {
    let register = |width: u32, rows: u32| {
        let lanes = ("LANES", LANES.min(caps.max_invocations));
        Variant::new("register", [("WIDTH", width), ("ROWS", rows), lanes])
    };
    let naive = register(1, 1);
    if !size.width.is_multiple_of(4) {
        return vec![register(1, 4), naive];
    }
    let mut all = Vec::new();
    let groups = size.batch.div_ceil(GROUP).next_power_of_two().min(4) as u32;
    for (cols, slices) in [(8, 32 / groups), (16, 16 / groups)] {
        // As large a chunk as 16 KiB hold.
        let consts = [
            ("GROUPS", groups),
            ("COLS", cols),
            ("SLICES", slices),
            ("CHUNK", 16 * cols / 8),
        ];
        all.push(Variant::new("tile", consts));
    }
    let mut simple = vec![register(4, 4), register(4, 8)];
    if let Some(lanes) = caps.subgroup {
        for (rows, cols) in [(4, 1), (8, 1), (16, 1), (32, 1)] {
            let consts = [
                ("ROWS", rows),
                ("COLS", cols),
                ("LANES", lanes),
                ("HELD", rows.div_ceil(lanes)),
            ];
            simple.push(Variant::new("broadcast", consts));
        }
    }
    simple.push(naive);
    if caps.software {
        simple.append(&mut all);
        simple
    } else {
        all.append(&mut simple);
        all
    }
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
        "tile" => (
            variant.get("GROUPS") * GROUP as u32,
            variant.get("COLS") * 4,
        ),
        "broadcast" => (
            variant.get("ROWS"),
            variant.get("COLS") * variant.get("LANES") * 4,
        ),
        _ => (
            variant.get("ROWS"),
            variant.get("LANES") * variant.get("WIDTH"),
        ),
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
        params: vec![
            size.batch as u32,
            size.steps as u32,
            size.width as u32,
            step as u32,
            limit.to_bits(),
        ],
        grid: [across, down, 2],
    };
    (0..size.steps).map(step).collect()
}
