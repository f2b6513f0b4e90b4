// The dense gradient of a table from its sums: a row's id is found among the sorted ids by bisection.
// Grid: one invocation per element, 64 per workgroup, folded into two dimensions.

const COUNT: u32 = 72u; // N

struct Params { total: u32, length: u32 }
@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> dense: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.total { return; }
    let row = i / params.length;
    var low = 0u;
    var high = COUNT;
    for (var step = 0u; step < 32u; step++) {
        if low < high {
            let middle = (low + high) / 2u;
            if ids[order[middle]] < row { low = middle + 1u; } else { high = middle; }
        }
    }
    var value = 0.0;
    if low < COUNT {
        if ids[order[low]] == row { value = sums[low * params.length + i % params.length]; }
    }
    dense[i] = value;
}
