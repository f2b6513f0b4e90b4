// Both factors of Winograd's products for the gradient in w, see conv2d/winograd_gradient: V of x (conv2d/winograd_pixels) and
//   E[POINTS i + j, group, tile, n] = (A dy[the results of the tile, n] A^T)[i, j].
// Grid: one invocation per tile and vector T of channels, 64 per workgroup, those of x first; folded into two dimensions.

const STRIDE: u32 = 1u; // pixels of x from a window to the next

// hook: points
// use: conv2d/points4
// end
// use: conv2d/winograd_pixels
// An `Image` of x and `Tiles`, an `Image` of dy, which has no padding; workgroups of x.
struct Params {
    rows: u32, columns: u32, channels: u32, width: u32, padding: u32, down: u32, across: u32, first: u32, tiles: u32,
    dy_rows: u32, dy_columns: u32, dy_channels: u32, dy_width: u32, of_x: u32,
}
@group(0) @binding(1) var<storage, read> dy: array<T>;
@group(0) @binding(3) var<storage, read_write> e: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

fn transform_results(i: u32, image: Image, tiles: Tiles) {
    let plane = plane_of(image, tiles);
    if i >= plane { return; }
    let t = tile(i, image, tiles, RESULTS);
    var tall: array<array<T, POINTS>, RESULTS>; // A dy, by columns
    // unroll
    for (var s = 0u; s < RESULTS; s++) {
        var d: array<T, RESULTS>;
        // unroll
        for (var r = 0u; r < RESULTS; r++) {
            let ok = inside(t, image, r, s);
            d[r] = select(T(0.0), dy[select(0u, pixel(t, image, r, s), ok)], ok);
        }
        tall[s] = of_results(d);
    }
    let at = in_plane(i, image, tiles);
    // unroll
    for (var r = 0u; r < POINTS; r++) {
        var d: array<T, RESULTS>;
        // unroll
        for (var s = 0u; s < RESULTS; s++) { d[s] = tall[s][r]; }
        let points = of_results(d);
        // unroll
        for (var s = 0u; s < POINTS; s++) { e[(POINTS * r + s) * plane + at] = points[s]; }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let number = wid.y * groups.x + wid.x;
    let tiles = Tiles(params.down, params.across, params.first, params.tiles);
    if number < params.of_x {
        let image = Image(params.rows, params.columns, params.channels, params.width, params.padding, STRIDE);
        transform_pixels(number * 64u + lid, image, tiles);
    } else {
        let image = Image(params.dy_rows, params.dy_columns, params.dy_channels, params.dy_width, 0u, 1u);
        transform_results((number - params.of_x) * 64u + lid, image, tiles);
    }
}
