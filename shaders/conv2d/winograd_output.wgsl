// y[the results of a tile, n] = epilogue(A^T M[., group, tile, n] A), M[POINTS i + j] Winograd's products: see
// conv2d/points4.
// Grid: one invocation per tile and vector T of channels, 64 per workgroup, folded into two dimensions.

// hook: points
// use: conv2d/points4
// end
// use: conv2d/tiles
// An `Image` of y, which has no padding, and `Tiles`.
struct Params {
    rows: u32, columns: u32, channels: u32, width: u32, down: u32, across: u32, first: u32, tiles: u32,
}
@group(0) @binding(0) var<storage, read> m: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    let image = Image(params.rows, params.columns, params.channels, params.width, 0u, 1u);
    let tiles = Tiles(params.down, params.across, params.first, params.tiles);
    let plane = plane_of(image, tiles);
    if i >= plane { return; }
    let at = in_plane(i, image, tiles);
    var tall: array<array<T, RESULTS>, POINTS>; // A^T M, by columns
    // unroll
    for (var s = 0u; s < POINTS; s++) {
        var p: array<T, POINTS>;
        // unroll
        for (var r = 0u; r < POINTS; r++) { p[r] = m[(POINTS * r + s) * plane + at]; }
        tall[s] = to_results(p);
    }
    let t = tile(i, image, tiles, RESULTS);
    // unroll
    for (var r = 0u; r < RESULTS; r++) {
        var p: array<T, POINTS>;
        // unroll
        for (var s = 0u; s < POINTS; s++) { p[s] = tall[s][r]; }
        let line = to_results(p);
        // unroll
        for (var s = 0u; s < RESULTS; s++) {
            if inside(t, image, r, s) {
                let place = pixel(t, image, r, s);
                y[place] = epilogue(line[s], place);
            }
        }
    }
}
