// Both gradients of a convolution from Winograd's products: that in x (conv2d/winograd_results) and that in w
// (conv2d/winograd_gradient).
// Grid: one invocation per tile and vector T of x's channels, then those of conv2d/winograd_dw, 64 per workgroup; folded into
// two dimensions.

// use: conv2d/winograd_results
// use: conv2d/winograd_gradient
// An `Image` of x, which has no padding, and `Tiles`; `Filters`; workgroups of x.
struct Params {
    rows: u32, columns: u32, channels: u32, width: u32, down: u32, across: u32, first: u32, tiles: u32,
    w_rows: u32, w_columns: u32, w_width: u32, splits: u32, of_x: u32,
}
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let number = wid.y * groups.x + wid.x;
    if number < params.of_x {
        let image = Image(params.rows, params.columns, params.channels, params.width, 0u, 1u);
        let tiles = Tiles(params.down, params.across, params.first, params.tiles);
        store_results(number * 64u + lid, image, tiles);
    } else {
        let filters = Filters(params.w_rows, params.w_columns, params.w_width, params.splits);
        store_gradient((number - params.of_x) * 64u + lid, filters);
    }
}
