//! Lengths of a stack of cells over a sequence, and the tensors that follow from them.

use crate::tensor::{Array, TensorSpec};

/// Operations of cells up to which their reference takes a fraction of a second.
const QUICK: u64 = 1 << 26;

/// B, T, H and L.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::op) struct Stack {
    pub(in crate::op) batch: usize,
    pub(in crate::op) steps: usize,
    pub(in crate::op) hidden: usize,
    pub(in crate::op) layers: usize,
    /// Vectors of H in a row of states: c and h of each layer, and what else a row holds.
    pub(in crate::op) units: usize,
}

impl Stack {
    /// Of x, weights and biases, where they fit each other; a row of states holds `extra` more vectors.
    pub(in crate::op) fn of(
        x: &TensorSpec,
        weights: &TensorSpec,
        biases: &TensorSpec,
        extra: usize,
    ) -> Result<Self, String> {
        let (&[batch, steps, hidden], &[layers, _]) = (x.dims(), weights.dims()) else {
            return Err(format!("takes x [B, T, H] and weights [L, 2H 4H], not {x} and {weights}"));
        };
        if !hidden.is_multiple_of(4) || hidden == 0 {
            return Err(format!("{x}: H must be a multiple of 4"));
        }
        let stack = Self { batch, steps, hidden, layers, units: 2 * layers + extra };
        if *x != stack.x() || *weights != stack.weights() || *biases != stack.biases() {
            return Err(format!("weights {weights} and biases {biases} do not fit {x}"));
        }
        Ok(stack)
    }

    /// [B, T, H].
    pub(in crate::op) fn x(self) -> TensorSpec {
        TensorSpec::f32([self.batch, self.steps, self.hidden])
    }

    /// [L, 2H 4H].
    pub(in crate::op) fn weights(self) -> TensorSpec {
        TensorSpec::f32([self.layers, 8 * self.hidden * self.hidden])
    }

    /// [L, 4H, 2H].
    pub(in crate::op) fn transposed_weights(self) -> TensorSpec {
        TensorSpec::f32([self.layers, 4 * self.hidden, 2 * self.hidden])
    }

    /// [L, 4H].
    pub(in crate::op) fn biases(self) -> TensorSpec {
        TensorSpec::f32([self.layers, 4 * self.hidden])
    }

    /// [B, T + 1, UNITS H].
    pub(in crate::op) fn states(self) -> TensorSpec {
        TensorSpec::f32([self.batch, self.steps + 1, self.row_len()])
    }

    /// [B, UNITS H].
    pub(in crate::op) fn last(self) -> TensorSpec {
        TensorSpec::f32([self.batch, self.row_len()])
    }

    /// [L, B, T, 4H].
    pub(in crate::op) fn gates(self) -> TensorSpec {
        TensorSpec::f32([self.layers, self.batch, self.steps, 4 * self.hidden])
    }

    /// What each cell multiplies by its weight: [L, B, T, 2H].
    pub(in crate::op) fn cell_inputs(self) -> TensorSpec {
        TensorSpec::f32([self.layers, self.batch, self.steps, 2 * self.hidden])
    }

    /// Elements of a row of states.
    pub(in crate::op) fn row_len(self) -> usize {
        self.units * self.hidden
    }

    /// First element of a row of states.
    pub(in crate::op) fn row(self, b: usize, t: usize) -> usize {
        (b * (self.steps + 1) + t) * self.row_len()
    }

    /// First element of a row of gates.
    pub(in crate::op) fn gate(self, l: usize, b: usize, t: usize) -> usize {
        ((l * self.batch + b) * self.steps + t) * 4 * self.hidden
    }

    /// Puts each layer's gates of sequence b at step t where they belong.
    pub(in crate::op) fn store_gates(
        self,
        gates: &mut Array,
        b: usize,
        t: usize,
        layers: &[Vec<f64>],
    ) {
        for (l, values) in layers.iter().enumerate() {
            gates.data[self.gate(l, b, t)..][..values.len()].copy_from_slice(values);
        }
    }

    /// Multiply-adds of all cells, twice over.
    pub(in crate::op) fn flops(self) -> u64 {
        (2 * self.layers * self.batch * self.steps * 2 * self.hidden * 4 * self.hidden) as u64
    }

    /// With as few sequences and steps as take the same variants through the same code, where all would take long: other
    /// lengths are other kernels, which are compiled for it. Nothing where it has no more.
    pub(in crate::op) fn reduced(self) -> Option<Self> {
        let few = Self { batch: self.batch.min(16), steps: self.steps.min(4), ..self };
        (self.flops() > QUICK && few != self).then_some(few)
    }
}
