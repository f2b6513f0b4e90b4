// sums[p] = the sum of rows[order[q]] over all q with the id of place p, where p is the first of its id; 0
// elsewhere. So each id's gradient appears once, and the squares add up to those of a dense gradient.
// T is f32, or vec4<f32> where rows are whole vec4s.
// Grid: one invocation per T of sums, 64 per workgroup, folded into two dimensions.

alias T = f32;
const COUNT: u32 = 72u; // N

struct Params { length: u32 } // Ts of a row
@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> rows: array<T>;
@group(0) @binding(3) var<storage, read_write> sums: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= COUNT * params.length { return; }
    let p = i / params.length;
    let n = i % params.length;
    let own = ids[order[p]];
    var sum = T(0.0);
    if p == 0u || ids[order[max(p, 1u) - 1u]] != own {
        for (var q = p; q < COUNT; q++) {
            let at = order[q];
            if ids[at] != own { break; }
            sum += rows[at * params.length + n];
        }
    }
    sums[i] = sum;
}
