use super::*;
use crate::kernel::Word;
use crate::op::conv2d::Conv;
use crate::random::Rng;

pub(super) const B: [[f32; 4]; 4] =
    [[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, 1.0, 0.0, -1.0]];
pub(super) const G: [[f32; 3]; 4] =
    [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
pub(super) const A: [[f32; 4]; 2] = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, -1.0]];

/// L X L^T, each step rounded to f32.
pub(super) fn transformed<const M: usize, const N: usize>(
    l: &[[f32; N]; M],
    x: &[[f32; N]; N],
) -> [[f32; M]; M] {
    let sum = |terms: &mut dyn Iterator<Item = f32>| terms.fold(0.0f32, |sum, term| sum + term);
    let half: [[f32; N]; M] = std::array::from_fn(|i| {
        std::array::from_fn(|s| sum(&mut (0..N).map(|r| l[i][r] * x[r][s])))
    });
    std::array::from_fn(|i| std::array::from_fn(|j| sum(&mut (0..N).map(|s| l[j][s] * half[i][s]))))
}

/// The channels of a tile of pixels and of a filter.
type Channels = Vec<([[f32; 4]; 4], [[f32; 3]; 3])>;

/// Values of mean 0: drawn one by one where the pattern is all ones, else the pattern along both axes at a drawn size.
fn drawn<const N: usize>(pattern: [f32; N], rng: &mut Rng) -> [[f32; N]; N] {
    let mut one = || rng.range(-1.0, 1.0) as f32;
    let (size, is_any) = (one(), pattern == [1.0; N]);
    std::array::from_fn(|i| {
        std::array::from_fn(|j| if is_any { one() } else { size * pattern[i] * pattern[j] })
    })
}

/// What a fault makes of a channel's tile, its filter and their product.
type Fault = fn(&mut [[f32; 4]; 4], &mut [[f32; 4]; 4], usize);

/// A tile's results as the kernels come to them.
fn in_tiles(channels: &Channels, fault: Fault) -> [[f32; 2]; 2] {
    let mut products = [[0.0f32; 4]; 4];
    for (at, (x, w)) in channels.iter().enumerate() {
        let (mut v, mut u) = (transformed(&B, x), transformed(&G, w));
        fault(&mut v, &mut u, at);
        for (i, row) in products.iter_mut().enumerate() {
            for (j, sum) in row.iter_mut().enumerate() {
                *sum = v[i][j].mul_add(u[i][j], *sum);
            }
        }
    }
    transformed(&A, &products)
}

/// The same from the definition.
fn in_f64(channels: &Channels) -> [[f64; 2]; 2] {
    let taps = || (0..3).flat_map(|r| (0..3).map(move |s| (r, s)));
    std::array::from_fn(|p| {
        std::array::from_fn(|q| {
            let product = |(x, w): &([[f32; 4]; 4], [[f32; 3]; 3])| -> f64 {
                taps().map(|(r, s)| f64::from(x[p + r][q + s]) * f64::from(w[r][s])).sum()
            };
            channels.iter().map(product).sum()
        })
    })
}

/// The worst error over some tiles as a share of the bound.
fn worst(channels: usize, pixels: [f32; 4], filter: [f32; 3], fault: Fault) -> f64 {
    let mut rng = Rng::new(7);
    let mut values = Vec::new();
    for _ in 0..60 {
        let channel = |_| (drawn(pixels, &mut rng), drawn(filter, &mut rng));
        let tile = (0..channels).map(channel).collect();
        let (got, wanted) = (in_tiles(&tile, fault), in_f64(&tile));
        values.extend(got.into_iter().flatten().zip(wanted.into_iter().flatten()));
    }
    let squares: f64 = values.iter().map(|(_, wanted)| wanted * wanted).sum();
    let rms = (squares / values.len() as f64).sqrt();
    let bound = tolerance(channels, 0).0;
    let error = |(got, wanted): &(f32, f64)| {
        (f64::from(*got) - wanted).abs() / (bound * wanted.abs().max(rms))
    };
    values.iter().map(error).fold(0.0, f64::max)
}

const SOUND: Fault = |_, _, _| {};

/// The pixels and the filters that the products are largest for.
const WORST: ([f32; 4], [f32; 3]) =
    ([1.0, 0.0, -2.0, 0.0], [1.0 + std::f32::consts::SQRT_2, 0.0, 1.0]);

#[test]
fn rounding_stays_within_the_bound_and_comes_within_a_small_factor_of_it() {
    for channels in [1, 3, 64, 512] {
        for (pixels, filter) in [([1.0; 4], [1.0; 3]), (WORST.0, [1.0; 3]), ([1.0; 4], WORST.1)] {
            let worst = worst(channels, pixels, filter, SOUND);
            let place = format!("{channels} channels, {pixels:?}, {filter:?}: {worst}");
            assert!(worst < 1.0, "{place}");
            assert!(worst > 0.02, "a bound that says nothing: {place}");
        }
    }
}

#[test]
fn a_fault_in_a_transform_is_beyond_the_bound() {
    let faults: [(&str, Fault); 4] = [
        ("a half that is a thousandth off", |_, u, _| u[1][2] *= 1.001),
        ("a channel left out of one product", |v, _, at| {
            if at == 0 {
                v[3][3] = 0.0;
            }
        }),
        ("a sign", |v, _, _| v[2][1] = -v[2][1]),
        ("tiles in half precision", |v, _, _| {
            for value in v.iter_mut().flatten() {
                *value = f32::from_bits(value.to_bits() & !0x1fff);
            }
        }),
    ];
    for channels in [3, 64, 512] {
        for (what, fault) in faults {
            let worst = worst(channels, [1.0; 4], [1.0; 3], fault);
            assert!(worst > 1.0, "{what}, {channels} channels: {worst} of the bound");
        }
    }
}

fn layer([batch, side, c, n]: [usize; 4]) -> Geometry {
    let (conv, p) = (Conv { pad: 1, ..Conv::default() }, side);
    Geometry { batch, h: side, w: side, c, p, q: p, n, r: 3, s: 3, conv }
}

const WEIGHT: Pass = Pass::Weight { filter: [3, 3] };

#[test]
fn chunks_take_every_tile_once_and_bind_no_more_than_is_allowed() {
    let variant = Variant::new(WINOGRAD, [("TM", 4), ("TN", 4)]);
    let parts = [
        (Pass::Forward, ["conv2d/winograd_input", "conv2d/winograd_output"]),
        (WEIGHT, ["conv2d/winograd_input", "conv2d/winograd_dy"]),
    ];
    for (pass, shaders) in parts {
        let tiles = Tiles::of(pass, &layer([3, 11, 20, 36]), true).unwrap();
        for max_binding in [48 << 10, 64 << 10, 128 << 20] {
            let caps = Caps { max_binding, ..Caps::portable() };
            let lowered = tiles.lower(&variant, &Epilogue::none(), &caps);
            let word = |dispatch: &Dispatch, name| {
                let param = dispatch.params.iter().find(|param| param.name == name)?;
                if let Word::U32(word) = param.word { Some(word as usize) } else { None }
            };
            for shader in shaders {
                let mut next = 0;
                for part in lowered.dispatches.iter().filter(|part| part.kernel.shader == shader) {
                    assert_eq!(word(part, "first"), Some(next));
                    next += word(part, "tiles").unwrap();
                }
                assert_eq!(next, 3 * 6 * 6, "{shader} with {max_binding}");
            }
            assert!(lowered.scratch.iter().all(|spec| spec.bytes() <= max_binding));
            let chunks = lowered.dispatches.len() / 3;
            assert_eq!(chunks > 1, max_binding < 1 << 20, "{chunks} chunks with {max_binding}");
        }
        // Where the filters alone are too long it is not offered.
        let caps = Caps { max_binding: 46_079, ..Caps::portable() };
        assert_eq!(tiles.planned(&caps), []);
    }
}

/// How long a layer takes in tiles, by the estimates, of what it takes otherwise.
fn in_tiles_of_direct(pass: Pass, sizes: [usize; 4]) -> f64 {
    let geometry = layer(sizes);
    let direct = super::super::lower::planned(pass, &geometry, &Caps::portable());
    let tiles = Tiles::of(pass, &geometry, false).unwrap().planned(&Caps::portable());
    tiles[0].ns / direct[0].ns
}

#[test]
fn a_gpu_takes_wide_layers_in_tiles_and_measures_the_narrower() {
    for pass in [Pass::Forward, WEIGHT] {
        let problem = |sizes| in_tiles_of_direct(pass, sizes);
        // vgg's layers at batch 32, in parts where the whole is longer than a binding.
        assert!(problem([32, 28, 512, 512]) < 1.0, "{}", problem([32, 28, 512, 512]));
        assert!(problem([32, 14, 512, 512]) < 1.0, "{}", problem([32, 14, 512, 512]));
        assert!(problem([32, 56, 256, 256]) < 1.0, "{}", problem([32, 56, 256, 256]));
        assert!(problem([8, 224, 64, 64]) > 1.0, "{}", problem([8, 224, 64, 64]));
        assert!(problem([32, 112, 3, 64]) > 1.6, "{}", problem([32, 112, 3, 64]));
    }
}
