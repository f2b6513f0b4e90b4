// Keys [B S, H] with the query's bias [H], which is added to them in each step anyway.
// Grid: one invocation per vec4, 64 per workgroup, folded into two dimensions.

const COLUMNS: u32 = 8u; // H / 4
const COUNT: u32 = 40u; // B S H / 4

@group(0) @binding(0) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> biased: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= COUNT { return; }
    biased[i] = keys[i] + bias[i % COLUMNS];
}
