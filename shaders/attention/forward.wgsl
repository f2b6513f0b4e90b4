// Additive attention (Bahdanau 2015, appendix A.1.2) of a query over S positions:
//   score[s] = v . tanh(keys[b, s] + query[b, t]), a = softmax(score), context = sum over s of a[s] memory[b, s]
// keys, memory [B, S, H], query [B, T, H], shares a [B, T, S]; a context's row begins at
// CONTEXT + (b ROWS + t) PITCH vec4s of its tensor.
// Grid: [B, queries]; LANES_PER_ROW invocations share a score. Shared: 4 S (LANES_PER_ROW + 1) bytes.

const COLUMNS: u32 = 8u; // H / 4
const S: u32 = 5u;
const T: u32 = 10u;
const LANES: u32 = 64u;
const LANES_PER_ROW: u32 = 8u;
const CONTEXT: u32 = 0u;
const ROWS: u32 = 10u;
const PITCH: u32 = 8u;
const LOWEST: f32 = -3.4028234e38;

struct Params { step: u32 } // of the first query
@group(0) @binding(0) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> memory: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> shares: array<f32>;
@group(0) @binding(5) var<storage, read_write> context: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> parts: array<f32, S * LANES_PER_ROW>;
var<workgroup> score: array<f32, S>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = wid.x;
    let bt = b * T + params.step + wid.y;
    for (var i = lid; i < S * LANES_PER_ROW; i += LANES) {
        let at = (b * S + i / LANES_PER_ROW) * COLUMNS;
        var sum = 0.0;
        for (var n = i % LANES_PER_ROW; n < COLUMNS; n += LANES_PER_ROW) {
            let x = clamp(keys[at + n] + query[bt * COLUMNS + n], vec4<f32>(-15.0), vec4<f32>(15.0));
            sum += dot(v[n], tanh(x));
        }
        parts[i] = sum;
    }
    workgroupBarrier();
    for (var s = lid; s < S; s += LANES) {
        var sum = 0.0;
        for (var k = 0u; k < LANES_PER_ROW; k++) { sum += parts[s * LANES_PER_ROW + k]; }
        score[s] = sum;
    }
    workgroupBarrier();
    var highest = LOWEST;
    for (var s = 0u; s < S; s++) { highest = max(highest, score[s]); }
    var total = 0.0;
    for (var s = 0u; s < S; s++) { total += exp(score[s] - highest); }
    for (var s = lid; s < S; s += LANES) { shares[bt * S + s] = exp(score[s] - highest) / total; }
    for (var n = lid; n < COLUMNS; n += LANES) {
        var sum = vec4<f32>(0.0);
        for (var s = 0u; s < S; s++) { sum += exp(score[s] - highest) / total * memory[(b * S + s) * COLUMNS + n]; }
        context[CONTEXT + (b * ROWS + params.step + wid.y) * PITCH + n] = sum;
    }
}
