// The gradient of forward.wgsl with respect to the scores and the query, from that of the contexts [B, T, H]:
//   da[s] = dcontext . (memory[b, s] - memory[b, 0])
// Grid: [B, queries].
// use: attention/slopes

struct Params { step: u32 } // of the first query
@group(0) @binding(6) var<storage, read> memory: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> d_context: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = wid.x;
    let bt = b * T + params.step + wid.y;
    let first = b * S * COLUMNS;
    take(bt, lid);
    for (var i = lid; i < S * LANES_PER_ROW; i += LANES) {
        let at = first + i / LANES_PER_ROW * COLUMNS;
        var sum = 0.0;
        for (var n = i % LANES_PER_ROW; n < COLUMNS; n += LANES_PER_ROW) {
            sum += dot(d_context[bt * COLUMNS + n], memory[at + n] - memory[first + n]);
        }
        parts[i] = sum;
    }
    workgroupBarrier();
    for (var s = lid; s < S; s += LANES) { score[s] = in_all(s); }
    workgroupBarrier();
    spread(b, bt, lid);
}
