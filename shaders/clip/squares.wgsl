// partial[w] = the sum of squares that workgroup w reads: groups of four, spaced by the number of
// invocations in the grid, TOGETHER of them on their way at once: what a processor has asked for, not what it adds,
// says how much it is sent. The order is fixed by the grid, so the bits are the same in every run.
// Grid: at most 256 workgroups. Shared: 8 WORKGROUP bytes.
// use: common/reduce

const TOGETHER: u32 = 4u;

struct Params { groups: u32, first: u32 } // groups of four to read; slot of the first workgroup
@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let apart = groups.x * WORKGROUP;
    var sum = vec4<f32>(0.0);
    for (var i = wid.x * WORKGROUP + lid; i < params.groups; i += TOGETHER * apart) {
        var values: array<vec4<f32>, TOGETHER>;
        // unroll
        for (var n = 0u; n < TOGETHER; n++) { values[n] = gradient[min(i + n * apart, params.groups - 1u)]; }
        // unroll
        for (var n = 0u; n < TOGETHER; n++) {
            if i + n * apart < params.groups { sum += values[n] * values[n]; }
        }
    }
    let squares = sum_over_lanes((sum.x + sum.y) + (sum.z + sum.w), lid, WORKGROUP);
    if lid == 0u { partial[params.first + wid.x] = squares; }
}
