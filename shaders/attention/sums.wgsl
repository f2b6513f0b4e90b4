// The gradients of attention that add up over all queries of a sequence:
//   dkeys[b, s, n] = sum over t of dscore[b, t, s] v[n] (1 - x^2), (b, s)'s share of dv = sum over t of
//   dscore[b, t, s] x, with x = tanh(keys[b, s, n] + query[b, t, n]).
// Grid: one invocation per vec4 of keys, 64 per workgroup, folded into two dimensions.

const COLUMNS: u32 = 8u; // H / 4
const BATCH: u32 = 4u;
const S: u32 = 5u;
const T: u32 = 10u;

@group(0) @binding(0) var<storage, read> d_score: array<f32>;
@group(0) @binding(1) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> d_keys: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> d_v: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= BATCH * S * COLUMNS { return; }
    let n = i % COLUMNS;
    let s = i / COLUMNS % S;
    let b = i / COLUMNS / S;
    let key = keys[i];
    var straight = vec4<f32>(0.0);
    var slope = vec4<f32>(0.0);
    for (var t = 0u; t < T; t++) {
        let x = tanh(clamp(key + query[(b * T + t) * COLUMNS + n], vec4<f32>(-15.0), vec4<f32>(15.0)));
        let d = d_score[(b * T + t) * S + s];
        straight += d * x;
        slope += d * (1.0 - x * x);
    }
    d_keys[i] = v[n] * slope;
    d_v[i] = straight;
}
