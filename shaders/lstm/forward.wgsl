// Cells forward, all layers at once: layer l at step params.step - l, from a start of zeros. Gates of one weight
// [2H, 4H] over [x; h before]; layer 0's input is its product already.
// states [B, T + 1, 2L H]: a row holds c and h of each layer, row 0 is the start. gates [L, B, T, 4H]. Seen from outside
// are the h of the last layer, top [B, T, H], and the last state, last [B, 2L H].
// use: lstm/cell

const GATES: u32 = 4u;
const SOURCES: u32 = 2u;
const SEGMENTS: u32 = 2u; // H deep
const PER_SOURCE: u32 = 1u;
const AHEAD: u32 = 1u; // turns that are asked for before they are taken
const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const STEPS: u32 = 5u;
const UNITS: u32 = 6u;

struct Params { step: u32 }
@group(0) @binding(0) var<storage, read> weights: array<vec4<f32>>; // [L, 2H, 4H]
@group(0) @binding(1) var<storage, read> biases: array<vec4<f32>>;  // [L, 4H]
@group(0) @binding(2) var<storage, read> below: array<vec4<f32>>;   // products of layer 0's input [B, T, 4H]
@group(0) @binding(3) var<storage, read_write> states: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> gates: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> top: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> last: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

fn step_of(l: u32) -> u32 { return params.step - l; }
fn row(b: u32, t: u32) -> u32 { return (b * (STEPS + 1u) + t) * UNITS * COLUMNS; }

// A layer that is not there yet is at a step below zero.
fn is_active(l: u32) -> bool { return step_of(l) < STEPS; }

fn depth(s: u32) -> u32 { return COLUMNS; }

fn takes(s: u32, l: u32) -> bool {
    if s == 0u { return l > 0u; }
    return step_of(l) > 0u;
}

fn feeds(s: u32, g: u32) -> bool { return true; }

fn operand(s: u32, l: u32, b: u32, k: u32) -> vec4<f32> {
    let t = step_of(l);
    if s == 1u { return states[row(b, t) + (2u * l + 1u) * COLUMNS + k]; }
    return states[row(b, t + 1u) + (2u * l - 1u) * COLUMNS + k];
}

fn weight(s: u32, l: u32, k: u32, g: u32, column: u32) -> vec4<f32> {
    return weights[(((2u * l + s) * 4u * COLUMNS + k) * 4u + g) * COLUMNS + column];
}

fn finish(l: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let t = step_of(l);
    var in_all: array<vec4<f32>, GATES>;
    // unroll
    for (var g = 0u; g < GATES; g++) {
        in_all[g] = sum[g] + biases[(l * 4u + g) * COLUMNS + column];
        if l == 0u { in_all[g] += below[((b * STEPS + t) * 4u + g) * COLUMNS + column]; }
    }
    let before = row(b, t) + 2u * l * COLUMNS + column;
    var c = vec4<f32>(0.0);
    if t == 0u {
        states[before] = vec4<f32>(0.0);
        states[before + COLUMNS] = vec4<f32>(0.0);
    } else {
        c = states[before];
    }
    let cell = cell_forward(in_all, c);
    let after = row(b, t + 1u) + 2u * l * COLUMNS + column;
    states[after] = cell.c;
    states[after + COLUMNS] = cell.h;
    if 2u * l + 2u == UNITS { top[(b * STEPS + t) * COLUMNS + column] = cell.h; }
    if t + 1u == STEPS {
        last[(b * UNITS + 2u * l) * COLUMNS + column] = cell.c;
        last[(b * UNITS + 2u * l + 1u) * COLUMNS + column] = cell.h;
    }
    let at = ((l * BATCH + b) * STEPS + t) * 4u * COLUMNS + column;
    // unroll
    for (var g = 0u; g < GATES; g++) { gates[at + g * COLUMNS] = cell.gates[g]; }
}
