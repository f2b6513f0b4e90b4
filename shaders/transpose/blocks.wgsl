// The same as tile.wgsl in blocks of 4 x 4 that each invocation turns by itself, for adapters that compute on a CPU: these
// fetch lane by lane, four neighbours for less than twice the time of one. Lines are whole vec4s on both sides.
// Grid: one invocation per block, 64 per workgroup, folded into two dimensions.

const A: u32 = 8u; // vec4s along the axis that is last in x
const B: u32 = 8u; // and along the one that is last in y
const N1: u32 = 1u; // lengths of the other axes, but of the first
const N2: u32 = 1u;
const A_STEP: u32 = 8u; // vec4s from one of a to the next in y
const B_STEP: u32 = 8u; // and from one of b in x
const IN0: u32 = 0u; // steps of the others in x
const IN1: u32 = 0u;
const IN2: u32 = 0u;
const OUT0: u32 = 0u; // and in y
const OUT1: u32 = 0u;
const OUT2: u32 = 0u;

struct Params { blocks: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.blocks { return; }
    let a = i % A;
    let b = i / A % B;
    let others = i / (A * B);
    let i0 = others / (N1 * N2);
    let i1 = others / N2 % N1;
    let i2 = others % N2;
    let read = i0 * IN0 + i1 * IN1 + i2 * IN2 + b * 4u * B_STEP + a;
    let written = i0 * OUT0 + i1 * OUT1 + i2 * OUT2 + a * 4u * A_STEP + b;
    var block: array<vec4<u32>, 4>;
    // unroll
    for (var q = 0u; q < 4u; q++) { block[q] = x[read + q * B_STEP]; }
    // unroll
    for (var q = 0u; q < 4u; q++) {
        y[written + q * A_STEP] = vec4<u32>(block[0][q], block[1][q], block[2][q], block[3][q]);
    }
}
