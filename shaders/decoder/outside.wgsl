// What reaches a decoder's scores from outside: da[b, t, s] = dcontext[b, t] . (memory[b, s] - memory[b, 0]), where
// d_seen [B, T, 2H] has h of the last layer and the context. And, for what reaches them from the first cell, memory less its
// position 0, by the workgroups of step 0.
// Grid: [B, T]. Shared: 4 S LANES_PER_ROW bytes.

const COLUMNS: u32 = 8u; // H / 4
const S: u32 = 5u;
const T: u32 = 10u;
const LANES: u32 = 64u;
const LANES_PER_ROW: u32 = 8u;

@group(0) @binding(0) var<storage, read> memory: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> d_seen: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> d_score: array<f32>;
@group(0) @binding(3) var<storage, read_write> differences: array<vec4<f32>>;

var<workgroup> parts: array<f32, S * LANES_PER_ROW>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let bt = wid.x * T + wid.y;
    let first = wid.x * S * COLUMNS;
    for (var i = lid; i < S * LANES_PER_ROW; i += LANES) {
        let at = first + i / LANES_PER_ROW * COLUMNS;
        var sum = 0.0;
        for (var n = i % LANES_PER_ROW; n < COLUMNS; n += LANES_PER_ROW) {
            let difference = memory[at + n] - memory[first + n];
            if wid.y == 0u { differences[at + n] = difference; }
            sum += dot(d_seen[(bt * 2u + 1u) * COLUMNS + n], difference);
        }
        parts[i] = sum;
    }
    workgroupBarrier();
    for (var s = lid; s < S; s += LANES) {
        var sum = 0.0;
        for (var k = 0u; k < LANES_PER_ROW; k++) { sum += parts[s * LANES_PER_ROW + k]; }
        d_score[bt * S + s] = sum;
    }
}
