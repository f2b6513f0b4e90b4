//! What attention's kernels share: lengths, lanes, and where the contexts are stored.

use crate::graph::op::floats;
use crate::kernel::{Caps, Dispatch, Kernel, Variant};
use crate::tensor::TensorSpec;

/// Lengths of queries over a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct Attended {
    pub(in crate::op) batch: usize,
    pub(in crate::op) queries: usize,
    pub(in crate::op) positions: usize,
    pub(in crate::op) hidden: usize,
}

/// Where the rows of a context lie in its tensor, in elements: [B, rows, pitch], from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct ContextRows {
    pub(in crate::op) first: usize,
    pub(in crate::op) rows: usize,
    pub(in crate::op) pitch: usize,
}

/// Invocations of a workgroup, and how many of them share a score: the sum over a row of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct Lanes {
    workgroup: u32,
    lanes_per_row: u32,
}

impl Lanes {
    /// A score each: for a CPU, whose invocations are lanes of a loop.
    pub(in crate::op) const ALONE: Self = Self { workgroup: 8, lanes_per_row: 1 };
    /// Eight to a score.
    pub(in crate::op) const SHARED: Self = Self { workgroup: 256, lanes_per_row: 8 };
    /// As many as most GPUs have in a workgroup: there are fewer sequences than processors.
    const WIDE: Self = Self { workgroup: 1024, lanes_per_row: 16 };

    /// What a variant says.
    pub(super) fn of(variant: &Variant) -> Self {
        Self { workgroup: variant.get("LANES"), lanes_per_row: variant.get("LANES_PER_ROW") }
    }

    /// Shader `name` with either, the likelier first.
    pub(super) fn variants(name: &'static str, caps: &Caps) -> Vec<Variant> {
        let lanes =
            if caps.software { [Self::ALONE, Self::SHARED] } else { [Self::SHARED, Self::ALONE] };
        lanes.map(|lanes| Variant::new(name, lanes.consts())).to_vec()
    }

    /// Loads of an invocation that are under way at once: on a CPU one, on a GPU few enough that registers hold them.
    fn ahead(self) -> u32 {
        if self.lanes_per_row == 1 { 1 } else { 64 / self.lanes_per_row }
    }

    fn consts(self) -> [(&'static str, u32); 2] {
        [("LANES", self.workgroup), ("LANES_PER_ROW", self.lanes_per_row)]
    }
}

impl Attended {
    /// Of query [B, T, H], keys [B, S, H] and v `[H]`, where they fit each other.
    pub(in crate::op) fn of(
        query: &TensorSpec,
        keys: &TensorSpec,
        v: &TensorSpec,
    ) -> Result<Self, String> {
        floats(&[query.clone(), keys.clone()])?;
        match (query.dims(), keys.dims()) {
            (&[batch, queries, hidden], &[keys_batch, positions, keys_hidden])
                if batch == keys_batch
                    && hidden == keys_hidden
                    && hidden.is_multiple_of(4)
                    && *v == TensorSpec::f32([hidden]) =>
            {
                Ok(Self { batch, queries, positions, hidden })
            }
            _ => Err(format!("queries {query} do not fit keys {keys} with {v}")),
        }
    }

    /// Contexts in a tensor of their own.
    pub(super) fn context_rows(&self) -> ContextRows {
        ContextRows { first: 0, rows: self.queries, pitch: self.hidden }
    }

    /// [B, T, S].
    pub(in crate::op) fn shares(&self) -> TensorSpec {
        TensorSpec::f32([self.batch, self.queries, self.positions])
    }

    /// Operations of the scores and of the sum.
    pub(in crate::op) fn flops(&self) -> u64 {
        (6 * self.batch * self.queries * self.positions * self.hidden) as u64
    }

    /// The most invocations that may share a query on this device.
    pub(in crate::op) fn widest(&self, caps: &Caps) -> Lanes {
        let Lanes { workgroup, lanes_per_row } = Lanes::WIDE;
        // Columns in parts, the query, and parts, scores and shares of the positions.
        let positions = self.positions as u32 * (lanes_per_row + 2);
        let shared = 16 * workgroup + 4 * (self.hidden as u32 + positions);
        let fits = caps.max_invocations >= workgroup && caps.max_shared >= shared;
        if fits { Lanes::WIDE } else { Lanes::SHARED }
    }

    /// A kernel over some of the queries, nothing bound yet.
    pub(in crate::op) fn dispatch(
        &self,
        shader: &str,
        lanes: Lanes,
        queries: std::ops::Range<usize>,
    ) -> Dispatch {
        let grid = [self.batch as u32, queries.len() as u32, 1];
        let kernel = self.kernel(shader, lanes).with_consts(&[("AHEAD", lanes.ahead())]);
        Dispatch::new(kernel, grid).param("step", queries.start)
    }

    /// The same where it stores contexts.
    pub(in crate::op) fn storing(
        &self,
        shader: &str,
        lanes: Lanes,
        context: ContextRows,
        queries: std::ops::Range<usize>,
    ) -> Dispatch {
        let mut dispatch = self.dispatch(shader, lanes, queries);
        dispatch.kernel = dispatch.kernel.with_consts(&[
            ("CONTEXT", context.first / 4),
            ("ROWS", context.rows),
            ("PITCH", context.pitch / 4),
        ]);
        dispatch
    }

    /// A kernel with its lengths.
    pub(in crate::op) fn kernel(&self, shader: &str, lanes: Lanes) -> Kernel {
        let consts = [("COLUMNS", self.hidden / 4), ("S", self.positions), ("T", self.queries)];
        Kernel::new(shader).with_consts(&consts).with_consts(&lanes.consts())
    }
}
