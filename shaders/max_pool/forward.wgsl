// y[b, p, q, c] = the largest x[b, p STRIDE + r - PAD, q STRIDE + s - PAD, c] of the window that lies in x.
// Grid: one invocation per vector T of channels of y, 64 per workgroup, folded into two dimensions.

const WINDOW: u32 = 2u;
const STRIDE: u32 = 2u;
const PAD: u32 = 0u;
// As constants: divisions by them become multiplications. C counts vectors.
const H: u32 = 4u;
const W: u32 = 4u;
const C: u32 = 1u;
const P: u32 = 2u;
const Q: u32 = 2u;
alias T = vec4<f32>;

struct Params { count: u32 } // B P Q C
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.count { return; }
    let c = i % C; let q = i / C % Q; let p = i / C / Q % P;
    let image = i / C / Q / P * H;
    var best = T(-3.4028234e38);
    // unroll
    for (var r = 0u; r < WINDOW; r++) {
        // unroll
        for (var s = 0u; s < WINDOW; s++) {
            let h = p * STRIDE + r - PAD; // wraps above H where it is above x
            let w = q * STRIDE + s - PAD;
            if PAD == 0u || (h < H && w < W) { best = max(best, x[((image + h) * W + w) * C + c]); }
        }
    }
    y[i] = best;
}
