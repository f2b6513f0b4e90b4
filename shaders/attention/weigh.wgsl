// Additive attention (Bahdanau 2015, appendix A.1.2) of a query over S positions, by a workgroup that has it in `asked`:
// (there may be several, one after the other):
//   score[s] = v . tanh(keys[b, s] + query), a = softmax(score), context = sum over s of a[s] memory[b, s]
// keys, memory [B, S, H]; a context's row begins at CONTEXT + (b ROWS + t) PITCH vec4s of its tensor.
// LANES_PER_ROW invocations share a score. Shared: 4 H QUERIES + 4 S (LANES_PER_ROW + 1) bytes.

const COLUMNS: u32 = 8u; // H / 4
const S: u32 = 5u;
const T: u32 = 10u;
const LANES: u32 = 64u;
const LANES_PER_ROW: u32 = 8u;
const CONTEXT: u32 = 0u;
const ROWS: u32 = 10u;
const PITCH: u32 = 8u;
const QUERIES: u32 = 1u; // of a workgroup
const LOWEST: f32 = -3.4028234e38;

@group(0) @binding(0) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> memory: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> context: array<vec4<f32>>;

var<workgroup> asked: array<vec4<f32>, COLUMNS * QUERIES>;
var<workgroup> parts: array<f32, S * LANES_PER_ROW>;
var<workgroup> score: array<f32, S>;

fn context_row(b: u32, t: u32) -> u32 { return CONTEXT + (b * ROWS + t) * PITCH; }

// Stores the context of query q at `row`, and returns what makes shares of the scores.
fn weigh(b: u32, row: u32, q: u32, lid: u32) -> vec2<f32> {
    for (var i = lid; i < S * LANES_PER_ROW; i += LANES) {
        let at = (b * S + i / LANES_PER_ROW) * COLUMNS;
        var sum = 0.0;
        for (var n = i % LANES_PER_ROW; n < COLUMNS; n += LANES_PER_ROW) {
            let x = clamp(keys[at + n] + asked[q * COLUMNS + n], vec4<f32>(-15.0), vec4<f32>(15.0));
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
    for (var n = lid; n < COLUMNS; n += LANES) {
        var sum = vec4<f32>(0.0);
        for (var s = 0u; s < S; s++) { sum += exp(score[s] - highest) / total * memory[(b * S + s) * COLUMNS + n]; }
        context[row + n] = sum;
    }
    return vec2<f32>(highest, total);
}

// The share of position s.
fn share(s: u32, scale: vec2<f32>) -> f32 { return exp(score[s] - scale.x) / scale.y; }
