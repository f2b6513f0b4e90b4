// Cells backward, all layers at once: layer L - 1 - z is params.step - z steps before the last. What reaches h at a
// step comes from outside, from the cell's own gates a step later and from the gates of the layer above at the same
// step. From outside comes d_top [B, T, H] to the last layer and d_last [B, 2L H] to the last state. carried [B, L H]
// holds what has come to each c from the step after. d_gates [L, B, T, 4H] are before squashing. turned [L, 4H, 2H]: the
// weights, transposed.
// use: lstm/cell

const GATES: u32 = 1u;
const SOURCES: u32 = 2u;
const SEGMENTS: u32 = 8u; // H deep
const PER_SOURCE: u32 = 4u;
const AHEAD: u32 = 1u; // turns that are asked for before they are taken
const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const STEPS: u32 = 5u;
const LAYERS: u32 = 3u;
const UNITS: u32 = 6u;

struct Params { step: u32 }
@group(0) @binding(0) var<storage, read> turned: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gates: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> d_top: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> d_last: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> carried: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> d_gates: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

fn layer_of(z: u32) -> u32 { return LAYERS - 1u - z; }
fn step_of(z: u32) -> u32 { return STEPS - 1u - (params.step - z); }
fn row(b: u32, t: u32) -> u32 { return (b * (STEPS + 1u) + t) * UNITS * COLUMNS; }
fn gate(l: u32, b: u32, t: u32) -> u32 { return ((l * BATCH + b) * STEPS + t) * 4u * COLUMNS; }

fn is_active(z: u32) -> bool { return step_of(z) < STEPS; }

fn depth(s: u32) -> u32 { return 4u * COLUMNS; }

fn takes(s: u32, z: u32) -> bool {
    if s == 0u { return step_of(z) + 1u < STEPS; }
    return layer_of(z) + 1u < LAYERS;
}

fn feeds(s: u32, g: u32) -> bool { return true; }

fn operand(s: u32, z: u32, b: u32, k: u32) -> vec4<f32> {
    if s == 0u { return d_gates[gate(layer_of(z), b, step_of(z) + 1u) + k]; }
    return d_gates[gate(layer_of(z) + 1u, b, step_of(z)) + k];
}

fn weight(s: u32, z: u32, k: u32, g: u32, column: u32) -> vec4<f32> {
    let l = layer_of(z) + s;
    return turned[((l * 16u * COLUMNS + k) * 2u + 1u - s) * COLUMNS + column];
}

fn finish(z: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let l = layer_of(z);
    let t = step_of(z);
    let after = states[row(b, t + 1u) + 2u * l * COLUMNS + column];
    let before = states[row(b, t) + 2u * l * COLUMNS + column];
    let at = gate(l, b, t) + column;
    let at_step = array<vec4<f32>, 4>(gates[at], gates[at + COLUMNS], gates[at + 2u * COLUMNS], gates[at + 3u * COLUMNS]);
    let to_c = (b * LAYERS + l) * COLUMNS + column;
    var dh = sum[0];
    var dc = vec4<f32>(0.0);
    if l + 1u == LAYERS { dh += d_top[(b * STEPS + t) * COLUMNS + column]; }
    if t + 1u == STEPS {
        dc = d_last[(b * UNITS + 2u * l) * COLUMNS + column];
        dh += d_last[(b * UNITS + 2u * l + 1u) * COLUMNS + column];
    } else {
        dc = carried[to_c];
    }
    let gradient = cell_backward(at_step, before, after, dh, dc);
    carried[to_c] = gradient.carried;
    // unroll
    for (var g = 0u; g < 4u; g++) { d_gates[at + g * COLUMNS] = gradient.gates[g]; }
}
