// The gradient of attend.wgsl with respect to the scores and the query. A context goes out, and da of that lies in
// d_score already; and it goes to the first cell a step later, through the product of two weights. What the memory, less
// its position 0, is after that product has been made for all steps: projected [B, S, 4H].
// d_gates [L, B, T, 4H], of which the first layer's are read.
// Grid: [B].
// use: attention/slopes

struct Params { step: u32 }
@group(0) @binding(6) var<storage, read> projected: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> d_gates: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = wid.x;
    let bt = b * T + params.step;
    take(bt, lid);
    if params.step + 1u < T {
        let later = (bt + 1u) * 4u * COLUMNS;
        for (var i = lid; i < S * LANES_PER_ROW; i += LANES) {
            let at = (b * S + i / LANES_PER_ROW) * 4u * COLUMNS;
            var sum = 0.0;
            for (var first = i % LANES_PER_ROW; first < 4u * COLUMNS; first += AHEAD * LANES_PER_ROW) {
                var d: array<vec4<f32>, AHEAD>;
                var x: array<vec4<f32>, AHEAD>;
                // unroll
                for (var j = 0u; j < AHEAD; j++) {
                    let n = min(first + j * LANES_PER_ROW, 4u * COLUMNS - 1u);
                    d[j] = d_gates[later + n];
                    x[j] = projected[at + n];
                }
                // unroll
                for (var j = 0u; j < AHEAD; j++) { sum += select(0.0, dot(d[j], x[j]), first + j * LANES_PER_ROW < 4u * COLUMNS); }
            }
            parts[i] = sum;
        }
    } else {
        for (var i = lid; i < S * LANES_PER_ROW; i += LANES) { parts[i] = 0.0; }
    }
    workgroupBarrier();
    for (var s = lid; s < S; s += LANES) { score[s] = d_score[bt * S + s] + in_all(s); }
    workgroupBarrier();
    spread(b, bt, lid);
}
