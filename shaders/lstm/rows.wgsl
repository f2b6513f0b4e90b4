// y[b] = x[b] for the first row of each b: y's rows of LENGTH vec4s lie PITCH apart.
// Grid: one invocation per vec4, 64 per workgroup.

const LENGTH: u32 = 56u;
const PITCH: u32 = 336u;
const BATCH: u32 = 4u;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i < LENGTH * BATCH { y[i / LENGTH * PITCH + i % LENGTH] = x[i]; }
}
