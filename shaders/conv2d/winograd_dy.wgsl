// E[POINTS i + j, group, tile, n] = (A dy[the results of the tile, n] A^T)[i, j], for the gradient in w by Winograd's
// products: see conv2d/winograd_dw. Beyond the image dy is 0.
// Grid: one invocation per tile and vector T of channels, 64 per workgroup, folded into two dimensions.

// hook: points
// use: conv2d/points4
// end
// use: conv2d/tiles
@group(0) @binding(0) var<storage, read> dy: array<T>;
@group(0) @binding(1) var<storage, read_write> e: array<T>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= plane() { return; }
    let t = tile(i, RESULTS);
    var tall: array<array<T, POINTS>, RESULTS>; // A dy, by columns
    // unroll
    for (var s = 0u; s < RESULTS; s++) {
        var z: array<T, RESULTS>;
        // unroll
        for (var r = 0u; r < RESULTS; r++) {
            let ok = inside(t, r, s);
            z[r] = select(T(0.0), dy[select(0u, pixel(t, r, s), ok)], ok);
        }
        tall[s] = of_results(z);
    }
    let at = in_plane(i);
    // unroll
    for (var r = 0u; r < POINTS; r++) {
        var z: array<T, RESULTS>;
        // unroll
        for (var s = 0u; s < RESULTS; s++) { z[s] = tall[s][r]; }
        let line = of_results(z);
        // unroll
        for (var s = 0u; s < POINTS; s++) { e[(POINTS * r + s) * plane() + at] = line[s]; }
    }
}
