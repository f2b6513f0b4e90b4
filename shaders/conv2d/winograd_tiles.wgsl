// V[POINTS i + j, group, tile, c] = (B^T x[the pixels of the tile, c] B)[i, j]: the tiles of x for Winograd's products, see
// conv2d/points4. In the padding and beyond the image they are 0. With another `line` it is (A x[the results of the tile, c]
// A^T)[i, j], x being dy: for the gradient in w, see conv2d/winograd_dw.
// Grid: one invocation per tile and vector T of channels, 64 per workgroup, folded into two dimensions.

// hook: points
// use: conv2d/points4
// end
// use: conv2d/tiles
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> v: array<T>;

// hook: line
const SIDE: u32 = POINTS; // of what is taken of a tile
fn line(d: array<T, SIDE>) -> array<T, POINTS> { return of_pixels(d); }
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= plane() { return; }
    let t = tile(i, RESULTS);
    var tall: array<array<T, POINTS>, SIDE>; // B^T x, or A dy, by columns
    // unroll
    for (var s = 0u; s < SIDE; s++) {
        var d: array<T, SIDE>;
        // unroll
        for (var r = 0u; r < SIDE; r++) {
            let ok = inside(t, r, s);
            d[r] = select(T(0.0), x[select(0u, pixel(t, r, s), ok)], ok);
        }
        tall[s] = line(d);
    }
    let at = in_plane(i);
    // unroll
    for (var r = 0u; r < POINTS; r++) {
        var d: array<T, SIDE>;
        // unroll
        for (var s = 0u; s < SIDE; s++) { d[s] = tall[s][r]; }
        let points = line(d);
        // unroll
        for (var s = 0u; s < POINTS; s++) { v[(POINTS * r + s) * plane() + at] = points[s]; }
    }
}
