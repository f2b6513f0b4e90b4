// The gradients of forward.wgsl: dproducts[n, k] = dloss[n] p[k], down[n] = dloss[n] (p(own) - 1).
// Grid: one workgroup per row, folded into two dimensions.
// use: sampled_softmax/common

struct Params { rows: u32 }
@group(0) @binding(5) var<storage, read> d_loss: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_products: array<f32>;
@group(0) @binding(7) var<storage, read_write> d_own: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let row = wid.y * groups.x + wid.x;
    if row >= params.rows { return; }
    let all = row_sum(row, lid);
    let label = labels[row];
    for (var k = lid; k < K; k += LANES) {
        var d = 0.0;
        if sampled[k] != label { d = d_loss[row] * exp(sample_logit(row, k) - all.x) / all.y; }
        d_products[row * K + k] = d;
    }
    if lid == 0u { d_own[row] = d_loss[row] * (exp(own_logit(row) - all.x) / all.y - 1.0); }
}
