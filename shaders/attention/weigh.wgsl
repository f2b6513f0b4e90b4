// The context that a query finds, sum over s of a[s] memory[b, s].
// memory [B, S, H]; a context's row begins at CONTEXT + (b ROWS + t) PITCH vec4s of its tensor. GROUPS invocations share a column.
// use: attention/scores

const CONTEXT: u32 = 0u;
const ROWS: u32 = 10u;
const PITCH: u32 = 8u;

@group(0) @binding(2) var<storage, read> memory: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> context: array<vec4<f32>>;

fn context_row(b: u32, t: u32) -> u32 { return CONTEXT + (b * ROWS + t) * PITCH; }

// Leaves the context at `row`, and returns the sum that makes shares of `parts`.
fn weigh(b: u32, row: u32, lid: u32) -> f32 {
    let total = attend(b, lid);
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
        if GROUPS == 1u { context[row + n] = sum / total; } else { partial[i] = sum; }
    }
    if GROUPS > 1u {
        workgroupBarrier();
        for (var n = lid; n < COLUMNS; n += LANES) { context[row + n] = sum_of_groups(n) / total; }
    }
    return total;
}
