// A line of Winograd's F(4, 5): of 8 pixels and 5 taps 8 products give 4 results, as in conv2d/points4. The points are 0,
// +-1, +-2, +-1/2 and infinity, which mirror each other (x to 1 / x), and make all of B^T and A^T exact.
//         1  0   -21/4   0   21/4   0   -1  0           1     0     0    0    0
//         0  1     1   -17/4 -17/4  1    1  0          -2/9  -2/9  -2/9 -2/9 -2/9          1 1  1 1  1  1    1   0
//         0 -1     1    17/4 -17/4 -1    1  0          -2/9   2/9  -2/9  2/9 -2/9    A^T = 0 1 -1 2 -2 1/2 -1/2  0
//   B^T = 0 1/2   1/4   -5/2 -5/4   2    1  0     G =  1/90  1/45  2/45 4/45 8/45          0 1  1 4  4 1/4  1/4  0
//         0 -1/2  1/4    5/2 -5/4  -2    1  0          1/90 -1/45  2/45 -4/45 8/45         0 1 -1 8 -8 1/8 -1/8  1
//         0  2     4    -5/2  -5   1/2   1  0         32/45 16/45  8/45 4/45 2/45
//         0 -2     4     5/2  -5  -1/2   1  0         32/45 -16/45 8/45 -4/45 2/45
//         0 -1     0    21/4   0  -21/4  0  1           0     0     0    0    1
// Rows of a pair of points are the sum and the difference of an even part and an odd one.

const POINTS: u32 = 8u;
const RESULTS: u32 = 4u;
const TAPS: u32 = 5u;
alias T = vec4<f32>;

fn of_parts(first: T, even: array<T, 3>, odd: array<T, 3>, last: T) -> array<T, 8> {
    return array<T, 8>(first, even[0] + odd[0], even[0] - odd[0], even[1] + odd[1], even[1] - odd[1],
                       even[2] + odd[2], even[2] - odd[2], last);
}

fn of_pixels(d: array<T, 8>) -> array<T, 8> { // B^T
    let even = array<T, 3>(d[6] - 4.25 * d[4] + d[2], d[6] - 1.25 * d[4] + 0.25 * d[2], d[6] - 5.0 * d[4] + 4.0 * d[2]);
    let odd = array<T, 3>(
        d[5] - 4.25 * d[3] + d[1], 2.0 * d[5] - 2.5 * d[3] + 0.5 * d[1], 0.5 * d[5] - 2.5 * d[3] + 2.0 * d[1]);
    return of_parts(d[0] - d[6] + 5.25 * (d[4] - d[2]), even, odd, d[7] - d[1] + 5.25 * (d[3] - d[5]));
}

// What G takes a pair's parts times.
fn scaled(x: array<T, 3>) -> array<T, 3> {
    return array<T, 3>((-2.0 / 9.0) * x[0], (1.0 / 90.0) * x[1], (32.0 / 45.0) * x[2]);
}

fn of_taps(g: array<T, 5>) -> array<T, 8> { // G
    let even = array<T, 3>(g[0] + g[2] + g[4], g[0] + 4.0 * g[2] + 16.0 * g[4], g[0] + 0.25 * g[2] + 0.0625 * g[4]);
    let odd = array<T, 3>(g[1] + g[3], 2.0 * g[1] + 8.0 * g[3], 0.5 * g[1] + 0.125 * g[3]);
    return of_parts(g[0], scaled(even), scaled(odd), g[4]);
}

fn of_results(z: array<T, 4>) -> array<T, 8> { // A
    let even = array<T, 3>(z[0] + z[2], z[0] + 4.0 * z[2], z[0] + 0.25 * z[2]);
    let odd = array<T, 3>(z[1] + z[3], 2.0 * z[1] + 8.0 * z[3], 0.5 * z[1] + 0.125 * z[3]);
    return of_parts(z[0], even, odd, z[3]);
}

fn even_parts(p: array<T, 8>) -> array<T, 3> { return array<T, 3>(p[1] + p[2], p[3] + p[4], p[5] + p[6]); }
fn odd_parts(p: array<T, 8>) -> array<T, 3> { return array<T, 3>(p[1] - p[2], p[3] - p[4], p[5] - p[6]); }

fn to_results(p: array<T, 8>) -> array<T, 4> { // A^T
    let even = even_parts(p);
    let odd = odd_parts(p);
    return array<T, 4>(
        p[0] + even[0] + even[1] + even[2], odd[0] + 2.0 * odd[1] + 0.5 * odd[2],
        even[0] + 4.0 * even[1] + 0.25 * even[2], odd[0] + 8.0 * odd[1] + 0.125 * odd[2] + p[7]);
}

fn to_taps(p: array<T, 8>) -> array<T, 5> { // G^T
    let even = scaled(even_parts(p));
    let odd = scaled(odd_parts(p));
    return array<T, 5>(
        p[0] + even[0] + even[1] + even[2], odd[0] + 2.0 * odd[1] + 0.5 * odd[2],
        even[0] + 4.0 * even[1] + 0.25 * even[2], odd[0] + 8.0 * odd[1] + 0.125 * odd[2],
        even[0] + 16.0 * even[1] + 0.0625 * even[2] + p[7]);
}

// The sum of the results that `of_results` made this of: their polynomial at 1.
fn sum_of(p: array<T, 8>) -> T { return p[1]; }
