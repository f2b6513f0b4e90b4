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
// As constants: divisions by them become multiplications. C counts vectors.
const H: u32 = 4u;
const W: u32 = 4u;
const C: u32 = 1u;
const P: u32 = 2u;
const Q: u32 = 2u;
const BLOCKS_H: u32 = 2u; // in an image, down and across
const BLOCKS_W: u32 = 2u;
alias T = vec4<f32>;

struct Params { count: u32 } // B BLOCKS_H BLOCKS_W C
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
    let c = i % C;
    let column = i / C % BLOCKS_W;
    let row = i / C / BLOCKS_W % BLOCKS_H;
    let b = i / C / BLOCKS_W / BLOCKS_H;
    // Above and left of the image they wrap, beyond its rows and columns.
    let top = row * STRIDE - BEGIN - PAD;
    let left = column * STRIDE - BEGIN - PAD;
    var elements: array<T, SIDE * SIDE>;
    var sums: array<T, SIDE * SIDE>;
    // unroll
    for (var r = 0u; r < SIDE; r++) {
        // unroll
        for (var s = 0u; s < SIDE; s++) {
            let inside = (top + r < H) & (left + s < W);
            elements[SIDE * r + s] = x[select(0u, ((b * H + top + r) * W + left + s) * C + c, inside)];
            sums[SIDE * r + s] = T(0.0);
        }
    }
    // unroll
    for (var p = 0u; p < ACROSS; p++) {
        // unroll
        for (var q = 0u; q < ACROSS; q++) {
            let down = row + p + 1u - ACROSS;
            let right = column + q + 1u - ACROSS;
            if down < P && right < Q {
                var best = T(-3.4028234e38);
                // unroll
                for (var r = 0u; r < WINDOW; r++) {
                    // unroll
                    for (var s = 0u; s < WINDOW; s++) {
                        if PAD == 0u || (top + STRIDE * p + r < H && left + STRIDE * q + s < W) {
                            best = max(best, elements[SIDE * (STRIDE * p + r) + STRIDE * q + s]);
                        }
                    }
                }
                var rest = dy[((b * P + down) * Q + right) * C + c]; // 0 once an element has it
                // unroll
                for (var r = 0u; r < WINDOW; r++) {
                    // unroll
                    for (var s = 0u; s < WINDOW; s++) {
                        if PAD == 0u || (top + STRIDE * p + r < H && left + STRIDE * q + s < W) {
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
            if h < H && w < W {
                let at = ((b * H + h) * W + w) * C + c;
                dx[at] = epilogue(sums[SIDE * (BEGIN + r) + BEGIN + s], at);
            }
        }
    }
}
