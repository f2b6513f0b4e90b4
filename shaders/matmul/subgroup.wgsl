// C[g, m, n] = epilogue(sum over k of A[g, m, k] B[g, k, n]); A and B may be stored transposed.
// Subgroup broadcast, for CPU adapters: there a load costs a scalar load per lane and workgroup memory is
// no faster, so that the tile is as large as the first cache holds and A is loaded once per subgroup.
// Grid: one workgroup, which is one subgroup of W lanes, a tile of TM x W TN, batch matrix and split. A
// lane owns TM rows of TN columns as vec4s 4 W apart. Its share of four k of A are TM / W vec4s, and row
// i's values come from the lane that loaded them.

// hook: operands
// use: matmul/operands
// end
const W: u32 = 8u;
const TM: u32 = 32u;
const TN: u32 = 8u;
const GROUPS_M: u32 = TM / 4u;
const GROUPS_N: u32 = TN / 4u;
const LOADS: u32 = TM / W;

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

// The v-th of the TM vec4s of A that hold rows m .. m + TM at k .. k + 4: row v where A is stored [M, K];
// the vec4 v % (TM / 4) of row v / (TM / 4) of k where it is stored [K, M].
fn share(g: u32, m: u32, k: u32, v: u32) -> vec4<f32> {
    if TRANSPOSE_A { return row_a(g, m + v % GROUPS_M * 4u, k + v / GROUPS_M); }
    return row_a(g, m + v, k);
}

@compute @workgroup_size(W)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(subgroup_invocation_id) lane: u32) {
    let tile = tile_of(wid.y * groups.x + wid.x, TM, W * TN);
    if tile.s >= params.splits { return; }
    let n = tile.n + lane * 4u;
    var acc: array<vec4<f32>, TM * GROUPS_N>;
    // unroll
    for (var i = 0u; i < TM * GROUPS_N; i++) { acc[i] = vec4<f32>(0.0); }
    let sums_columns = SUMS && tile.m == 0u;
    var sums: array<vec4<f32>, GROUPS_N>;

    let end = min((tile.s + 1u) * params.span, depth(tile.g));
    for (var k = tile.s * params.span; k < end; k += 4u) {
        var own: array<vec4<f32>, LOADS>;
        // unroll
        for (var q = 0u; q < LOADS; q++) { own[q] = share(tile.g, tile.m, k, q * W + lane); }
        var x: array<mat4x4<f32>, GROUPS_N>;
        // unroll
        for (var j = 0u; j < GROUPS_N; j++) { x[j] = block_b(tile.g, n + j * 4u * W, k); }
        if sums_columns {
            // unroll
            for (var j = 0u; j < GROUPS_N; j++) { sums[j] += x[j][0] + x[j][1] + x[j][2] + x[j][3]; }
        }
        // unroll
        for (var h = 0u; h < GROUPS_M; h++) {
            var y: mat4x4<f32>; // rows h * 4 + i of A, each at k + q: y[q][i], or y[i][q]
            // unroll
            for (var q = 0u; q < 4u; q++) {
                if TRANSPOSE_A {
                    y[q] = subgroupBroadcast(own[(q * GROUPS_M + h) / W], (q * GROUPS_M + h) % W);
                } else {
                    y[q] = subgroupBroadcast(own[(h * 4u + q) / W], (h * 4u + q) % W);
                }
            }
            // unroll
            for (var i = 0u; i < 4u; i++) {
                // unroll
                for (var j = 0u; j < GROUPS_N; j++) {
                    var sum = acc[(h * 4u + i) * GROUPS_N + j];
                    // unroll
                    for (var q = 0u; q < 4u; q++) {
                        sum = fma(vec4<f32>(select(y[i][q], y[q][i], TRANSPOSE_A)), x[j][q], sum);
                    }
                    acc[(h * 4u + i) * GROUPS_N + j] = sum;
                }
            }
        }
    }

    // unroll
    for (var i = 0u; i < TM; i++) {
        let row = row_of(tile, tile.m + i);
        // unroll
        for (var j = 0u; j < GROUPS_N; j++) {
            let col = n + j * 4u * W;
            if !EDGE || (row != NOWHERE && col < params.N) {
                store(row + col, acc[i * GROUPS_N + j], params.N - col);
            }
        }
    }
    if sums_columns {
        // unroll
        for (var j = 0u; j < GROUPS_N; j++) { store_sums(tile, n + j * 4u * W, params.N, sums[j]); }
    }
}
