// The gradients of forward.wgsl with respect to the question and the memories, from the last hop to the
// first. With du what reaches u[k + 1]:
//   dp[i] = du . m[k + 1][i], ds = p (dp - sum of p dp), or dp where LINEAR
//   dm[k + 1][i] gets p[i] du, dm[k][i] gets ds[i] u[k], and u[k] gets du + sum over i of ds[i] m[k][i]
// A table between two hops gets both, and is written once: what it gets from the later hop is kept.
// Grid: one workgroup per story, folded into two dimensions. Shared: 4 (2 D + 3 M) bytes.

const D: u32 = 20u; // d
const BATCH: u32 = 32u; // B
const VOCABULARY: u32 = 22u; // V
const LAST: u32 = 1344u; // first element of the last table
const M: u32 = 10u; // sentences
const HOPS: u32 = 3u;
const LINEAR: bool = false;
const LANES: u32 = 64u;

@group(0) @binding(0) var<storage, read> d_logits: array<f32>;
@group(0) @binding(1) var<storage, read> memories: array<f32>;
@group(0) @binding(2) var<storage, read> embedding: array<f32>;
@group(0) @binding(3) var<storage, read> states: array<f32>;
@group(0) @binding(4) var<storage, read> attention: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_asked: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_memories: array<f32>;

var<workgroup> du: array<f32, D>;
var<workgroup> p: array<f32, M>;
var<workgroup> dp: array<f32, M>;
var<workgroup> kept: array<f32, M>; // ds of the hop behind

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let b = wid.y * groups.x + wid.x;
    if b >= BATCH { return; }
    for (var n = lid; n < D; n += LANES) {
        var sum = 0.0;
        for (var v = 1u; v < VOCABULARY; v++) {
            sum += d_logits[b * VOCABULARY + v] * embedding[LAST + v * D + n];
        }
        du[n] = sum;
    }
    for (var i = lid; i < M; i += LANES) { kept[i] = 0.0; }
    workgroupBarrier();
    for (var back = 0u; back < HOPS; back++) {
        let k = HOPS - 1u - back;
        let m = (k * BATCH + b) * M * D;
        let c = ((k + 1u) * BATCH + b) * M * D;
        let behind = (b * (HOPS + 1u) + k + 1u) * D;
        for (var i = lid; i < M; i += LANES) {
            p[i] = attention[(b * HOPS + k) * M + i];
            var sum = 0.0;
            for (var n = 0u; n < D; n++) { sum += du[n] * memories[c + i * D + n]; }
            dp[i] = sum;
        }
        workgroupBarrier();
        for (var at = lid; at < M * D; at += LANES) {
            d_memories[c + at] = p[at / D] * du[at % D] + kept[at / D] * states[behind + at % D];
        }
        var mean = 0.0;
        if !LINEAR {
            for (var i = 0u; i < M; i++) { mean += p[i] * dp[i]; }
        }
        workgroupBarrier();
        for (var i = lid; i < M; i += LANES) {
            if LINEAR { kept[i] = dp[i]; } else { kept[i] = p[i] * (dp[i] - mean); }
        }
        workgroupBarrier();
        for (var n = lid; n < D; n += LANES) {
            var sum = 0.0;
            for (var i = 0u; i < M; i++) { sum += kept[i] * memories[m + i * D + n]; }
            du[n] += sum;
        }
        workgroupBarrier();
    }
    let first = b * (HOPS + 1u) * D;
    for (var at = lid; at < M * D; at += LANES) {
        d_memories[b * M * D + at] = kept[at / D] * states[first + at % D];
    }
    for (var n = lid; n < D; n += LANES) { d_asked[b * D + n] = du[n]; }
}
