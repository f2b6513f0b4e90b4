//! From an image of any size to a model's input.

use image::RgbImage;
use image::imageops::{self, FilterType::Triangle};

use crate::random::Rng;

/// Mean and deviation of ImageNet's colours, as every framework standardises them.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// What a centre crop leaves of the shorter side: 224 of 256 pixels.
const KEPT: f32 = 224.0 / 256.0;

/// Bytes [.., 3] as standardised f32.
pub(super) fn standardise(rgb: &[u8]) -> Vec<f32> {
    let table: [[f32; 256]; 3] = std::array::from_fn(|c| {
        std::array::from_fn(|v| (v as f32 / 255.0 - MEAN[c]) / DEVIATION[c])
    });
    let pixels = rgb.iter().zip([0, 1, 2].into_iter().cycle());
    pixels.map(|(&value, c)| table[c][usize::from(value)]).collect()
}

/// A part of 8 to 100 % of the area with sides in a ratio of 3:4 to 4:3, resized, and flipped half the
/// time (Szegedy 2015, section 6). The draws depend on `seed` alone.
pub(super) fn random_crop(image: &RgbImage, size: u32, seed: u64) -> RgbImage {
    let mut rng = Rng::new(seed);
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let mut part = None;
    for _ in 0..10 {
        let area = width * height * rng.range(0.08, 1.0);
        let ratio = rng.range((0.75f64).ln(), (4.0f64 / 3.0).ln()).exp();
        let (w, h) = ((area * ratio).sqrt().round(), (area / ratio).sqrt().round());
        if (1.0..=width).contains(&w) && (1.0..=height).contains(&h) {
            let x = rng.below((width - w) as usize + 1) as u32;
            let y = rng.below((height - h) as usize + 1) as u32;
            part = Some((x, y, w as u32, h as u32));
            break;
        }
    }
    let (x, y, w, h) = part.unwrap_or_else(|| {
        // An image too long for these ratios: its middle.
        let side = image.width().min(image.height());
        ((image.width() - side) / 2, (image.height() - side) / 2, side, side)
    });
    let crop = imageops::crop_imm(image, x, y, w, h).to_image();
    let mut resized = imageops::resize(&crop, size, size, Triangle);
    if rng.uniform() < 0.5 {
        imageops::flip_horizontal_in_place(&mut resized);
    }
    resized
}

/// The middle of the image, 224/256 of its shorter side, resized.
pub(super) fn centre_crop(image: &RgbImage, size: u32) -> RgbImage {
    let shorter = image.width().min(image.height());
    let side = ((shorter as f32 * KEPT).round() as u32).max(1);
    let (x, y) = ((image.width() - side) / 2, (image.height() - side) / 2);
    let crop = imageops::crop_imm(image, x, y, side, side).to_image();
    imageops::resize(&crop, size, size, Triangle)
}
