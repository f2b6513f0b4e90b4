// A convolution of images whose channels are no whole vec4s, as a first layer's, for CPU adapters: where `pixels` loads
// each window's elements one by one, a lane owns TN pixels side by side here, loads a line of their windows as vec4s, once
// for all of them, and finds each element in registers, whatever its place in its vec4. Weights are loaded once per
// subgroup and broadcast.
// Grid: one workgroup, which is one subgroup of W lanes, a tile of TM channels x W strips of TN pixels.

// use: conv2d/operands
const W: u32 = 8u;
const TM: u32 = 8u;
const TN: u32 = 8u;
const GROUPS_M: u32 = TM / 4u;
const STRIPS: u32 = (Q + TN - 1u) / TN; // of a row of y
const LINE: u32 = S * CHANNELS;         // elements of a line of a window
// How far before a strip's first window, which may begin within a vec4, its first vec4 begins.
const LEAD: u32 = (4u - PAD * CHANNELS % 4u) % 4u;
const SIGHT: u32 = (LEAD + (TN - 1u) * STRIDE * CHANNELS + LINE + 3u) / 4u; // vec4s of a line of a strip's windows
const SHARES: u32 = LINE * GROUPS_M; // vec4s of weights of a line
const LOADS: u32 = (SHARES + W - 1u) / W;

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

// Elements 4 v .. 4 v + 4 of line `r` as a strip sees it that begins at `begin`; zeros outside the image.
fn strip(begin: Origin, r: u32, v: u32) -> vec4<f32> {
    let at = begin.at + i32(4u * v) - i32(LEAD);
    let inside = (u32(begin.row + i32(r)) < HEIGHT) & (u32(at) < WIDTH * CHANNELS);
    let i = begin.first + i32(r * WIDTH * CHANNELS + 4u * v) - i32(LEAD);
    return select(vec4<f32>(), a4(select(0u, u32(i), inside)), inside);
}

@compute @workgroup_size(W)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(subgroup_invocation_id) lane: u32) {
    let tile = tile_of(wid.y * groups.x + wid.x, TM, W * TN);
    if tile.s >= params.splits { return; }
    let number = tile.n / TN + lane;
    let known = min(number, params.N / TN - 1u);
    let place = vec3<u32>(known / (P * STRIPS), known / STRIPS % P, known % STRIPS * TN);
    let begin = origin_of(0u, place);
    var acc: array<f32, TM * TN>;
    // unroll
    for (var i = 0u; i < TM * TN; i++) { acc[i] = 0.0; }

    for (var r = 0u; r < R; r++) {
        var own: array<vec4<f32>, LOADS>;
        // unroll
        for (var q = 0u; q < LOADS; q++) {
            let share = min(q * W + lane, SHARES - 1u);
            let col = min(tile.m + share % GROUPS_M * 4u, N - 4u);
            own[q] = b4((r * LINE + share / GROUPS_M) * N + col);
        }
        var x: array<vec4<f32>, SIGHT>;
        // unroll
        for (var v = 0u; v < SIGHT; v++) { x[v] = strip(begin, r, v); }
        // unroll
        for (var h = 0u; h < TM; h++) {
            // unroll
            for (var e = 0u; e < LINE; e++) {
                let weight = subgroupBroadcast(own[(e * GROUPS_M + h / 4u) / W][h % 4u], (e * GROUPS_M + h / 4u) % W);
                // unroll
                for (var t = 0u; t < TN; t++) {
                    acc[h * TN + t] = fma(weight, x[(LEAD + t * STRIDE * CHANNELS + e) / 4u][(LEAD + t * STRIDE * CHANNELS + e) % 4u],
                                          acc[h * TN + t]);
                }
            }
        }
    }

    let row = ((place.x * P + place.y) * Q + place.z) * N + tile.m;
    // unroll
    for (var t = 0u; t < TN; t++) {
        // unroll
        for (var h = 0u; h < GROUPS_M; h++) {
            let col = tile.m + h * 4u;
            if (number == known) & (place.z + t < Q) & (col < N) {
                let x = vec4<f32>(acc[h * 4u * TN + t], acc[(h * 4u + 1u) * TN + t],
                                  acc[(h * 4u + 2u) * TN + t], acc[(h * 4u + 3u) * TN + t]);
                store(row + t * N + h * 4u, x, N - col);
            }
        }
    }
}
