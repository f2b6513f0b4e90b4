use super::super::Algorithm;
use super::super::tests::{
    Fault, Matrix, Patterns, Tested, add_products, drawn, halved, largest, largest_in_line,
    matrices, of_bound, square, squares, transformed, turned, zeros,
};
use crate::random::Rng;

/// A pixel, zero in the padding.
fn pixel(x: &Matrix, padding: usize, row: usize, column: usize) -> f32 {
    let line = x.get(row.wrapping_sub(padding));
    line.and_then(|line| line.get(column.wrapping_sub(padding))).copied().unwrap_or(0.0)
}

/// The two transforms of each tile of a channel of x and one of dy.
fn transforms(algorithm: &Algorithm, x: &Matrix, dy: &Matrix) -> Vec<(Matrix, Matrix)> {
    let [b, _, a] = matrices(algorithm);
    let (points, results, padding) = (algorithm.points(), algorithm.results, algorithm.taps / 2);
    let side = dy.len() / results;
    let part = |length: usize, of: &dyn Fn(usize, usize) -> f32| -> Matrix {
        (0..length).map(|r| (0..length).map(|s| of(r, s)).collect()).collect()
    };
    let places = (0..side).flat_map(|i| (0..side).map(move |j| (i, j)));
    let tile = |(i, j): (usize, usize)| {
        let d = part(points, &|r, s| pixel(x, padding, results * i + r, results * j + s));
        let z = part(results, &|r, s| dy[results * i + r][results * j + s]);
        (transformed(&b, &d), transformed(&turned(&a), &z))
    };
    places.map(tile).collect()
}

/// dw as the kernels come to it from the tiles' transforms.
fn in_tiles(algorithm: &Algorithm, transforms: &[(Matrix, Matrix)], fault: Fault) -> Matrix {
    let [_, g, _] = matrices(algorithm);
    let mut products = zeros(algorithm.points());
    for (at, (v, e)) in transforms.iter().enumerate() {
        let (mut v, mut e) = (v.clone(), e.clone());
        fault(&mut v, &mut e, at);
        add_products(&mut products, &v, &e);
    }
    transformed(&turned(&g), &products)
}

/// A tap's from the definition.
fn in_f64(x: &Matrix, dy: &Matrix, padding: usize, [r, s]: [usize; 2]) -> f64 {
    let line = |(p, line): (usize, &Vec<f32>)| -> f64 {
        let term =
            |(q, dy): (usize, &f32)| f64::from(*dy) * f64::from(pixel(x, padding, p + r, q + s));
        line.iter().enumerate().map(term).sum()
    };
    dy.iter().enumerate().map(line).sum()
}

/// The worst error of some gradients, over `side` x `side` tiles, as a share of the bound, with each of these faults.
fn worst(
    algorithm: &Algorithm,
    side: usize,
    [pixels, dy]: Patterns<'_>,
    faults: &[Fault],
) -> Vec<f64> {
    let mut rng = Rng::new(7);
    let Algorithm { taps, results, .. } = *algorithm;
    let places = move || (0..taps).flat_map(move |r| (0..taps).map(move |s| [r, s]));
    let mut values = vec![Vec::new(); faults.len()];
    for _ in 0..40 {
        let length = results * side;
        let (x, dy) = (drawn(length, pixels, &mut rng), drawn(length, dy, &mut rng));
        let wanted: Vec<f64> = places().map(|tap| in_f64(&x, &dy, taps / 2, tap)).collect();
        let transforms = transforms(algorithm, &x, &dy);
        for (values, fault) in values.iter_mut().zip(faults) {
            let got = in_tiles(algorithm, &transforms, *fault);
            values.extend(places().map(|[r, s]| got[r][s]).zip(wanted.iter().copied()));
        }
    }
    let bound = algorithm.weight.tolerance(side * side, false);
    values.iter().map(|values| of_bound(values, bound)).collect()
}

/// The forms of tap `r`'s products along an axis: of a tile's pixels, and of its dy.
fn forms(algorithm: &Algorithm, r: usize) -> [Vec<Vec<f64>>; 2] {
    let [b, g, a] = matrices(algorithm);
    let a = turned(&a);
    let sizes = |others: &Matrix| -> Vec<f64> {
        let points = g.iter().zip(others);
        points.map(|(g, other)| f64::from(g[r]) * f64::from(g[r]) * square(other)).collect()
    };
    [squares(&b, &sizes(&a)), squares(&a, &sizes(&b))]
}

/// The largest share of the results that products come to, over the gradients of the first `taps`.
fn most(algorithm: &Algorithm, taps: usize) -> f64 {
    let mut most: f64 = 0.0;
    for r in 0..taps {
        let [pixels, dy] = forms(algorithm, r);
        most = most.max(largest(&dy, &vec![1.0; algorithm.results]).0);
        // Against the mean of the taps' squares.
        let lines = [1, 2, 5, 20].into_iter().flat_map(|tiles| [0, 1].map(|pad| (tiles, pad)));
        for (tiles, padding) in lines {
            let of_line = largest_in_line(algorithm, taps, &pixels, tiles, padding).0;
            most = most.max(of_line * taps as f64);
        }
    }
    most
}

/// Gradients, by the tiles along an axis.
const WEIGHT: Tested =
    Tested { rounding: |algorithm| &algorithm.weight, most, patterns: worst_patterns, worst };

#[test]
fn products_are_as_much_larger_than_results_as_the_bound_has_it() {
    WEIGHT.amplifies_by_the_bound();
}

/// The pixels and the dy that the products are largest for: with a padding of half the filter, as many pixels as results.
fn worst_patterns(algorithm: &Algorithm) -> [Vec<f64>; 2] {
    if algorithm.results == 2 {
        return [vec![0.0, 1.0, 0.0, -1.0], vec![1.0, 0.0]];
    }
    let [pixels, dy] = forms(algorithm, 0);
    let (_, line) = largest_in_line(algorithm, algorithm.taps, &pixels, 1, algorithm.taps / 2);
    [line, largest(&dy, &[1.0; 4]).1]
}

#[test]
fn rounding_stays_within_the_bound_and_comes_within_a_small_factor_of_it() {
    WEIGHT.rounds_within_the_bound(&[1, 2, 7, 24], |_| 0.01);
}

#[test]
fn a_fault_in_a_transform_is_beyond_the_bound() {
    let faults: [(&str, Fault); 4] = [
        ("a sum that is a thousandth off", |_, e, _| e[1][2] *= 1.001),
        ("a tile left out of one product", |v, _, at| {
            if at == 0 {
                v[2][1] = 0.0;
            }
        }),
        ("a sign", |_, e, _| e[3][1] = -e[3][1]),
        ("dy in half precision", |_, e, _| halved(e)),
    ];
    WEIGHT.finds(&faults, &[2, 7, 24]);
}
