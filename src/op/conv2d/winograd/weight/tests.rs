use super::super::tests::{A, B, G, transformed};
use super::*;
use crate::random::Rng;

/// A channel of x or dy: as many rows as columns.
type Image = Vec<Vec<f32>>;

/// What a fault makes of a tile's pixels and its part of dy.
type Fault = fn(&mut [[f32; 4]; 4], &mut [[f32; 4]; 4], usize);

/// How far a line of x or dy is from one that nothing is known of.
type Pattern = fn(usize) -> f32;

const ANY: Pattern = |_| 1.0;

/// The pixels and the dy that the products are largest for: with a padding of 1 a tile's first pixel is an odd one.
const WORST: [Pattern; 2] = [|i| [0.0, 1.0, 0.0, -1.0][i % 4], |i| [1.0, 0.0][i % 2]];

fn turned<const M: usize, const N: usize>(l: &[[f32; N]; M]) -> [[f32; M]; N] {
    std::array::from_fn(|i| std::array::from_fn(|j| l[j][i]))
}

/// Values of mean 0, drawn one by one or the pattern along both axes at a drawn size.
fn drawn(side: usize, pattern: Pattern, rng: &mut Rng) -> Image {
    let mut one = || rng.range(-1.0, 1.0) as f32;
    let (size, is_any) = (one(), (0..side).all(|i| pattern(i) == 1.0));
    let mut value = |i, j| if is_any { one() } else { size * pattern(i) * pattern(j) };
    (0..side).map(|i| (0..side).map(|j| value(i, j)).collect()).collect()
}

/// A pixel, zero in the padding of 1.
fn pixel(x: &Image, row: usize, column: usize) -> f32 {
    let inside = x.get(row.wrapping_sub(1)).and_then(|line| line.get(column.wrapping_sub(1)));
    inside.copied().unwrap_or(0.0)
}

/// dw of a channel of x and one of dy as the kernels come to it.
fn in_tiles(x: &Image, dy: &Image, fault: Fault) -> [[f32; 3]; 3] {
    let side = dy.len() / 2;
    let mut products = [[0.0f32; 4]; 4];
    for (i, j) in (0..side).flat_map(|i| (0..side).map(move |j| (i, j))) {
        let d: [[f32; 4]; 4] =
            std::array::from_fn(|r| std::array::from_fn(|s| pixel(x, 2 * i + r, 2 * j + s)));
        let g: [[f32; 2]; 2] =
            std::array::from_fn(|r| std::array::from_fn(|s| dy[2 * i + r][2 * j + s]));
        let (mut v, mut e) = (transformed(&B, &d), transformed(&turned(&A), &g));
        fault(&mut v, &mut e, i * side + j);
        for (row, (v, e)) in products.iter_mut().zip(v.iter().zip(&e)) {
            for (sum, (v, e)) in row.iter_mut().zip(v.iter().zip(e)) {
                *sum = v.mul_add(*e, *sum);
            }
        }
    }
    transformed(&turned(&G), &products)
}

/// The same from the definition.
fn in_f64(x: &Image, dy: &Image) -> [[f64; 3]; 3] {
    std::array::from_fn(|r| {
        std::array::from_fn(|s| {
            let line = |(p, line): (usize, &Vec<f32>)| -> f64 {
                let term =
                    |(q, dy): (usize, &f32)| f64::from(*dy) * f64::from(pixel(x, p + r, q + s));
                line.iter().enumerate().map(term).sum()
            };
            dy.iter().enumerate().map(line).sum()
        })
    })
}

/// The worst error of some gradients, over `side` x `side` tiles, as a share of the bound.
fn worst(side: usize, [pixels, dy]: [Pattern; 2], fault: Fault) -> f64 {
    let mut rng = Rng::new(7);
    let mut values = Vec::new();
    for _ in 0..40 {
        let (x, dy) = (drawn(2 * side, pixels, &mut rng), drawn(2 * side, dy, &mut rng));
        let (got, wanted) = (in_tiles(&x, &dy, fault), in_f64(&x, &dy));
        values.extend(got.into_iter().flatten().zip(wanted.into_iter().flatten()));
    }
    let squares: f64 = values.iter().map(|(_, wanted)| wanted * wanted).sum();
    let rms = (squares / values.len() as f64).sqrt();
    let bound = tolerance(side * side).0;
    let error = |(got, wanted): &(f32, f64)| {
        (f64::from(*got) - wanted).abs() / (bound * wanted.abs().max(rms))
    };
    values.iter().map(error).fold(0.0, f64::max)
}

#[test]
fn rounding_stays_within_the_bound_and_comes_within_a_small_factor_of_it() {
    for side in [1, 2, 7, 24] {
        for patterns in [[ANY; 2], [WORST[0], ANY], [ANY, WORST[1]]] {
            let worst = worst(side, patterns, |_, _, _| {});
            let lines = patterns.map(|pattern| [0, 1, 2, 3].map(pattern));
            let place = format!("{side} x {side} tiles of {lines:?}: {worst}");
            assert!(worst < 1.0, "{place}");
            assert!(worst > 0.01, "a bound that says nothing: {place}");
        }
    }
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
        ("dy in half precision", |_, e, _| {
            for value in e.iter_mut().flatten() {
                *value = f32::from_bits(value.to_bits() & !0x1fff);
            }
        }),
    ];
    for side in [2, 7, 24] {
        for (what, fault) in faults {
            let worst = worst(side, [ANY; 2], fault);
            assert!(worst > 1.0, "{what}, {side} x {side} tiles: {worst} of the bound");
        }
    }
}

#[test]
fn products_are_as_much_larger_than_results_as_the_bound_has_it() {
    // Against the mean of three taps' squares, a line of tiles over a dy of which nothing is known: pixels d0 of each tile
    // and the last one's d2, by power iteration.
    for tiles in [1usize, 2, 5, 40] {
        let weight = |i: usize| match i {
            0 => 1.0 / 3.0,
            i if i == tiles => 2.0 / 3.0,
            _ => 1.0f64,
        };
        let mut d: Vec<f64> = (0..=tiles).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let mut most = 0.0;
        for _ in 0..2000 {
            let product = |i: usize| {
                let before = if i > 0 { 2.0 * d[i] - d[i - 1] } else { 0.0 };
                let after = if i < tiles { d[i] - d[i + 1] } else { 0.0 };
                (before + after) / weight(i)
            };
            let next: Vec<f64> = (0..=tiles).map(product).collect();
            let squares: f64 = next.iter().enumerate().map(|(i, d)| weight(i) * d * d).sum();
            most = squares.sqrt();
            d = next.iter().map(|d| d / most).collect();
        }
        assert!((most - AMPLIFICATION).abs() < 1e-3, "{tiles} tiles: {most}");
    }
}
