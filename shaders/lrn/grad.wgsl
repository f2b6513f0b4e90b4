// dx[c] = epilogue(dy[c] d[c]^(-3/4) - (3/2) ALPHA x[c] * the sum over |j - c| <= HALF of dy[j] x[j] d[j]^(-7/4)),
// with d as in the forward pass, recomputed.
// Grid: one invocation per four channels of a pixel, 64 per workgroup, folded into two dimensions. An invocation
// reads 4 channels more on both sides: HALF is 2 at most.

const HALF: u32 = 2u;
const WIDE: bool = true; // channels are whole vec4s

struct Params { pixels: u32, C: u32, k: f32, alpha: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: epilogue
fn epilogue(x: f32, i: u32) -> f32 { return x; }
// end

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
    var given: array<f32, 12>;
    // unroll
    for (var j = 0u; j < 12u; j++) {
        let c = first + j - 4u; // wraps above C where it is before the first channel
        value[j] = 0.0;
        given[j] = 0.0;
        if c < params.C {
            value[j] = x[row + c];
            if j + HALF >= 4u && j < 8u + HALF { given[j] = dy[row + c]; }
        }
    }
    var power: array<f32, 12>; // d^(-3/4)
    var term: array<f32, 12>;  // dy x d^(-7/4)
    // unroll
    for (var i = 0u; i < 4u + 2u * HALF; i++) {
        let c = 4u - HALF + i;
        var sum = 0.0;
        // unroll
        for (var j = 0u; j < 2u * HALF + 1u; j++) {
            let v = value[c - HALF + j];
            sum += v * v;
        }
        let root = inverseSqrt(params.k + params.alpha * sum);
        power[c] = root * sqrt(root);
        term[c] = given[c] * value[c] * power[c] * root * root;
    }
    // unroll
    for (var c = 4u; c < 8u; c++) {
        var sum = 0.0;
        // unroll
        for (var j = 0u; j < 2u * HALF + 1u; j++) { sum += term[c - HALF + j]; }
        if WIDE || first + c - 4u < params.C {
            let at = row + first + c - 4u;
            dx[at] = epilogue(given[c] * power[c] - 1.5 * params.alpha * value[c] * sum, at);
        }
    }
}
