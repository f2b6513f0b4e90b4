// The results of Winograd's products: see conv2d/winograd_results.
// Grid: one invocation per tile and vector T of channels, 64 per workgroup, folded into two dimensions.

// use: conv2d/winograd_results
// An `Image` of y, which has no padding, and `Tiles`.
struct Params {
    rows: u32, columns: u32, channels: u32, width: u32, down: u32, across: u32, first: u32, tiles: u32,
}
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let image = Image(params.rows, params.columns, params.channels, params.width, 0u, 1u);
    let tiles = Tiles(params.down, params.across, params.first, params.tiles);
    store_results((wid.y * groups.x + wid.x) * 64u + lid, image, tiles);
}
