// The gradient of attention with respect to the scores and the query, by a workgroup that has da in `score`:
//   dscore = a (da - sum of a da / sum of a),
//   dquery[n] = sum over s of dscore[s] v[n] (1 - x[s]^2), x[s] = tanh(keys[b, s, n] + query[n])
// Both are differences between positions that resemble each other, above all at the start of training. So
// each is taken relative to position 0 before anything is summed: da from memory[s] - memory[0], and, since
// dscore sums to 0, dquery from x[0]^2 - x[s]^2 = (x[0] - x[s]) (x[0] + x[s]).
// LANES_PER_ROW invocations share a da. Shared: 4 S (LANES_PER_ROW + 1) bytes.

const COLUMNS: u32 = 8u; // H / 4
const S: u32 = 5u;
const T: u32 = 10u;
const LANES: u32 = 64u;
const LANES_PER_ROW: u32 = 8u;

@group(0) @binding(0) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> shares: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_query: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> d_score: array<f32>;

var<workgroup> parts: array<f32, S * LANES_PER_ROW>;
var<workgroup> score: array<f32, S>;

// What those that share a da have of it.
fn in_all(s: u32) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < LANES_PER_ROW; k++) { sum += parts[s * LANES_PER_ROW + k]; }
    return sum;
}

// tanh that no driver overflows in.
fn squashed(x: vec4<f32>) -> vec4<f32> { return tanh(clamp(x, vec4<f32>(-15.0), vec4<f32>(15.0))); }

fn spread(b: u32, bt: u32, lid: u32) {
    var mean = 0.0;
    var whole = 0.0;
    for (var s = 0u; s < S; s++) {
        mean += shares[bt * S + s] * score[s];
        whole += shares[bt * S + s];
    }
    mean /= whole;
    for (var s = lid; s < S; s += LANES) { d_score[bt * S + s] = shares[bt * S + s] * (score[s] - mean); }
    for (var n = lid; n < COLUMNS; n += LANES) {
        let q = query[bt * COLUMNS + n];
        let first = squashed(keys[b * S * COLUMNS + n] + q);
        var sum = vec4<f32>(0.0);
        for (var s = 1u; s < S; s++) {
            let x = squashed(keys[(b * S + s) * COLUMNS + n] + q);
            sum += shares[bt * S + s] * (score[s] - mean) * (first - x) * (first + x);
        }
        d_query[bt * COLUMNS + n] = v[n] * sum;
    }
}
