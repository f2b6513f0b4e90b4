// y[i] = f(a[i], b[i], ...): a chain of elementwise functions over broadcast inputs.
// T is f32, or vec4<f32> where every input lies in whole groups of four.
// Grid: one invocation per group of T, 64 per workgroup, folded into two dimensions.
// use: common/philox

alias T = f32;

struct Params { groups: u32 } // elements / width
@group(0) @binding(0) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: apply
@group(0) @binding(1) var<storage, read> in0: array<T>;
fn apply(i: u32) -> T { return in0[i]; }
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i < params.groups {
        y[i] = apply(i);
    }
}
