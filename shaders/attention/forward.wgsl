// Attention of given queries [B, T, H], with the shares a [B, T, S] for the backward pass.
// Grid: [B, queries].
// use: attention/weigh

struct Params { step: u32 } // of the first query
@group(0) @binding(4) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> shares: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let t = params.step + wid.y;
    let bt = wid.x * T + t;
    for (var n = lid; n < COLUMNS; n += LANES) { asked[n] = query[bt * COLUMNS + n]; }
    workgroupBarrier();
    let total = weigh(wid.x, context_row(wid.x, t), lid);
    for (var s = lid; s < S; s += LANES) { shares[bt * S + s] = share(s, total); }
}
