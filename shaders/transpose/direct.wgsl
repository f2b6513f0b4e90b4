// y[i0, .., i4] = x[i0 S0 + .. + i4 S4] for an output of N0 x .. x N4 groups of T: any order of axes where
// the last stays last, or, by single words, any order at all. Words are moved as they are, whatever their
// type. T is u32, or vec4<u32> where the last axis stays last in whole groups of four.
// Grid: one invocation per group, 64 per workgroup, folded into two dimensions.

alias T = u32;
const N1: u32 = 1u;
const N2: u32 = 1u;
const N3: u32 = 1u;
const N4: u32 = 1u;
const S0: u32 = 0u;
const S1: u32 = 0u;
const S2: u32 = 0u;
const S3: u32 = 0u;
const S4: u32 = 1u;

struct Params { groups: u32 }
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.groups { return; }
    let r3 = i / N4;
    let r2 = r3 / N3;
    let r1 = r2 / N2;
    let r0 = r1 / N1;
    y[i] = x[r0 * S0 + r1 % N1 * S1 + r2 % N2 * S2 + r3 % N3 * S3 + i % N4 * S4];
}
