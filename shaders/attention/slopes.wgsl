// The gradient of attention with respect to the scores and the query, by a workgroup that has da in `score`:
//   dscore = a (da - sum of a da / sum of a),
//   dquery[n] = sum over s of dscore[s] v[n] (1 - x[s]^2), x[s] = tanh(keys[b, s, n] + query[n])
// Both are differences between positions that resemble each other, above all at the start of training. So
// each is taken relative to position 0 before anything is summed: da from memory[s] - memory[0], and, since
// dscore sums to 0, dquery from x[0]^2 - x[s]^2 = (x[0] - x[s]) (x[0] + x[s]).
// LANES_PER_ROW invocations share a da and GROUPS a column of dquery, each with AHEAD loads under way at once.
// Shared: 4 S (LANES_PER_ROW + 2) bytes, and 16 LANES where sums are shared.

const COLUMNS: u32 = 8u; // H / 4
const S: u32 = 5u;
const T: u32 = 10u;
const LANES: u32 = 64u;
const LANES_PER_ROW: u32 = 8u;
const AHEAD: u32 = 8u;
const GROUPS: u32 = select(1u, max(LANES / COLUMNS, 1u), LANES_PER_ROW > 1u);

@group(0) @binding(0) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> shares: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_query: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> d_score: array<f32>;

var<workgroup> parts: array<f32, S * LANES_PER_ROW>;
var<workgroup> score: array<f32, S>;
var<workgroup> taken: array<f32, S>;
var<workgroup> partial: array<vec4<f32>, select(1u, LANES, LANES_PER_ROW > 1u)>;

// What those that share a da have of it.
fn in_all(s: u32) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < LANES_PER_ROW; k++) { sum += parts[s * LANES_PER_ROW + k]; }
    return sum;
}

// tanh that no driver overflows in.
fn squashed(x: vec4<f32>) -> vec4<f32> { return tanh(clamp(x, vec4<f32>(-15.0), vec4<f32>(15.0))); }

// The shares, for `spread`; a barrier follows before that.
fn take(bt: u32, lid: u32) {
    for (var s = lid; s < S; s += LANES) { taken[s] = shares[bt * S + s]; }
}

fn spread(b: u32, bt: u32, lid: u32) {
    for (var s = lid; s < S; s += LANES) {
        var mean = 0.0;
        var whole = 0.0;
        for (var i = 0u; i < S; i++) {
            mean += taken[i] * score[i];
            whole += taken[i];
        }
        let slope = taken[s] * (score[s] - mean / whole);
        parts[s] = slope;
        d_score[bt * S + s] = slope;
    }
    workgroupBarrier();
    for (var i = lid; i < GROUPS * COLUMNS; i += LANES) {
        let n = i % COLUMNS;
        let q = query[bt * COLUMNS + n];
        let start = squashed(keys[b * S * COLUMNS + n] + q);
        var sum = vec4<f32>(0.0);
        for (var first = i / COLUMNS; first < S; first += AHEAD * GROUPS) {
            var key: array<vec4<f32>, AHEAD>;
            // unroll
            for (var j = 0u; j < AHEAD; j++) { key[j] = keys[(b * S + min(first + j * GROUPS, S - 1u)) * COLUMNS + n]; }
            // unroll
            for (var j = 0u; j < AHEAD; j++) {
                let x = squashed(key[j] + q);
                let s = first + j * GROUPS;
                sum += select(0.0, parts[min(s, S - 1u)], s < S) * (start - x) * (start + x);
            }
        }
        if GROUPS == 1u { d_query[bt * COLUMNS + n] = v[n] * sum; } else { partial[i] = sum; }
    }
    if GROUPS > 1u {
        workgroupBarrier();
        for (var n = lid; n < COLUMNS; n += LANES) {
            var sum = partial[n];
            for (var g = 1u; g < GROUPS; g++) { sum += partial[g * COLUMNS + n]; }
            d_query[bt * COLUMNS + n] = v[n] * sum;
        }
    }
}
