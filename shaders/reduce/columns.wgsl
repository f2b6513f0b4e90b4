// y[o, n] = scale * sum over r of x[o, r, n].
// Grid: one invocation an output, 64 a workgroup, folded into two dimensions.

struct Params { outer: u32, length: u32, inner: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.outer * params.inner { return; }
    let o = i / params.inner;
    var at = o * params.length * params.inner + i % params.inner;
    var sum = 0.0;
    for (var r = 0u; r < params.length; r++) {
        sum += x[at];
        at += params.inner;
    }
    y[i] = sum * params.scale;
}
