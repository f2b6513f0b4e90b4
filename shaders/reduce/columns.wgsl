// y[o, c, n] = scale * fold over the r of chunk c of x[o, r, n], where fold is the sum or the maximum and
// n counts vectors T. The `length` rows are one chunk, or are cut into `chunks` whose results a second
// dispatch folds.
// A workgroup owns COLUMNS neighbours among the outputs o, n of one chunk, so that it reads whole lines of
// memory; WORKGROUP / COLUMNS invocations share a column, each folds every so-many-th row into four
// results in turn (their loads overlap, rounding errors stay small), and a tree folds their results.
// Grid: blocks of columns times chunks, folded into two dimensions. Shared: 16 * WORKGROUP bytes.

const WORKGROUP: u32 = 256u;
const COLUMNS: u32 = 64u; // a power of two
const LANES_PER_COLUMN: u32 = WORKGROUP / COLUMNS;
const AHEAD: u32 = 4u; // rows read at once
const MAX: bool = false; // the maximum rather than the sum

// hook: lanes
// use: common/lanes1
// end

// outputs = outer * inner; inner counts vectors
struct Params { outputs: u32, inner: u32, length: u32, chunks: u32, chunk: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> folded: array<T, WORKGROUP>;

fn fold(a: T, b: T) -> T {
    if MAX { return max(a, b); }
    return a + b;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let blocks = (params.outputs + COLUMNS - 1u) / COLUMNS;
    let id = wid.y * groups.x + wid.x;
    let chunk = id / blocks;
    if chunk >= params.chunks { return; }
    let own = id % blocks * COLUMNS + lid % COLUMNS;
    let column = min(own, params.outputs - 1u);
    let o = column / params.inner;
    let n = column % params.inner;
    let step = params.inner * LANES_PER_COLUMN;
    let top_left = o * params.length * params.inner + n;
    let first = chunk * params.chunk;
    let end = min(first + params.chunk, params.length);
    var part: array<T, AHEAD>;
    // unroll
    for (var k = 0u; k < AHEAD; k++) {
        part[k] = T(0.0);
        if MAX { part[k] = x[top_left + first * params.inner]; }
    }
    var r = first + lid / COLUMNS;
    var at = top_left + r * params.inner;
    for (; r + (AHEAD - 1u) * LANES_PER_COLUMN < end; r += AHEAD * LANES_PER_COLUMN) {
        // unroll
        for (var k = 0u; k < AHEAD; k++) { part[k] = fold(part[k], x[at + k * step]); }
        at += AHEAD * step;
    }
    for (; r < end; r += LANES_PER_COLUMN) {
        part[0] = fold(part[0], x[at]);
        at += step;
    }
    var result = fold(fold(part[0], part[1]), fold(part[2], part[3]));
    if LANES_PER_COLUMN > 1u {
        folded[lid] = result;
        for (var half = WORKGROUP / 2u; half >= COLUMNS; half /= 2u) {
            workgroupBarrier();
            if lid < half { folded[lid] = fold(folded[lid], folded[lid + half]); }
        }
        result = folded[lid];
    }
    if lid < COLUMNS && own < params.outputs {
        y[(o * params.chunks + chunk) * params.inner + n] = result * params.scale;
    }
}
