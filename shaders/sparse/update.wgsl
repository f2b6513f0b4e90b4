// table[id] -= rate * scale * sums[p] at the first place p of each id: the rows of a step, and no others.
// T is f32, or vec4<f32> where rows are whole vec4s.
// Grid: one invocation per T of sums, 64 per workgroup, folded into two dimensions.

alias T = f32;

struct Params { total: u32, length: u32, rows: u32, rate: f32 }
@group(0) @binding(0) var<storage, read> scale: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> sums: array<T>;
@group(0) @binding(4) var<storage, read_write> table: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.total { return; }
    let p = i / params.length;
    let own = ids[order[p]];
    if own >= params.rows { return; }
    if p == 0u || ids[order[max(p, 1u) - 1u]] != own {
        table[own * params.length + i % params.length] -= params.rate * scale[0] * sums[i];
    }
}
