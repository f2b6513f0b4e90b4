// y[c] = x[c] / d[c]^(3/4), d[c] = K + ALPHA * the sum of x[j]^2 over |j - c| <= HALF: local response
// normalisation across channels (Krizhevsky 2012, section 3.3). d^(-3/4) is two roots, exact to a few ulp.
// Grid: one invocation per four channels of a pixel, 64 per workgroup, folded into two dimensions. An invocation
// reads its vec4 and the ones on both sides: HALF is 4 at most.

const HALF: u32 = 2u;
const WIDE: bool = true; // channels are whole vec4s

struct Params { pixels: u32, C: u32, k: f32, alpha: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let blocks = (params.C + 3u) / 4u;
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.pixels * blocks { return; }
    let first = i % blocks * 4u;
    let row = i / blocks * params.C;
    // Channels first - 4 .. first + 8, zero outside.
    var value: array<f32, 12>;
    // unroll
    for (var j = 0u; j < 12u; j++) {
        let c = first + j - 4u; // wraps above C where it is before the first channel
        value[j] = 0.0;
        if j + HALF >= 4u && j < 8u + HALF && c < params.C { value[j] = x[row + c]; }
    }
    // unroll
    for (var q = 0u; q < 4u; q++) {
        var sum = 0.0;
        // unroll
        for (var j = 0u; j < 2u * HALF + 1u; j++) {
            let v = value[q + 4u - HALF + j];
            sum += v * v;
        }
        let root = inverseSqrt(params.k + params.alpha * sum);
        if WIDE || first + q < params.C { y[row + first + q] = value[q + 4u] * root * sqrt(root); }
    }
}
