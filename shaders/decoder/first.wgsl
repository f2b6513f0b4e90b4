// The first cell of a decoder's first step, forward: over the context that it starts from, by the product of its share of the input's
// weight and of the cell's, and over its own h. The gates hold what the tokens give.
// start [B, UNITS H]: c and h of each layer and the context, which become row 0 of states [B, T + 1, UNITS H].
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

@group(0) @binding(0) var<storage, read> weights: array<vec4<f32>>; // [L, 2H, 4H]
@group(0) @binding(1) var<storage, read> biases: array<vec4<f32>>;  // [L, 4H]
@group(0) @binding(2) var<storage, read> folded: array<vec4<f32>>;  // [H, 4H]
@group(0) @binding(3) var<storage, read> start: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> states: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> gates: array<vec4<f32>>; // [L, B, T, 4H]

fn is_active(z: u32) -> bool { return true; }

fn depth(s: u32) -> u32 { return COLUMNS; }

fn takes(s: u32, z: u32) -> bool { return true; }

fn feeds(s: u32, g: u32) -> bool { return true; }

fn operand(s: u32, z: u32, b: u32, k: u32) -> vec4<f32> {
    return start[(b * UNITS + select(1u, UNITS - 1u, s == 0u)) * COLUMNS + k];
}

fn weight(s: u32, z: u32, k: u32, g: u32, column: u32) -> vec4<f32> {
    if s == 0u { return folded[(k * 4u + g) * COLUMNS + column]; }
    return weights[((4u * COLUMNS + k) * 4u + g) * COLUMNS + column];
}

fn finish(z: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let at = b * STEPS * 4u * COLUMNS + column;
    let row = b * (STEPS + 1u) * UNITS * COLUMNS + column;
    for (var unit = 0u; unit < UNITS; unit++) {
        states[row + unit * COLUMNS] = start[(b * UNITS + unit) * COLUMNS + column];
    }
    var in_all: array<vec4<f32>, GATES>;
    // unroll
    for (var g = 0u; g < GATES; g++) { in_all[g] = sum[g] + biases[g * COLUMNS + column] + gates[at + g * COLUMNS]; }
    let after = cell_forward(in_all, start[b * UNITS * COLUMNS + column]);
    states[row + UNITS * COLUMNS] = after.c;
    states[row + (UNITS + 1u) * COLUMNS] = after.h;
    // unroll
    for (var g = 0u; g < GATES; g++) { gates[at + g * COLUMNS] = after.gates[g]; }
}
