//! How an op is computed over some rows at a time, where its tensors are longer than a device can bind.

use crate::tensor::TensorSpec;

/// What the parts' results are to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// Each part makes its own rows.
    Rows,
    /// The parts' results add up.
    Sum,
}

/// An op over some rows at a time: indices of a first axis, such as the samples of a batch, that do not depend on each
/// other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByRows {
    /// Length of that axis.
    pub rows: usize,
    /// For each input whether it is cut along its first axis; the others are taken whole.
    pub inputs: Vec<bool>,
    /// For each output what the parts make of it.
    pub outputs: Vec<Joined>,
}

impl ByRows {
    /// Every input cut, every one of `outputs` results made row by row.
    pub fn all(inputs: &[TensorSpec], outputs: usize) -> Option<Self> {
        let rows = *inputs[0].dims().first()?;
        Some(Self { rows, inputs: vec![true; inputs.len()], outputs: vec![Joined::Rows; outputs] })
    }

    /// The same of an op with one result over rows along the last axis: there have to be axes before it.
    pub fn of_rows(inputs: &[TensorSpec]) -> Option<Self> {
        Self::all(inputs, 1).filter(|_| inputs[0].shape.rank() > 1)
    }

    /// The first `cut.len()` inputs as `cut` says; the others are an elementwise chain's over `result`.
    pub fn with_operands(cut: &[bool], inputs: &[TensorSpec], result: &TensorSpec) -> Option<Self> {
        let rows = *result.dims().first()?;
        let operands = inputs[cut.len()..].iter().map(|operand| lies_along(operand, result));
        let inputs = cut.iter().copied().chain(operands).collect();
        Some(Self { rows, inputs, outputs: vec![Joined::Rows] })
    }
}

/// Whether what is broadcast to `result` has a row of its own for each of its rows.
pub fn lies_along(operand: &TensorSpec, result: &TensorSpec) -> bool {
    operand.shape.rank() == result.shape.rank() && operand.dims().first() == result.dims().first()
}
