// A cell backward: what reaches h at a step comes from outside, from the cell's own gates a step later and
// from the gates of the layer above at the same step. With dh and dc in all:
//   do = dh tanh(c) o (1 - o), dc += dh o (1 - tanh(c)^2), di = dc g i (1 - i), df = dc c_before f (1 - f),
//   dg = dc i (1 - g^2), and dc f goes to the step before.
// d_states [B, T + 1, UNITS H] starts as what comes from outside and ends as the whole gradient. d_gates
// [L, B, T, 4H] are before squashing. turned [L, 4H, 2H]: the weights, transposed.
// With WAVE all layers run at once: layer L - 1 - z is params.step - z steps before the last; else layer
// params.layer runs at params.step. With START no cell runs: the start's h gets what the first gates give.
// use: lstm/cell

const GATES: u32 = 1u;
const SOURCES: u32 = 2u;
const COLUMNS: u32 = 8u; // H / 4
const DEPTH: u32 = 32u;  // H: 4H / 4
const BATCH: u32 = 4u;
const STEPS: u32 = 5u;
const LAYERS: u32 = 3u;
const UNITS: u32 = 6u;
const WAVE: bool = true;
const START: bool = false;

struct Params { step: u32, layer: u32 }
@group(0) @binding(0) var<storage, read> turned: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gates: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> d_states: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> d_gates: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

fn layer_of(z: u32) -> u32 {
    if START { return z; }
    return select(params.layer, LAYERS - 1u - z, WAVE);
}
fn step_of(z: u32) -> u32 { return select(params.step, STEPS - 1u - (params.step - z), WAVE); }
fn row(b: u32, t: u32) -> u32 { return (b * (STEPS + 1u) + t) * UNITS * COLUMNS; }
fn gate(l: u32, b: u32, t: u32) -> u32 { return ((l * BATCH + b) * STEPS + t) * DEPTH; }

fn is_active(z: u32) -> bool { return START | (step_of(z) < STEPS); }

fn takes(s: u32, z: u32) -> bool {
    if START { return s == 0u; }
    if s == 0u { return step_of(z) + 1u < STEPS; }
    return layer_of(z) + 1u < LAYERS;
}

fn operand(s: u32, z: u32, b: u32, k: u32) -> vec4<f32> {
    if START { return d_gates[gate(z, b, 0u) + k]; }
    if s == 0u { return d_gates[gate(layer_of(z), b, step_of(z) + 1u) + k]; }
    return d_gates[gate(layer_of(z) + 1u, b, step_of(z)) + k];
}

fn weight(s: u32, z: u32, k: u32, g: u32, column: u32) -> vec4<f32> {
    let l = layer_of(z) + s;
    return turned[((l * 4u * DEPTH + k) * 2u + 1u - s) * COLUMNS + column];
}

fn finish(z: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let l = layer_of(z);
    if START {
        d_states[row(b, 0u) + (2u * l + 1u) * COLUMNS + column] += sum[0];
        return;
    }
    let t = step_of(z);
    let after = row(b, t + 1u) + 2u * l * COLUMNS + column;
    let before = row(b, t) + 2u * l * COLUMNS + column;
    let at = gate(l, b, t) + column;
    let i = gates[at]; let f = gates[at + COLUMNS]; let g = gates[at + 2u * COLUMNS]; let o = gates[at + 3u * COLUMNS];
    let c = squash(states[after]);
    let dh = d_states[after + COLUMNS] + sum[0];
    let dc = d_states[after] + dh * o * (1.0 - c * c);
    d_states[after + COLUMNS] = dh;
    d_states[after] = dc;
    d_states[before] += dc * f;
    d_gates[at] = dc * g * i * (1.0 - i);
    d_gates[at + COLUMNS] = dc * states[before] * f * (1.0 - f);
    d_gates[at + 2u * COLUMNS] = dc * i * (1.0 - g * g);
    d_gates[at + 3u * COLUMNS] = dh * c * o * (1.0 - o);
}
