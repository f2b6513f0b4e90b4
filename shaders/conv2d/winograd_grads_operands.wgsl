// The factors of Winograd's products for both gradients of a convolution whose result has the size of its image: U of the
// filters (conv2d/winograd_taps) and V of dy for that in x; V of x (conv2d/winograd_pixels) and E of dy for that in w (see
// conv2d/winograd_dw_operands). A tile of dy is read once for V and E: the results that E is of are its middle.
// Grid: one invocation per vector T of the filters' channels, then one per tile and vector of x's, then of dy's, 64 per
// workgroup; folded into two dimensions.

// use: conv2d/winograd_pixels
// use: conv2d/winograd_taps
// An `Image` of dy and `Tiles`, which x has too but for its channels; the filters as conv2d/winograd_operands has them;
// workgroups of x.
struct Params {
    rows: u32, columns: u32, channels: u32, width: u32, padding: u32, down: u32, across: u32, first: u32, tiles: u32,
    w_rows: u32, w_columns: u32, w_width: u32, of_w: u32, x_channels: u32, x_width: u32, of_x: u32,
}
@group(0) @binding(4) var<storage, read> dy: array<T>;
@group(0) @binding(5) var<storage, read_write> v_of_dy: array<T>;
@group(0) @binding(6) var<storage, read_write> e: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

const BEFORE: u32 = TAPS / 2u; // rows and columns of a tile before its middle

fn transform_dy(i: u32, image: Image, tiles: Tiles) {
    let plane = plane_of(image, tiles);
    if i >= plane { return; }
    let t = tile(i, image, tiles, RESULTS);
    var tall: array<array<T, POINTS>, POINTS>; // B^T dy, by columns
    var middle: array<array<T, POINTS>, POINTS>; // A dy, by columns, of which those in the middle are looked at
    // unroll
    for (var s = 0u; s < POINTS; s++) {
        var d: array<T, POINTS>;
        // unroll
        for (var r = 0u; r < POINTS; r++) {
            let ok = inside(t, image, r, s);
            d[r] = select(T(0.0), dy[select(0u, pixel(t, image, r, s), ok)], ok);
        }
        tall[s] = of_pixels(d);
        var own: array<T, RESULTS>;
        // unroll
        for (var r = 0u; r < RESULTS; r++) { own[r] = d[BEFORE + r]; }
        middle[s] = of_results(own);
    }
    let at = in_plane(i, image, tiles);
    // unroll
    for (var r = 0u; r < POINTS; r++) {
        var d: array<T, POINTS>;
        // unroll
        for (var s = 0u; s < POINTS; s++) { d[s] = tall[s][r]; }
        let line = of_pixels(d);
        var own: array<T, RESULTS>;
        // unroll
        for (var s = 0u; s < RESULTS; s++) { own[s] = middle[BEFORE + s][r]; }
        let of_own = of_results(own);
        // unroll
        for (var s = 0u; s < POINTS; s++) {
            v_of_dy[(POINTS * r + s) * plane + at] = line[s];
            e[(POINTS * r + s) * plane + at] = of_own[s];
        }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let number = wid.y * groups.x + wid.x;
    let tiles = Tiles(params.down, params.across, params.first, params.tiles);
    if number < params.of_w {
        transform_filter(number * 64u + lid, params.w_rows, params.w_columns, params.w_width);
    } else if number < params.of_w + params.of_x {
        let x = Image(params.rows, params.columns, params.x_channels, params.x_width, params.padding, 1u);
        transform_pixels((number - params.of_w) * 64u + lid, x, tiles);
    } else {
        let image = Image(params.rows, params.columns, params.channels, params.width, params.padding, 1u);
        transform_dy((number - params.of_w - params.of_x) * 64u + lid, image, tiles);
    }
}
