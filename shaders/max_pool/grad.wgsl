// dx[b, h, w, c] = epilogue of the sum of dy over the windows whose first largest element, in row-major order, is this
// one. Gathered, not scattered: each element looks at the windows that cover it, and where it equals a
// window's maximum, at the elements before it.
// Grid: one invocation per vector T of channels of x, 64 per workgroup, folded into two dimensions.

const WINDOW: u32 = 2u;
const STRIDE: u32 = 2u;
const PAD: u32 = 0u;
alias T = vec4<f32>;

// C counts vectors; count = B H W C
struct Params { H: u32, W: u32, C: u32, P: u32, Q: u32, count: u32 }
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> y: array<T>;
@group(0) @binding(2) var<storage, read> dy: array<T>;
@group(0) @binding(3) var<storage, read_write> dx: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

// The first window that reaches position `at`.
fn first(at: u32) -> u32 {
    if at + PAD < WINDOW { return 0u; }
    return (at + PAD - WINDOW) / STRIDE + 1u;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.count { return; }
    let H = params.H; let W = params.W; let C = params.C;
    let c = i % C; let w = i / C % W; let h = i / C / W % H;
    let b = i / C / W / H;
    let own = x[i];
    var sum = T(0.0);
    for (var p = first(h); p < min((h + PAD) / STRIDE + 1u, params.P); p++) {
        for (var q = first(w); q < min((w + PAD) / STRIDE + 1u, params.Q); q++) {
            let at = ((b * params.P + p) * params.Q + q) * C + c;
            let best = y[at];
            var wins = own == best;
            if any(wins) {
                let r = h + PAD - p * STRIDE;
                let s = w + PAD - q * STRIDE;
                for (var before = 0u; before < r * WINDOW + s; before++) {
                    let h2 = p * STRIDE + before / WINDOW - PAD;
                    let w2 = q * STRIDE + before % WINDOW - PAD;
                    if h2 < H && w2 < W {
                        wins = wins & (x[((b * H + h2) * W + w2) * C + c] != best);
                    }
                }
                sum += select(T(0.0), dy[at], wins);
            }
        }
    }
    dx[i] = epilogue(sum, i);
}
