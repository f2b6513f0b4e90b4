// factor = min(1, limit / |g|) from the partial sums of squares of all gradients (Pascanu 2013).
// Grid: one workgroup. Shared: 256 bytes.

struct Params { count: u32, limit: f32 }
@group(0) @binding(0) var<storage, read_write> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> factor: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32) {
    var sum = 0.0;
    for (var i = lid; i < params.count; i += 64u) { sum += partial[i]; }
    sums[lid] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid < half { sums[lid] += sums[lid + half]; }
    }
    if lid == 0u {
        let norm = sqrt(sums[0]);
        factor[0] = select(1.0, params.limit / norm, norm > params.limit);
    }
}
