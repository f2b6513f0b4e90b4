// Both factors of Winograd's products: V of x (conv2d/winograd_pixels) and
//   U[POINTS i + j, group, c, n] = (G w[., ., c, n] G^T)[i, j], see conv2d/points4.
// Grid: one invocation per vector T of the filters' channels, then one per tile and vector of x's, 64 per workgroup; folded
// into two dimensions.

const TURNED: bool = false; // by half a turn: the filter of the gradient in x

// hook: points
// use: conv2d/points4
// end
// use: conv2d/winograd_pixels
// use: conv2d/weights
// An `Image` of x and `Tiles`; of the filters channels c of a group, Ts of the channels n, and of a group's; workgroups of
// the filters, none where an earlier chunk of the tiles had them.
struct Params {
    rows: u32, columns: u32, channels: u32, width: u32, padding: u32, down: u32, across: u32, first: u32, tiles: u32,
    w_rows: u32, w_columns: u32, w_width: u32, of_w: u32,
}
@group(0) @binding(1) var<storage, read> w: array<T>;
@group(0) @binding(3) var<storage, read_write> u: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

fn transform_filter(i: u32) {
    let plane = params.w_rows * params.w_columns;
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
    let at = grouped(i, params.w_rows, params.w_columns, params.w_width);
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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let number = wid.y * groups.x + wid.x;
    if number < params.of_w {
        transform_filter(number * 64u + lid);
    } else {
        let image = Image(params.rows, params.columns, params.channels, params.width, params.padding, STRIDE);
        let tiles = Tiles(params.down, params.across, params.first, params.tiles);
        transform_pixels((number - params.of_w) * 64u + lid, image, tiles);
    }
}
