// C[g, m, n] = epilogue(sum over k of A[g, m, k] B[g, k, n]) for short sums; A and B may be stored transposed.
// Outer products of columns of A and rows of B, for CPU adapters: what a lane needs of B stays with it while it
// walks down C, four rows a turn, whose sums leave no registers for memory. The text is as long as the sum, not
// as the tile.
// Grid: one workgroup, which is one subgroup of W lanes, a tile of ROWS x 4 W, batch matrix and split. A lane owns a
// vec4 of columns. Its share of four rows of A are DEPTH / W vec4s, and the rows' values come from the lane that
// loaded them.

// hook: operands
// use: matmul/operands
// end
const W: u32 = 8u;
const ROWS: u32 = 64u; // a multiple of 4
const DEPTH: u32 = 16u; // k up to the next multiple of 4

// hook: epilogue
fn epilogue(x: f32, i: u32) -> f32 { return x; }
// end

// hook: store
@group(0) @binding(2) var<storage, read_write> c: array<vec4<f32>>;
// Stores C's elements i .. i + 4, of which `left` lie in its row.
fn store(i: u32, x: vec4<f32>, left: u32) {
    c[i / 4u] = vec4<f32>(epilogue(x.x, i), epilogue(x.y, i + 1u), epilogue(x.z, i + 2u), epilogue(x.w, i + 3u));
}
// end

// The v-th of the DEPTH vec4s of A that hold rows m .. m + 4: four k of row v % 4 where A is stored [M, K]; k = v of
// all four rows where it is stored [K, M].
fn share(g: u32, m: u32, v: u32) -> vec4<f32> {
    if TRANSPOSE_A { return row_a(g, m, v); }
    return row_a(g, m + v % 4u, v / 4u * 4u);
}

@compute @workgroup_size(W)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(subgroup_invocation_id) lane: u32) {
    let tile = tile_of(wid.y * groups.x + wid.x, ROWS, W * 4u);
    if tile.s >= params.splits { return; }
    let n = tile.n + lane * 4u;
    var x: array<mat4x4<f32>, DEPTH / 4u>;
    // unroll
    for (var b = 0u; b < DEPTH / 4u; b++) { x[b] = block_b(tile.g, n, b * 4u); }

    let end = min(tile.m + ROWS, params.M);
    for (var m = tile.m; m < end; m += 4u) {
        var own: array<vec4<f32>, (DEPTH + W - 1u) / W>;
        // unroll
        for (var q = 0u; q < (DEPTH + W - 1u) / W; q++) { own[q] = share(tile.g, m, min(q * W + lane, DEPTH - 1u)); }
        var acc: array<vec4<f32>, 4>;
        // unroll
        for (var v = 0u; v < DEPTH; v++) {
            let y = subgroupBroadcast(own[v / W], v % W); // four rows at k = v, or four k of row v % 4
            // unroll
            for (var i = 0u; i < 4u; i++) {
                if TRANSPOSE_A {
                    acc[i] = fma(vec4<f32>(y[i]), x[v / 4u][v % 4u], acc[i]);
                } else {
                    acc[v % 4u] = fma(vec4<f32>(y[i]), x[v / 4u][i], acc[v % 4u]);
                }
            }
        }
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let row = row_of(tile, m + i);
            if !EDGE || (row != NOWHERE && n < params.N) { store(row + n, acc[i], params.N - n); }
        }
    }

    if SUMS && tile.m == 0u {
        var sums = vec4<f32>(0.0);
        // unroll
        for (var b = 0u; b < DEPTH / 4u; b++) { sums += x[b][0] + x[b][1] + x[b][2] + x[b][3]; }
        store_sums(tile, n, params.N, sums);
    }
}
