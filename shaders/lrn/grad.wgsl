// dx[c] = epilogue(dy[c] d[c]^(-3/4) - (3/2) ALPHA x[c] * the sum over |j - c| <= HALF of dy[j] x[j] d[j]^(-7/4)),
// with d as in the forward pass, recomputed.
// Grid: one invocation per four channels of a pixel, 64 per workgroup, folded into two dimensions. An invocation
// reads 4 channels more on both sides: HALF is 2 at most.

const HALF: u32 = 2u;
const C: u32 = 4u; // a constant: divisions by it become multiplications
const BLOCKS: u32 = (C + 3u) / 4u;
alias T = vec4<f32>;

struct Params { pixels: u32, k: f32, alpha: f32 }
@group(1) @binding(0) var<uniform> params: Params;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

// hook: pixels
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> dy: array<T>;
@group(0) @binding(2) var<storage, read_write> dx: array<T>;
// Channels c .. c + 4 of the pixel that begins at element `row`.
fn x_at(row: u32, c: u32) -> vec4<f32> { return x[(row + c) / 4u]; }
fn dy_at(row: u32, c: u32) -> vec4<f32> { return dy[(row + c) / 4u]; }
fn store(row: u32, c: u32, v: vec4<f32>) {
    let at = (row + c) / 4u;
    dx[at] = epilogue(v, at);
}
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.pixels * BLOCKS { return; }
    let first = i % BLOCKS * 4u;
    let row = i / BLOCKS * C;
    // Channels first - 4 .. first + 8, zero outside.
    var values: array<vec4<f32>, 3>;
    var gradients: array<vec4<f32>, 3>;
    if HALF > 0u && first > 0u {
        values[0] = x_at(row, first - 4u);
        gradients[0] = dy_at(row, first - 4u);
    }
    values[1] = x_at(row, first);
    gradients[1] = dy_at(row, first);
    if HALF > 0u && first + 4u < C {
        values[2] = x_at(row, first + 4u);
        gradients[2] = dy_at(row, first + 4u);
    }
    var value: array<f32, 12>;
    var given: array<f32, 12>;
    // unroll
    for (var j = 0u; j < 12u; j++) {
        value[j] = values[j / 4u][j % 4u];
        given[j] = gradients[j / 4u][j % 4u];
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
    var own: vec4<f32>;
    // unroll
    for (var c = 4u; c < 8u; c++) {
        var sum = 0.0;
        // unroll
        for (var j = 0u; j < 2u * HALF + 1u; j++) { sum += term[c - HALF + j]; }
        own[c - 4u] = given[c] * power[c] - 1.5 * params.alpha * value[c] * sum;
    }
    store(row, first, own);
}
