// y[row, column] = the value of the range that covers the column, or 0: ranges of columns of row-major matrices, as
// concat, slice and pad need them. Words are moved as they are, whatever their type. T is u32, or
// vec4<u32> where all ranges are whole groups of four; COLUMNS counts in T.
// Grid: one invocation per T, 64 per workgroup, folded into two dimensions.

alias T = u32;
const COLUMNS: u32 = 1u;

struct Params { groups: u32 }
@group(0) @binding(0) var<storage, read_write> y: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: load
@group(0) @binding(1) var<storage, read> in0: array<T>;
fn load(row: u32, column: u32) -> T { return in0[row * COLUMNS + column]; }
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if i < params.groups {
        y[i] = load(i / COLUMNS, i % COLUMNS);
    }
}
