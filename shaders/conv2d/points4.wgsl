// A line of Winograd's F(2, 3) (Lavin & Gray 2016, "Fast algorithms for convolutional neural networks"): of 4 pixels x and 3
// taps w, 4 products give 2 results y = A^T [(G w) * (B^T x)]; the transpose, G^T [(B^T x) * (A y)], gives the taps' gradient
// from that of y. The products are those of polynomials at 0, 1, -1 and infinity.
//         1  0 -1  0          1    0    0
//   B^T = 0  1  1  0     G = 1/2  1/2  1/2     A^T = 1  1  1  0
//         0 -1  1  0         1/2 -1/2  1/2           0  1 -1 -1
//         0  1  0 -1          0    0    1

const POINTS: u32 = 4u;
const RESULTS: u32 = 2u;
const TAPS: u32 = 3u;
alias T = vec4<f32>;

fn of_pixels(d: array<T, 4>) -> array<T, 4> { // B^T
    return array<T, 4>(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
}

fn of_taps(g: array<T, 3>) -> array<T, 4> { // G
    let outer = g[0] + g[2];
    return array<T, 4>(g[0], 0.5 * (outer + g[1]), 0.5 * (outer - g[1]), g[2]);
}

fn to_results(p: array<T, 4>) -> array<T, 2> { // A^T
    return array<T, 2>(p[0] + p[1] + p[2], p[1] - p[2] - p[3]);
}

fn of_results(z: array<T, 2>) -> array<T, 4> { // A
    return array<T, 4>(z[0], z[0] + z[1], z[0] - z[1], -z[1]);
}

fn to_taps(p: array<T, 4>) -> array<T, 3> { // G^T
    let mean = 0.5 * (p[1] + p[2]);
    return array<T, 3>(p[0] + mean, 0.5 * (p[1] - p[2]), mean + p[3]);
}

// The sum of the results that `of_results` made this of: their polynomial at 1.
fn sum_of(p: array<T, 4>) -> T { return p[1]; }
