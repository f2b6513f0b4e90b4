// y[c] = x[c] / d[c]^(3/4), d[c] = K + ALPHA * the sum of x[j]^2 over |j - c| <= HALF: local response
// normalisation across channels (Krizhevsky 2012, section 3.3). d^(-3/4) is two roots, exact to a few ulp.
// Grid: one invocation per four channels of a pixel, 64 per workgroup, folded into two dimensions. An invocation
// reads its vec4 and the ones on both sides: HALF is 4 at most.

const HALF: u32 = 2u;
const C: u32 = 4u; // a constant: divisions by it become multiplications
const BLOCKS: u32 = (C + 3u) / 4u;

struct Params { pixels: u32, k: f32, alpha: f32 }
@group(1) @binding(0) var<uniform> params: Params;

// hook: pixels
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
// Channels c .. c + 4 of the pixel that begins at element `row`.
fn x_at(row: u32, c: u32) -> vec4<f32> { return x[(row + c) / 4u]; }
fn store(row: u32, c: u32, v: vec4<f32>) { y[(row + c) / 4u] = v; }
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.pixels * BLOCKS { return; }
    let first = i % BLOCKS * 4u;
    let row = i / BLOCKS * C;
    // Channels first - 4 .. first + 8, zero outside.
    var value: array<vec4<f32>, 3>;
    if HALF > 0u && first > 0u { value[0] = x_at(row, first - 4u); }
    value[1] = x_at(row, first);
    if HALF > 0u && first + 4u < C { value[2] = x_at(row, first + 4u); }
    var sums: vec4<f32>;
    // unroll
    for (var q = 0u; q < 4u; q++) {
        // unroll
        for (var j = 0u; j < 2u * HALF + 1u; j++) {
            let v = value[(q + 4u - HALF + j) / 4u][(q + 4u - HALF + j) % 4u];
            sums[q] += v * v;
        }
    }
    let root = inverseSqrt(params.k + params.alpha * sums);
    store(row, first, value[1] * root * sqrt(root));
}
