// y[i] = a draw of the stream at this step: uniform [0, 1), standard normal, or a dropout mask of 0 and 1.
// Philox gives four 32-bit words per block (Salmon 2011); normals by Box-Muller, elements 2i and 2i + 1 being
// the cosine and sine of one pair, as in src/random.rs.
// Grid: one invocation per block of four elements, 64 per workgroup, folded into two dimensions.
// use: common/philox
// use: common/numerics

const KIND: u32 = 0u; // 0 uniform, 1 normal, 2 mask

struct Params { len: u32, stream: u32, threshold: u32 }
@group(0) @binding(0) var<storage, read> clock: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn normal_pair(u: vec2<f32>) -> vec2<f32> {
    let radius = sqrt(-2.0 * ln(1.0 - u.x));
    return radius * sin_cos_turns(u.y).yx;
}

fn draw(bits: vec4<u32>) -> vec4<f32> {
    if KIND == 2u {
        return select(vec4<f32>(0.0), vec4<f32>(1.0), bits >= vec4<u32>(params.threshold));
    }
    let u = to_uniform(bits);
    if KIND == 0u { return u; }
    return vec4<f32>(normal_pair(u.xy), normal_pair(u.zw));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let block = (wid.y * groups.x + wid.x) * 64u + lid;
    let at = block * 4u;
    if at >= params.len { return; }
    let values = draw(random_bits(block, clock[0], params.stream));
    for (var i = 0u; i < min(4u, params.len - at); i++) {
        y[at + i] = values[i];
    }
}
