// The bandwidth ceiling: y[i] = x[i], each invocation copying STEPS groups a whole grid apart.
// Grid: a fixed number of workgroups of 64.

const STEPS: u32 = 1u;
alias T = vec4<f32>;

struct Params { groups: u32 }
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let first = (wid.y * groups.x + wid.x) * 64u + lid;
    let apart = groups.x * groups.y * 64u;
    for (var step = 0u; step < STEPS; step++) {
        let i = first + step * apart;
        if i < params.groups { y[i] = x[i]; }
    }
}
