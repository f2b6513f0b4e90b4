// Both factors of Winograd's products: V of x (conv2d/winograd_pixels) and U of the filters (conv2d/winograd_taps).
// Grid: one invocation per vector T of the filters' channels, then one per tile and vector of x's, 64 per workgroup; folded
// into two dimensions.

// use: conv2d/winograd_pixels
// use: conv2d/winograd_taps
// An `Image` of x and `Tiles`; of the filters channels c of a group, Ts of the channels n, and of a group's; workgroups of
// the filters, none where an earlier chunk of the tiles had them.
struct Params {
    rows: u32, columns: u32, channels: u32, width: u32, padding: u32, down: u32, across: u32, first: u32, tiles: u32,
    w_rows: u32, w_columns: u32, w_width: u32, of_w: u32,
}
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let number = wid.y * groups.x + wid.x;
    if number < params.of_w {
        transform_filter(number * 64u + lid, params.w_rows, params.w_columns, params.w_width);
    } else {
        let image = Image(params.rows, params.columns, params.channels, params.width, params.padding, STRIDE);
        let tiles = Tiles(params.down, params.across, params.first, params.tiles);
        transform_pixels((number - params.of_w) * 64u + lid, image, tiles);
    }
}
