// y = epilogue((x - mean) / sqrt(biased variance + epsilon) * scale + shift), channels along the last axis.
// Grid: one invocation per vector T, 64 per workgroup, folded into two dimensions.

const WIDTH: u32 = 4u;
alias T = vec4<f32>;

// C counts vectors; bias = (N - 1) / N, which makes the variance the biased one
struct Params { count: u32, C: u32, bias: f32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> scale: array<T>;
@group(0) @binding(2) var<storage, read> shift: array<T>;
@group(0) @binding(3) var<storage, read> mean: array<T>;
@group(0) @binding(4) var<storage, read> variance: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.count { return; }
    let c = i % params.C;
    let factor = inverseSqrt(variance[c] * params.bias + params.epsilon) * scale[c];
    y[i] = epilogue((x[i] - mean[c]) * factor + shift[c], i);
}
