// What a step that chooses a word ends with: its query, the context that it finds, and the output
// [h of the last layer; context] W + bias. What h gives are parts of a sum, after the query's; what the context gives is a sum over
// positions, as the context is, of the memory after its share of W: projected [B, S, H].
// Grid: [B].
// use: decoder/query

struct Params { step: u32 }
@group(0) @binding(5) var<storage, read> projected: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> output_bias: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> out: array<vec4<f32>>; // [B, H]
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = wid.x;
    ask(b, lid);
    let total = weigh(b, context_row(b, params.step), lid);
    if GROUPS > 1u { workgroupBarrier(); }
    for (var i = lid; i < GROUPS * COLUMNS; i += LANES) {
        let n = i % COLUMNS;
        var sum = vec4<f32>(0.0);
        for (var first = i / COLUMNS; first < S; first += AHEAD * GROUPS) {
            var value: array<vec4<f32>, AHEAD>;
            // unroll
            for (var j = 0u; j < AHEAD; j++) { value[j] = projected[(b * S + min(first + j * GROUPS, S - 1u)) * COLUMNS + n]; }
            // unroll
            for (var j = 0u; j < AHEAD; j++) { sum += exponential(first + j * GROUPS) * value[j]; }
        }
        sum = sum / total + sum_of_parts(PARTS * BATCH + b, n, i / COLUMNS);
        if GROUPS == 1u { out[b * COLUMNS + n] = sum + output_bias[n]; } else { partial[i] = sum; }
    }
    if GROUPS > 1u {
        workgroupBarrier();
        for (var n = lid; n < COLUMNS; n += LANES) { out[b * COLUMNS + n] = sum_of_groups(n) + output_bias[n]; }
    }
}
