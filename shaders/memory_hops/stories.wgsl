// forward.wgsl with a story an invocation, for adapters that compute on a CPU: no lane waits for another, there is no
// barrier, and values are read four at a time. Sizes are multiples of four, and few enough to stay in registers.
// Grid: one invocation per story, LANES per workgroup.

const BATCH: u32 = 32u; // B
const VOCABULARY: u32 = 22u; // V
const LAST: u32 = 1344u; // first element of the last table
const M: u32 = 10u; // sentences
const HOPS: u32 = 3u;
const LINEAR: bool = false;
const LANES: u32 = 8u;
const FOURS: u32 = 5u; // d / 4
const LOWEST: f32 = -3.4028234e38;

@group(0) @binding(0) var<storage, read> asked: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> memories: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> embedding: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
@group(0) @binding(4) var<storage, read_write> states: array<vec4<f32>>; // u [B, HOPS + 1, d]
@group(0) @binding(5) var<storage, read_write> attention: array<f32>; // p [B, HOPS, M]

fn total(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = id.x;
    if b >= BATCH { return; }
    var u: array<vec4<f32>, FOURS>;
    // unroll
    for (var n = 0u; n < FOURS; n++) {
        u[n] = asked[b * FOURS + n];
        states[b * (HOPS + 1u) * FOURS + n] = u[n];
    }
    for (var k = 0u; k < HOPS; k++) {
        let p = (b * HOPS + k) * M;
        var highest = LOWEST;
        for (var i = 0u; i < M; i++) {
            let m = ((k * BATCH + b) * M + i) * FOURS;
            var products = vec4<f32>();
            // unroll
            for (var n = 0u; n < FOURS; n++) { products += u[n] * memories[m + n]; }
            let score = total(products);
            attention[p + i] = score;
            highest = max(highest, score);
        }
        var sum = 1.0;
        if !LINEAR {
            sum = 0.0;
            for (var i = 0u; i < M; i++) {
                let e = exp(attention[p + i] - highest);
                attention[p + i] = e;
                sum += e;
            }
        }
        for (var i = 0u; i < M; i++) {
            let c = (((k + 1u) * BATCH + b) * M + i) * FOURS;
            let share = attention[p + i] / sum;
            attention[p + i] = share;
            // unroll
            for (var n = 0u; n < FOURS; n++) { u[n] += share * memories[c + n]; }
        }
        // unroll
        for (var n = 0u; n < FOURS; n++) { states[(b * (HOPS + 1u) + k + 1u) * FOURS + n] = u[n]; }
    }
    logits[b * VOCABULARY] = 0.0; // of no word
    for (var v = 1u; v < VOCABULARY; v++) {
        let row = LAST / 4u + v * FOURS;
        var products = vec4<f32>();
        // unroll
        for (var n = 0u; n < FOURS; n++) { products += u[n] * embedding[row + n]; }
        logits[b * VOCABULARY + v] = total(products);
    }
}
