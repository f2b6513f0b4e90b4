// A convolution (PASS 0) or its gradient in x (PASS 1) or in w (PASS 2), straight from the definition: the
// yardstick for every other variant.
//   y[b, p, q, n] = epilogue(sum over r, s, c of x[b, p stride + r - pad, q stride + s - pad, c] w[r, s, c, n])
// Grid: one invocation per element of the result, 64 per workgroup, folded into two dimensions.

const PASS: u32 = 0u;
const HEIGHT: u32 = 8u; // of x, and
const WIDTH: u32 = 8u;
const CHANNELS: u32 = 4u;
const P: u32 = 8u; // of y
const Q: u32 = 8u;
const N: u32 = 4u;
const R: u32 = 3u; // of the filter
const S: u32 = 3u;
const STRIDE: u32 = 1u;
const PAD: u32 = 1u;
const GROUPS: u32 = 1u;
const SUMS: bool = false; // in PASS 2 the channels of dy are summed as well, by invocations behind those of dw
const CG: u32 = CHANNELS / GROUPS;
const NG: u32 = N / GROUPS;

struct Params { batch: u32, count: u32 }
// hook: pixels
@group(0) @binding(0) var<storage, read> a: array<f32>;
fn a1(i: u32) -> f32 { return a[i]; }
// end
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: sums
fn store_sum(i: u32, x: f32) {}
// end

// hook: epilogue
fn epilogue(x: f32, i: u32) -> f32 { return x; }
// end

// y at (p, q, n) from the window of x that it sees.
fn forward(image: u32, p: u32, q: u32, n: u32) -> f32 {
    var sum = 0.0;
    for (var r = 0u; r < R; r++) {
        let h = p * STRIDE + r - PAD; // wraps above HEIGHT where it is above the image
        if h >= HEIGHT { continue; }
        for (var s = 0u; s < S; s++) {
            let w = q * STRIDE + s - PAD;
            if w >= WIDTH { continue; }
            let x = ((image * HEIGHT + h) * WIDTH + w) * CHANNELS + n / NG * CG;
            let f = (r * S + s) * CG * N + n;
            for (var e = 0u; e < CG; e++) { sum += a1(x + e) * b[f + e * N]; }
        }
    }
    return sum;
}

// dx at (h, w, ch) from all of dy that saw it.
fn grad_input(image: u32, h: u32, w: u32, ch: u32) -> f32 {
    var sum = 0.0;
    for (var r = (h + PAD) % STRIDE; r < R; r += STRIDE) {
        let p = (h + PAD - r) / STRIDE;
        if r > h + PAD || p >= P { continue; }
        for (var s = (w + PAD) % STRIDE; s < S; s += STRIDE) {
            let q = (w + PAD - s) / STRIDE;
            if s > w + PAD || q >= Q { continue; }
            let group = ch / CG;
            let dy = ((image * P + p) * Q + q) * N + group * NG;
            let f = ((r * S + s) * CG + ch % CG) * N + group * NG;
            for (var n = 0u; n < NG; n++) { sum += a1(dy + n) * b[f + n]; }
        }
    }
    return sum;
}

// dw at (r, s, e, n) from every pixel.
fn grad_weight(r: u32, s: u32, e: u32, n: u32) -> f32 {
    var sum = 0.0;
    for (var image = 0u; image < params.batch; image++) {
        for (var p = 0u; p < P; p++) {
            let h = p * STRIDE + r - PAD;
            if h >= HEIGHT { continue; }
            for (var q = 0u; q < Q; q++) {
                let w = q * STRIDE + s - PAD;
                if w >= WIDTH { continue; }
                sum += a1(((image * HEIGHT + h) * WIDTH + w) * CHANNELS + n / NG * CG + e) * b[((image * P + p) * Q + q) * N + n];
            }
        }
    }
    return sum;
}

// The sum of channel n of dy.
fn sum_of_channel(n: u32) -> f32 {
    var sum = 0.0;
    for (var pixel = 0u; pixel < params.batch * P * Q; pixel++) { sum += b[pixel * N + n]; }
    return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if SUMS && i >= params.count {
        if i - params.count < N { store_sum(i - params.count, sum_of_channel(i - params.count)); }
        return;
    }
    if i >= params.count { return; }
    var x: f32;
    if PASS == 0u {
        x = forward(i / N / Q / P, i / N / Q % P, i / N % Q, i % N);
    } else if PASS == 1u {
        x = grad_input(i / CHANNELS / WIDTH / HEIGHT, i / CHANNELS / WIDTH % HEIGHT, i / CHANNELS % WIDTH, i % CHANNELS);
    } else {
        x = grad_weight(i / N / CG / S, i / N / CG % S, i / N % CG, i % N);
    }
    c[i] = epilogue(x, i);
}
