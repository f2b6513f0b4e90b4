// A cell forward (Hochreiter 1997, with Gers' forget gate): gates i, f, g, o of one weight [2H, 4H] over
// [x; h before], c' = s(f) c + s(i) tanh(g), h' = s(o) tanh(c').
// states [B, T + 1, UNITS H]: a row holds c and h of each layer, row 0 is the start. gates [L, B, T, 4H].
// With WAVE all layers run at once, layer l at step params.step - l, from a start of zeros, and layer 0's
// input is its product already; else layer params.layer runs at params.step.
// use: lstm/cell

const GATES: u32 = 4u;
const SOURCES: u32 = 2u;
const COLUMNS: u32 = 8u; // H / 4
const DEPTH: u32 = 8u;   // H / 4
const BATCH: u32 = 4u;
const STEPS: u32 = 5u;
const UNITS: u32 = 6u;
const WAVE: bool = true;

struct Params { step: u32, layer: u32 }
@group(0) @binding(0) var<storage, read> weights: array<vec4<f32>>; // [L, 2H, 4H]
@group(0) @binding(1) var<storage, read> biases: array<vec4<f32>>;  // [L, 4H]
@group(0) @binding(2) var<storage, read> below: array<vec4<f32>>;   // of layer 0: products [B, T, 4H], or x [B, T, H]
@group(0) @binding(3) var<storage, read_write> states: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> gates: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

fn layer_of(z: u32) -> u32 { return select(params.layer, z, WAVE); }
fn step_of(z: u32) -> u32 { return select(params.step, params.step - z, WAVE); }
fn row(b: u32, t: u32) -> u32 { return (b * (STEPS + 1u) + t) * UNITS * COLUMNS; }

// A layer that is not there yet is at a step below zero.
fn is_active(z: u32) -> bool { return step_of(z) < STEPS; }

fn takes(s: u32, z: u32) -> bool {
    if s == 0u { return !WAVE | (layer_of(z) > 0u); }
    return !WAVE | (step_of(z) > 0u);
}

fn operand(s: u32, z: u32, b: u32, k: u32) -> vec4<f32> {
    let l = layer_of(z); let t = step_of(z);
    if s == 1u { return states[row(b, t) + (2u * l + 1u) * COLUMNS + k]; }
    if l == 0u { return below[(b * STEPS + t) * COLUMNS + k]; }
    return states[row(b, t + 1u) + (2u * l - 1u) * COLUMNS + k];
}

fn weight(s: u32, z: u32, k: u32, g: u32, column: u32) -> vec4<f32> {
    return weights[(((2u * layer_of(z) + s) * 4u * COLUMNS + k) * 4u + g) * COLUMNS + column];
}

fn finish(z: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let l = layer_of(z); let t = step_of(z);
    var in_all: array<vec4<f32>, GATES>;
    // unroll
    for (var g = 0u; g < GATES; g++) {
        in_all[g] = sum[g] + biases[(l * 4u + g) * COLUMNS + column];
        if WAVE {
            if l == 0u { in_all[g] += below[((b * STEPS + t) * 4u + g) * COLUMNS + column]; }
        }
    }
    let i = sigmoid(in_all[0]); let f = sigmoid(in_all[1]); let g = squash(in_all[2]); let o = sigmoid(in_all[3]);
    let before = row(b, t) + 2u * l * COLUMNS + column;
    var c = i * g;
    if WAVE && t == 0u {
        states[before] = vec4<f32>(0.0);
        states[before + COLUMNS] = vec4<f32>(0.0);
    } else {
        c += f * states[before];
    }
    let after = row(b, t + 1u) + 2u * l * COLUMNS + column;
    states[after] = c;
    states[after + COLUMNS] = o * squash(c);
    let at = ((l * BATCH + b) * STEPS + t) * 4u * COLUMNS + column;
    gates[at] = i; gates[at + COLUMNS] = f; gates[at + 2u * COLUMNS] = g; gates[at + 3u * COLUMNS] = o;
}
