// The step of register.wgsl by subgroup broadcast, for CPU adapters: there a load costs one scalar load
// per lane, so the lanes of a subgroup load different rows of y and hand them to each other, four of K at
// a time. A workgroup is one subgroup of LANES lanes.
// Grid: [H / 4 / COLS / LANES, B / ROWS, 2 directions]; a lane owns ROWS rows of COLS vec4 columns, LANES
// apart. H is a multiple of 4.
// use: recurrent/directions

const ROWS: u32 = 16u;
const COLS: u32 = 1u;
const LANES: u32 = 8u;
const HELD: u32 = 2u; // rows a lane loads: ROWS / LANES, rounded up

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
