// dx = scale / deviation (dy - (dshift + xhat dscale) / N), xhat = (x - mean) / deviation (Ioffe & Szegedy
// 2015, section 3), channels along the last axis.
// Grid: one invocation per vector T, 64 per workgroup, folded into two dimensions.

alias T = vec4<f32>;

// C counts vectors; bias = (N - 1) / N
struct Params { count: u32, C: u32, bias: f32, epsilon: f32, share: f32 } // share = 1 / N
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> scale: array<T>;
@group(0) @binding(2) var<storage, read> mean: array<T>;
@group(0) @binding(3) var<storage, read> variance: array<T>;
@group(0) @binding(4) var<storage, read> dy: array<T>;
@group(0) @binding(5) var<storage, read> dscale: array<T>;
@group(0) @binding(6) var<storage, read> dshift: array<T>;
@group(0) @binding(7) var<storage, read_write> dx: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.count { return; }
    let c = i % params.C;
    let factor = inverseSqrt(variance[c] * params.bias + params.epsilon);
    let hat = (x[i] - mean[c]) * factor;
    dx[i] = scale[c] * factor * (dy[i] - (dshift[c] + hat * dscale[c]) * params.share);
}
