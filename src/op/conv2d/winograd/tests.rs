use super::*;
use crate::kernel::Word;
use crate::op::conv2d::Conv;
use crate::random::Rng;

mod tested;

pub(super) use tested::Tested;

pub(super) type Matrix = Vec<Vec<f32>>;

/// B^T, G and A^T.
pub(super) fn matrices(algorithm: &Algorithm) -> [Matrix; 3] {
    let q = std::f32::consts::SQRT_2;
    let (p, third) = (q / 2.0, 1.0 / 3.0);
    let of4: [&[&[f32]]; 3] = [
        &[
            &[1.0, 0.0, -1.0, 0.0],
            &[0.0, 1.0, 1.0, 0.0],
            &[0.0, -1.0, 1.0, 0.0],
            &[0.0, 1.0, 0.0, -1.0],
        ],
        &[&[1.0, 0.0, 0.0], &[0.5, 0.5, 0.5], &[0.5, -0.5, 0.5], &[0.0, 0.0, 1.0]],
        &[&[1.0, 1.0, 1.0, 0.0], &[0.0, 1.0, -1.0, -1.0]],
    ];
    let of6: [&[&[f32]]; 3] = [
        &[
            &[1.0, 0.0, -2.5, 0.0, 1.0, 0.0],
            &[0.0, -q, -2.0, p, 1.0, 0.0],
            &[0.0, q, -2.0, -p, 1.0, 0.0],
            &[0.0, -p, -0.5, q, 1.0, 0.0],
            &[0.0, p, -0.5, -q, 1.0, 0.0],
            &[0.0, 1.0, 0.0, -2.5, 0.0, 1.0],
        ],
        &[
            &[1.0, 0.0, 0.0],
            &[-2.0 * third, -q * third, -third],
            &[-2.0 * third, q * third, -third],
            &[0.5 * third, 0.5 * q * third, third],
            &[0.5 * third, -0.5 * q * third, third],
            &[0.0, 0.0, 1.0],
        ],
        &[
            &[1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
            &[0.0, p, -p, q, -q, 0.0],
            &[0.0, 0.5, 0.5, 2.0, 2.0, 0.0],
            &[0.0, 0.5 * p, -0.5 * p, 2.0 * q, -2.0 * q, 1.0],
        ],
    ];
    let of8: [&[&[f32]]; 3] = [
        &[
            &[1.0, 0.0, -5.25, 0.0, 5.25, 0.0, -1.0, 0.0],
            &[0.0, 1.0, 1.0, -4.25, -4.25, 1.0, 1.0, 0.0],
            &[0.0, -1.0, 1.0, 4.25, -4.25, -1.0, 1.0, 0.0],
            &[0.0, 0.5, 0.25, -2.5, -1.25, 2.0, 1.0, 0.0],
            &[0.0, -0.5, 0.25, 2.5, -1.25, -2.0, 1.0, 0.0],
            &[0.0, 2.0, 4.0, -2.5, -5.0, 0.5, 1.0, 0.0],
            &[0.0, -2.0, 4.0, 2.5, -5.0, -0.5, 1.0, 0.0],
            &[0.0, -1.0, 0.0, 5.25, 0.0, -5.25, 0.0, 1.0],
        ],
        &[
            &[1.0, 0.0, 0.0, 0.0, 0.0],
            &[-2.0 / 9.0, -2.0 / 9.0, -2.0 / 9.0, -2.0 / 9.0, -2.0 / 9.0],
            &[-2.0 / 9.0, 2.0 / 9.0, -2.0 / 9.0, 2.0 / 9.0, -2.0 / 9.0],
            &[1.0 / 90.0, 1.0 / 45.0, 2.0 / 45.0, 4.0 / 45.0, 8.0 / 45.0],
            &[1.0 / 90.0, -1.0 / 45.0, 2.0 / 45.0, -4.0 / 45.0, 8.0 / 45.0],
            &[32.0 / 45.0, 16.0 / 45.0, 8.0 / 45.0, 4.0 / 45.0, 2.0 / 45.0],
            &[32.0 / 45.0, -16.0 / 45.0, 8.0 / 45.0, -4.0 / 45.0, 2.0 / 45.0],
            &[0.0, 0.0, 0.0, 0.0, 1.0],
        ],
        &[
            &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
            &[0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 0.0],
            &[0.0, 1.0, 1.0, 4.0, 4.0, 0.25, 0.25, 0.0],
            &[0.0, 1.0, -1.0, 8.0, -8.0, 0.125, -0.125, 1.0],
        ],
    ];
    let chosen = match algorithm.points() {
        4 => of4,
        6 => of6,
        _ => of8,
    };
    chosen.map(|rows| rows.iter().map(|row| row.to_vec()).collect())
}

pub(super) fn turned(l: &Matrix) -> Matrix {
    (0..l[0].len()).map(|j| l.iter().map(|row| row[j]).collect()).collect()
}

/// L X L^T, each step rounded to f32. Line by line and without the zeros: the tests are not optimised, and this is most of
/// what they do.
pub(super) fn transformed(l: &Matrix, x: &Matrix) -> Matrix {
    let down = |l: &Matrix, x: &Matrix| -> Matrix {
        let mut product = vec![vec![0.0; x[0].len()]; l.len()];
        for (sums, factors) in product.iter_mut().zip(l) {
            for (factor, line) in factors.iter().zip(x).filter(|(factor, _)| **factor != 0.0) {
                for (sum, x) in sums.iter_mut().zip(line) {
                    *sum += factor * x;
                }
            }
        }
        product
    };
    turned(&down(l, &turned(&down(l, x))))
}

/// The products of a tile, added to others'.
pub(super) fn add_products(sums: &mut Matrix, u: &Matrix, v: &Matrix) {
    for (sums, (u, v)) in sums.iter_mut().zip(u.iter().zip(v)) {
        for (sum, (u, v)) in sums.iter_mut().zip(u.iter().zip(v)) {
            *sum = u.mul_add(*v, *sum);
        }
    }
}

pub(super) fn zeros(side: usize) -> Matrix {
    vec![vec![0.0; side]; side]
}

/// Values of mean 0: drawn one by one where no pattern is given, else the pattern along both axes at a drawn size.
pub(super) fn drawn(side: usize, pattern: Option<&[f64]>, rng: &mut Rng) -> Matrix {
    let mut one = || rng.range(-1.0, 1.0);
    let size = one();
    let mut value = |i: usize, j: usize| {
        pattern.map_or_else(&mut one, |line| size * line[i % line.len()] * line[j % line.len()])
    };
    (0..side).map(|i| (0..side).map(|j| value(i, j) as f32).collect()).collect()
}

/// What a fault makes of a tile's two transforms; tiles or channels are numbered.
pub(super) type Fault = fn(&mut Matrix, &mut Matrix, usize);

/// What is wrong in half precision.
pub(super) fn halved(values: &mut Matrix) {
    for value in values.iter_mut().flatten() {
        *value = f32::from_bits(value.to_bits() & !0x1fff);
    }
}

/// The largest error of values beside the wanted ones as a share of the bound.
pub(super) fn of_bound(values: &[(f32, f64)], bound: Tolerance) -> f64 {
    let squares: f64 = values.iter().map(|(_, wanted)| wanted * wanted).sum();
    let rms = (squares / values.len() as f64).sqrt();
    let error = |(got, wanted): &(f32, f64)| {
        (f64::from(*got) - wanted).abs() / (bound.0 * wanted.abs().max(rms))
    };
    values.iter().map(error).fold(0.0, f64::max)
}

/// The channels of a tile of pixels and of a filter, or of the two's transforms.
type Channels = Vec<(Matrix, Matrix)>;

/// A tile's results as the kernels come to them from the channels' transforms.
fn in_tiles(algorithm: &Algorithm, transforms: &Channels, fault: Fault) -> Matrix {
    let [_, _, a] = matrices(algorithm);
    let mut products = zeros(algorithm.points());
    for (at, (v, u)) in transforms.iter().enumerate() {
        let (mut v, mut u) = (v.clone(), u.clone());
        fault(&mut v, &mut u, at);
        add_products(&mut products, &u, &v);
    }
    transformed(&a, &products)
}

/// One of them from the definition.
fn in_f64(channels: &Channels, p: usize, q: usize) -> f64 {
    let line = |(x, w): (&Vec<f32>, &Vec<f32>)| -> f64 {
        x[q..].iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
    };
    let product = |(x, w): &(Matrix, Matrix)| -> f64 { x[p..].iter().zip(w).map(line).sum() };
    channels.iter().map(product).sum()
}

/// Pixels and filters, drawn one by one or of a pattern.
pub(super) type Patterns<'a> = [Option<&'a [f64]>; 2];

/// The worst error over some tiles as a share of the bound, with each of these faults.
fn worst(
    algorithm: &Algorithm,
    channels: usize,
    patterns: Patterns<'_>,
    faults: &[Fault],
) -> Vec<f64> {
    let mut rng = Rng::new(7);
    let [b, g, _] = matrices(algorithm);
    let Algorithm { taps, results, .. } = *algorithm;
    let places = move || (0..results).flat_map(move |p| (0..results).map(move |q| (p, q)));
    let mut values = vec![Vec::new(); faults.len()];
    for _ in 0..60 {
        let channel = |_| {
            let x = drawn(algorithm.points(), patterns[0], &mut rng);
            (x, drawn(taps, patterns[1], &mut rng))
        };
        let tile: Channels = (0..channels).map(channel).collect();
        let wanted: Vec<f64> = places().map(|(p, q)| in_f64(&tile, p, q)).collect();
        let transforms = tile.iter().map(|(x, w)| (transformed(&b, x), transformed(&g, w)));
        let transforms: Channels = transforms.collect();
        for (values, fault) in values.iter_mut().zip(faults) {
            let got = in_tiles(algorithm, &transforms, *fault);
            values.extend(got.into_iter().flatten().zip(wanted.iter().copied()));
        }
    }
    let bound = algorithm.rounding.tolerance(channels, false);
    values.iter().map(|values| of_bound(values, bound)).collect()
}

/// The sum of the squares of some linear forms, each `sizes` times, as a symmetric matrix.
pub(super) fn squares(forms: &Matrix, sizes: &[f64]) -> Vec<Vec<f64>> {
    let term = |i: usize, j: usize| {
        let forms = forms.iter().zip(sizes);
        forms.map(|(form, size)| size * f64::from(form[i]) * f64::from(form[j])).sum()
    };
    let side = forms[0].len();
    (0..side).map(|i| (0..side).map(|j| term(i, j)).collect()).collect()
}

pub(super) fn square(row: &[f32]) -> f64 {
    row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum()
}

/// The largest value of a form over the sum of weighted squares, and the line that has it, by power iteration.
pub(super) fn largest(form: &[Vec<f64>], weights: &[f64]) -> (f64, Vec<f64>) {
    let mut line: Vec<f64> = (0..weights.len()).map(|i| 1.0 - 0.7 * (i % 4) as f64).collect();
    let mut most = 0.0;
    for _ in 0..500 {
        let product = |(row, weight): (&Vec<f64>, &f64)| {
            row.iter().zip(&line).map(|(a, b)| a * b).sum::<f64>() / weight
        };
        let next: Vec<f64> = form.iter().zip(weights).map(product).collect();
        let of_next: f64 = next.iter().zip(weights).map(|(x, weight)| weight * x * x).sum();
        most = of_next.sqrt();
        line = next.iter().map(|x| x / most).collect();
    }
    (most, line)
}

/// The largest value of a tile's form, summed over a line of tiles, over the sum of its pixels' squares, each counted as
/// often as a window of `taps` sees it; `padding` pixels at both ends are 0, and those that none sees.
pub(super) fn largest_in_line(
    algorithm: &Algorithm,
    taps: usize,
    form: &[Vec<f64>],
    tiles: usize,
    padding: usize,
) -> (f64, Vec<f64>) {
    let (results, points) = (algorithm.results, algorithm.points());
    let length = results * tiles + algorithm.taps - 1;
    let mut whole = vec![vec![0.0; length]; length];
    for (tile, i, j) in
        (0..tiles).flat_map(|t| (0..points * points).map(move |n| (t, n / points, n % points)))
    {
        whole[tile * results + i][tile * results + j] += form[i][j];
    }
    let last = results * tiles + taps - 1;
    let seen = |i: usize| (i + 1).min(taps).min(last - i) as f64;
    let inner = padding..last.min(length - padding);
    let rows: Vec<_> = whole[inner.clone()].iter().map(|row| row[inner.clone()].to_vec()).collect();
    largest(&rows, &inner.map(seen).collect::<Vec<_>>())
}

/// The forms of result `k`'s products along an axis: of a tile's pixels, and of the first `taps`.
fn forms(algorithm: &Algorithm, taps: usize, k: usize) -> [Vec<Vec<f64>>; 2] {
    let [b, mut g, a] = matrices(algorithm);
    g.iter_mut().for_each(|line| line.truncate(taps));
    let sizes = |others: &Matrix| -> Vec<f64> {
        a[k].iter().zip(others).map(|(a, other)| f64::from(a * a) * square(other)).collect()
    };
    [squares(&b, &sizes(&g)), squares(&g, &sizes(&b))]
}

/// The pixels of a tile and the taps that the products are largest for.
fn worst_patterns(algorithm: &Algorithm) -> [Vec<f64>; 2] {
    let all = algorithm.taps;
    let [pixels, taps] = forms(algorithm, all, 0);
    let pixels = if algorithm.results == 2 {
        vec![1.0, 0.0, -2.0, 0.0]
    } else {
        largest_in_line(algorithm, all, &pixels, 1, 0).1
    };
    [pixels, largest(&taps, &vec![1.0; all]).1]
}

/// The largest share of the results that products come to, over filters of the first `taps`.
fn most(algorithm: &Algorithm, taps: usize) -> f64 {
    let mut most: f64 = 0.0;
    for k in 0..algorithm.results {
        let [pixels, of_taps] = forms(algorithm, taps, k);
        most = most.max(largest(&of_taps, &vec![1.0; taps]).0);
        // Those of F(2 x 2, 3 x 3) see their own windows alone, unless the filter is shorter.
        let own = algorithm.results == 2 && taps == 3;
        let lines = [1, 2, 5].into_iter().flat_map(|tiles| [0, 1, 2].map(|pad| (tiles, pad)));
        for (tiles, padding) in lines.filter(|_| !own) {
            let of_line = largest_in_line(algorithm, taps, &pixels, tiles, padding).0;
            most = most.max(of_line * algorithm.results as f64);
        }
    }
    most
}

/// Results, by the number of channels.
const FORWARD: Tested =
    Tested { rounding: |algorithm| &algorithm.rounding, most, patterns: worst_patterns, worst };

#[test]
fn products_are_as_much_larger_than_results_as_the_bound_has_it() {
    FORWARD.amplifies_by_the_bound();
}

#[test]
fn rounding_stays_within_the_bound_and_comes_within_a_small_factor_of_it() {
    let least = |algorithm: &Algorithm| if algorithm.results == 2 { 0.02 } else { 0.01 };
    FORWARD.rounds_within_the_bound(&[1, 3, 64, 512], least);
}

#[test]
fn a_fault_in_a_transform_is_beyond_the_bound() {
    let faults: [(&str, Fault); 4] = [
        ("a coefficient that is a thousandth off", |_, u, _| u[1][2] *= 1.001),
        ("a channel left out of one product", |v, _, at| {
            if at == 0 {
                v[3][3] = 0.0;
            }
        }),
        ("a sign", |v, _, _| v[2][1] = -v[2][1]),
        ("tiles in half precision", |v, _, _| halved(v)),
    ];
    FORWARD.finds(&faults, &[3, 64, 512]);
}

fn layer([batch, side, c, n]: [usize; 4], groups: usize, taps: usize) -> Geometry {
    let (conv, p) = (Conv { pad: taps / 2, groups, ..Conv::default() }, side);
    Geometry { batch, h: side, w: side, c, p, q: p, n, r: taps, s: taps, conv }
}

const WEIGHT: Pass = Pass::Weight { filter: [3, 3] };

#[test]
fn chunks_take_every_tile_once_and_bind_no_more_than_is_allowed() {
    // What the kernels write chunk by chunk, and which of their bindings that is.
    let parts = [
        (Pass::Forward, [(2, scratch(1)), (1, output(0))]),
        (WEIGHT, [(2, scratch(0)), (3, scratch(1))]),
    ];
    for ((pass, transformed), taps) in parts.into_iter().flat_map(|part| [(part, 3), (part, 5)]) {
        for tiles in Tiles::all(pass, &layer([3, 11, 20, 36], 2, taps), true) {
            let results = tiles.algorithm.results;
            let variant = Variant::new(WINOGRAD, [(RESULTS, results as u32), ("TM", 4), ("TN", 4)]);
            let filters = 4 * tiles.algorithm.products() as u64 * 10 * 36;
            for max_binding in [filters.max(52 << 10), filters.max(64 << 10), 128 << 20] {
                let caps = Caps { max_binding, ..Caps::portable() };
                let lowered = tiles.lower(&variant, &Epilogue::none(), &caps);
                let word = |dispatch: &Dispatch, name| {
                    let param = dispatch.params.iter().find(|param| param.name == name)?;
                    if let Word::U32(word) = param.word { Some(word as usize) } else { None }
                };
                for (at, target) in transformed {
                    let mut next = 0;
                    let makes = |part: &&Dispatch| {
                        let is_transform = part.kernel.shader.starts_with("conv2d/winograd");
                        let written = part.bindings.get(at).map(|binding| binding.operand);
                        is_transform && written == Some(target.operand)
                    };
                    for part in lowered.dispatches.iter().filter(makes) {
                        assert_eq!(word(part, "first"), Some(next));
                        next += word(part, "tiles").unwrap();
                    }
                    let count = 3 * 11usize.div_ceil(results).pow(2);
                    assert_eq!(next, count, "{target:?} with {max_binding}");
                }
                assert!(lowered.scratch.iter().all(|spec| spec.bytes() <= max_binding));
                let chunks = lowered.dispatches.len() / 3;
                assert_eq!(chunks > 1, max_binding < 1 << 20, "{chunks} chunks with {max_binding}");
            }
            // Where the filters alone are too long it is not offered.
            let caps = Caps { max_binding: filters - 1, ..Caps::portable() };
            assert_eq!(tiles.planned(&caps), []);
        }
    }
}

/// How long a layer takes in tiles of each size, by the estimates, of what it takes otherwise.
fn in_tiles_of_direct(pass: Pass, geometry: &Geometry) -> Vec<f64> {
    let caps = Caps::portable();
    let direct = super::super::lower::planned(pass, geometry, &caps);
    let tiles = Tiles::all(pass, geometry, false);
    tiles.map(|tiles| tiles.planned(&caps)[0].ns / direct[0].ns).collect()
}

const INPUT: Pass = Pass::Input { rest: [0, 0] };

#[test]
fn a_gpu_takes_larger_filters_in_tiles() {
    // alexnet's second layer: an H200 took it in a third of the definition's time.
    let layer = layer([64, 27, 96, 256], 2, 5);
    for pass in [Pass::Forward, INPUT, Pass::Weight { filter: [5, 5] }] {
        let of_direct = in_tiles_of_direct(pass, &layer);
        assert!(of_direct[0] < 0.6, "{pass:?}: {of_direct:?}");
    }
}

#[test]
fn a_gpu_takes_wide_layers_in_tiles_and_measures_the_narrower() {
    for pass in [Pass::Forward, INPUT, WEIGHT] {
        let in_tiles = |sizes, groups| {
            let of_direct = in_tiles_of_direct(pass, &layer(sizes, groups, 3));
            [of_direct[0], of_direct[1]]
        };
        // vgg's layers, alexnet's in two groups and residual's: those of 4 x 4 are first.
        for (sizes, groups) in [
            ([8, 56, 256, 256], 1),
            ([8, 28, 512, 512], 1),
            ([32, 14, 512, 512], 1),
            ([64, 13, 384, 384], 2),
            ([64, 13, 384, 256], 2),
            ([16, 56, 64, 64], 1),
            ([16, 28, 128, 128], 1),
        ] {
            let [two, four] = in_tiles(sizes, groups);
            assert!(four < 1.0 && four < two, "{pass:?} {sizes:?}: {two} {four}");
        }
        // A first layer, whose gradient in x nobody asks for.
        let [two, four] = in_tiles([32, 112, 3, 64], 1);
        assert!(pass == INPUT || (two > 1.6 && four > 1.0), "{pass:?}: {two} {four}");
        // Tiles of 4 x 4 results half of which are outside.
        let [two, four] = in_tiles([64, 2, 512, 512], 1);
        assert!(two < four, "{pass:?}: {two} {four}");
    }
}

#[test]
fn a_gpu_takes_filters_of_5_x_5_in_tiles_where_there_are_many_channels() {
    for pass in [Pass::Forward, INPUT, WEIGHT] {
        // alexnet's second layer.
        let of_direct = in_tiles_of_direct(pass, &layer([64, 27, 96, 256], 2, 5));
        assert!(of_direct[0] < 0.6, "{pass:?}: {of_direct:?}");
    }
}

#[test]
fn a_gpu_takes_a_first_layer_of_long_steps_in_tiles() {
    // alexnet's, of which 4 x 4 pixels of 3 channels are a step.
    let conv = Conv { stride: 4, pad: 2, groups: 1 };
    let geometry =
        Geometry { batch: 64, h: 224, w: 224, c: 3, p: 55, q: 55, n: 96, r: 11, s: 11, conv };
    for pass in [Pass::Forward, WEIGHT] {
        let of_direct = in_tiles_of_direct(pass, &geometry);
        assert!(of_direct[1] < 0.8 && of_direct[1] < of_direct[0], "{pass:?}: {of_direct:?}");
    }
    assert!(in_tiles_of_direct(Pass::Input { rest: [1, 1] }, &geometry).is_empty());
}
