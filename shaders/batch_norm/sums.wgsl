// Sums over the rows of x [N, C] for each channel c, the first pass of batch norm:
//   GRAD false: n, the mean and the sum of squared distances from it, taken from the first row of the chunk
//     so that values far from zero do not cancel
//   GRAD true: the sum of dy and of dy (x - mean[c]) / deviation[c]
// A workgroup owns COLUMNS neighbouring vectors T of channels of one chunk of rows; LANES_PER_COLUMN invocations
// share a vector and a tree folds their results. One chunk gives the results, several give partial results for
// `combine`.
// Grid: blocks of columns times chunks, folded into two dimensions. Shared: 32 WORKGROUP bytes.

const WORKGROUP: u32 = 64u;
const COLUMNS: u32 = 16u;
const LANES_PER_COLUMN: u32 = WORKGROUP / COLUMNS;
const AHEAD: u32 = 4u; // rows read at once; their results apart keep rounding errors small
const GRAD: bool = false;
const FINAL: bool = true; // one chunk
alias T = vec4<f32>;

// C counts vectors
struct Params { rows: u32, C: u32, chunk: u32, chunks: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> x: array<T>;
// hook: operands
@group(0) @binding(1) var<storage, read_write> first: array<T>;  // mean, or parts [chunks, C]
@group(0) @binding(2) var<storage, read_write> second: array<T>; // variance, or parts
struct Channel { shift: T, factor: T }
fn channel(c: u32, row: u32) -> Channel { return Channel(x[row * params.C + c], T(1.0)); }
fn given(at: u32) -> T { return T(1.0); }
// end
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> firsts: array<T, WORKGROUP>;
var<workgroup> seconds: array<T, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let blocks = (params.C + COLUMNS - 1u) / COLUMNS;
    let id = wid.y * groups.x + wid.x;
    let chunk = id / blocks;
    if chunk >= params.chunks { return; }
    let own = id % blocks * COLUMNS + lid % COLUMNS;
    let c = min(own, params.C - 1u);
    let begin = chunk * params.chunk;
    let end = min(begin + params.chunk, params.rows);
    let known = channel(c, begin);
    var sums: array<T, AHEAD>;
    var products: array<T, AHEAD>;
    // unroll
    for (var k = 0u; k < AHEAD; k++) {
        sums[k] = T(0.0);
        products[k] = T(0.0);
    }
    for (var row = begin + lid / COLUMNS; row < end; row += AHEAD * LANES_PER_COLUMN) {
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            if row + k * LANES_PER_COLUMN < end {
                let at = (row + k * LANES_PER_COLUMN) * params.C + c;
                let distance = (x[at] - known.shift) * known.factor;
                let weight = select(distance, given(at), GRAD);
                sums[k] += weight;
                products[k] += weight * distance;
            }
        }
    }
    var a = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    var b = (products[0] + products[1]) + (products[2] + products[3]);
    if LANES_PER_COLUMN > 1u {
        firsts[lid] = a;
        seconds[lid] = b;
        for (var half = WORKGROUP / 2u; half >= COLUMNS; half /= 2u) {
            workgroupBarrier();
            if lid < half {
                firsts[lid] += firsts[lid + half];
                seconds[lid] += seconds[lid + half];
            }
        }
        a = firsts[lid];
        b = seconds[lid];
    }
    if lid >= COLUMNS || own >= params.C { return; }
    let at = chunk * params.C + own;
    if GRAD {
        first[at] = a;
        second[at] = b;
        return;
    }
    let n = f32(end - begin);
    let squares = max(b - a * a / n, T(0.0));
    first[at] = known.shift + a / n;
    second[at] = select(squares, squares / max(n - 1.0, 1.0), FINAL);
}
