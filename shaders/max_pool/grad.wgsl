// dx[b, h, w, c] = epilogue of the sum of dy over the windows whose first largest element, in row-major order, is this
// one. Gathered, not scattered: an invocation makes STRIDE x STRIDE neighbours, which ACROSS x ACROSS windows cover, and
// reads the elements of these windows once.
// Grid: one invocation per block of neighbours and vector T of channels, 64 per workgroup, folded into two dimensions.

const WINDOW: u32 = 2u;
const STRIDE: u32 = 2u;
const PAD: u32 = 0u;
const ACROSS: u32 = 1u; // WINDOW / STRIDE, rounded up
const BEGIN: u32 = STRIDE * ACROSS - STRIDE; // the block among its windows' elements
const SIDE: u32 = 2u; // of these elements and the block, in a line
alias T = vec4<f32>;

// C counts vectors; down x across blocks in an image; count = B down across C
struct Params { count: u32, H: u32, W: u32, C: u32, P: u32, Q: u32, down: u32, across: u32 }
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> dy: array<T>;
@group(0) @binding(2) var<storage, read_write> dx: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.count { return; }
    let C = params.C;
    let c = i % C;
    let column = i / C % params.across;
    let row = i / C / params.across % params.down;
    let b = i / C / params.across / params.down;
    // Above and left of the image they wrap, beyond its rows and columns.
    let top = row * STRIDE - BEGIN - PAD;
    let left = column * STRIDE - BEGIN - PAD;
    var elements: array<T, SIDE * SIDE>;
    var sums: array<T, SIDE * SIDE>;
    // unroll
    for (var r = 0u; r < SIDE; r++) {
        // unroll
        for (var s = 0u; s < SIDE; s++) {
            let inside = (top + r < params.H) & (left + s < params.W);
            elements[SIDE * r + s] = x[select(0u, ((b * params.H + top + r) * params.W + left + s) * C + c, inside)];
            sums[SIDE * r + s] = T(0.0);
        }
    }
    // unroll
    for (var p = 0u; p < ACROSS; p++) {
        // unroll
        for (var q = 0u; q < ACROSS; q++) {
            let down = row + p + 1u - ACROSS;
            let right = column + q + 1u - ACROSS;
            if down < params.P && right < params.Q {
                var best = T(-3.4028234e38);
                // unroll
                for (var r = 0u; r < WINDOW; r++) {
                    // unroll
                    for (var s = 0u; s < WINDOW; s++) {
                        if PAD == 0u || (top + STRIDE * p + r < params.H && left + STRIDE * q + s < params.W) {
                            best = max(best, elements[SIDE * (STRIDE * p + r) + STRIDE * q + s]);
                        }
                    }
                }
                var rest = dy[((b * params.P + down) * params.Q + right) * C + c]; // 0 once an element has it
                // unroll
                for (var r = 0u; r < WINDOW; r++) {
                    // unroll
                    for (var s = 0u; s < WINDOW; s++) {
                        if PAD == 0u || (top + STRIDE * p + r < params.H && left + STRIDE * q + s < params.W) {
                            let wins = elements[SIDE * (STRIDE * p + r) + STRIDE * q + s] == best;
                            sums[SIDE * (STRIDE * p + r) + STRIDE * q + s] += select(T(0.0), rest, wins);
                            rest = select(rest, T(0.0), wins);
                        }
                    }
                }
            }
        }
    }
    // unroll
    for (var r = 0u; r < STRIDE; r++) {
        // unroll
        for (var s = 0u; s < STRIDE; s++) {
            let h = top + BEGIN + r;
            let w = left + BEGIN + s;
            if h < params.H && w < params.W {
                let at = ((b * params.H + h) * params.W + w) * C + c;
                dx[at] = epilogue(sums[SIDE * (BEGIN + r) + BEGIN + s], at);
            }
        }
    }
}
