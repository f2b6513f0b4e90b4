// U[POINTS i + j, group, c, n] = (G w[., ., c, n] G^T)[i, j]: the filters for Winograd's products, see conv2d/points4.

const TURNED: bool = false; // by half a turn: the filter of the gradient in x

// hook: points
// use: conv2d/points4
// end
// use: conv2d/grouped
// use: conv2d/weights
@group(0) @binding(1) var<storage, read> w: array<T>;
@group(0) @binding(3) var<storage, read_write> u: array<T>;

// Vector i of the filters [taps, rows, columns] as they are stored: `rows` channels of a group, `columns` Ts of the others, `width`
// of a group.
fn transform_filter(i: u32, rows: u32, columns: u32, width: u32) {
    let plane = rows * columns;
    if i >= plane { return; }
    var tall: array<array<T, POINTS>, TAPS>; // G w, by columns
    // unroll
    for (var s = 0u; s < TAPS; s++) {
        var g: array<T, TAPS>;
        // unroll
        for (var r = 0u; r < TAPS; r++) {
            let here = weight(i, plane, select(r, TAPS - 1u - r, TURNED), select(s, TAPS - 1u - s, TURNED));
            g[r] = select(T(0.0), w[select(0u, here.place, here.inside)], here.inside);
        }
        tall[s] = of_taps(g);
    }
    let at = grouped(i, rows, columns, width);
    // unroll
    for (var r = 0u; r < POINTS; r++) {
        var g: array<T, TAPS>;
        // unroll
        for (var s = 0u; s < TAPS; s++) { g[s] = tall[s][r]; }
        let line = of_taps(g);
        // unroll
        for (var s = 0u; s < POINTS; s++) { u[(POINTS * r + s) * plane + at] = line[s]; }
    }
}
