// What is seen of a decoder, [B, T, 2H]: h of the last layer and the context after each step. A context is the sum over positions of
// the memory [B, S, H] by its shares [B, T, S]. Steps do without, so all are made afterwards, and put among the states
// [B, T + 1, UNITS H] as well.
// Grid: one invocation per vec4 of H and TIMES steps, 64 per workgroup, folded into two dimensions.

const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const S: u32 = 5u;
const T: u32 = 10u;
const UNITS: u32 = 7u;
const TIMES: u32 = 4u;
const TURNS: u32 = (T + TIMES - 1u) / TIMES;

@group(0) @binding(0) var<storage, read> memory: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> shares: array<f32>;
@group(0) @binding(2) var<storage, read_write> states: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> seen: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= BATCH * TURNS * COLUMNS { return; }
    let n = i % COLUMNS;
    let first = i / COLUMNS % TURNS * TIMES;
    let b = i / COLUMNS / TURNS;
    var context: array<vec4<f32>, TIMES>;
    for (var s = 0u; s < S; s++) {
        let value = memory[(b * S + s) * COLUMNS + n];
        // unroll
        for (var k = 0u; k < TIMES; k++) { context[k] += shares[(b * T + min(first + k, T - 1u)) * S + s] * value; }
    }
    // unroll
    for (var k = 0u; k < TIMES; k++) {
        let t = first + k;
        if t < T {
            let after = ((b * (T + 1u) + t + 2u) * UNITS - 1u) * COLUMNS + n;
            states[after] = context[k];
            seen[(b * T + t) * 2u * COLUMNS + n] = states[after - COLUMNS];
            seen[((b * T + t) * 2u + 1u) * COLUMNS + n] = context[k];
        }
    }
}
