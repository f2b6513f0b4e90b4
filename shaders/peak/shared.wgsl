// The ceiling of workgroup memory: each invocation reads a vector a turn, neighbours side by side, four chains of
// x = x / 2 + tile[..]. What is read depends on the turn, so that nothing can stay in registers.
// Grid: one invocation per output, 64 per workgroup. Shared: 4 KiB.

struct Params { loops: u32 }
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> tile: array<vec4<f32>, 256>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    for (var k = lid; k < 256u; k += 64u) { tile[k] = vec4<f32>(f32(k)); }
    workgroupBarrier();
    var x: array<vec4<f32>, 4>;
    // unroll
    for (var c = 0u; c < 4u; c++) { x[c] = vec4<f32>(0.0); }
    for (var turn = 0u; turn < params.loops; turn++) {
        // unroll
        for (var c = 0u; c < 4u; c++) {
            x[c] = fma(x[c], vec4<f32>(0.5), tile[(lid + 64u * c + turn) & 255u]);
        }
    }
    var sum = vec4<f32>(0.0);
    // unroll
    for (var c = 0u; c < 4u; c++) { sum += x[c]; }
    if i < arrayLength(&y) { y[i] = sum.x + sum.y + sum.z + sum.w; }
}
