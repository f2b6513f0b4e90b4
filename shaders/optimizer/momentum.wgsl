// Momentum SGD: g' = scale g + decay w; v = momentum v + g'; w -= rate v, or for Nesterov's form
// w -= rate (g' + momentum v) (Sutskever 2013). Without momentum v stays as it is: plain SGD.
// Weight decay applies to the first `decayed` groups of four: weights lie before biases.
// Grid: one invocation per EACH groups of four elements, of which there is a multiple, 64 per workgroup, folded into two
// dimensions.

const EACH: u32 = 1u;
const RULE: u32 = 1u; // 0 plain, 1 momentum, 2 Nesterov

struct Params { groups: u32, decayed: u32, rate: f32, momentum: f32, decay: f32 }
@group(0) @binding(0) var<storage, read> scale: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> velocity: array<vec4<f32>>;
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
        let w = weight[i];
        var g = factor * gradient[i];
        if i < params.decayed { g += params.decay * w; }
        var step = g;
        if RULE != 0u {
            let v = params.momentum * velocity[i] + g;
            velocity[i] = v;
            step = v;
            if RULE == 2u { step = g + params.momentum * v; }
        }
        weight[i] = w - params.rate * step;
    }
}
