// The ceiling of reading: y[i] = the sum of STEPS groups of x, a whole grid apart; hardly anything is written.
// Grid: one invocation per output, 64 per workgroup.

const STEPS: u32 = 16u;
alias T = vec4<f32>;

struct Params { apart: u32 } // invocations
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.apart { return; }
    var sum = T(0.0);
    // unroll
    for (var step = 0u; step < STEPS; step++) {
        sum += x[i + step * params.apart];
    }
    y[i] = sum.x + sum.y + sum.z + sum.w;
}
