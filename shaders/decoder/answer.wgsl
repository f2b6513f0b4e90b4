// What a step that chooses a word ends with: its query, the context that it finds, and the output
// [h of the last layer; context] W + bias.
// Grid: [B / QUERIES].
// use: decoder/query

struct Params { step: u32 }
@group(0) @binding(5) var<storage, read> output_weights: array<vec4<f32>>; // [2H, H]
@group(0) @binding(6) var<storage, read> output_bias: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> out: array<vec4<f32>>; // [B, H]
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let first = wid.x * QUERIES;
    let t = params.step;
    ask(first, t, lid);
    for (var q = 0u; q < QUERIES && first + q < BATCH; q++) {
        weigh(first + q, context_row(first + q, t), q, lid);
        workgroupBarrier();
    }
    storageBarrier();
    for (var base = 0u; base < COLUMNS; base += COLUMNS_EACH) {
        let n = base + lid % COLUMNS_EACH;
        let own = min(n, COLUMNS - 1u);
        var sum: array<vec4<f32>, QUERIES>;
        // unroll
        for (var q = 0u; q < QUERIES; q++) { sum[q] = vec4<f32>(0.0); }
        for (var k = lid / COLUMNS_EACH; k < 2u * COLUMNS; k += SPLIT) {
            let at = 4u * k * COLUMNS + own;
            let w0 = output_weights[at]; let w1 = output_weights[at + COLUMNS];
            let w2 = output_weights[at + 2u * COLUMNS]; let w3 = output_weights[at + 3u * COLUMNS];
            // unroll
            for (var q = 0u; q < QUERIES; q++) {
                let a = context[row_of(first, q, t) - COLUMNS + k];
                sum[q] += a.x * w0 + a.y * w1 + a.z * w2 + a.w * w3;
            }
        }
        // unroll
        for (var q = 0u; q < QUERIES; q++) {
            let total = in_all(sum[q], lid);
            if lid < COLUMNS_EACH && n < COLUMNS && first + q < BATCH {
                out[(first + q) * COLUMNS + n] = total + output_bias[own];
            }
        }
    }
}
