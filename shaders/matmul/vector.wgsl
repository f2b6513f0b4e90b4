// Matrix-vector products, C = op(A) op(B) for M or N of 1 to 8: with X the operand whose other length R is
// long and Y the one that holds the few vectors,
// C[g, r, s] = epilogue(sum over k of X[g, r, k] Y[g, s, k]), stored with strides c_r and c_s.
// X crosses the memory bus once, in vec4s along its stored rows; a workgroup's 256 invocations share out k
// in 32 parts, whose sums meet in a tree.
// Grid: one workgroup 32 r where X is stored [K, R], 8 r where it is stored [R, K]; times G.
// Shared: 4,096 bytes.

const VECTORS: u32 = 8u;       // the most vectors this kernel takes; params.S is how many there are
const ALONG_R: bool = true;    // X is stored [G, K, R], not [G, R, K]
const WIDE_X: bool = true;     // X's stored rows are whole vec4s, and so is its binding
const WIDE_Y: bool = true;     // Y is stored [G, S, K] with K a multiple of four
alias ElementX = vec4<f32>;    // f32 where not WIDE_X
alias ElementY = vec4<f32>;

const PARTS: u32 = 32u;
const ROWS: u32 = 8u;          // rows, or vec4s of rows, a workgroup owns

struct Params { R: u32, S: u32, K: u32, G: u32, y_s: u32, y_k: u32, c_r: u32, c_s: u32 }
@group(0) @binding(0) var<storage, read> x: array<ElementX>;
@group(0) @binding(1) var<storage, read> y: array<ElementY>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: epilogue
fn epilogue(x: f32, i: u32) -> f32 { return x; }
// end

var<workgroup> partial: array<vec4<f32>, PARTS * ROWS>;

// Four neighbours in a stored row of X; outside, the nearest inside.
fn load_x(g: u32, row: u32, col: u32) -> vec4<f32> {
    let rows = select(params.R, params.K, ALONG_R);
    let cols = select(params.K, params.R, ALONG_R);
    let at = (g * rows + min(row, rows - 1u)) * cols;
    if WIDE_X { return vec4<f32>(x[(at + min(col, cols - 4u)) / 4u]); }
    let j = min(vec4<u32>(col, col + 1u, col + 2u, col + 3u), vec4<u32>(cols - 1u)) + at;
    // The constructor makes the same of an f32 as of the vec4 that it never meets here.
    return vec4<f32>(vec4<f32>(x[j.x]).x, vec4<f32>(x[j.y]).x, vec4<f32>(x[j.z]).x, vec4<f32>(x[j.w]).x);
}

// Vector s from k on; outside, the nearest inside.
fn load_y(g: u32, s: u32, k: u32) -> vec4<f32> {
    let K = params.K;
    let at = g * params.S * K + min(s, params.S - 1u) * params.y_s;
    if WIDE_Y { return vec4<f32>(y[(at + min(k, K - 4u)) / 4u]); }
    let j = min(vec4<u32>(k, k + 1u, k + 2u, k + 3u), vec4<u32>(K - 1u)) * params.y_k + at;
    return vec4<f32>(vec4<f32>(y[j.x]).x, vec4<f32>(y[j.y]).x, vec4<f32>(y[j.z]).x, vec4<f32>(y[j.w]).x);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let height = ROWS * select(1u, 4u, ALONG_R);
    let tiles = (params.R + height - 1u) / height;
    let id = wid.y * groups.x + wid.x;
    let g = id / tiles;
    if g >= params.G { return; }
    let own = select(lid / PARTS, lid % ROWS, ALONG_R);
    let part = select(lid % PARTS, lid / ROWS, ALONG_R);
    let first = id % tiles * height;
    let r = first + own * select(1u, 4u, ALONG_R);

    var acc: array<vec4<f32>, VECTORS>; // of four rows, or of four k of one row
    // unroll
    for (var s = 0u; s < VECTORS; s++) { acc[s] = vec4<f32>(0.0); }
    for (var k = part * 4u; k < params.K; k += PARTS * 4u) {
        let zero = vec4<f32>(0.0);
        // Both operands are dropped beyond K, as zero times infinity is not zero.
        let inside = vec4<u32>(k, k + 1u, k + 2u, k + 3u) < vec4<u32>(params.K);
        if ALONG_R {
            let x0 = select(zero, load_x(g, k, r), inside.x);
            let x1 = select(zero, load_x(g, k + 1u, r), inside.y);
            let x2 = select(zero, load_x(g, k + 2u, r), inside.z);
            let x3 = select(zero, load_x(g, k + 3u, r), inside.w);
            // unroll
            for (var s = 0u; s < VECTORS; s++) {
                let f = select(zero, load_y(g, s, k), inside);
                acc[s] += f.x * x0 + f.y * x1 + f.z * x2 + f.w * x3;
            }
        } else {
            let four = select(zero, load_x(g, r, k), inside);
            // unroll
            for (var s = 0u; s < VECTORS; s++) {
                acc[s] = fma(four, select(zero, load_y(g, s, k), inside), acc[s]);
            }
        }
    }

    // unroll
    for (var s = 0u; s < VECTORS; s++) {
        workgroupBarrier();
        partial[part * ROWS + own] = acc[s];
        for (var half = PARTS * ROWS / 2u; half >= ROWS; half /= 2u) {
            workgroupBarrier();
            if lid < half { partial[lid] += partial[lid + half]; }
        }
        if lid < ROWS && s < params.S {
            let sum = partial[lid];
            let at = g * params.R * params.S + s * params.c_s;
            if ALONG_R {
                // unroll
                for (var j = 0u; j < 4u; j++) {
                    let row = first + lid * 4u + j;
                    if row < params.R { c[at + row * params.c_r] = epilogue(sum[j], at + row * params.c_r); }
                }
            } else if first + lid < params.R {
                let i = at + (first + lid) * params.c_r;
                c[i] = epilogue((sum.x + sum.y) + (sum.z + sum.w), i);
            }
        }
    }
}
