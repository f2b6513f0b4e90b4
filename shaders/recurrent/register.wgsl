// One time step of both directions of y[b, t] = finish(y[b, t -+ 1] W): up reads t - 1 at t = step,
// down reads t + 1 at t = steps - 1 - step (Hannun 2014, eq. 2 and 3). y [B, T, H], W [H, H].
// Sums stay in registers and every operand comes straight from memory: for CPU adapters, where
// workgroup memory is one more trip through the cache, and for small H.
// T is f32 (WIDTH 1, any H) or vec4<f32> (WIDTH 4, H a multiple of 4).
// Grid: [H / WIDTH / LANES, B / ROWS, 2 directions]; an invocation owns ROWS rows of WIDTH columns.
// use: recurrent/directions

const WIDTH: u32 = 4u;
const ROWS: u32 = 4u;
const LANES: u32 = 64u;

// hook: component
fn component(v: T, j: u32) -> f32 { return v[j]; }
// end

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let columns = params.width / WIDTH;
    let column = wid.x * LANES + lid;
    if column >= columns { return; }
    let first = wid.y * ROWS;
    let down = wid.z == 1u;
    let t = select(params.step, params.steps - 1u - params.step, down);
    var sum: array<T, ROWS>;
    // unroll
    for (var r = 0u; r < ROWS; r++) { sum[r] = T(0.0); }
    if params.step > 0u {
        let before = select(t - 1u, t + 1u, down);
        var at: array<u32, ROWS>;
        // unroll
        for (var r = 0u; r < ROWS; r++) {
            at[r] = (min(first + r, params.batch - 1u) * params.steps + before) * columns;
        }
        // unroll
        for (var d = 0u; d < 2u; d++) {
            if wid.z == d {
                var w_at = column;
                for (var k = 0u; k < columns; k++) {
                    var h: array<T, ROWS>;
                    // unroll
                    for (var r = 0u; r < ROWS; r++) { h[r] = state(d, at[r] + k); }
                    // unroll
                    for (var j = 0u; j < WIDTH; j++) {
                        let w = weight(d, w_at);
                        w_at += columns;
                        // unroll
                        for (var r = 0u; r < ROWS; r++) { sum[r] += component(h[r], j) * w; }
                    }
                }
            }
        }
    }
    // unroll
    for (var r = 0u; r < ROWS; r++) {
        let b = first + r;
        if b < params.batch {
            let i = (b * params.steps + t) * columns + column;
            let y = finish(beside(down, b, i), t, sum[r]);
            if down { y_down[i] = y; } else { y_up[i] = y; }
        }
    }
}
