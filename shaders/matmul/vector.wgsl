// Matrix-vector products, C = op(A) op(B) for M or N of 1 to 8: with X the operand whose other length R is
// long and Y the one that holds the few vectors,
// C[g, r, s] = epilogue(sum over k of X[g, r, k] Y[g, s, k]), stored with strides c_r and c_s.
// X crosses the memory bus once, in vec4s along its stored rows; a workgroup's 256 invocations share out 32 rows, four
// to each, and its part of k in 32 parts, whose sums meet in a tree, four vectors' at a time.
// Grid: one workgroup 32 r, times G, times the parts of k that have workgroups of their own.
// Shared: 4,096 TOGETHER bytes.

const VECTORS: u32 = 8u;       // the most vectors this kernel takes; params.S is how many there are
const ALONG_R: bool = true;    // X is stored [G, K, R], not [G, R, K]
const WIDE_X: bool = true;     // X's stored rows are whole vec4s, and so is its binding
const WIDE_Y: bool = true;     // Y is stored [G, S, K] with K a multiple of four
alias ElementX = vec4<f32>;    // f32 where not WIDE_X
alias ElementY = vec4<f32>;

const PARTS: u32 = 32u;
const ROWS: u32 = 8u;          // fours of rows that a workgroup owns
const TOGETHER: u32 = 4u;       // vectors whose sums meet together: no more than VECTORS

// Part s of `splits` sums k from s * span to (s + 1) * span, and stores C's count of results behind the part before.
struct Params { R: u32, S: u32, K: u32, G: u32, y_s: u32, y_k: u32, c_r: u32, c_s: u32, splits: u32, span: u32 }
// hook: operand
@group(0) @binding(0) var<storage, read> x: array<ElementX>;
fn x_at(i: u32) -> ElementX { return x[i]; }
// end
@group(0) @binding(1) var<storage, read> y: array<ElementY>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: epilogue
fn epilogue(x: f32, i: u32) -> f32 { return x; }
// end

var<workgroup> partial: array<vec4<f32>, TOGETHER * PARTS * ROWS>;

// Four neighbours in a stored row of X; outside, the nearest inside.
fn load_x(g: u32, row: u32, col: u32) -> vec4<f32> {
    let rows = select(params.R, params.K, ALONG_R);
    let cols = select(params.K, params.R, ALONG_R);
    let at = (g * rows + min(row, rows - 1u)) * cols;
    if WIDE_X { return vec4<f32>(x_at((at + min(col, cols - 4u)) / 4u)); }
    let j = min(vec4<u32>(col, col + 1u, col + 2u, col + 3u), vec4<u32>(cols - 1u)) + at;
    // The constructor makes the same of an f32 as of the vec4 that it never meets here.
    return vec4<f32>(vec4<f32>(x_at(j.x)).x, vec4<f32>(x_at(j.y)).x, vec4<f32>(x_at(j.z)).x, vec4<f32>(x_at(j.w)).x);
}

// Vector s from k on; outside, the nearest inside.
fn load_y(g: u32, s: u32, k: u32) -> vec4<f32> {
    let K = params.K;
    let at = g * params.S * K + min(s, params.S - 1u) * params.y_s;
    if WIDE_Y { return vec4<f32>(y[(at + min(k, K - 4u)) / 4u]); }
    let j = min(vec4<u32>(k, k + 1u, k + 2u, k + 3u), vec4<u32>(K - 1u)) * params.y_k + at;
    return vec4<f32>(vec4<f32>(y[j.x]).x, vec4<f32>(y[j.y]).x, vec4<f32>(y[j.z]).x, vec4<f32>(y[j.w]).x);
}

// Stores the sums of four rows from r on, of vector s, in matrix m of all parts.
fn store(m: u32, s: u32, r: u32, sums: vec4<f32>) {
    if s >= params.S { return; }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let i = m * params.R * params.S + s * params.c_s + (r + j) * params.c_r;
        if r + j < params.R { c[i] = epilogue(sums[j], i); }
    }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let tiles = (params.R + 4u * ROWS - 1u) / (4u * ROWS);
    let id = wid.y * groups.x + wid.x;
    let g = id / tiles % params.G;
    let split = id / tiles / params.G;
    if split >= params.splits { return; }
    let fours = select(lid / PARTS, lid % ROWS, ALONG_R);
    let part = select(lid % PARTS, lid / ROWS, ALONG_R);
    let first = id % tiles * 4u * ROWS;
    let r = first + fours * 4u;
    let end = min((split + 1u) * params.span, params.K);

    var acc: array<vec4<f32>, VECTORS>; // of four rows
    // unroll
    for (var s = 0u; s < VECTORS; s++) { acc[s] = vec4<f32>(0.0); }
    for (var k = split * params.span + part * 4u; k < end; k += PARTS * 4u) {
        let zero = vec4<f32>(0.0);
        // Both operands are dropped beyond K, as zero times infinity is not zero.
        let inside = vec4<u32>(k, k + 1u, k + 2u, k + 3u) < vec4<u32>(params.K);
        var x: array<vec4<f32>, 4>; // four k of four rows each, or four rows of four k each; all on their way at once
        // unroll
        for (var i = 0u; i < 4u; i++) {
            if ALONG_R { x[i] = load_x(g, k + i, r); } else { x[i] = load_x(g, r + i, k); }
        }
        // unroll
        for (var i = 0u; i < 4u; i++) {
            if ALONG_R { x[i] = select(zero, x[i], inside[i]); } else { x[i] = select(zero, x[i], inside); }
        }
        // unroll
        for (var s = 0u; s < VECTORS; s++) {
            let f = select(zero, load_y(g, s, k), inside);
            if ALONG_R {
                acc[s] += f.x * x[0] + f.y * x[1] + f.z * x[2] + f.w * x[3];
            } else {
                acc[s] += vec4<f32>(dot(x[0], f), dot(x[1], f), dot(x[2], f), dot(x[3], f));
            }
        }
    }

    // unroll
    for (var q = 0u; q < VECTORS / TOGETHER; q++) {
        workgroupBarrier();
        // unroll
        for (var t = 0u; t < TOGETHER; t++) { partial[t * PARTS * ROWS + part * ROWS + fours] = acc[q * TOGETHER + t]; }
        for (var half = PARTS * ROWS / 2u; half >= ROWS; half /= 2u) {
            workgroupBarrier();
            if lid < half {
                // unroll
                for (var t = 0u; t < TOGETHER; t++) {
                    partial[t * PARTS * ROWS + lid] += partial[t * PARTS * ROWS + lid + half];
                }
            }
        }
        if lid < ROWS {
            // unroll
            for (var t = 0u; t < TOGETHER; t++) {
                store(split * params.G + g, q * TOGETHER + t, first + lid * 4u, partial[t * PARTS * ROWS + lid]);
            }
        }
    }
}
