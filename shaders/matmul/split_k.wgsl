// C[i] = epilogue(sum over s of partial[s, i]): the second pass of a product whose sum over k was split,
// for small outputs with a long k that would leave most of a GPU idle (split-K). The first pass is
// matmul/tile with a part of k for each tile. Parts are added in order: the same bits in every run.
// Grid: one invocation per element of C, 64 per workgroup, folded into two dimensions.

const SUMS: bool = false; // B's columns were summed as well, `columns` of them in each part

struct Params { count: u32, splits: u32, columns: u32 }
@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: sums
fn partial_sum(i: u32) -> f32 { return 0.0; }
fn store_sum(i: u32, x: f32) {}
// end

// hook: epilogue
fn epilogue(x: f32, i: u32) -> f32 { return x; }
// end

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    if SUMS && i >= params.count {
        let column = i - params.count;
        if column >= params.columns { return; }
        var sum = partial_sum(column);
        for (var s = 1u; s < params.splits; s++) { sum += partial_sum(s * params.columns + column); }
        store_sum(column, sum);
        return;
    }
    if i >= params.count { return; }
    var sum = partial[i];
    for (var s = 1u; s < params.splits; s++) { sum += partial[s * params.count + i]; }
    c[i] = epilogue(sum, i);
}
