// The hops of a memory network over given memories (Sukhbaatar 2015, section 2), and the answer's logits,
// with adjacent weight tying: hop k matches against table k and takes from table k + 1, and the last table
// is the answer's weight. Word 0 is padding: its logit is 0.
//   p[k] = softmax(u[k] . m[k]), u[k + 1] = u[k] + sum over i of p[k][i] m[k + 1][i], logits = E u[HOPS]
// LINEAR leaves out the softmax (section 5, "linear start").
// Grid: one workgroup per story, folded into two dimensions. Shared: 4 (D + M) bytes.

const D: u32 = 20u; // d
const BATCH: u32 = 32u; // B
const VOCABULARY: u32 = 22u; // V
const LAST: u32 = 1344u; // first element of the last table
const M: u32 = 10u; // sentences
const HOPS: u32 = 3u;
const LINEAR: bool = false;
const LANES: u32 = 64u;
const LOWEST: f32 = -3.4028234e38;

@group(0) @binding(0) var<storage, read> asked: array<f32>;
@group(0) @binding(1) var<storage, read> memories: array<f32>;
@group(0) @binding(2) var<storage, read> embedding: array<f32>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
@group(0) @binding(4) var<storage, read_write> states: array<f32>; // u [B, HOPS + 1, d]
@group(0) @binding(5) var<storage, read_write> attention: array<f32>; // p [B, HOPS, M]

var<workgroup> u: array<f32, D>;
var<workgroup> p: array<f32, M>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let b = wid.y * groups.x + wid.x;
    if b >= BATCH { return; }
    for (var n = lid; n < D; n += LANES) {
        u[n] = asked[b * D + n];
        states[b * (HOPS + 1u) * D + n] = u[n];
    }
    workgroupBarrier();
    for (var k = 0u; k < HOPS; k++) {
        for (var i = lid; i < M; i += LANES) {
            let m = ((k * BATCH + b) * M + i) * D;
            var score = 0.0;
            for (var n = 0u; n < D; n++) { score += u[n] * memories[m + n]; }
            p[i] = score;
        }
        workgroupBarrier();
        if !LINEAR {
            var highest = LOWEST;
            for (var i = 0u; i < M; i++) { highest = max(highest, p[i]); }
            var sum = 0.0;
            for (var i = 0u; i < M; i++) { sum += exp(p[i] - highest); }
            workgroupBarrier();
            for (var i = lid; i < M; i += LANES) { p[i] = exp(p[i] - highest) / sum; }
            workgroupBarrier();
        }
        for (var i = lid; i < M; i += LANES) { attention[(b * HOPS + k) * M + i] = p[i]; }
        for (var n = lid; n < D; n += LANES) {
            let c = ((k + 1u) * BATCH + b) * M * D + n;
            var o = 0.0;
            for (var i = 0u; i < M; i++) { o += p[i] * memories[c + i * D]; }
            u[n] += o;
            states[(b * (HOPS + 1u) + k + 1u) * D + n] = u[n];
        }
        workgroupBarrier();
    }
    for (var v = lid; v < VOCABULARY; v += LANES) {
        let row = LAST + v * D;
        var logit = 0.0; // of no word
        if v > 0u {
            for (var n = 0u; n < D; n++) { logit += u[n] * embedding[row + n]; }
        }
        logits[b * VOCABULARY + v] = logit;
    }
}
