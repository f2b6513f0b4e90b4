// y[the results of a tile, n] = epilogue(A^T M[., group, tile, n] A), M[POINTS i + j] Winograd's products: see
// conv2d/points4.

// hook: points
// use: conv2d/points4
// end
// use: conv2d/tiles
@group(0) @binding(0) var<storage, read> m: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

// Tile and vector of channels i.
fn store_results(i: u32, image: Image, tiles: Tiles) {
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
