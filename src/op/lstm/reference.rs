//! A cell and a stack of them in f64, a step forward and backward.

use crate::tensor::Array;

use super::Stack;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// y + x W for W [x, y] in rows.
pub(in crate::op) fn add_product(y: &mut [f64], x: &[f64], w: &[f64]) {
    let columns = y.len();
    for (x, row) in x.iter().zip(w.chunks(columns)) {
        y.iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
    }
}

/// y + g W^T, W being the input's part (0) or h's (1) of transposed weights [4H, 2H].
pub(in crate::op) fn add_product_transposed(
    y: &mut [f64],
    g: &[f64],
    transposed: &[f64],
    part: usize,
) {
    let hidden = y.len();
    for (g, row) in g.iter().zip(transposed.chunks(2 * hidden)) {
        let row = &row[part * hidden..][..hidden];
        y.iter_mut().zip(row).for_each(|(y, w)| *y += g * w);
    }
}

/// A step of a cell with weight [X + H, 4H] and bias `[4H]` over x, from h and c: gates i, f, g, o after
/// squashing, and c and h after.
pub(in crate::op) fn cell_forward(
    w: &[f64],
    bias: &[f64],
    x: &[f64],
    h: &[f64],
    c: &[f64],
) -> [Vec<f64>; 3] {
    let hidden = h.len();
    let mut gates = bias[..4 * hidden].to_vec();
    add_product(&mut gates, x, w);
    add_product(&mut gates, h, &w[4 * hidden * x.len()..]);
    for (n, gate) in gates.iter_mut().enumerate() {
        *gate = if n / hidden == 2 { gate.tanh() } else { sigmoid(*gate) };
    }
    let at = |gate: usize, n: usize| gates[gate * hidden + n];
    let c: Vec<_> = (0..hidden).map(|n| at(1, n) * c[n] + at(0, n) * at(2, n)).collect();
    let h = (0..hidden).map(|n| at(3, n) * c[n].tanh()).collect();
    [gates, c, h]
}

/// The gates' gradients before squashing, dc in all, and what of it goes to the step before.
fn cell_backward(
    gates: &[f64],
    c_before: &[f64],
    c: &[f64],
    dh: &[f64],
    dc: &[f64],
) -> [Vec<f64>; 3] {
    let hidden = c.len();
    let mut d_gates = vec![0.0; 4 * hidden];
    let (mut whole, mut carried) = (vec![0.0; hidden], vec![0.0; hidden]);
    for n in 0..hidden {
        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * hidden + n]);
        let squashed = c[n].tanh();
        let dc = dc[n] + dh[n] * o * (1.0 - squashed * squashed);
        d_gates[n] = dc * g * i * (1.0 - i);
        d_gates[hidden + n] = dc * c_before[n] * f * (1.0 - f);
        d_gates[2 * hidden + n] = dc * i * (1.0 - g * g);
        d_gates[3 * hidden + n] = dh[n] * squashed * o * (1.0 - o);
        (whole[n], carried[n]) = (dc, dc * f);
    }
    [d_gates, whole, carried]
}

impl Stack {
    /// All layers' cells at a step: `row` goes from the state before to the one after; each layer's gates.
    pub(in crate::op) fn forward(
        self,
        row: &mut [f64],
        x: &[f64],
        weights: &[f64],
        biases: &[f64],
    ) -> Vec<Vec<f64>> {
        let hidden = self.hidden;
        let mut below = x.to_vec();
        let layer = |l: usize| {
            let weight = &weights[l * 8 * hidden * hidden..];
            let (c, h) = row[2 * l * hidden..][..2 * hidden].split_at_mut(hidden);
            let [gates, c_after, h_after] =
                cell_forward(weight, &biases[l * 4 * hidden..], &below, h, c);
            c.copy_from_slice(&c_after);
            h.copy_from_slice(&h_after);
            below = h_after;
            gates
        };
        (0..self.layers).map(layer).collect()
    }

    /// All layers' cells backward at step t of sequence b. `d_rows` are the sequence's dstates, which end as
    /// the whole gradients; `d_gates_after` the gates' gradients of the step after. This step's.
    #[allow(clippy::too_many_arguments, reason = "the operands of one formula")]
    pub(in crate::op) fn backward(
        self,
        d_rows: &mut [f64],
        d_gates_after: &[Vec<f64>],
        transposed: &[f64],
        gates: &[f64],
        states: &[f64],
        b: usize,
        t: usize,
    ) -> Vec<Vec<f64>> {
        let (hidden, row_len) = (self.hidden, self.row_len());
        let weight = |l: usize| &transposed[l * 8 * hidden * hidden..];
        let mut d_gates = vec![Vec::new(); self.layers];
        for l in (0..self.layers).rev() {
            let at = 2 * l * hidden;
            let after = (t + 1) * row_len + at;
            let mut dh = d_rows[after + hidden..][..hidden].to_vec();
            add_product_transposed(&mut dh, &d_gates_after[l], weight(l), 1);
            if l + 1 < self.layers {
                add_product_transposed(&mut dh, &d_gates[l + 1], weight(l + 1), 0);
            }
            let c_before = &states[self.row(b, t) + at..][..hidden];
            let c = &states[self.row(b, t + 1) + at..][..hidden];
            let cell_gates = &gates[self.gate(l, b, t)..][..4 * hidden];
            let [d_cell_gates, dc, carried] =
                cell_backward(cell_gates, c_before, c, &dh, &d_rows[after..][..hidden]);
            d_rows[after..][..hidden].copy_from_slice(&dc);
            d_rows[after + hidden..][..hidden].copy_from_slice(&dh);
            let dc_before = &mut d_rows[t * row_len + at..][..hidden];
            dc_before.iter_mut().zip(carried).for_each(|(dc, carried)| *dc += carried);
            d_gates[l] = d_cell_gates;
        }
        d_gates
    }

    /// Weights [L, 2H 4H] of what they are transposed, [L, 4H, 2H].
    pub(in crate::op) fn untransposed(self, transposed: &Array) -> Array {
        let (gates, inputs) = (4 * self.hidden, 2 * self.hidden);
        let weight = |at: usize| {
            let (layer, from, gate) = (at / gates / inputs, at / gates % inputs, at % gates);
            transposed.data[(layer * gates + gate) * inputs + from]
        };
        Array::new(self.weights(), (0..transposed.data.len()).map(weight).collect())
    }

    /// What each cell multiplied by its weight, [L, B, T, 2H].
    pub(in crate::op) fn gather_cell_inputs(self, x: &Array, states: &Array) -> Array {
        let Self { batch, steps, hidden, layers, .. } = self;
        let mut data = Vec::with_capacity(self.cell_inputs().len());
        for l in 0..layers {
            for (b, t) in (0..batch).flat_map(|b| (0..steps).map(move |t| (b, t))) {
                let below = match l {
                    0 => &x.data[(b * steps + t) * hidden..][..hidden],
                    _ => &states.data[self.row(b, t + 1) + (2 * l - 1) * hidden..][..hidden],
                };
                data.extend_from_slice(below);
                data.extend_from_slice(
                    &states.data[self.row(b, t) + (2 * l + 1) * hidden..][..hidden],
                );
            }
        }
        Array::new(self.cell_inputs(), data)
    }
}
