// y[r, c] = finish(x[r, c] - m[r]), with m[r] = max over c of x[r, c] and s[r] = sum over c of
// exp(x[r, c] - m[r]): softmax exp(d) / s, log-softmax d - log s, and the gradient of the cross-entropy.
// The maximum is subtracted before exp, so that it can't overflow and an offset of all x changes nothing.
// LANES_PER_ROW invocations share a row. Its first LANES_PER_ROW * KEEP vectors stay in registers and cross the
// memory bus once; those beyond are summed online (Milakov & Gimelshein 2018, algorithm 3) and read again.
// Grid: WORKGROUP / LANES_PER_ROW rows per workgroup, folded into two dimensions. Shared: 8 WORKGROUP bytes.
// use: common/reduce

const LANES_PER_ROW: u32 = 256u; // a power of two
const KEEP: u32 = 4u;
const LOG: bool = false; // finish takes d itself rather than exp(d)

// hook: lanes
// use: common/lanes1
// end

struct Params { rows: u32, length: u32 } // length of a row in vectors
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: finish
struct Row { factor: f32 }
fn prepare(sum: f32, row: u32) -> Row { return Row(1.0 / sum); }
fn finish(value: T, own: Row, vector: u32) -> T { return value * own.factor; }
// end

// hook: note
fn note(sum: f32, highest: f32, row: u32) {}
// end

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = (wid.y * groups.x + wid.x) * (WORKGROUP / LANES_PER_ROW) + lid / LANES_PER_ROW;
    let row = min(own, params.rows - 1u);
    let start = row * params.length;
    let lane = lid % LANES_PER_ROW;
    var kept: array<T, KEEP>;
    var highest = LOWEST;
    // unroll
    for (var k = 0u; k < KEEP; k++) {
        let v = k * LANES_PER_ROW + lane;
        if v < params.length {
            kept[k] = x[start + v];
            highest = max(highest, top(kept[k]));
        }
    }
    var sum = 0.0;
    for (var v = KEEP * LANES_PER_ROW + lane; v < params.length; v += LANES_PER_ROW) {
        let value = x[start + v];
        let higher = max(highest, top(value));
        sum = sum * exp(highest - higher) + total(exp(value - higher));
        highest = higher;
    }
    let before = highest;
    highest = max_over_lanes(before, lid, LANES_PER_ROW);
    sum *= exp(before - highest);
    // unroll
    for (var k = 0u; k < KEEP; k++) {
        if k * LANES_PER_ROW + lane < params.length {
            let d = kept[k] - highest;
            let e = exp(d);
            sum += total(e);
            if LOG { kept[k] = d; } else { kept[k] = e; }
        }
    }
    sum = sum_over_lanes(sum, lid, LANES_PER_ROW);
    let result = prepare(sum, row);
    if own >= params.rows { return; }
    if lane == 0u { note(sum, highest, row); }
    // unroll
    for (var k = 0u; k < KEEP; k++) {
        let v = k * LANES_PER_ROW + lane;
        if v < params.length { y[start + v] = finish(kept[k], result, v); }
    }
    for (var v = KEEP * LANES_PER_ROW + lane; v < params.length; v += LANES_PER_ROW) {
        var value = x[start + v] - highest;
        if !LOG { value = exp(value); }
        y[start + v] = finish(value, result, v);
    }
}
