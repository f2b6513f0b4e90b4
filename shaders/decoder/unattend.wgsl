// The first cell of a decoder's step backward, and the attention of the step before, with respect to the scores and the query.
// To h of the cell come parts of a sum [PARTS + 1, B, H], and what c gets lies after them: carried, see decoder/backward. known has rows of
// KNOWN vec4s: the query, the cell's slopes and the shares of each step, see decoder/outside.
// A context goes out, and da of that lies in d_score already; and it goes to this cell, through the product of two weights, which the
// memory has passed for all steps: projected [B, S, 4H], where all positions but 0 are what they differ from it by.
// d_gates [L, B, T, 4H], of which the first layer's are made here. d_query [B, T + 1, H] has rows as states have, and of the start zeros.
// Grid: [B].
// use: attention/slopes
// use: lstm/cell

const PARTS: u32 = 2u;
const BATCH: u32 = 4u;
const KNOWN: u32 = 7u * COLUMNS + (S + 3u) / 4u;

struct Params { step: u32 } // the cell's
@group(0) @binding(4) var<storage, read> projected: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> known: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> carried: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> d_gates: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

// Four units of the cell, of whose h this is the gradient.
fn finish(b: u32, bt: u32, n: u32, dh: vec4<f32>) {
    let at = bt * KNOWN + n;
    var slopes: Slopes;
    // unroll
    for (var g = 0u; g < 4u; g++) { slopes.gates[g] = known[at + (1u + g) * COLUMNS]; }
    slopes.c = known[at + 5u * COLUMNS];
    slopes.carried = known[at + 6u * COLUMNS];
    let to_c = ((PARTS + 1u) * BATCH + b) * COLUMNS + n;
    let gradient = cell_gradient(slopes, dh, carried[to_c]);
    carried[to_c] = gradient.carried;
    // unroll
    for (var g = 0u; g < 4u; g++) { d_gates[(bt * 4u + g) * COLUMNS + n] = gradient.gates[g]; }
}

fn cell(b: u32, bt: u32, lid: u32) {
    for (var i = lid; i < GROUPS * COLUMNS; i += LANES) {
        let n = i % COLUMNS;
        var sum = vec4<f32>(0.0);
        for (var p = i / COLUMNS; p <= PARTS; p += GROUPS) { sum += carried[(p * BATCH + b) * COLUMNS + n]; }
        if GROUPS == 1u { finish(b, bt, n, sum); } else { partial[i] = sum; }
    }
    if GROUPS > 1u {
        workgroupBarrier();
        for (var n = lid; n < COLUMNS; n += LANES) { finish(b, bt, n, sum_of_groups(n)); }
    }
    storageBarrier();
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = wid.x;
    // The grid is a line. With a place in it lavapipe does not know the step beforehand, and compiles the kernel once, not anew for
    // each dispatch that would be half as long.
    let step = params.step + wid.y;
    let later = b * T + step;
    if step < T { cell(b, later, lid); }
    if step == 0u {
        for (var n = lid; n < COLUMNS; n += LANES) { d_query[b * (T + 1u) * COLUMNS + n] = vec4<f32>(0.0); }
        return;
    }
    let bt = later - 1u;
    for (var n = lid; n < COLUMNS; n += LANES) { asked[n] = known[bt * KNOWN + n]; }
    for (var s = lid; s < S; s += LANES) { taken[s] = known[bt * KNOWN + 7u * COLUMNS + s / 4u][s % 4u]; }
    for (var i = lid; i < S * LANES_PER_ROW; i += LANES) {
        let s = i / LANES_PER_ROW;
        var sum = 0.0;
        if step < T && s > 0u {
            for (var first = i % LANES_PER_ROW; first < 4u * COLUMNS; first += AHEAD * LANES_PER_ROW) {
                var d: array<vec4<f32>, AHEAD>;
                var x: array<vec4<f32>, AHEAD>;
                // unroll
                for (var j = 0u; j < AHEAD; j++) {
                    let n = min(first + j * LANES_PER_ROW, 4u * COLUMNS - 1u);
                    d[j] = d_gates[later * 4u * COLUMNS + n];
                    x[j] = projected[(b * S + s) * 4u * COLUMNS + n];
                }
                // unroll
                for (var j = 0u; j < AHEAD; j++) { sum += select(0.0, dot(d[j], x[j]), first + j * LANES_PER_ROW < 4u * COLUMNS); }
            }
        }
        parts[i] = sum;
    }
    workgroupBarrier();
    for (var s = lid; s < S; s += LANES) { score[s] = d_score[bt * S + s] + in_all(s); }
    workgroupBarrier();
    spread(b, bt, bt + b + 1u, lid);
}
