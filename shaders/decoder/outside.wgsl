// What a decoder's steps backward find made. What reaches the scores from outside: da[b, t, s] = dcontext[b, t] . (memory[b, s] -
// memory[b, 0]), where d_seen [B, T, 2H] has h of the last layer and the context. And in rows of KNOWN vec4s what is known of each
// step: its query, the first cell's slopes, the shares.
// gates [L, B, T, 4H], states [B, T + 1, UNITS H]: of both the first layer's are read.
// Grid: [B, T]. Shared: 4 S LANES_PER_ROW bytes.
// use: lstm/cell

const COLUMNS: u32 = 8u; // H / 4
const S: u32 = 5u;
const T: u32 = 10u;
const UNITS: u32 = 7u;
const LANES: u32 = 64u;
const LANES_PER_ROW: u32 = 8u;
const KNOWN: u32 = 7u * COLUMNS + (S + 3u) / 4u;

@group(0) @binding(0) var<storage, read> memory: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> d_seen: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> gates: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> shares: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_score: array<f32>;
@group(0) @binding(7) var<storage, read_write> known: array<vec4<f32>>;

var<workgroup> parts: array<f32, S * LANES_PER_ROW>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = wid.x;
    let bt = b * T + wid.y;
    let first = b * S * COLUMNS;
    for (var i = lid; i < S * LANES_PER_ROW; i += LANES) {
        let at = first + i / LANES_PER_ROW * COLUMNS;
        var sum = 0.0;
        for (var n = i % LANES_PER_ROW; n < COLUMNS; n += LANES_PER_ROW) {
            sum += dot(d_seen[(bt * 2u + 1u) * COLUMNS + n], memory[at + n] - memory[first + n]);
        }
        parts[i] = sum;
    }
    for (var n = lid; n < COLUMNS; n += LANES) {
        let to = bt * KNOWN + n;
        let at = bt * 4u * COLUMNS + n;
        let before = (b * (T + 1u) + wid.y) * UNITS * COLUMNS + n;
        let at_step = array<vec4<f32>, 4>(gates[at], gates[at + COLUMNS], gates[at + 2u * COLUMNS], gates[at + 3u * COLUMNS]);
        let slopes = cell_slopes(at_step, states[before], states[before + UNITS * COLUMNS]);
        known[to] = queries[bt * COLUMNS + n];
        // unroll
        for (var g = 0u; g < 4u; g++) { known[to + (1u + g) * COLUMNS] = slopes.gates[g]; }
        known[to + 5u * COLUMNS] = slopes.c;
        known[to + 6u * COLUMNS] = slopes.carried;
    }
    for (var i = lid; i < (S + 3u) / 4u; i += LANES) {
        var four = vec4<f32>(0.0);
        // unroll
        for (var j = 0u; j < 4u; j++) { if 4u * i + j < S { four[j] = shares[bt * S + 4u * i + j]; } }
        known[bt * KNOWN + 7u * COLUMNS + i] = four;
    }
    workgroupBarrier();
    for (var s = lid; s < S; s += LANES) {
        var sum = 0.0;
        for (var k = 0u; k < LANES_PER_ROW; k++) { sum += parts[s * LANES_PER_ROW + k]; }
        d_score[bt * S + s] = sum;
    }
}
