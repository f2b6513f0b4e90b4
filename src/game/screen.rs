//! From screens to what the network sees (Mnih 2015, Methods, "Preprocessing"): the maximum of two frames,
//! since sprites flicker, their luminance, 84 x 84 pixels.

use super::rules::{HEIGHT, WIDTH};

/// Rows and columns of a frame.
pub const SIDE: usize = 84;

/// Bytes of a frame.
pub const FRAME: usize = SIDE * SIDE;

/// Turns screens into frames; keeps what does not change.
#[derive(Debug)]
pub struct Scaler {
    luminance: Vec<f32>,
    columns: Vec<(usize, f32)>,
    rows: Vec<(usize, f32)>,
}

impl Default for Scaler {
    fn default() -> Self {
        Self { luminance: vec![0.0; HEIGHT * WIDTH], columns: places(WIDTH), rows: places(HEIGHT) }
    }
}

/// For each place of a frame the pixel before it and how far it lies beyond that pixel's middle.
fn places(from: usize) -> Vec<(usize, f32)> {
    let place = |at: usize| {
        let x = (at as f32 + 0.5) * from as f32 / SIDE as f32 - 0.5;
        let first = (x as usize).min(from - 2);
        (first, x - first as f32)
    };
    (0..SIDE).map(place).collect()
}

impl Scaler {
    /// The frame of two RGB screens, bilinearly scaled.
    pub fn frame(&mut self, before: &[u8], now: &[u8]) -> Vec<u8> {
        let pixels = before.chunks_exact(3).zip(now.chunks_exact(3));
        for (y, (a, b)) in self.luminance.iter_mut().zip(pixels) {
            let [r, g, b] = [0, 1, 2].map(|c| f32::from(a[c].max(b[c])));
            *y = 0.299 * r + 0.587 * g + 0.114 * b;
        }
        let mut frame = Vec::with_capacity(FRAME);
        for &(row, down) in &self.rows {
            let upper = &self.luminance[row * WIDTH..(row + 1) * WIDTH];
            let lower = &self.luminance[(row + 1) * WIDTH..(row + 2) * WIDTH];
            for &(column, right) in &self.columns {
                let across =
                    |line: &[f32]| line[column] + right * (line[column + 1] - line[column]);
                let (top, bottom) = (across(upper), across(lower));
                frame.push((top + down * (bottom - top)).round() as u8);
            }
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_screen_keeps_its_luminance_and_the_brighter_of_two_counts() {
        let mut scaler = Scaler::default();
        let red = [255, 0, 0].repeat(HEIGHT * WIDTH);
        let black = vec![0; HEIGHT * WIDTH * 3];
        assert_eq!(scaler.frame(&red, &black), vec![76; FRAME]);
        assert_eq!(scaler.frame(&black, &red), vec![76; FRAME]);
    }

    #[test]
    fn halves_stay_halves() {
        let mut screen = vec![0; HEIGHT * WIDTH * 3];
        screen[..HEIGHT / 2 * WIDTH * 3].fill(200);
        let frame = Scaler::default().frame(&screen, &screen);
        assert!(frame[..SIDE * 41].iter().all(|&v| v == 200));
        assert!(frame[SIDE * 43..].iter().all(|&v| v == 0));
    }
}
