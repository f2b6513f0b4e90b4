//! A cell in f64, forward and backward, as references of whole layers use it.

/// What a cell makes of one step: gates i, f, g, o after squashing, and its state.
#[derive(Debug, Clone)]
pub(in crate::op) struct Cell {
    pub(in crate::op) gates: Vec<f64>,
    pub(in crate::op) c: Vec<f64>,
    pub(in crate::op) h: Vec<f64>,
}

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

/// A step of a cell with weight [2H, 4H] and bias `[4H]` over x, and h and c before.
pub(in crate::op) fn forward(w: &[f64], bias: &[f64], x: &[f64], h: &[f64], c: &[f64]) -> Cell {
    let width = h.len();
    let mut gates = bias[..4 * width].to_vec();
    add_product(&mut gates, x, w);
    add_product(&mut gates, h, &w[4 * width * width..]);
    for (n, gate) in gates.iter_mut().enumerate() {
        *gate = if n / width == 2 { gate.tanh() } else { sigmoid(*gate) };
    }
    let at = |gate: usize, n: usize| gates[gate * width + n];
    let c: Vec<_> = (0..width).map(|n| at(1, n) * c[n] + at(0, n) * at(2, n)).collect();
    let h = (0..width).map(|n| at(3, n) * c[n].tanh()).collect();
    Cell { gates, c, h }
}

/// The gates' gradients before squashing, dc in all, and what of it goes to the step before.
pub(in crate::op) fn backward(
    gates: &[f64],
    before: &[f64],
    c: &[f64],
    dh: &[f64],
    dc: &[f64],
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let width = c.len();
    let mut d = vec![0.0; 4 * width];
    let (mut whole, mut carried) = (vec![0.0; width], vec![0.0; width]);
    for n in 0..width {
        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * width + n]);
        let squashed = c[n].tanh();
        let dc = dc[n] + dh[n] * o * (1.0 - squashed * squashed);
        d[n] = dc * g * i * (1.0 - i);
        d[width + n] = dc * before[n] * f * (1.0 - f);
        d[2 * width + n] = dc * i * (1.0 - g * g);
        d[3 * width + n] = dh[n] * squashed * o * (1.0 - o);
        (whole[n], carried[n]) = (dc, dc * f);
    }
    (d, whole, carried)
}
