// dw[., ., c, n] = G^T M[., c, n] G, M[POINTS i + j, group, c, n] = sum over tiles of V[., group, tile, c] E[., group, tile, n]:
// the gradient in w by Winograd's products (Lavin & Gray 2016, section 4.2). V and E are of
// conv2d/winograd_dw_operands. M is here in parts of the sum, which are added in order.
// Grid: one invocation per vector T of M's plane, then one per vector of channels of dy's sums, 64 per workgroup, folded
// into two dimensions.

const ADDS: bool = false; // to what is there: an earlier chunk of the tiles
const SUMS: bool = false; // the columns of E were summed as well

// hook: points
// use: conv2d/points4
// end
// use: conv2d/grouped
// use: conv2d/weights
// Channels c of a group; Ts of the channels n, and of a group's; parts of the sum.
struct Params { rows: u32, columns: u32, width: u32, splits: u32 }
@group(0) @binding(0) var<storage, read> m: array<T>;
@group(0) @binding(1) var<storage, read_write> dw: array<T>;
@group(1) @binding(0) var<uniform> params: Params;

// hook: sums
fn partial_sum(i: u32) -> T { return T(0.0); }
fn store_sum(i: u32, x: T) {}
// end

fn store(i: u32, x: T) {
    if ADDS { dw[i] += x; } else { dw[i] = x; }
}

fn sum_column(column: u32) {
    let part = POINTS * POINTS * params.columns;
    var p: array<T, POINTS>;
    // unroll
    for (var s = 0u; s < POINTS; s++) {
        var whole: array<T, POINTS>;
        for (var first = column; first < params.splits * part; first += part) {
            // unroll
            for (var r = 0u; r < POINTS; r++) { whole[r] += partial_sum(first + (POINTS * r + s) * params.columns); }
        }
        p[s] = sum_of(whole);
    }
    store_sum(column, sum_of(p));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * groups.x + wid.x) * 64u + lid;
    let plane = params.rows * params.columns;
    if i >= plane {
        if SUMS && i - plane < params.columns { sum_column(i - plane); }
        return;
    }
    let at = grouped(i, params.rows, params.columns, params.width);
    var whole: array<array<T, POINTS>, POINTS>; // by columns
    let part = POINTS * POINTS * plane;
    // Counted from a place that no two invocations share: lavapipe compiles a kernel anew for each dispatch where it could
    // unroll a loop if it knew the parameters.
    for (var first = at; first < params.splits * part; first += part) {
        // unroll
        for (var s = 0u; s < POINTS; s++) {
            // unroll
            for (var r = 0u; r < POINTS; r++) { whole[s][r] += m[first + (POINTS * r + s) * plane]; }
        }
    }
    var tall: array<array<T, TAPS>, POINTS>; // G^T M, by columns
    // unroll
    for (var s = 0u; s < POINTS; s++) { tall[s] = to_taps(whole[s]); }
    // unroll
    for (var r = 0u; r < TAPS; r++) {
        var p: array<T, POINTS>;
        // unroll
        for (var s = 0u; s < POINTS; s++) { p[s] = tall[s][r]; }
        let line = to_taps(p);
        // unroll
        for (var s = 0u; s < TAPS; s++) {
            let to = weight(i, plane, r, s);
            if to.inside { store(to.place, line[s]); }
        }
    }
}
