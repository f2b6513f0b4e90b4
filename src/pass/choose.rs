//! Which variant each op runs: a forced one, else the op's own heuristic (its first).

use crate::error::{Error, Result};
use crate::graph::op::Op;
use crate::kernel::{Caps, Variant};
use crate::tensor::TensorSpec;

/// Variants asked for by label: `matmul/naive`, or with constants `matmul/tile[BM=64,BN=64,BK=16]`.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Each applies to the op it names.
    pub forced: Vec<String>,
}

impl Choice {
    /// The variant for one op.
    ///
    /// # Errors
    /// [`Error::Usage`] naming a forced variant that cannot run: never another in its place.
    pub fn of(&self, op: &dyn Op, inputs: &[TensorSpec], caps: &Caps) -> Result<Variant> {
        let variants = op.variants(inputs, caps);
        let label = |v: &Variant| format!("{}/{v}", op.name());
        let wanted = self
            .forced
            .iter()
            .rev()
            .find(|f| f.split_once('/').is_some_and(|(name, _)| name == op.name()));
        let Some(wanted) = wanted else {
            return variants.into_iter().next().ok_or_else(|| {
                Error::Internal(format!("{} has no variant for {inputs:?}", op.name()))
            });
        };
        let fits =
            |v: &Variant| label(v) == *wanted || format!("{}/{}", op.name(), v.name) == *wanted;
        variants.iter().find(|v| fits(v)).cloned().ok_or_else(|| {
            let known: Vec<_> = variants.iter().map(label).collect();
            Error::Usage(format!(
                "variant '{wanted}' cannot run on {}; these can: {}",
                inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x "),
                known.join(", ")
            ))
        })
    }
}
