// Adam (Kingma & Ba 2015, algorithm 1): m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
// w -= rate m^ / (sqrt(v^) + epsilon) with m^ = m / (1 - b1^t), v^ = v / (1 - b2^t), t counted from 1.
// Grid: one invocation per EACH groups of four elements, of which there is a multiple, 64 per workgroup, folded into two
// dimensions.

const EACH: u32 = 1u;

struct Params { groups: u32, rate: f32, beta1: f32, beta2: f32, rest1: f32, rest2: f32, ln_beta1: f32, ln_beta2: f32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> clock: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

// 1 - e^x for x < 0 without cancellation: 1 - 0.999^1 has three digits otherwise.
fn one_minus_exp(x: f32) -> f32 {
    let series = -x * (1.0 + x * (0.5 + x * (1.6666667e-1 + x * (4.1666667e-2 + x * (8.3333333e-3
        + x * (1.3888889e-3 + x * (1.9841270e-4 + x * 2.4801587e-5)))))));
    return select(1.0 - exp(x), series, x > -0.5);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let first = ((wid.y * groups.x + wid.x) * 64u + lid) * EACH;
    if first >= params.groups { return; }
    let t = f32(clock[0].x + 1u);
    let left1 = one_minus_exp(t * params.ln_beta1);
    let left2 = one_minus_exp(t * params.ln_beta2);
    let factor = scale[0];
    // unroll
    for (var e = 0u; e < EACH; e++) {
        let i = first + e;
        let g = factor * gradient[i];
        let first_moment = params.beta1 * m[i] + params.rest1 * g;
        let second_moment = params.beta2 * v[i] + params.rest2 * g * g;
        m[i] = first_moment;
        v[i] = second_moment;
        let m_hat = first_moment / left1;
        let v_hat = second_moment / left2;
        weight[i] -= params.rate * m_hat / (sqrt(v_hat) + params.epsilon);
    }
}
