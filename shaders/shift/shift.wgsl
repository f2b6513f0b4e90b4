// y[b, t] = x[b, t - 1], or x[b, t + 1] where EARLIER; 0 at the border. x, y [B, T, H].
// T is f32, or vec4<f32> where H is a multiple of 4.
// Grid: one invocation per T, 64 per workgroup, folded into two dimensions.

alias T = f32;
const EARLIER: bool = false;
// As constants: divisions by them become multiplications.
const STEPS: u32 = 2u;
const GROUPS: u32 = 1u; // H / width of T

struct Params { total: u32 } // B STEPS GROUPS
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.total { return; }
    let t = i / GROUPS % STEPS;
    if t == select(0u, STEPS - 1u, EARLIER) {
        y[i] = T(0.0);
    } else {
        y[i] = x[select(i - GROUPS, i + GROUPS, EARLIER)];
    }
}
