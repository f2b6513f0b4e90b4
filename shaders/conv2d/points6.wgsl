// A line of Winograd's F(4, 3): of 6 pixels and 3 taps 6 products give 4 results, as in conv2d/points4. The points are 0,
// +-p = +-sqrt(1/2), +-q = +-sqrt(2) and infinity, which mirror each other (x to 1 / x): with +-1 and +-2 the last result
// has four times the rounding.
//         1  0 -5/2  0   1  0           1     0    0
//         0 -q  -2   p   1  0         -2/3  -q/3 -1/3           1   1   1   1   1  0
//   B^T = 0  q  -2  -p   1  0     G = -2/3   q/3 -1/3     A^T = 0   p  -p   q  -q  0
//         0 -p -1/2  q   1  0          1/6   q/6  1/3           0  1/2 1/2  2   2  0
//         0  p -1/2 -q   1  0          1/6  -q/6  1/3           0  p/2 -p/2 2q -2q 1
//         0  1   0 -5/2  0  1           0     0    1
// Rows of a pair of points are the sum and the difference of an even part and an odd one.

const POINTS: u32 = 6u;
const RESULTS: u32 = 4u;
const TAPS: u32 = 3u;
const Q: f32 = 1.41421356;
const P: f32 = 0.5 * Q;
alias T = vec4<f32>;

fn of_parts(first: T, even: array<T, 2>, odd: array<T, 2>, last: T) -> array<T, 6> {
    return array<T, 6>(first, even[0] + odd[0], even[0] - odd[0], even[1] + odd[1], even[1] - odd[1], last);
}

fn of_pixels(d: array<T, 6>) -> array<T, 6> { // B^T
    let even = array<T, 2>(d[4] - 2.0 * d[2], d[4] - 0.5 * d[2]);
    let odd = array<T, 2>(P * (d[3] - 2.0 * d[1]), Q * (d[3] - 0.5 * d[1]));
    return of_parts(d[0] - 2.5 * d[2] + d[4], even, odd, d[1] - 2.5 * d[3] + d[5]);
}

fn of_taps(g: array<T, 3>) -> array<T, 6> { // G
    let even = array<T, 2>((2.0 * g[0] + g[2]) * (-1.0 / 3.0), (0.5 * g[0] + g[2]) * (1.0 / 3.0));
    return of_parts(g[0], even, array<T, 2>(-Q / 3.0 * g[1], Q / 6.0 * g[1]), g[2]);
}

fn to_results(p: array<T, 6>) -> array<T, 4> { // A^T
    let even = array<T, 2>(p[1] + p[2], p[3] + p[4]);
    let odd = array<T, 2>(P * (p[1] - p[2]), Q * (p[3] - p[4]));
    return array<T, 4>(
        p[0] + even[0] + even[1], odd[0] + odd[1], 0.5 * even[0] + 2.0 * even[1], 0.5 * odd[0] + 2.0 * odd[1] + p[5]);
}

fn of_results(z: array<T, 4>) -> array<T, 6> { // A
    let even = array<T, 2>(z[0] + 0.5 * z[2], z[0] + 2.0 * z[2]);
    let odd = array<T, 2>(P * (z[1] + 0.5 * z[3]), Q * (z[1] + 2.0 * z[3]));
    return of_parts(z[0], even, odd, z[3]);
}

fn to_taps(p: array<T, 6>) -> array<T, 3> { // G^T
    let even = array<T, 2>(p[1] + p[2], p[3] + p[4]);
    let odd = array<T, 2>(p[1] - p[2], p[3] - p[4]);
    return array<T, 3>(
        p[0] + (0.5 * even[1] - 2.0 * even[0]) * (1.0 / 3.0),
        Q / 6.0 * (odd[1] - 2.0 * odd[0]),
        (even[1] - even[0]) * (1.0 / 3.0) + p[5]);
}

// The sum of the results that `of_results` made this of: their polynomial at 1.
fn sum_of(p: array<T, 6>) -> T {
    return (2.0 * (p[1] + p[2]) + p[3] + p[4]) * (1.0 / 6.0) + Q / 12.0 * (4.0 * (p[1] - p[2]) + p[3] - p[4]);
}
