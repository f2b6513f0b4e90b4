// y[the 2 x 2 pixels of a tile, n] = epilogue(A^T M[., tile, n] A), for Winograd's F(2 x 2, 3 x 3): see
// conv2d/winograd_filter. M[4 i + j, tile, n] are the products.
//   A^T = 1  1  1  0
//         0  1 -1 -1
// Grid: one invocation per tile and vector T of channels, 64 per workgroup, folded into two dimensions.

alias T = vec4<f32>;

// y is [images, rows, columns, channels], channels counted in Ts; `tiles` tiles from number `first` on, of images that
// have down x across each.
struct Params { rows: u32, columns: u32, channels: u32, down: u32, across: u32, first: u32, tiles: u32 }
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
    let plane = params.tiles * params.channels;
    if i >= plane { return; }
    var wide: array<T, 8>; // A^T M, 2 x 4
    // unroll
    for (var s = 0u; s < 4u; s++) {
        let second = m[(4u + s) * plane + i];
        let third = m[(8u + s) * plane + i];
        wide[s] = m[s * plane + i] + second + third;
        wide[4u + s] = second - third - m[(12u + s) * plane + i];
    }
    let tile = params.first + i / params.channels;
    let image = tile / (params.down * params.across) * params.rows;
    let top = tile / params.across % params.down * 2u;
    let left = tile % params.across * 2u;
    // unroll
    for (var r = 0u; r < 2u; r++) {
        let at = ((image + top + r) * params.columns + left) * params.channels + i % params.channels;
        if top + r < params.rows {
            y[at] = epilogue(wide[4u * r] + wide[4u * r + 1u] + wide[4u * r + 2u], at);
            if left + 1u < params.columns {
                let next = at + params.channels;
                y[next] = epilogue(wide[4u * r + 1u] - wide[4u * r + 2u] - wide[4u * r + 3u], next);
            }
        }
    }
}
