// dw[., ., c, n] = G^T M[., c, n] G, M[4 i + j, c, n] = sum over tiles of V[4 i + j, tile, c] E[4 i + j, tile, n]: the
// gradient in w by Winograd's products, F(3 x 3, 2 x 2) (Lavin & Gray 2016, section 4.2). V is of conv2d/winograd_input,
// E of conv2d/winograd_dy. M is here in parts of the sum, which are added in order.
//         1  1/2  1/2  0
//   G^T = 0  1/2 -1/2  0
//         0  1/2  1/2  1
// Grid: one invocation per vector T of M's plane, then one per vector of channels of dy's sums, 64 per workgroup, folded
// into two dimensions.

const ADDS: bool = false; // to what is there: an earlier chunk of the tiles
const SUMS: bool = false; // the columns of E[5], which are dy's sums, were summed as well
alias T = vec4<f32>;

// Vectors of M's plane; parts of the sum; vectors of a row of M, where these are summed.
struct Params { count: u32, splits: u32, columns: u32 }
@group(0) @binding(0) var<storage, read> m: array<T>;
@group(0) @binding(1) var<storage, read_write> dw: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: sums
fn partial_sum(i: u32) -> T { return T(0.0); }
fn store_sum(i: u32, x: T) {}
// end

fn store(i: u32, x: T) {
    if ADDS { dw[i] += x; } else { dw[i] = x; }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if SUMS && i >= params.count {
        let column = i - params.count;
        if column >= params.columns { return; }
        var sum = partial_sum(5u * params.columns + column);
        for (var s = 1u; s < params.splits; s++) { sum += partial_sum((16u * s + 5u) * params.columns + column); }
        store_sum(column, sum);
        return;
    }
    if i >= params.count { return; }
    var whole: array<T, 16>;
    // unroll
    for (var q = 0u; q < 16u; q++) { whole[q] = m[q * params.count + i]; }
    for (var s = 1u; s < params.splits; s++) {
        // unroll
        for (var q = 0u; q < 16u; q++) { whole[q] += m[(16u * s + q) * params.count + i]; }
    }
    var wide: array<T, 12>; // G^T M, 3 x 4
    // unroll
    for (var s = 0u; s < 4u; s++) {
        let mean = 0.5 * (whole[4u + s] + whole[8u + s]);
        wide[s] = whole[s] + mean;
        wide[4u + s] = 0.5 * (whole[4u + s] - whole[8u + s]);
        wide[8u + s] = mean + whole[12u + s];
    }
    // unroll
    for (var r = 0u; r < 3u; r++) {
        let mean = 0.5 * (wide[4u * r + 1u] + wide[4u * r + 2u]);
        store(3u * r * params.count + i, wide[4u * r] + mean);
        store((3u * r + 1u) * params.count + i, 0.5 * (wide[4u * r + 1u] - wide[4u * r + 2u]));
        store((3u * r + 2u) * params.count + i, mean + wide[4u * r + 3u]);
    }
}
