// U[4 i + j, c, n] = (G w[., ., c, n] G^T)[i, j]: filters of 3 x 3 where Winograd's products are taken (Lavin & Gray
// 2016, "Fast algorithms for convolutional neural networks"; F(2 x 2, 3 x 3)).
//       1    0    0
//   G = 1/2  1/2  1/2
//       1/2 -1/2  1/2
//       0    0    1
// Grid: one invocation per vector T of channels, 64 per workgroup, folded into two dimensions.

const TURNED: bool = false; // by half a turn: the filter of the gradient in x
alias T = vec4<f32>;

// Vectors of a tap of the filter.
struct Params { count: u32 }
@group(0) @binding(0) var<storage, read> w: array<T>;
@group(0) @binding(1) var<storage, read_write> u: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.count { return; }
    var tall: array<T, 12>; // G w, 4 x 3
    // unroll
    for (var s = 0u; s < 3u; s++) {
        let top = w[select(s, 8u - s, TURNED) * params.count + i];
        let middle = w[select(3u + s, 5u - s, TURNED) * params.count + i];
        let bottom = w[select(6u + s, 2u - s, TURNED) * params.count + i];
        let outer = top + bottom;
        tall[s] = top;
        tall[3u + s] = 0.5 * (outer + middle);
        tall[6u + s] = 0.5 * (outer - middle);
        tall[9u + s] = bottom;
    }
    // unroll
    for (var r = 0u; r < 4u; r++) {
        let outer = tall[3u * r] + tall[3u * r + 2u];
        let middle = tall[3u * r + 1u];
        u[4u * r * params.count + i] = tall[3u * r];
        u[(4u * r + 1u) * params.count + i] = 0.5 * (outer + middle);
        u[(4u * r + 2u) * params.count + i] = 0.5 * (outer - middle);
        u[(4u * r + 3u) * params.count + i] = tall[3u * r + 2u];
    }
}
