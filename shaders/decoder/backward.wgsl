// A decoder's cell backward. What reaches h at a step comes from outside, from the cell's own gates a step later, from
// the gates of the layer above and from the query, which saw c too.
// d_seen [B, T, 2H] has h of the last layer and the context; d_start [B, UNITS H] holds what has come to each c from the
// step after, until it is the start's. d_gates [L, B, T, 4H] are before squashing. turned [L, 4H, 2H] and turned_query
// [H, 2L H]: the weights, transposed.
// With START no cell runs: the start's h of layer z gets what the first gates give.
// use: lstm/cell

const GATES: u32 = 2u; // of h and of c
const SOURCES: u32 = 3u;
const SEGMENTS: u32 = 9u; // H deep
const PER_SOURCE: u32 = 4u;
const AHEAD: u32 = 4u; // turns that are asked for before they are taken
const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const STEPS: u32 = 5u;
const LAYERS: u32 = 3u;
const UNITS: u32 = 7u;
const START: bool = false;

struct Params { step: u32, layer: u32 }
@group(0) @binding(0) var<storage, read> turned: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> turned_query: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> gates: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> d_query: array<vec4<f32>>; // [B, T, H]
@group(0) @binding(5) var<storage, read> d_seen: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> d_start: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> d_gates: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

fn layer_of(z: u32) -> u32 { return select(params.layer, z, START); }
fn row(b: u32, t: u32) -> u32 { return (b * (STEPS + 1u) + t) * UNITS * COLUMNS; }
fn gate(l: u32, b: u32, t: u32) -> u32 { return ((l * BATCH + b) * STEPS + t) * 4u * COLUMNS; }

fn is_active(z: u32) -> bool { return true; }

fn depth(s: u32) -> u32 { return select(4u * COLUMNS, COLUMNS, s == 2u); }

fn takes(s: u32, z: u32) -> bool {
    if START { return s == 0u; }
    if s == 0u { return params.step + 1u < STEPS; }
    return s == 2u || layer_of(z) + 1u < LAYERS;
}

fn feeds(s: u32, g: u32) -> bool { return s == 2u || g == 0u; }

fn operand(s: u32, z: u32, b: u32, k: u32) -> vec4<f32> {
    let l = layer_of(z);
    if START { return d_gates[gate(l, b, 0u) + k]; }
    if s == 0u { return d_gates[gate(l, b, params.step + 1u) + k]; }
    if s == 1u { return d_gates[gate(l + 1u, b, params.step) + k]; }
    return d_query[(b * STEPS + params.step) * COLUMNS + k];
}

fn weight(s: u32, z: u32, k: u32, g: u32, column: u32) -> vec4<f32> {
    let l = layer_of(z);
    if s == 2u { return turned_query[(k * 2u * LAYERS + 2u * l + 1u - g) * COLUMNS + column]; }
    return turned[(((l + s) * 16u * COLUMNS + k) * 2u + 1u - s) * COLUMNS + column];
}

fn finish(z: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let l = layer_of(z);
    let carried = (b * UNITS + 2u * l) * COLUMNS + column;
    if START {
        d_start[carried + COLUMNS] = sum[0];
        return;
    }
    let t = params.step;
    let after = states[row(b, t + 1u) + 2u * l * COLUMNS + column];
    let before = states[row(b, t) + 2u * l * COLUMNS + column];
    let at = gate(l, b, t) + column;
    let at_step = array<vec4<f32>, 4>(gates[at], gates[at + COLUMNS], gates[at + 2u * COLUMNS], gates[at + 3u * COLUMNS]);
    var dh = sum[0];
    if l + 1u == LAYERS { dh += d_seen[(b * STEPS + t) * 2u * COLUMNS + column]; }
    var dc = sum[1];
    if t + 1u < STEPS { dc += d_start[carried]; }
    let gradient = cell_backward(at_step, before, after, dh, dc);
    d_start[carried] = gradient.carried;
    // unroll
    for (var g = 0u; g < 4u; g++) { d_gates[at + g * COLUMNS] = gradient.gates[g]; }
}
