// y[i] = table[ids[i]]: rows of LENGTH Ts; an id past the table takes its last row.
// T is f32, or vec4<f32> where rows are whole vec4s.
// Grid: one invocation per T of y, 64 per workgroup, folded into two dimensions.

alias T = f32;

struct Params { total: u32, length: u32, rows: u32 }
@group(0) @binding(0) var<storage, read> table: array<T>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.total { return; }
    y[i] = table[min(ids[i / params.length], params.rows - 1u) * params.length + i % params.length];
}
