// Ids rearranged. KIND 0: each row of LENGTH reversed. 1: each row shifted one place to the front, the
// last place 0. 2: `a`, then `b`.
// Grid: one invocation per id, 64 per workgroup, folded into two dimensions.

const KIND: u32 = 0u;

// total: ids to write; length: of a row; split: ids of `a`
struct Params { total: u32, length: u32, split: u32 }
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.total { return; }
    let t = i % params.length;
    if KIND == 0u {
        y[i] = a[i - t + params.length - 1u - t];
    } else if KIND == 1u {
        var id = 0u;
        if t + 1u < params.length { id = a[i + 1u]; }
        y[i] = id;
    } else {
        if i < params.split { y[i] = a[i]; } else { y[i] = b[i - params.split]; }
    }
}
