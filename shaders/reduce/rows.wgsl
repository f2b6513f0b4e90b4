// y[o, c] = scale * fold over the r of chunk c of x[o, r], where fold is the sum or the maximum.
// A row of `length` vectors is one chunk, or is cut into `chunks` whose results a second dispatch folds.
// Each invocation folds every LANES_PER_ROW-th vector of its chunk into four results in turn: the loads overlap
// and rounding errors grow like those of a quarter of the chain. Then the lanes fold theirs.
// Grid: WORKGROUP / LANES_PER_ROW chunks per workgroup, folded into two dimensions. Shared: 8 WORKGROUP bytes.
// use: common/reduce

const LANES_PER_ROW: u32 = 256u; // invocations a chunk, a power of two
const AHEAD: u32 = 4u; // vectors read at once
const MAX: bool = false; // the maximum rather than the sum

// hook: lanes
// use: common/lanes1
// end

struct Params { pieces: u32, chunks: u32, chunk: u32, length: u32, scale: f32 } // lengths in vectors
@group(0) @binding(0) var<storage, read_write> y: array<f32>; // the inputs follow, as many as load reads
@group(1) @binding(0) var<uniform> params: Params;

// hook: load
@group(0) @binding(1) var<storage, read> x: array<T>;
fn load(i: u32) -> T { return x[i]; }
// end

fn fold(a: T, b: T) -> T {
    if MAX { return max(a, b); }
    return a + b;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = (wid.y * groups.x + wid.x) * (WORKGROUP / LANES_PER_ROW) + lid / LANES_PER_ROW;
    let piece = min(own, params.pieces - 1u);
    let first = piece % params.chunks * params.chunk;
    let row = piece / params.chunks * params.length;
    let end = row + min(first + params.chunk, params.length);
    var part: array<T, AHEAD>;
    // unroll
    for (var k = 0u; k < AHEAD; k++) {
        part[k] = T(0.0);
        if MAX { part[k] = load(row + first); } // a lowest value would hide a row of infinities
    }
    var i = row + first + lid % LANES_PER_ROW;
    for (; i + (AHEAD - 1u) * LANES_PER_ROW < end; i += AHEAD * LANES_PER_ROW) {
        // unroll
        for (var k = 0u; k < AHEAD; k++) { part[k] = fold(part[k], load(i + k * LANES_PER_ROW)); }
    }
    for (; i < end; i += LANES_PER_ROW) { part[0] = fold(part[0], load(i)); }
    let folded = fold(fold(part[0], part[1]), fold(part[2], part[3]));
    var result: f32;
    if MAX {
        result = max_over_lanes(top(folded), lid, LANES_PER_ROW);
    } else {
        result = sum_over_lanes(total(folded), lid, LANES_PER_ROW);
    }
    if lid % LANES_PER_ROW == 0u && own < params.pieces { y[own] = result * params.scale; }
}
