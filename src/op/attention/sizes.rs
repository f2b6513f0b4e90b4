//! What attention's kernels share: lengths, lanes, and where the contexts are stored.

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

    /// How many share a column of a row product, where a row has `columns` of them.
    pub(in crate::op) fn split(self, columns: usize) -> u32 {
        let each = (self.workgroup / columns as u32).max(1);
        if self.lanes_per_row > 1 { 1 << each.ilog2() } else { 1 }
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

    /// A kernel over some of the queries, nothing bound yet.
    pub(in crate::op) fn dispatch(
        &self,
        shader: &str,
        lanes: Lanes,
        queries: std::ops::Range<usize>,
    ) -> Dispatch {
        let grid = [self.batch as u32, queries.len() as u32, 1];
        Dispatch::new(self.kernel(shader, lanes), grid).param("step", queries.start)
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
