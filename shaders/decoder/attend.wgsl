// What a decoder's step ends with: its query, kept for the backward pass with the shares, and the context that it finds,
// which is seen from outside beside h of the last layer.
// Grid: [B].
// use: decoder/query

struct Params { step: u32 }
@group(0) @binding(5) var<storage, read_write> queries: array<vec4<f32>>; // [B, T, H]
@group(0) @binding(6) var<storage, read_write> shares: array<f32>;        // [B, T, S]
@group(0) @binding(7) var<storage, read_write> seen: array<vec4<f32>>;    // [B, T, 2H]
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = wid.x;
    let t = params.step;
    let bt = b * T + t;
    let row = context_row(b, t);
    ask(b, lid);
    for (var n = lid; n < COLUMNS; n += LANES) {
        queries[bt * COLUMNS + n] = asked[n];
        seen[bt * 2u * COLUMNS + n] = context[row - COLUMNS + n];
    }
    let total = weigh(b, row, lid);
    for (var s = lid; s < S; s += LANES) { shares[bt * S + s] = share(s, total); }
    for (var n = lid; n < COLUMNS; n += LANES) { seen[(bt * 2u + 1u) * COLUMNS + n] = asked[n]; }
}
