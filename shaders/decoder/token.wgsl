// The first cell of a step that goes on from a word, forward: over its embedding and the context before, by their shares
// of the input's weight times the input's of the cell, and over its own h. `earlier` [B, EARLIER, UNITS H] ends with
// the state before, which becomes the first of the two rows of states [B, 2, UNITS H].
// use: lstm/cell

const GATES: u32 = 4u;
const SOURCES: u32 = 3u;
const SEGMENTS: u32 = 3u;
const PER_SOURCE: u32 = 1u;
const AHEAD: u32 = 1u; // turns that are asked for before they are taken
const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const UNITS: u32 = 7u;
const EARLIER: u32 = 2u;
const IDS: u32 = 10u;      // ids of a row
const VOCABULARY: u32 = 9u;

struct Params { id: u32 }
@group(0) @binding(0) var<storage, read> first: array<vec4<f32>>; // [3H + 2, 4H]: word, context, bias, h, cell's bias
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> embedding: array<vec4<f32>>; // [V, H]
@group(0) @binding(3) var<storage, read> earlier: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> query_weights: array<vec4<f32>>; // [2L H, H]
@group(0) @binding(5) var<storage, read_write> states: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> asking: array<vec4<f32>>; // parts of the query
@group(1) @binding(0) var<uniform> params: Params;

fn layer() -> u32 { return 0u; }
fn before(b: u32) -> u32 { return (b * EARLIER + EARLIER - 1u) * UNITS * COLUMNS; }

// Where c of this cell lies, and h after it.
fn cell(b: u32) -> u32 { return (2u * b + 1u) * UNITS * COLUMNS; }

fn is_active(z: u32) -> bool { return true; }

fn depth(s: u32) -> u32 { return COLUMNS; }

fn takes(s: u32, z: u32) -> bool { return true; }

fn feeds(s: u32, g: u32) -> bool { return true; }

fn operand(s: u32, z: u32, b: u32, k: u32) -> vec4<f32> {
    if s == 0u { return embedding[min(ids[b * IDS + params.id], VOCABULARY - 1u) * COLUMNS + k]; }
    return earlier[before(b) + select(1u, UNITS - 1u, s == 1u) * COLUMNS + k];
}

fn weight(s: u32, z: u32, k: u32, g: u32, column: u32) -> vec4<f32> {
    return first[((s * 4u * COLUMNS + select(0u, 1u, s == 2u) + k) * 4u + g) * COLUMNS + column];
}

fn finish(z: u32, b: u32, column: u32, sum: array<vec4<f32>, GATES>) {
    let row = 2u * b * UNITS * COLUMNS + column;
    for (var unit = 0u; unit < UNITS; unit++) {
        states[row + unit * COLUMNS] = earlier[before(b) + unit * COLUMNS + column];
    }
    var in_all: array<vec4<f32>, GATES>;
    // unroll
    for (var g = 0u; g < GATES; g++) {
        let share = first[(32u * COLUMNS + g) * COLUMNS + column];
        in_all[g] = sum[g] + share + first[((12u * COLUMNS + 1u) * 4u + g) * COLUMNS + column];
    }
    let after = cell_forward(in_all, earlier[before(b) + column]);
    states[cell(b) + column] = after.c;
    states[cell(b) + COLUMNS + column] = after.h;
}
