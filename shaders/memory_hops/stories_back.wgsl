// backward.wgsl with a story an invocation, as in stories.wgsl.
// Grid: one invocation per story, LANES per workgroup. Shared: 8 LANES M bytes, of which each invocation has its own.

const BATCH: u32 = 32u; // B
const VOCABULARY: u32 = 22u; // V
const LAST: u32 = 1344u; // first element of the last table
const M: u32 = 10u; // sentences
const HOPS: u32 = 3u;
const LINEAR: bool = false;
const LANES: u32 = 8u;
const FOURS: u32 = 5u; // d / 4

@group(0) @binding(0) var<storage, read> d_logits: array<f32>;
@group(0) @binding(1) var<storage, read> memories: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> embedding: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> attention: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_asked: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> d_memories: array<vec4<f32>>;

var<workgroup> dp: array<f32, LANES * M>;
var<workgroup> kept: array<f32, LANES * M>; // ds of the hop behind

fn total(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = id.x;
    if b >= BATCH { return; }
    var du: array<vec4<f32>, FOURS>;
    var before: array<vec4<f32>, FOURS>; // du of the hop before
    // unroll
    for (var n = 0u; n < FOURS; n++) { du[n] = vec4<f32>(); }
    for (var v = 1u; v < VOCABULARY; v++) {
        let row = LAST / 4u + v * FOURS;
        let d = d_logits[b * VOCABULARY + v];
        // unroll
        for (var n = 0u; n < FOURS; n++) { du[n] += d * embedding[row + n]; }
    }
    for (var i = 0u; i < M; i++) { kept[i * LANES + lid] = 0.0; }
    for (var back = 0u; back < HOPS; back++) {
        let k = HOPS - 1u - back;
        let m = (k * BATCH + b) * M * FOURS;
        let c = ((k + 1u) * BATCH + b) * M * FOURS;
        let behind = (b * (HOPS + 1u) + k + 1u) * FOURS;
        let shares = (b * HOPS + k) * M;
        // unroll
        for (var n = 0u; n < FOURS; n++) { before[n] = du[n]; }
        var mean = 0.0;
        for (var i = 0u; i < M; i++) {
            let p = attention[shares + i];
            let later = kept[i * LANES + lid];
            var products = vec4<f32>();
            // unroll
            for (var n = 0u; n < FOURS; n++) {
                products += du[n] * memories[c + i * FOURS + n];
                d_memories[c + i * FOURS + n] = p * du[n] + later * states[behind + n];
            }
            let sum = total(products);
            dp[i * LANES + lid] = sum;
            mean += p * sum;
        }
        for (var i = 0u; i < M; i++) {
            var ds = dp[i * LANES + lid];
            if !LINEAR { ds = attention[shares + i] * (ds - mean); }
            kept[i * LANES + lid] = ds;
            // unroll
            for (var n = 0u; n < FOURS; n++) { before[n] += ds * memories[m + i * FOURS + n]; }
        }
        // unroll
        for (var n = 0u; n < FOURS; n++) { du[n] = before[n]; }
    }
    let first = b * (HOPS + 1u) * FOURS;
    for (var i = 0u; i < M; i++) {
        let ds = kept[i * LANES + lid];
        // unroll
        for (var n = 0u; n < FOURS; n++) { d_memories[(b * M + i) * FOURS + n] = ds * states[first + n]; }
    }
    // unroll
    for (var n = 0u; n < FOURS; n++) { d_asked[b * FOURS + n] = du[n]; }
}
