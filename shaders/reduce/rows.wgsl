// y[o] = scale * sum over r of x[o, r].
// Grid: one workgroup a row. Shared: 256 bytes.

struct Params { outer: u32, length: u32, inner: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let row = wid.y * groups.x + wid.x;
    if row >= params.outer { return; }
    var sum = 0.0;
    for (var r = lid; r < params.length; r += 64u) {
        sum += x[row * params.length + r];
    }
    partial[lid] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid < half { partial[lid] += partial[lid + half]; }
    }
    if lid == 0u { y[row] = partial[0] * params.scale; }
}
