//! Procedural images: a class is a shape, a texture and a colour; pose, shade, light, background and
//! noise vary.

use std::f32::consts::{PI, TAU};

use glam::{Affine2, Mat2, Vec2, Vec3, vec2};

use crate::random::{Rng, philox};

/// Hues of the ten colours, in turns, with their lightness.
const COLOURS: [(f32, f32); 10] = [
    (0.00, 1.0),
    (0.07, 0.9),
    (0.14, 1.0),
    (0.25, 0.8),
    (0.36, 0.7),
    (0.48, 0.9),
    (0.57, 1.0),
    (0.66, 0.8),
    (0.77, 0.9),
    (0.90, 1.0),
];

/// Largest change of a colour value by noise.
const NOISE: f32 = 0.06;

/// Shape, texture and colour of a class. The first ten classes differ in all three; a thousand are all
/// there are.
pub(super) fn parts_of(class: usize) -> [usize; 3] {
    let (a, b, c) = (class % 10, class / 10 % 10, class / 100 % 10);
    [a, (b + 3 * a + 1) % 10, (c + 7 * a + 2) % 10]
}

/// Distance of `p` from the edge of a shape of about unit size, negative inside.
fn shape(kind: usize, p: Vec2) -> f32 {
    let square = |p: Vec2, half: Vec2| {
        let d = p.abs() - half;
        d.max(Vec2::ZERO).length() + d.max_element().min(0.0)
    };
    // The distance from a regular star or polygon: folded into one sector, it is a line.
    let star = |p: Vec2, points: f32, inner: f32| {
        let sector = PI / points;
        let angle = p.to_angle().rem_euclid(2.0 * sector) - sector;
        let q = Vec2::from_angle(angle.abs()) * p.length();
        let (tip, dent) = (Vec2::from_angle(sector), vec2(inner, 0.0));
        let edge = tip - dent;
        edge.perp().normalize().dot(dent - q)
    };
    match kind {
        0 => p.length() - 0.8,
        1 => (p.length() - 0.65).abs() - 0.22,
        2 => square(p, Vec2::splat(0.72)),
        3 => square(p, Vec2::splat(0.62)).abs() - 0.2,
        4 => star(p, 3.0, 0.5),
        5 => square(p, vec2(0.9, 0.28)).min(square(p, vec2(0.28, 0.9))),
        6 => star(p, 5.0, 0.42),
        7 => (p.length() - 0.9).max(p.y),
        8 => square(p, vec2(0.95, 0.3)),
        // A crescent.
        _ => (p.length() - 0.88).max(0.7 - (p - vec2(0.45, 0.0)).length()),
    }
}

/// Share of the second shade at `p` in a texture.
fn texture(kind: usize, p: Vec2) -> f32 {
    let wave = |x: f32| 0.5 + 0.5 * (x * TAU).sin();
    let sharp = |x: f32| ((x - 0.5) * 6.0 + 0.5).clamp(0.0, 1.0);
    match kind {
        0 => 0.0,
        1 => sharp(wave(p.x * 1.7)),
        2 => sharp(wave(p.y * 1.7)),
        3 => sharp(wave(p.x * 1.3) * wave(p.y * 1.3) + 0.25),
        4 => sharp(0.5 + 2.0 * (wave(p.x * 1.4) - 0.5) * (wave(p.y * 1.4) - 0.5)),
        5 => sharp(wave(p.length() * 2.0)),
        6 => sharp(wave((p.x + p.y) * 1.2)),
        7 => (0.5 + 0.5 * p.x).clamp(0.0, 1.0),
        8 => sharp(wave(p.to_angle() / TAU * 8.0)),
        _ => sharp(wave(p.x * 1.5 + 0.35 * (p.y * 7.0).sin())),
    }
}

/// A saturated colour of a hue in turns.
fn hue(turns: f32) -> Vec3 {
    let channel = |shift: f32| ((turns + shift).rem_euclid(1.0) * 6.0 - 3.0).abs() - 1.0;
    Vec3::new(channel(0.0), channel(-1.0 / 3.0), channel(1.0 / 3.0)).clamp(Vec3::ZERO, Vec3::ONE)
}

/// RGB bytes [size, size, 3] of a sample of `class`, a function of `seed`.
pub(super) fn image(seed: u64, class: usize, size: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut range = |low: f32, high: f32| rng.range(f64::from(low), f64::from(high)) as f32;
    let [shape_kind, texture_kind, colour] = parts_of(class);

    // From the image, [-1, 1] in both directions, to the object's own plane.
    let turn = Mat2::from_angle(range(-0.6, 0.6));
    let shear = Mat2::from_cols(vec2(1.0, 0.0), vec2(range(-0.2, 0.2), 1.0));
    let stretch = Mat2::from_diagonal(Vec2::splat(range(0.5, 0.8)) * vec2(1.0, range(0.85, 1.15)));
    let place = vec2(range(-0.25, 0.25), range(-0.25, 0.25));
    let to_object = Affine2::from_mat2_translation(turn * shear * stretch, place).inverse();

    let (turns, lightness) = COLOURS[colour];
    let ink = hue(turns + range(-0.02, 0.02)) * lightness * range(0.8, 1.0);
    let ink = ink.lerp(Vec3::splat(0.5), range(0.0, 0.15));
    let other = ink * range(0.3, 0.5) + Vec3::splat(range(0.0, 0.1));
    let ground = hue(range(0.0, 1.0)).lerp(Vec3::splat(range(0.2, 0.8)), range(0.7, 0.95));
    let ground_change = Vec2::from_angle(range(0.0, TAU)) * range(0.0, 0.2);
    let light = Vec2::from_angle(range(0.0, TAU)) * range(0.0, 0.2);

    let pixel = 2.0 / size as f32;
    // Lengths in the object's plane of a pixel.
    let scale = to_object.matrix2.determinant().abs().sqrt() * pixel;
    let mut out = Vec::with_capacity(size * size * 3);
    for at in 0..size * size {
        let p = (vec2((at % size) as f32, (at / size) as f32) + 0.5) * pixel - 1.0;
        let q = to_object.transform_point2(p);
        let cover = (0.5 - shape(shape_kind, q) / scale).clamp(0.0, 1.0);
        let behind = ground + ground_change.dot(p);
        let colour = if cover > 0.0 {
            behind.lerp(ink.lerp(other, texture(texture_kind, q)), cover)
        } else {
            behind
        };
        let bits = philox([at as u32, 0, 0, 0], [seed as u32, (seed >> 32) as u32]);
        let noise =
            Vec3::from_array([bits[0], bits[1], bits[2]].map(|b| b as f32 / u32::MAX as f32));
        let lit = colour * (1.0 + light.dot(p)) + (noise - 0.5) * (2.0 * NOISE);
        out.extend((lit.to_array()).map(|v| (v * 255.0).clamp(0.0, 255.0).round() as u8));
    }
    out
}
