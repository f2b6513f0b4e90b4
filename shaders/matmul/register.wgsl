// C[g, m, n] = epilogue(sum over k of A[g, m, k] B[g, k, n]); A and B may be stored transposed.
// Register tile without workgroup memory: the operands come from the caches, four of k at a time. For
// outputs too small for block tiles, and for adapters whose workgroup memory is ordinary memory.
// Grid: one workgroup per tile of 8 TM x 8 TN, batch matrix and split. An invocation owns TM neighbouring
// rows and TN columns as vec4s 32 apart, so that neighbours read neighbouring vec4s.

// hook: operands
// use: matmul/operands
// end
const TM: u32 = 4u;
const TN: u32 = 4u;
const GROUPS_M: u32 = TM / 4u;
const GROUPS_N: u32 = TN / 4u;

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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let tile = tile_of(wid.y * groups.x + wid.x, 8u * TM, 8u * TN);
    if tile.s >= params.splits { return; }
    let m = tile.m + lid / 8u * TM;
    let n = tile.n + lid % 8u * 4u;
    var acc: array<vec4<f32>, TM * GROUPS_N>;
    // unroll
    for (var i = 0u; i < TM * GROUPS_N; i++) { acc[i] = vec4<f32>(0.0); }
    let sums_columns = SUMS && tile.m == 0u && lid < 8u;
    var sums: array<vec4<f32>, GROUPS_N>;

    let end = min((tile.s + 1u) * params.span, depth(tile.g));
    for (var k = tile.s * params.span; k < end; k += 4u) {
        var x: array<mat4x4<f32>, GROUPS_N>;
        // unroll
        for (var j = 0u; j < GROUPS_N; j++) { x[j] = block_b(tile.g, n + j * 32u, k); }
        if sums_columns {
            // unroll
            for (var j = 0u; j < GROUPS_N; j++) { sums[j] += x[j][0] + x[j][1] + x[j][2] + x[j][3]; }
        }
        // unroll
        for (var h = 0u; h < GROUPS_M; h++) {
            let y = block_a(tile.g, m + h * 4u, k);
            // unroll
            for (var i = 0u; i < 4u; i++) {
                // unroll
                for (var j = 0u; j < GROUPS_N; j++) {
                    var sum = acc[(h * 4u + i) * GROUPS_N + j];
                    // unroll
                    for (var q = 0u; q < 4u; q++) { sum = fma(vec4<f32>(y[q][i]), x[j][q], sum); }
                    acc[(h * 4u + i) * GROUPS_N + j] = sum;
                }
            }
        }
    }

    // unroll
    for (var i = 0u; i < TM; i++) {
        let row = row_of(tile, m + i);
        // unroll
        for (var j = 0u; j < GROUPS_N; j++) {
            let col = n + j * 32u;
            if !EDGE || (row != NOWHERE && col < params.N) {
                store(row + col, acc[i * GROUPS_N + j], params.N - col);
            }
        }
    }
    if sums_columns {
        // unroll
        for (var j = 0u; j < GROUPS_N; j++) { store_sums(tile, n + j * 32u, params.N, sums[j]); }
    }
}
