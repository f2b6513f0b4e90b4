// Another cell of a decoder's step, forward.
// states [B, T + 1, UNITS H]: a row holds c and h of each layer and the context, row 0 is the start.
// use: lstm/cell

const GATES: u32 = 4u;
const SOURCES: u32 = 2u;
const SEGMENTS: u32 = 2u;
const PER_SOURCE: u32 = 1u;
const AHEAD: u32 = 1u; // turns that are asked for before they are taken
const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const STEPS: u32 = 5u;
const UNITS: u32 = 7u;

struct Params { step: u32, layer: u32 }
@group(0) @binding(0) var<storage, read> weights: array<vec4<f32>>; // [L, 2H, 4H]
@group(0) @binding(1) var<storage, read> biases: array<vec4<f32>>;  // [L, 4H]
@group(0) @binding(2) var<storage, read> query_weights: array<vec4<f32>>; // [2L H, H]
@group(0) @binding(3) var<storage, read_write> states: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> gates: array<vec4<f32>>; // [L, B, T, 4H]
@group(0) @binding(5) var<storage, read_write> asking: array<vec4<f32>>; // parts of the query
@group(1) @binding(0) var<uniform> params: Params;

fn layer() -> u32 { return params.layer; }
fn row(b: u32, t: u32) -> u32 { return (b * (STEPS + 1u) + t) * UNITS * COLUMNS; }

// Where c of this cell lies, and h after it.
fn cell(b: u32) -> u32 { return row(b, params.step + 1u) + 2u * params.layer * COLUMNS; }

fn is_active(z: u32) -> bool { return true; }

fn depth(s: u32) -> u32 { return COLUMNS; }

fn takes(s: u32, z: u32) -> bool { return true; }

fn feeds(s: u32, g: u32) -> bool { return true; }

fn operand(s: u32, z: u32, b: u32, k: u32) -> vec4<f32> {
    let l = params.layer;
    if s == 1u { return states[row(b, params.step) + (2u * l + 1u) * COLUMNS + k]; }
    return states[row(b, params.step + 1u) + (2u * l - 1u) * COLUMNS + k];
}

fn weight(s: u32, z: u32, k: u32, g: u32, column: u32) -> vec4<f32> {
    return weights[(((2u * params.layer + s) * 4u * COLUMNS + k) * 4u + g) * COLUMNS + column];
}

fn finish(z: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let l = params.layer; let t = params.step;
    var in_all: array<vec4<f32>, GATES>;
    // unroll
    for (var g = 0u; g < GATES; g++) { in_all[g] = sum[g] + biases[(l * 4u + g) * COLUMNS + column]; }
    let after = cell_forward(in_all, states[row(b, t) + 2u * l * COLUMNS + column]);
    states[cell(b) + column] = after.c;
    states[cell(b) + COLUMNS + column] = after.h;
    let at = ((l * BATCH + b) * STEPS + t) * 4u * COLUMNS + column;
    // unroll
    for (var g = 0u; g < GATES; g++) { gates[at + g * COLUMNS] = after.gates[g]; }
}
