// C[i] = epilogue(sum over s of partial[s, i]): the second pass of a product whose sum over k was split,
// for small outputs with a long k that would leave most of a GPU idle (split-K). The first pass is
// matmul/tile with a part of k for each tile. Parts are added in order: the same bits in every run.
// An invocation has EACH results, 64 apart, so that as many loads are on their way at once.
// Grid: 64 EACH elements of C to a workgroup, then those of B's sums, folded into two dimensions.

const EACH: u32 = 4u;
alias T = f32;           // or vec4<f32>: results are then counted in groups of four
const SUMS: bool = false; // B's columns were summed as well, `columns` of them in each part

struct Params { count: u32, splits: u32, columns: u32 }
@group(0) @binding(0) var<storage, read> partial: array<T>;
@group(0) @binding(1) var<storage, read_write> c: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: sums
fn partial_sum(i: u32) -> T { return T(0.0); }
fn store_sum(i: u32, x: T) {}
// end

// hook: epilogue
fn epilogue(x: T, i: u32) -> T { return x; }
// end

// Part s of element i of C, behind whose last one B's sums follow.
fn part(s: u32, i: u32) -> T {
    if SUMS && i >= params.count { return partial_sum(s * params.columns + i - params.count); }
    return partial[s * params.count + i];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let first = (wid.y * groups.x + wid.x) * 64u * EACH + lid;
    let last = params.count + select(0u, params.columns, SUMS) - 1u;
    var sum: array<T, EACH>;
    // unroll
    for (var e = 0u; e < EACH; e++) { sum[e] = part(0u, min(first + e * 64u, last)); }
    for (var s = 1u; s < params.splits; s++) {
        // unroll
        for (var e = 0u; e < EACH; e++) { sum[e] += part(s, min(first + e * 64u, last)); }
    }
    // unroll
    for (var e = 0u; e < EACH; e++) {
        let i = first + e * 64u;
        if i < params.count { c[i] = epilogue(sum[e], i); } else if SUMS && i <= last { store_sum(i - params.count, sum[e]); }
    }
}
