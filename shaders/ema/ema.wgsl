// target = (1 - rate) target + rate source at every `period`-th step, counted from 1: running averages
// with a period of 1, copies with a rate of 1.
// Grid: one invocation per EACH groups of four elements, of which there is a multiple, 64 per workgroup, folded into two
// dimensions.

const EACH: u32 = 1u;

struct Params { groups: u32, period: u32, rate: f32, rest: f32 }
@group(0) @binding(0) var<storage, read> clock: array<u32>; // the step, seed
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> into: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let first = ((wid.y * groups.x + wid.x) * 64u + lid) * EACH;
    if first >= params.groups || (clock[0] + 1u) % params.period != 0u { return; }
    // unroll
    for (var e = 0u; e < EACH; e++) {
        into[first + e] = params.rest * into[first + e] + params.rate * source[first + e];
    }
}
