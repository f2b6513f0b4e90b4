// U[POINTS i + j, group, c, n] = (G w[., ., c, n] G^T)[i, j]: filters of 3 x 3 for Winograd's products, see conv2d/points4.
// Grid: one invocation per vector T of channels, 64 per workgroup, folded into two dimensions.

const TURNED: bool = false; // by half a turn: the filter of the gradient in x

// hook: points
// use: conv2d/points4
// end
// use: conv2d/grouped
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
    var tall: array<array<T, POINTS>, 3>; // G w, by columns
    // unroll
    for (var s = 0u; s < 3u; s++) {
        var g: array<T, 3>;
        // unroll
        for (var r = 0u; r < 3u; r++) { g[r] = w[select(3u * r + s, 8u - 3u * r - s, TURNED) * plane + i]; }
        tall[s] = of_taps(g);
    }
    let at = grouped(i, params.rows, params.columns, params.width);
    // unroll
    for (var r = 0u; r < POINTS; r++) {
        let line = of_taps(array<T, 3>(tall[0][r], tall[1][r], tall[2][r]));
        // unroll
        for (var s = 0u; s < POINTS; s++) { u[(POINTS * r + s) * plane + at] = line[s]; }
    }
}
