//! What the recurrence and its gradient share: T dispatches of one kernel, each a time step of both
//! directions, that differ only in how a value is finished.

use crate::kernel::{Binding, Caps, Dispatch, Kernel, Variant};
use crate::tensor::TensorSpec;

/// Invocations in a workgroup of `register`.
const LANES: u32 = 64;
/// Rows that an invocation of `tile` owns, of at most four below each other.
const GROUP: usize = 8;

/// Sizes of one problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) steps: usize,
    pub(super) hidden: usize,
}

impl Sizes {
    /// Of states [B, T, H] with the weights of both directions.
    pub(super) fn of(states: &TensorSpec, weights: &[TensorSpec]) -> Result<Self, String> {
        let sizes = match *states.dims() {
            [batch, steps, hidden] if !states.is_empty() && states.dtype.is_float() => {
                Self { batch, steps, hidden }
            }
            _ => return Err(format!("{states} is not [B, T, H]")),
        };
        match weights.iter().find(|weight| **weight != sizes.weight()) {
            Some(weight) => Err(format!("weight {weight} does not fit {states}")),
            None => Ok(sizes),
        }
    }

    /// [B, T, H].
    pub(super) fn states(self) -> TensorSpec {
        TensorSpec::f32([self.batch, self.steps, self.hidden])
    }

    /// [H, H].
    pub(super) fn weight(self) -> TensorSpec {
        TensorSpec::f32([self.hidden, self.hidden])
    }

    /// The floating-point operations of both directions' products, and `each` more a value.
    pub(super) fn flops(self, each: u64) -> u64 {
        2 * (self.batch * self.steps * self.hidden) as u64 * (2 * self.hidden as u64 + each)
    }

    /// As small as takes every variant through the same code: the first step, which has no product,
    /// two that have one, and as many rows as the largest tile has. At B 32, T 783, H 2048 the reference
    /// alone would take minutes. Nothing where it has no more.
    pub(super) fn reduced(self) -> Option<Self> {
        let few = Self { batch: self.batch.min(4 * GROUP), steps: self.steps.min(3), ..self };
        (few != self).then_some(few)
    }

    /// Every way to do a step. On a CPU adapter the smallest register tile that holds the rows comes first,
    /// elsewhere the tile.
    pub(super) fn variants(self, caps: &Caps) -> Vec<Variant> {
        let register = |width: u32, rows: u32| {
            let lanes = ("LANES", LANES.min(caps.max_invocations));
            Variant::new("register", [("WIDTH", width), ("ROWS", rows), lanes])
        };
        let naive = register(1, 1);
        if !self.hidden.is_multiple_of(4) {
            return vec![register(1, 4), naive];
        }
        let mut broadcasts: Vec<_> = caps
            .subgroup
            .map_or(vec![], |lanes| [4, 8, 16].map(|rows| broadcast(rows, lanes)).into());
        let fitting = broadcasts.iter().position(|v| v.get("ROWS") as usize >= self.batch);
        let first = fitting.unwrap_or(broadcasts.len().saturating_sub(1));
        broadcasts[..].rotate_left(first);
        let registers = [register(4, 4), register(4, 8), naive];
        let tile = tile(self, caps);
        if caps.software {
            broadcasts.into_iter().chain(registers).chain(tile).collect()
        } else {
            tile.into_iter().chain(registers).chain(broadcasts).collect()
        }
    }

    /// The dispatches of all steps, with the weights and states upwards and downwards bound, but not yet
    /// what the `finish` hook reads; no hook is the forward pass.
    pub(super) fn dispatches(
        self,
        variant: &Variant,
        limit: f32,
        finish: Option<&str>,
        [w_up, w_down, y_up, y_down]: [Binding; 4],
    ) -> impl Iterator<Item = Dispatch> {
        let mut kernel = Kernel::of("recurrent", variant);
        if let Some(text) = finish {
            kernel = kernel.with_hook("finish", text);
        }
        let (rows, columns) = match variant.name {
            "tile" => (variant.get("BM"), variant.get("BN")),
            "broadcast" => (variant.get("ROWS"), variant.get("COLS") * variant.get("LANES") * 4),
            _ => (variant.get("ROWS"), variant.get("LANES") * variant.get("WIDTH")),
        };
        if variant.name == "register" && variant.get("WIDTH") == 1 {
            let scalar = "fn component(v: f32, j: u32) -> f32 { return v; }\n";
            kernel = kernel.with_text("T", "f32").with_hook("component", scalar);
        }
        let across = self.hidden.div_ceil(columns as usize) as u32;
        let down = self.batch.div_ceil(rows as usize) as u32;
        (0..self.steps).map(move |step| {
            Dispatch::new(kernel.clone(), [across, down, 2])
                .bind("w_up", w_up)
                .bind("w_down", w_down)
                .bind("y_up", y_up)
                .bind("y_down", y_down)
                .param("batch", self.batch)
                .param("steps", self.steps)
                .param("width", self.hidden)
                .param("step", step)
                .param("limit", limit)
        })
    }
}

/// Two vec4 columns a lane: a cache line is then used by neighbouring lanes before it is evicted.
fn broadcast(rows: u32, lanes: u32) -> Variant {
    let held = rows.div_ceil(lanes);
    let consts = [("ROWS", rows), ("COLS", 2), ("LANES", lanes), ("HELD", held)];
    Variant::new("broadcast", consts)
}

/// 256 invocations of 8 x 8 values in tiles of 32 columns, where workgroup memory holds two stages; these are as long as
/// registers allow, and no longer than K.
fn tile(sizes: Sizes, caps: &Caps) -> Option<Variant> {
    let groups = sizes.batch.div_ceil(GROUP).next_power_of_two().min(4);
    let slices = 256 / (4 * groups);
    let longest = if sizes.hidden >= 8 * slices { 8 } else { 4 };
    let shared = |depth: usize| 8 * groups * GROUP * slices * depth;
    let depth = [longest, 4].into_iter().find(|&k| shared(k) <= caps.max_shared as usize)?;
    let tile = [("BM", groups * GROUP), ("BN", 32), ("BK", depth)];
    let each = [("TM", GROUP), ("TN", 8), ("SLICES", slices)];
    let consts = tile.into_iter().chain(each).map(|(name, value)| (name, value as u32));
    Some(Variant::new("tile", consts.collect::<Vec<_>>()))
}
