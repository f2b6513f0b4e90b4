// V[POINTS i + j, group, tile, c] = (B^T x[the pixels of the tile, c] B)[i, j]: the tiles of x for Winograd's products, see
// conv2d/points4. In the padding and beyond the image they are 0.

// hook: points
// use: conv2d/points4
// end
// use: conv2d/tiles
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read_write> v: array<T>;

// Tile and vector of channels i.
fn transform_pixels(i: u32, image: Image, tiles: Tiles) {
    let plane = plane_of(image, tiles);
    if i >= plane { return; }
    let t = tile(i, image, tiles, RESULTS);
    var tall: array<array<T, POINTS>, POINTS>; // B^T x, by columns
    // unroll
    for (var s = 0u; s < POINTS; s++) {
        var d: array<T, POINTS>;
        // unroll
        for (var r = 0u; r < POINTS; r++) {
            let ok = inside(t, image, r, s);
            d[r] = select(T(0.0), x[select(0u, pixel(t, image, r, s), ok)], ok);
        }
        tall[s] = of_pixels(d);
    }
    let at = in_plane(i, image, tiles);
    // unroll
    for (var r = 0u; r < POINTS; r++) {
        var d: array<T, POINTS>;
        // unroll
        for (var s = 0u; s < POINTS; s++) { d[s] = tall[s][r]; }
        let points = of_pixels(d);
        // unroll
        for (var s = 0u; s < POINTS; s++) { v[(POINTS * r + s) * plane + at] = points[s]; }
    }
}
