// Additive attention (Bahdanau 2015, appendix A.1.2) of a query over S positions, by a workgroup that has it in `asked`:
//   score[s] = v . tanh(keys[b, s] + query), a = softmax(score), context = sum over s of a[s] memory[b, s]
// keys, memory [B, S, H]; a context's row begins at CONTEXT + (b ROWS + t) PITCH vec4s of its tensor.
// LANES_PER_ROW invocations share a score and GROUPS a column of the context, each with AHEAD loads under way at once: one
// after the other each would wait for memory. On a CPU, which has nothing to wait for, all three are 1.
// Shared: 4 H + 4 S (LANES_PER_ROW + 1) bytes, and 16 LANES where sums are shared.

const COLUMNS: u32 = 8u; // H / 4
const S: u32 = 5u;
const T: u32 = 10u;
const LANES: u32 = 64u;
const LANES_PER_ROW: u32 = 8u;
const CONTEXT: u32 = 0u;
const ROWS: u32 = 10u;
const PITCH: u32 = 8u;
const LOWEST: f32 = -3.4028234e38;
const AHEAD: u32 = 8u;
const GROUPS: u32 = select(1u, max(LANES / COLUMNS, 1u), LANES_PER_ROW > 1u);

@group(0) @binding(0) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> memory: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> context: array<vec4<f32>>;

var<workgroup> asked: array<vec4<f32>, COLUMNS>;
var<workgroup> parts: array<f32, S * LANES_PER_ROW>;
var<workgroup> score: array<f32, S>;
var<workgroup> partial: array<vec4<f32>, select(1u, LANES, LANES_PER_ROW > 1u)>;

fn context_row(b: u32, t: u32) -> u32 { return CONTEXT + (b * ROWS + t) * PITCH; }

// What the invocations that share column n have of it.
fn sum_of_groups(n: u32) -> vec4<f32> {
    var sum = partial[n];
    for (var g = 1u; g < GROUPS; g++) { sum += partial[g * COLUMNS + n]; }
    return sum;
}

// The share of position s, times their sum; none beyond the last.
fn exponential(s: u32) -> f32 { return select(0.0, parts[min(s, S - 1u)], s < S); }

// Column n of the context, by the invocation that is to take it from there: n % LANES.
fn keep(row: u32, n: u32, x: vec4<f32>) {
    context[row + n] = x;
    asked[n] = x;
}

// Leaves the context at `row` and in place of the query, and returns the sum that makes shares of `parts`.
fn weigh(b: u32, row: u32, lid: u32) -> f32 {
    for (var i = lid; i < S * LANES_PER_ROW; i += LANES) {
        let at = (b * S + i / LANES_PER_ROW) * COLUMNS;
        var sum = 0.0;
        for (var first = i % LANES_PER_ROW; first < COLUMNS; first += AHEAD * LANES_PER_ROW) {
            var key: array<vec4<f32>, AHEAD>;
            // unroll
            for (var j = 0u; j < AHEAD; j++) { key[j] = keys[at + min(first + j * LANES_PER_ROW, COLUMNS - 1u)]; }
            // unroll
            for (var j = 0u; j < AHEAD; j++) {
                let n = min(first + j * LANES_PER_ROW, COLUMNS - 1u);
                let x = clamp(key[j] + asked[n], vec4<f32>(-15.0), vec4<f32>(15.0));
                sum += select(0.0, dot(v[n], tanh(x)), first + j * LANES_PER_ROW < COLUMNS);
            }
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
    for (var s = lid; s < S; s += LANES) {
        var highest = LOWEST;
        for (var i = 0u; i < S; i++) { highest = max(highest, score[i]); }
        parts[s] = exp(score[s] - highest);
    }
    workgroupBarrier();
    var total = 0.0;
    for (var s = 0u; s < S; s++) { total += parts[s]; }
    for (var i = lid; i < GROUPS * COLUMNS; i += LANES) {
        let n = i % COLUMNS;
        var sum = vec4<f32>(0.0);
        for (var first = i / COLUMNS; first < S; first += AHEAD * GROUPS) {
            var value: array<vec4<f32>, AHEAD>;
            // unroll
            for (var j = 0u; j < AHEAD; j++) { value[j] = memory[(b * S + min(first + j * GROUPS, S - 1u)) * COLUMNS + n]; }
            // unroll
            for (var j = 0u; j < AHEAD; j++) { sum += exponential(first + j * GROUPS) * value[j]; }
        }
        if GROUPS == 1u { keep(row, n, sum / total); } else { partial[i] = sum; }
    }
    if GROUPS > 1u {
        workgroupBarrier();
        for (var n = lid; n < COLUMNS; n += LANES) { keep(row, n, sum_of_groups(n) / total); }
    }
    return total;
}

// The share of position s.
fn share(s: u32, total: f32) -> f32 { return parts[s] / total; }
