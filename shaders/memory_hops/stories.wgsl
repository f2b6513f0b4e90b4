// forward.wgsl with a story an invocation, for adapters that compute on a CPU: no lane waits for another, there is no
// barrier, and values are read a vector at a time. What a story has made lies in the outputs, its own to read again:
// arrays in registers would have to be unrolled, and lavapipe takes ten times as long to compile that and longer to run it.
// Grid: one invocation per story, LANES per workgroup, folded into two dimensions.

// hook: lanes
// use: common/lanes1
// end

const D: u32 = 20u; // d
const BATCH: u32 = 32u; // B
const VOCABULARY: u32 = 22u; // V
const LAST: u32 = 1344u; // first element of the last table
const M: u32 = 10u; // sentences
const HOPS: u32 = 3u;
const LINEAR: bool = false;
const LANES: u32 = 8u;
const ROW: u32 = D / WIDTH; // vectors of a sentence
const LOWEST: f32 = -3.4028234e38;

@group(0) @binding(0) var<storage, read> asked: array<T>;
@group(0) @binding(1) var<storage, read> memories: array<T>;
@group(0) @binding(2) var<storage, read> embedding: array<T>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
@group(0) @binding(4) var<storage, read_write> states: array<T>; // u [B, HOPS + 1, d]
@group(0) @binding(5) var<storage, read_write> attention: array<f32>; // p [B, HOPS, M]

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let b = (wid.y * groups.x + wid.x) * LANES + lid;
    if b >= BATCH { return; }
    // No constants and nothing that Mesa knows a bound of: it would unroll these loops and those around them. z is 0.
    let sentences = M + wid.z;
    let words = VOCABULARY + wid.z;
    var u = b * (HOPS + 1u) * ROW;
    for (var n = 0u; n < ROW; n++) { states[u + n] = asked[b * ROW + n]; }
    for (var k = 0u; k < HOPS; k++) {
        let p = (b * HOPS + k) * M;
        var highest = LOWEST;
        for (var i = 0u; i < sentences; i++) {
            let m = ((k * BATCH + b) * M + i) * ROW;
            var products = T();
            for (var n = 0u; n < ROW; n++) { products += states[u + n] * memories[m + n]; }
            let score = total(products);
            attention[p + i] = score;
            highest = max(highest, score);
        }
        if !LINEAR {
            var sum = 0.0;
            for (var i = 0u; i < sentences; i++) {
                let e = exp(attention[p + i] - highest);
                attention[p + i] = e;
                sum += e;
            }
            for (var i = 0u; i < sentences; i++) { attention[p + i] /= sum; }
        }
        let c = ((k + 1u) * BATCH + b) * M * ROW;
        for (var n = 0u; n < ROW; n++) {
            var next = states[u + n];
            for (var i = 0u; i < sentences; i++) { next += attention[p + i] * memories[c + i * ROW + n]; }
            states[u + ROW + n] = next;
        }
        u += ROW;
    }
    logits[b * VOCABULARY] = 0.0; // of no word
    for (var v = 1u; v < words; v++) {
        let row = LAST / WIDTH + v * ROW;
        var products = T();
        for (var n = 0u; n < ROW; n++) { products += states[u + n] * embedding[row + n]; }
        logits[b * VOCABULARY + v] = total(products);
    }
}
