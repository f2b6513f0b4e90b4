// A cell (Hochreiter 1997, with Gers' forget gate), four units of it: what it makes of the sums over its inputs, and
// back. Gates are i, f, g, o; the squashing functions are safe for any argument.

struct After { gates: array<vec4<f32>, 4>, c: vec4<f32>, h: vec4<f32> }

// carried goes to the step before; the gates' are before squashing.
struct Gradient { gates: array<vec4<f32>, 4>, carried: vec4<f32> }

fn sigmoid(x: vec4<f32>) -> vec4<f32> { return 1.0 / (1.0 + exp(-clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0)))); }

fn squash(x: vec4<f32>) -> vec4<f32> { return tanh(clamp(x, vec4<f32>(-15.0), vec4<f32>(15.0))); }

// c' = s(f) c + s(i) tanh(g), h' = s(o) tanh(c').
fn cell_forward(sum: array<vec4<f32>, 4>, c: vec4<f32>) -> After {
    let i = sigmoid(sum[0]); let f = sigmoid(sum[1]); let g = squash(sum[2]); let o = sigmoid(sum[3]);
    let after = f * c + i * g;
    return After(array<vec4<f32>, 4>(i, f, g, o), after, o * squash(after));
}

// With dh and dc of a step in all: do = dh tanh(c) o (1 - o), dc += dh o (1 - tanh(c)^2), di = dc g i (1 - i),
// df = dc c_before f (1 - f), dg = dc i (1 - g^2), and dc f goes to the step before.
fn cell_backward(
    gates: array<vec4<f32>, 4>, before: vec4<f32>, after: vec4<f32>, dh: vec4<f32>, dc_after: vec4<f32>,
) -> Gradient {
    let i = gates[0]; let f = gates[1]; let g = gates[2]; let o = gates[3];
    let c = squash(after);
    let dc = dc_after + dh * o * (1.0 - c * c);
    let d_gates = array<vec4<f32>, 4>(
        dc * g * i * (1.0 - i), dc * before * f * (1.0 - f), dc * i * (1.0 - g * g), dh * c * o * (1.0 - o));
    return Gradient(d_gates, dc * f);
}
