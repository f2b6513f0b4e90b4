// backward.wgsl with a story an invocation, as in stories.wgsl: what reaches u lies in d_asked until the first hop is done.
// Grid: one invocation per story, LANES per workgroup, folded into two dimensions. Shared: 8 LANES M bytes, of which each
// invocation has its own.

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

@group(0) @binding(0) var<storage, read> d_logits: array<f32>;
@group(0) @binding(1) var<storage, read> memories: array<T>;
@group(0) @binding(2) var<storage, read> embedding: array<T>;
@group(0) @binding(3) var<storage, read> states: array<T>;
@group(0) @binding(4) var<storage, read> attention: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_asked: array<T>;
@group(0) @binding(6) var<storage, read_write> d_memories: array<T>;

var<workgroup> dp: array<f32, LANES * M>;
var<workgroup> kept: array<f32, LANES * M>; // ds of the hop behind

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let b = (wid.y * groups.x + wid.x) * LANES + lid;
    if b >= BATCH { return; }
    // No constants and nothing that Mesa knows a bound of: it would unroll these loops and those around them. z is 0.
    let sentences = M + wid.z;
    let words = VOCABULARY + wid.z;
    let du = b * ROW;
    for (var n = 0u; n < ROW; n++) {
        var sum = T();
        for (var v = 1u; v < words; v++) {
            sum += d_logits[b * VOCABULARY + v] * embedding[LAST / WIDTH + v * ROW + n];
        }
        d_asked[du + n] = sum;
    }
    for (var i = 0u; i < sentences; i++) { kept[i * LANES + lid] = 0.0; }
    for (var back = 0u; back < HOPS; back++) {
        let k = HOPS - 1u - back;
        let m = (k * BATCH + b) * M * ROW;
        let c = ((k + 1u) * BATCH + b) * M * ROW;
        let behind = (b * (HOPS + 1u) + k + 1u) * ROW;
        let shares = (b * HOPS + k) * M;
        var mean = 0.0;
        for (var i = 0u; i < sentences; i++) {
            let p = attention[shares + i];
            let later = kept[i * LANES + lid];
            var products = T();
            for (var n = 0u; n < ROW; n++) {
                let d = d_asked[du + n];
                products += d * memories[c + i * ROW + n];
                d_memories[c + i * ROW + n] = p * d + later * states[behind + n];
            }
            let sum = total(products);
            dp[i * LANES + lid] = sum;
            mean += p * sum;
        }
        for (var i = 0u; i < sentences; i++) {
            var ds = dp[i * LANES + lid];
            if !LINEAR { ds = attention[shares + i] * (ds - mean); }
            kept[i * LANES + lid] = ds;
        }
        for (var n = 0u; n < ROW; n++) {
            var sum = d_asked[du + n];
            for (var i = 0u; i < sentences; i++) { sum += kept[i * LANES + lid] * memories[m + i * ROW + n]; }
            d_asked[du + n] = sum;
        }
    }
    let first = b * (HOPS + 1u) * ROW;
    for (var i = 0u; i < sentences; i++) {
        let ds = kept[i * LANES + lid];
        for (var n = 0u; n < ROW; n++) { d_memories[(b * M + i) * ROW + n] = ds * states[first + n]; }
    }
}
