// loss[n] = ln(exp(t) + sum over k of exp(s[k])) - t with t the logit of the true class, s those of the samples.
// Grid: one workgroup per row, folded into two dimensions.
// use: sampled_softmax/common

struct Params { rows: u32 }
@group(0) @binding(5) var<storage, read_write> loss: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let row = wid.y * groups.x + wid.x;
    if row >= params.rows { return; }
    let all = row_sum(row, lid);
    if lid == 0u { loss[row] = all.x + ln(all.y) - own_logit(row); }
}
