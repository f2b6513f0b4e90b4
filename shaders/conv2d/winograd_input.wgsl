// V[4 i + j, tile, c] = (B^T x[the 4 x 4 pixels of the tile, c] B)[i, j], for Winograd's F(2 x 2, 3 x 3): see
// conv2d/winograd_filter. The tile's results are 2 x 2, so that its pixels begin 2 apart; in the padding they are 0.
//         1  0 -1  0
//   B^T = 0  1  1  0
//         0 -1  1  0
//         0  1  0 -1
// Grid: one invocation per tile and vector T of channels, 64 per workgroup, folded into two dimensions.

alias T = vec4<f32>;

// x is [images, rows, columns, channels], channels counted in Ts; `tiles` tiles from number `first` on, of images that
// have down x across each.
struct Params {
    rows: u32, columns: u32, channels: u32, down: u32, across: u32, first: u32, tiles: u32, padding: u32,
}
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> v: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    let plane = params.tiles * params.channels;
    if i >= plane { return; }
    let tile = params.first + i / params.channels;
    let image = tile / (params.down * params.across) * params.rows;
    // Above and left of the image they wrap, beyond its rows and columns.
    let top = tile / params.across % params.down * 2u - params.padding;
    let left = tile % params.across * 2u - params.padding;
    var d: array<T, 16>;
    // unroll
    for (var r = 0u; r < 4u; r++) {
        // unroll
        for (var s = 0u; s < 4u; s++) {
            let ok = (top + r < params.rows) & (left + s < params.columns);
            let at = ((image + top + r) * params.columns + left + s) * params.channels + i % params.channels;
            d[4u * r + s] = select(T(0.0), x[select(0u, at, ok)], ok);
        }
    }
    // unroll
    for (var s = 0u; s < 4u; s++) {
        let second = d[4u + s];
        let third = d[8u + s];
        d[s] -= third;
        d[12u + s] = second - d[12u + s];
        d[4u + s] = second + third;
        d[8u + s] = third - second;
    }
    // unroll
    for (var r = 0u; r < 4u; r++) {
        v[4u * r * plane + i] = d[4u * r] - d[4u * r + 2u];
        v[(4u * r + 1u) * plane + i] = d[4u * r + 1u] + d[4u * r + 2u];
        v[(4u * r + 2u) * plane + i] = d[4u * r + 2u] - d[4u * r + 1u];
        v[(4u * r + 3u) * plane + i] = d[4u * r + 1u] - d[4u * r + 3u];
    }
}
