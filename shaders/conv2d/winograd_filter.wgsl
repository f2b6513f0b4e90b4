// U[POINTS i + j, group, c, n] = (G w[., ., c, n] G^T)[i, j]: filters for Winograd's products, see conv2d/points4.
// Grid: one invocation per vector T of channels, 64 per workgroup, folded into two dimensions.

const TURNED: bool = false; // by half a turn: the filter of the gradient in x

// hook: points
// use: conv2d/points4
// end
// use: conv2d/grouped
// use: conv2d/weights
// Channels c of a group; Ts of the channels n, and of a group's.
struct Params { rows: u32, columns: u32, width: u32 }
@group(0) @binding(0) var<storage, read> w: array<T>;
@group(0) @binding(1) var<storage, read_write> u: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    let plane = params.rows * params.columns;
    if i >= plane { return; }
    var tall: array<array<T, POINTS>, TAPS>; // G w, by columns
    // unroll
    for (var s = 0u; s < TAPS; s++) {
        var g: array<T, TAPS>;
        // unroll
        for (var r = 0u; r < TAPS; r++) {
            let here = weight(i, plane, select(r, TAPS - 1u - r, TURNED), select(s, TAPS - 1u - s, TURNED));
            g[r] = select(T(0.0), w[select(0u, here.place, here.inside)], here.inside);
        }
        tall[s] = of_taps(g);
    }
    let at = grouped(i, params.rows, params.columns, params.width);
    // unroll
    for (var r = 0u; r < POINTS; r++) {
        var g: array<T, TAPS>;
        // unroll
        for (var s = 0u; s < TAPS; s++) { g[s] = tall[s][r]; }
        let line = of_taps(g);
        // unroll
        for (var s = 0u; s < POINTS; s++) { u[(POINTS * r + s) * plane + at] = line[s]; }
    }
}
