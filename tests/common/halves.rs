//! Ops over values that are stored as f16.

use std::sync::Arc;

use fathom::graph::op::Storage;
use fathom::op::Case;
use fathom::tensor::{DType, TensorSpec};

/// The same case over halves, where the op takes them: those of gradients in every other operand. Vectors are
/// parameters and statistics, which stay f32.
pub(crate) fn in_halves(case: &Case) -> Option<Case> {
    let halves = case.op.storage();
    if matches!(halves, Storage::F32(_)) {
        return None;
    }
    let half = |(at, spec): (usize, &TensorSpec)| match spec.dtype {
        _ if spec.shape.rank() < 2 => spec.clone(),
        DType::F32 if at % 2 == 0 => TensorSpec { dtype: DType::F16, ..spec.clone() },
        DType::F32 => TensorSpec { dtype: DType::ScaledF16, ..spec.clone() },
        _ => spec.clone(),
    };
    let problem = case.problem();
    let stored = problem.outputs().iter().enumerate().map(|(at, output)| {
        let kept = output.saved || halves != Storage::F16 || at > 0;
        if output.spec.dtype == DType::F32 && !kept { DType::ScaledF16 } else { output.spec.dtype }
    });
    let (name, op) = (format!("{}_in_halves", case.name), Arc::clone(&case.op));
    let inputs = case.inputs.iter().enumerate().map(half).collect();
    Some(Case { name, op, inputs, stored: stored.collect() })
}
