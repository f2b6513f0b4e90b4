// Centred RMSProp (Graves 2013, eq. 38 to 40): a = r a + (1 - r) g; s = r s + (1 - r) g^2;
// w -= rate g / sqrt(s - a^2 + epsilon).
// Grid: one invocation per EACH groups of four elements, of which there is a multiple, 64 per workgroup, folded into two
// dimensions.

const EACH: u32 = 1u;

struct Params { groups: u32, rate: f32, decay: f32, rest: f32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> scale: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> mean: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> square: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: advance
fn advance() {}
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let first = ((wid.y * groups.x + wid.x) * 64u + lid) * EACH;
    if first >= params.groups { return; }
    if first == 0u { advance(); } // the step's clock, which nobody reads here
    let factor = scale[0];
    // unroll
    for (var e = 0u; e < EACH; e++) {
        let i = first + e;
        let g = factor * gradient[i];
        let a = params.decay * mean[i] + params.rest * g;
        let s = params.decay * square[i] + params.rest * g * g;
        mean[i] = a;
        square[i] = s;
        weight[i] -= params.rate * g / sqrt(s - a * a + params.epsilon);
    }
}
