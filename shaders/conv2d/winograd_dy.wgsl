// E[4 i + j, tile, n] = (A dy[the 2 x 2 pixels of the tile, n] A^T)[i, j], for the gradient in w by Winograd's products: see
// conv2d/winograd_dw. Beyond the image dy is 0. E[5] is the sum of the four.
//       1  0
//   A = 1  1
//       1 -1
//       0 -1
// Grid: one invocation per tile and vector T of channels, 64 per workgroup, folded into two dimensions.

alias T = vec4<f32>;

// dy is [images, rows, columns, channels], channels counted in Ts; `tiles` tiles from number `first` on, of images that
// have down x across each.
struct Params { rows: u32, columns: u32, channels: u32, down: u32, across: u32, first: u32, tiles: u32 }
@group(0) @binding(0) var<storage, read> dy: array<T>;
@group(0) @binding(1) var<storage, read_write> e: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    let plane = params.tiles * params.channels;
    if i >= plane { return; }
    let tile = params.first + i / params.channels;
    let image = tile / (params.down * params.across) * params.rows;
    let top = tile / params.across % params.down * 2u;
    let left = tile % params.across * 2u;
    var tall: array<T, 8>; // A dy, 4 x 2
    // unroll
    for (var s = 0u; s < 2u; s++) {
        let at = ((image + top) * params.columns + left + s) * params.channels + i % params.channels;
        let across = left + s < params.columns;
        let below = across & (top + 1u < params.rows);
        let upper = select(T(0.0), dy[select(0u, at, across)], across);
        let lower = select(T(0.0), dy[select(0u, at + params.columns * params.channels, below)], below);
        tall[s] = upper;
        tall[2u + s] = upper + lower;
        tall[4u + s] = upper - lower;
        tall[6u + s] = -lower;
    }
    // unroll
    for (var r = 0u; r < 4u; r++) {
        e[4u * r * plane + i] = tall[2u * r];
        e[(4u * r + 1u) * plane + i] = tall[2u * r] + tall[2u * r + 1u];
        e[(4u * r + 2u) * plane + i] = tall[2u * r] - tall[2u * r + 1u];
        e[(4u * r + 3u) * plane + i] = -tall[2u * r + 1u];
    }
}
