// factor = min(1, limit / |g|) from the partial sums of squares of all gradients (Pascanu 2013).
// Grid: one workgroup. Shared: 8 WORKGROUP bytes.
// use: common/reduce

struct Params { count: u32, limit: f32 }
@group(0) @binding(0) var<storage, read_write> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> factor: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) lid: u32) {
    var sum = 0.0;
    for (var i = lid; i < params.count; i += WORKGROUP) { sum += partial[i]; }
    let squares = sum_over_lanes(sum, lid, WORKGROUP);
    if lid == 0u {
        let norm = sqrt(squares);
        factor[0] = select(1.0, params.limit / norm, norm > params.limit);
    }
}
