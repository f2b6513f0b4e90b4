// The step of register.wgsl by subgroup broadcast, for CPU adapters: there a load costs one scalar load
// per lane, so the lanes of a subgroup load different rows of y and hand them to each other, four of K at
// a time. A workgroup is one subgroup of LANES lanes.
// Grid: [H / 4 / COLS / LANES, B / ROWS, 2 directions]; a lane owns ROWS rows of COLS vec4 columns, LANES
// apart. H is a multiple of 4.

alias T = vec4<f32>;
const ROWS: u32 = 16u;
const COLS: u32 = 1u;
const LANES: u32 = 8u;
const HELD: u32 = 2u; // rows a lane loads: ROWS / LANES, rounded up

struct Params { batch: u32, steps: u32, width: u32, step: u32, limit: f32 }
@group(0) @binding(0) var<storage, read> w_up: array<T>;
@group(0) @binding(1) var<storage, read> w_down: array<T>;
@group(0) @binding(2) var<storage, read_write> y_up: array<T>;
@group(0) @binding(3) var<storage, read_write> y_down: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: finish
@group(0) @binding(4) var<storage, read> x: array<T>;
@group(0) @binding(5) var<storage, read> frames: array<u32>;
struct Beside { x: T, frames: u32 }
fn beside(down: bool, b: u32, at: u32) -> Beside { return Beside(x[at], frames[b]); }
fn finish(beside: Beside, t: u32, sum: T) -> T {
    let h = clamp(beside.x + sum, T(0.0), T(params.limit));
    return select(h, T(0.0), t >= beside.frames);
}
// end

// `d` is a literal once unrolled: the branch is gone.
fn weight(d: u32, i: u32) -> T {
    if d == 1u { return w_down[i]; }
    return w_up[i];
}

fn state(d: u32, i: u32) -> T {
    if d == 1u { return y_down[i]; }
    return y_up[i];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let columns = params.width / 4u;
    let first = wid.y * ROWS;
    let down = wid.z == 1u;
    let t = select(params.step, params.steps - 1u - params.step, down);
    // A lane past the last column computes the last one again: a broadcast needs every lane.
    var column: array<u32, COLS>;
    var sum: array<T, ROWS * COLS>;
    // unroll
    for (var c = 0u; c < COLS; c++) {
        column[c] = min((wid.x * COLS + c) * LANES + lid, columns - 1u);
        // unroll
        for (var r = 0u; r < ROWS; r++) { sum[r * COLS + c] = T(0.0); }
    }
    if params.step > 0u {
        let before = select(t - 1u, t + 1u, down);
        var at: array<u32, HELD>;
        // unroll
        for (var q = 0u; q < HELD; q++) {
            at[q] = (min(first + q * LANES + lid, params.batch - 1u) * params.steps + before) * columns;
        }
        // unroll
        for (var d = 0u; d < 2u; d++) {
            if wid.z == d {
                var w_at = 0u;
                for (var k = 0u; k < columns; k++) {
                    var h: array<T, HELD>;
                    // unroll
                    for (var q = 0u; q < HELD; q++) { h[q] = state(d, at[q] + k); }
                    // unroll
                    for (var j = 0u; j < 4u; j++) {
                        var w: array<T, COLS>;
                        // unroll
                        for (var c = 0u; c < COLS; c++) { w[c] = weight(d, w_at + column[c]); }
                        w_at += columns;
                        // unroll
                        for (var r = 0u; r < ROWS; r++) {
                            let a = subgroupBroadcast(h[r / LANES][j], r % LANES);
                            // unroll
                            for (var c = 0u; c < COLS; c++) { sum[r * COLS + c] += a * w[c]; }
                        }
                    }
                }
            }
        }
    }
    // unroll
    for (var c = 0u; c < COLS; c++) {
        let own = (wid.x * COLS + c) * LANES + lid < columns;
        // unroll
        for (var r = 0u; r < ROWS; r++) {
            let b = first + r;
            if own && b < params.batch {
                let i = (b * params.steps + t) * columns + column[c];
                let y = finish(beside(down, b, i), t, sum[r * COLS + c]);
                if down { y_down[i] = y; } else { y_up[i] = y; }
            }
        }
    }
}
