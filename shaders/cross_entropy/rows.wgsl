// loss[r] = log(sum over c of exp(x[r, c] - m[r])) - (x[r, label[r]] - m[r]), with m[r] the row's maximum:
// the cross-entropy of softmax(x[r]) against a class, in one pass over memory: maximum and sum are kept
// online (Milakov & Gimelshein 2018, algorithm 3). A label that is not a class has the logit LOWEST, so that
// the loss is about 3e38 and can't go unnoticed.
// LANES_PER_ROW invocations share a row.
// Grid: WORKGROUP / LANES_PER_ROW rows per workgroup, folded into two dimensions. Shared: 8 WORKGROUP bytes.
// use: common/reduce

const LANES_PER_ROW: u32 = 256u; // a power of two

// hook: lanes
// use: common/lanes1
// end

struct Params { rows: u32, length: u32 } // length of a row in vectors
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // x, one by one
@group(0) @binding(2) var<storage, read> label: array<u32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let own = (wid.y * groups.x + wid.x) * (WORKGROUP / LANES_PER_ROW) + lid / LANES_PER_ROW;
    let row = min(own, params.rows - 1u);
    let start = row * params.length;
    let lane = lid % LANES_PER_ROW;
    var before = LOWEST;
    var sum = 0.0;
    for (var v = lane; v < params.length; v += LANES_PER_ROW) {
        let value = x[start + v];
        let higher = max(before, top(value));
        sum = sum * exp(before - higher) + total(exp(value - higher));
        before = higher;
    }
    let highest = max_over_lanes(before, lid, LANES_PER_ROW);
    sum = sum_over_lanes(sum * exp(before - highest), lid, LANES_PER_ROW);
    if lane == 0u && own < params.rows {
        let chosen = label[row];
        var logit = LOWEST;
        if chosen < params.length * WIDTH { logit = logits[start * WIDTH + chosen]; }
        loss[row] = log(sum) - (logit - highest);
    }
}
