//! Draws a digit in a random hand: strokes through a few points, distorted, then inked.
//!
//! Uses only `+ - * /` and `sqrt`, which IEEE 754 rounds alike everywhere, so that a seed gives
//! the same bytes on every machine.

use crate::data::idx::{Image, PIXELS, SIDE};
use crate::data::order::mix;

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 up to but without 1.
    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(self.0) >> 40) as f32 / (1 << 24) as f32
    }

    fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f32) as usize
    }
}

type Point = [f32; 2];
/// Strokes, each a smooth curve through its points; a corner is where two strokes meet.
type Form = &'static [&'static [Point]];

/// How people write each digit: x to the right, y down, height 1.
#[rustfmt::skip]
const FORMS: [&[Form]; 10] = [
    &[&[&[[0.52, 0.0], [0.28, 0.12], [0.18, 0.45], [0.25, 0.85], [0.5, 1.0], [0.76, 0.86], [0.83, 0.5], [0.75, 0.14], [0.5, 0.0]]]],
    &[&[&[[0.5, 0.0], [0.5, 0.5], [0.5, 1.0]]],
      &[&[[0.3, 0.22], [0.45, 0.13], [0.55, 0.0]], &[[0.55, 0.0], [0.54, 0.5], [0.55, 1.0]]]],
    &[&[&[[0.2, 0.22], [0.35, 0.03], [0.6, 0.0], [0.77, 0.2], [0.68, 0.45], [0.44, 0.74], [0.18, 0.98]], &[[0.18, 0.98], [0.5, 0.96], [0.84, 0.98]]],
      &[&[[0.2, 0.2], [0.38, 0.02], [0.65, 0.03], [0.75, 0.25], [0.62, 0.58], [0.36, 0.9], [0.2, 0.95], [0.2, 0.82], [0.38, 0.8], [0.6, 0.95], [0.88, 0.94]]]],
    &[&[&[[0.22, 0.1], [0.48, 0.0], [0.74, 0.12], [0.7, 0.34], [0.42, 0.47]], &[[0.42, 0.47], [0.72, 0.55], [0.8, 0.78], [0.58, 0.99], [0.2, 0.91]]]],
    &[&[&[[0.28, 0.02], [0.22, 0.3], [0.18, 0.56]], &[[0.18, 0.56], [0.5, 0.57], [0.87, 0.52]], &[[0.72, 0.05], [0.69, 0.5], [0.66, 1.0]]],
      &[&[[0.66, 0.0], [0.42, 0.32], [0.13, 0.64]], &[[0.13, 0.64], [0.5, 0.64], [0.9, 0.63]], &[[0.66, 0.0], [0.66, 0.5], [0.66, 1.0]]]],
    &[&[&[[0.32, 0.0], [0.29, 0.2], [0.25, 0.43]], &[[0.25, 0.43], [0.52, 0.36], [0.76, 0.5], [0.77, 0.78], [0.53, 0.99], [0.2, 0.92]], &[[0.32, 0.0], [0.55, 0.01], [0.82, 0.0]]]],
    &[&[&[[0.68, 0.0], [0.42, 0.2], [0.24, 0.55], [0.27, 0.88], [0.5, 1.0], [0.75, 0.86], [0.71, 0.6], [0.47, 0.53], [0.27, 0.74]]]],
    &[&[&[[0.16, 0.04], [0.5, 0.04], [0.8, 0.02]], &[[0.8, 0.02], [0.58, 0.45], [0.42, 1.0]]],
      &[&[[0.16, 0.04], [0.5, 0.04], [0.8, 0.02]], &[[0.8, 0.02], [0.58, 0.45], [0.42, 1.0]], &[[0.34, 0.52], [0.55, 0.5], [0.78, 0.47]]]],
    &[&[&[[0.73, 0.13], [0.47, 0.0], [0.26, 0.15], [0.38, 0.4], [0.65, 0.58], [0.76, 0.82], [0.5, 1.0], [0.25, 0.83], [0.36, 0.6], [0.63, 0.38], [0.73, 0.13]]]],
    &[&[&[[0.74, 0.17], [0.52, 0.0], [0.28, 0.13], [0.28, 0.4], [0.52, 0.49], [0.74, 0.17]], &[[0.74, 0.17], [0.71, 0.55], [0.62, 1.0]]],
      &[&[[0.74, 0.17], [0.52, 0.0], [0.28, 0.13], [0.28, 0.4], [0.52, 0.49], [0.74, 0.17]], &[[0.74, 0.17], [0.77, 0.6], [0.62, 0.94], [0.27, 0.93]]]],
];

/// Draws the digit `label`, 0 to 9, in a random hand.
pub(super) fn draw(label: usize, rng: &mut Rng) -> Image {
    let forms = FORMS[label];
    let mut segments = trace(forms[rng.below(forms.len())], rng);
    // Fit the digit and its ink into MNIST's box of about 20x20 pixels.
    let radius = rng.range(0.7, 1.6);
    let corner = |pick: fn(f32, f32) -> f32, axis: usize| {
        let places = segments.as_flattened().iter().map(|point| point[axis]);
        places.reduce(pick).unwrap_or(0.0)
    };
    let (low, high) =
        ([0, 1].map(|axis| corner(f32::min, axis)), [0, 1].map(|axis| corner(f32::max, axis)));
    let scale = (rng.range(18.0, 21.0) - 2.0 * radius) / (high[0] - low[0]).max(high[1] - low[1]);
    let shift = [0, 1].map(|_| SIDE as f32 / 2.0 + rng.range(-1.5, 1.5));
    for point in segments.as_flattened_mut() {
        *point = [0, 1].map(|a| (point[a] - (low[a] + high[a]) / 2.0) * scale + shift[a]);
    }
    ink(&segments, radius)
}

/// The strokes as short segments, with a random slant, width, turn, bend and unsteadiness.
fn trace(form: Form, rng: &mut Rng) -> Vec<[Point; 2]> {
    const STEPS: usize = 5;
    let (slant, width) = (rng.range(-0.15, 0.45), rng.range(0.8, 1.3));
    // The tangent of half the angle gives sine and cosine without a library that may round.
    let half = rng.range(-0.08, 0.08);
    let (sin, cos) = (2.0 * half / (1.0 + half * half), (1.0 - half * half) / (1.0 + half * half));
    // A bend moves neighbours alike, so that strokes which meet still do.
    let bend: [f32; 6] = std::array::from_fn(|_| rng.range(-0.35, 0.35));
    let mut segments = Vec::new();
    for stroke in form {
        let points: Vec<Point> = stroke
            .iter()
            .map(|&[x, y]| {
                let (x, y) = (x - 0.5 + rng.range(-0.04, 0.04), y - 0.5 + rng.range(-0.04, 0.04));
                let u = x + bend[0] * x * x + bend[1] * x * y + bend[2] * y * y;
                let v = y + bend[3] * x * x + bend[4] * x * y + bend[5] * y * y;
                let u = width * u - slant * v;
                [cos * u - sin * v, sin * u + cos * v]
            })
            .collect();
        let at = |i: usize| points[i.min(points.len() - 1)];
        let mut from = at(0);
        for i in 0..points.len() - 1 {
            for step in 1..=STEPS {
                let t = step as f32 / STEPS as f32;
                let to = catmull_rom([at(i.saturating_sub(1)), at(i), at(i + 1), at(i + 2)], t);
                segments.push([from, to]);
                from = to;
            }
        }
    }
    segments
}

/// The point at `t` from 0 to 1 between `p[1]` and `p[2]` on the curve through all four.
fn catmull_rom(p: [Point; 4], t: f32) -> Point {
    [0, 1].map(|a| {
        let [p0, p1, p2, p3] = p.map(|point| point[a]);
        let cubic = 3.0 * (p1 - p2) + p3 - p0;
        let square = 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3;
        p1 + 0.5 * t * (p2 - p0 + t * (square + t * cubic))
    })
}

/// Inks every pixel by its distance from the nearest segment; coordinates in pixels.
fn ink(segments: &[[Point; 2]], radius: f32) -> Image {
    /// Width of the edge over which ink fades, in pixels; MNIST's edges are this soft.
    const EDGE: f32 = 1.3;
    let reach = radius + EDGE / 2.0;
    let mut image = [0; PIXELS];
    for &[a, b] in segments {
        let range = |axis: usize| {
            let (low, high) = (a[axis].min(b[axis]) - reach, a[axis].max(b[axis]) + reach);
            // A negative cast is 0.
            low as usize..(high as usize + 1).min(SIDE)
        };
        let along = [b[0] - a[0], b[1] - a[1]];
        let length2 = (along[0] * along[0] + along[1] * along[1]).max(f32::MIN_POSITIVE);
        for y in range(1) {
            for x in range(0) {
                let to = [x as f32 + 0.5 - a[0], y as f32 + 0.5 - a[1]];
                let t = ((to[0] * along[0] + to[1] * along[1]) / length2).clamp(0.0, 1.0);
                let (dx, dy) = (to[0] - t * along[0], to[1] - t * along[1]);
                let cover = (reach - (dx * dx + dy * dy).sqrt()) / EDGE;
                let pixel = &mut image[y * SIDE + x];
                // The cast clamps to 0..=255.
                *pixel = (*pixel).max((cover * 255.0 + 0.5) as u8);
            }
        }
    }
    image
}
