// The gradient in w of Winograd's products: see conv2d/winograd_gradient.
// Grid: one invocation per vector T of M's plane, then one per vector of channels of dy's sums, 64 per workgroup, folded
// into two dimensions.

// use: conv2d/winograd_gradient
// `Filters`.
struct Params { w_rows: u32, w_columns: u32, w_width: u32, splits: u32 }
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let filters = Filters(params.w_rows, params.w_columns, params.w_width, params.splits);
    store_gradient((wid.y * groups.x + wid.x) * 64u + lid, filters);
}
