// The gradient of a softmax from its own result y and the gradient dy that reaches it:
//   softmax      dx[r, c] = y[r, c] (dy[r, c] - sum over k of dy[r, k] y[r, k])
//   log-softmax  dx[r, c] = dy[r, c] - exp(y[r, c]) sum over k of dy[r, k]
// LANES_PER_ROW invocations share a row. Its first LANES_PER_ROW * KEEP vectors stay in registers and cross the
// memory bus once; those beyond are read again.
// Grid: WORKGROUP / LANES_PER_ROW rows per workgroup, folded into two dimensions. Shared: 8 WORKGROUP bytes.
// use: common/reduce

const LANES_PER_ROW: u32 = 256u; // a power of two
const KEEP: u32 = 4u;
const LOG: bool = false;

// hook: lanes
// use: common/lanes1
// end

struct Params { rows: u32, length: u32 } // length of a row in vectors
@group(0) @binding(0) var<storage, read> y: array<T>;
@group(0) @binding(1) var<storage, read> dy: array<T>;
@group(0) @binding(2) var<storage, read_write> dx: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

fn term(y: T, dy: T) -> f32 {
    if LOG { return total(dy); }
    return total(y * dy);
}

fn gradient(y: T, dy: T, sum: f32) -> T {
    if LOG { return dy - exp(y) * sum; }
    return y * (dy - sum);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = (wid.y * groups.x + wid.x) * (WORKGROUP / LANES_PER_ROW) + lid / LANES_PER_ROW;
    let row = min(own, params.rows - 1u);
    let start = row * params.length;
    let lane = lid % LANES_PER_ROW;
    var kept_y: array<T, KEEP>;
    var kept_dy: array<T, KEEP>;
    var sum = 0.0;
    // unroll
    for (var k = 0u; k < KEEP; k++) {
        let v = k * LANES_PER_ROW + lane;
        if v < params.length {
            kept_y[k] = y[start + v];
            kept_dy[k] = dy[start + v];
            sum += term(kept_y[k], kept_dy[k]);
        }
    }
    for (var v = KEEP * LANES_PER_ROW + lane; v < params.length; v += LANES_PER_ROW) {
        sum += term(y[start + v], dy[start + v]);
    }
    sum = sum_over_lanes(sum, lid, LANES_PER_ROW);
    if own >= params.rows { return; }
    // unroll
    for (var k = 0u; k < KEEP; k++) {
        let v = k * LANES_PER_ROW + lane;
        if v < params.length { dx[start + v] = gradient(kept_y[k], kept_dy[k], sum); }
    }
    for (var v = KEEP * LANES_PER_ROW + lane; v < params.length; v += LANES_PER_ROW) {
        dx[start + v] = gradient(y[start + v], dy[start + v], sum);
    }
}
