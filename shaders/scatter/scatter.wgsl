// dx[r, c] = dy[r] where c = index[r], else 0.
// Grid: one invocation per element of dx, 64 per workgroup, folded into two dimensions.

struct Params { rows: u32, length: u32 }
@group(0) @binding(0) var<storage, read> index: array<u32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>; // what load reads follows
@group(1) @binding(0) var<uniform> params: Params;

// hook: load
@group(0) @binding(2) var<storage, read> dy: array<f32>;
fn load(row: u32) -> f32 { return dy[row]; }
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i >= params.rows * params.length { return; }
    let row = i / params.length;
    var value = 0.0;
    if i % params.length == min(index[row], params.length - 1u) { value = load(row); }
    dx[i] = value;
}
