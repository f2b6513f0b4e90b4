// y[r] = x[r, index[r]]. An index past the last column takes the last one.
// Grid: one invocation per row, 64 per workgroup, folded into two dimensions.

struct Params { rows: u32, length: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let row = (wid.y * groups.x + wid.x) * 64u + lid;
    if row >= params.rows { return; }
    y[row] = x[row * params.length + min(index[row], params.length - 1u)];
}
