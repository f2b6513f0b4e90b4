// A convolution or one of its gradients (see conv2d/operands) for CPU adapters where the result has few
// channels: lanes own pixels (in PASS 2, elements of the window), so that none is idle. Each computes once
// where its windows begin, and channels are loaded once per subgroup and broadcast.
// Grid: one workgroup, which is one subgroup of W lanes, a tile of TM channels x W TN pixels, product and split.
// A lane owns TM channels of TN pixels as vec4s 4 W apart.

// use: conv2d/operands
const W: u32 = 8u;
const TM: u32 = 8u;
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

// The v-th of the TM vec4s of channels m .. m + TM at k .. k + 4: along k in PASS 1, else along the channels.
fn share(g: u32, m: u32, k: u32, v: u32) -> vec4<f32> {
    if PASS == 1u { return row_b(g, m + v, k); }
    return row_b(g, m + v % GROUPS_M * 4u, k + v / GROUPS_M);
}

@compute @workgroup_size(W)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(subgroup_invocation_id) lane: u32) {
    let tile = tile_of(wid.y * groups.x + wid.x, TM, W * TN);
    if tile.s >= params.splits { return; }
    let g = tile.g;
    let n = tile.n + lane * 4u;
    var origins: array<Origin, TN>;
    var parts: array<Part, GROUPS_N>;
    // unroll
    for (var j = 0u; j < GROUPS_N; j++) {
        if PASS == 2u {
            parts[j] = part(g, min(n + j * 4u * W, params.N - 4u));
        } else {
            // unroll
            for (var i = 0u; i < 4u; i++) {
                origins[j * 4u + i] = origin(g, min(n + j * 4u * W + i, params.N - 1u));
            }
        }
    }
    var acc: array<vec4<f32>, TM * GROUPS_N>;
    // unroll
    for (var i = 0u; i < TM * GROUPS_N; i++) { acc[i] = vec4<f32>(0.0); }
    // In PASS 2, where a lane's share of the channels lies along them.
    let sums_columns = SUMS && tile.n == 0u;
    var sums: array<vec4<f32>, LOADS>;

    let end = min((tile.s + 1u) * params.span, depth(g));
    for (var k = tile.s * params.span; k < end; k += 4u) {
        var own: array<vec4<f32>, LOADS>;
        // unroll
        for (var q = 0u; q < LOADS; q++) { own[q] = share(g, tile.m, k, q * W + lane); }
        if sums_columns {
            // unroll
            for (var q = 0u; q < LOADS; q++) { sums[q] += own[q]; }
        }
        var x: array<mat4x4<f32>, GROUPS_N>;
        if PASS == 2u {
            // unroll
            for (var q = 0u; q < 4u; q++) {
                // Beyond the sum the channels are zero, and any pixel will do.
                let begin = origin(g, min(k + q, params.K - 1u));
                // unroll
                for (var j = 0u; j < GROUPS_N; j++) { x[j][q] = sight(begin, parts[j]); }
            }
        } else {
            let here = part(g, k);
            // unroll
            for (var j = 0u; j < GROUPS_N; j++) {
                x[j] = transpose(mat4x4<f32>(sight(origins[j * 4u], here), sight(origins[j * 4u + 1u], here),
                                             sight(origins[j * 4u + 2u], here), sight(origins[j * 4u + 3u], here)));
            }
        }
        // unroll
        for (var h = 0u; h < GROUPS_M; h++) {
            var y: mat4x4<f32>; // channels h * 4 + i, each at k + q: y[i][q] in PASS 1, else y[q][i]
            // unroll
            for (var q = 0u; q < 4u; q++) {
                if PASS == 1u {
                    y[q] = subgroupBroadcast(own[(h * 4u + q) / W], (h * 4u + q) % W);
                } else {
                    y[q] = subgroupBroadcast(own[(q * GROUPS_M + h) / W], (q * GROUPS_M + h) % W);
                }
            }
            // unroll
            for (var i = 0u; i < 4u; i++) {
                // unroll
                for (var j = 0u; j < GROUPS_N; j++) {
                    var sum = acc[(h * 4u + i) * GROUPS_N + j];
                    // unroll
                    for (var q = 0u; q < 4u; q++) {
                        sum = fma(vec4<f32>(select(y[q][i], y[i][q], PASS == 1u)), x[j][q], sum);
                    }
                    acc[(h * 4u + i) * GROUPS_N + j] = sum;
                }
            }
        }
    }

    // unroll
    for (var j = 0u; j < GROUPS_N; j++) {
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let row = row_of(tile, n + j * 4u * W + i);
            // unroll
            for (var h = 0u; h < GROUPS_M; h++) {
                let col = tile.m + h * 4u;
                if !EDGE || (row != NOWHERE && col < params.M) {
                    let x = vec4<f32>(acc[h * 4u * GROUPS_N + j][i], acc[(h * 4u + 1u) * GROUPS_N + j][i],
                                      acc[(h * 4u + 2u) * GROUPS_N + j][i], acc[(h * 4u + 3u) * GROUPS_N + j][i]);
                    store(row + col, x, params.M - col);
                }
            }
        }
    }
    if sums_columns {
        // unroll
        for (var h = 0u; h < GROUPS_M; h++) {
            var sum: vec4<f32>;
            // unroll
            for (var q = 0u; q < 4u; q++) {
                sum += subgroupBroadcast(sums[(q * GROUPS_M + h) / W], (q * GROUPS_M + h) % W);
            }
            if lane == 0u { store_sums(tile, tile.m + h * 4u, params.M, sum); }
        }
    }
}
