// dw[., ., c, n] = G^T M[., c, n] G, M[POINTS i + j, group, c, n] = sum over tiles of V[., group, tile, c] E[., group, tile, n]:
// the gradient in w by Winograd's products (Lavin & Gray 2016, section 4.2). V and E are of
// conv2d/winograd_dw_operands. M is here in parts of the sum, which are added in order. Bound behind conv2d/winograd_results,
// if not told otherwise.

const ADDS: bool = false; // to what is there: an earlier chunk of the tiles
const SUMS: bool = false; // the columns of E were summed as well

// hook: points
// use: conv2d/points4
// end
// use: conv2d/grouped
// use: conv2d/weights
// hook: gradient
@group(0) @binding(2) var<storage, read> parts: array<T>;
@group(0) @binding(3) var<storage, read_write> dw: array<T>;
// end

// Channels c of a group; Ts of the channels n, and of a group's; parts of the sum.
struct Filters { rows: u32, columns: u32, width: u32, splits: u32 }

// hook: sums
fn partial_sum(i: u32) -> T { return T(0.0); }
fn store_sum(i: u32, x: T) {}
// end

fn store(i: u32, x: T) {
    if ADDS { dw[i] += x; } else { dw[i] = x; }
}

fn sum_column(column: u32, filters: Filters) {
    let part = POINTS * POINTS * filters.columns;
    var p: array<T, POINTS>;
    // unroll
    for (var s = 0u; s < POINTS; s++) {
        var whole: array<T, POINTS>;
        for (var first = column; first < filters.splits * part; first += part) {
            // unroll
            for (var r = 0u; r < POINTS; r++) { whole[r] += partial_sum(first + (POINTS * r + s) * filters.columns); }
        }
        p[s] = sum_of(whole);
    }
    store_sum(column, sum_of(p));
}

// Vector i of M's plane, then vector i of the channels of dy's sums.
fn store_gradient(i: u32, filters: Filters) {
    let plane = filters.rows * filters.columns;
    if i >= plane {
        if SUMS && i - plane < filters.columns { sum_column(i - plane, filters); }
        return;
    }
    let at = grouped(i, filters.rows, filters.columns, filters.width);
    var whole: array<array<T, POINTS>, POINTS>; // by columns
    let part = POINTS * POINTS * plane;
    // Counted from a place that no two invocations share: lavapipe compiles a kernel anew for each dispatch where it could
    // unroll a loop if it knew the parameters.
    for (var first = at; first < filters.splits * part; first += part) {
        // unroll
        for (var s = 0u; s < POINTS; s++) {
            // unroll
            for (var r = 0u; r < POINTS; r++) { whole[s][r] += parts[first + (POINTS * r + s) * plane]; }
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
