//! A formant synthesiser (after Klatt 1980, much reduced): a pulse train and noise through resonators whose
//! frequencies belong to the phones, so that each of TIMIT's 61 phones sounds like no other.

use std::f64::consts::PI;

use crate::random::Rng;

use super::audio::RATE;
use super::phn::Segment;
use super::phones::label;

/// How a phone sounds.
#[derive(Debug, Clone, Copy)]
struct Sound {
    name: &'static str,
    /// Voicing, 0 to 1.
    voice: f64,
    /// First three formants in Hz.
    formants: [f64; 3],
    /// The first two at its end: diphthongs and glides move.
    glide: [f64; 2],
    /// Noise, 0 to 1, and the Hz it is centred on.
    noise: (f64, f64),
    /// Shortest and longest milliseconds.
    ms: (f64, f64),
}

impl Sound {
    fn is_vowel(&self) -> bool {
        self.voice >= 0.8 || self.name == "ax-h"
    }
}

/// A steady voiced sound.
const fn voiced(name: &'static str, voice: f64, formants: [f64; 3], ms: (f64, f64)) -> Sound {
    let glide = [formants[0], formants[1]];
    Sound { name, voice, formants, glide, noise: (0.0, 1000.0), ms }
}

/// A voiced sound that moves.
const fn moving(name: &'static str, formants: [f64; 3], glide: [f64; 2], ms: (f64, f64)) -> Sound {
    Sound { name, voice: 1.0, formants, glide, noise: (0.0, 1000.0), ms }
}

/// Noise, perhaps with voice under it.
const fn noisy(
    name: &'static str,
    voice: f64,
    noise: (f64, f64),
    f2: f64,
    ms: (f64, f64),
) -> Sound {
    Sound { name, voice, formants: [300.0, f2, 2500.0], glide: [300.0, f2], noise, ms }
}

const VOWEL: (f64, f64) = (80.0, 150.0);
const SHORT: (f64, f64) = (50.0, 80.0);
const LONG: (f64, f64) = (120.0, 200.0);
const BURST: (f64, f64) = (30.0, 60.0);
const CLOSURE: (f64, f64) = (50.0, 90.0);
const FRICATIVE: (f64, f64) = (80.0, 140.0);

/// Formants of the vowels after Peterson & Barney 1952 (men); the rest is chosen to be told apart.
const SOUNDS: [Sound; 61] = [
    voiced("aa", 1.0, [730.0, 1090.0, 2440.0], VOWEL),
    voiced("ae", 1.0, [660.0, 1720.0, 2410.0], VOWEL),
    voiced("ah", 1.0, [640.0, 1190.0, 2390.0], VOWEL),
    voiced("ao", 1.0, [570.0, 840.0, 2410.0], VOWEL),
    moving("aw", [720.0, 1240.0, 2400.0], [420.0, 900.0], LONG),
    voiced("ax", 0.8, [500.0, 1400.0, 2500.0], SHORT),
    voiced("ax-h", 0.3, [500.0, 1450.0, 2500.0], SHORT),
    voiced("axr", 0.8, [480.0, 1280.0, 1600.0], SHORT),
    moving("ay", [710.0, 1200.0, 2500.0], [380.0, 2050.0], LONG),
    noisy("b", 0.5, (0.25, 600.0), 900.0, BURST),
    noisy("bcl", 0.15, (0.0, 500.0), 600.0, CLOSURE),
    noisy("ch", 0.0, (0.8, 3000.0), 1800.0, (60.0, 110.0)),
    noisy("d", 0.5, (0.35, 3400.0), 1700.0, BURST),
    noisy("dcl", 0.15, (0.0, 500.0), 1700.0, CLOSURE),
    noisy("dh", 0.6, (0.15, 5200.0), 1400.0, (40.0, 80.0)),
    noisy("dx", 0.6, (0.08, 2800.0), 1800.0, (20.0, 40.0)),
    voiced("eh", 1.0, [530.0, 1840.0, 2480.0], VOWEL),
    voiced("el", 0.7, [420.0, 850.0, 2700.0], VOWEL),
    voiced("em", 0.6, [250.0, 950.0, 2100.0], VOWEL),
    voiced("en", 0.6, [250.0, 1450.0, 2300.0], VOWEL),
    voiced("eng", 0.6, [250.0, 1900.0, 2350.0], VOWEL),
    noisy("epi", 0.0, (0.01, 1500.0), 1000.0, CLOSURE),
    voiced("er", 1.0, [490.0, 1350.0, 1690.0], VOWEL),
    moving("ey", [480.0, 1950.0, 2550.0], [330.0, 2200.0], LONG),
    noisy("f", 0.0, (0.35, 6800.0), 1200.0, FRICATIVE),
    noisy("g", 0.5, (0.3, 1900.0), 2000.0, BURST),
    noisy("gcl", 0.15, (0.0, 500.0), 2000.0, CLOSURE),
    noisy("h#", 0.0, (0.002, 1000.0), 1000.0, (60.0, 120.0)),
    noisy("hh", 0.05, (0.3, 1300.0), 1300.0, (50.0, 90.0)),
    noisy("hv", 0.6, (0.25, 1300.0), 1350.0, (50.0, 90.0)),
    voiced("ih", 1.0, [390.0, 1990.0, 2550.0], VOWEL),
    voiced("ix", 0.8, [400.0, 1750.0, 2500.0], SHORT),
    voiced("iy", 1.0, [270.0, 2290.0, 3010.0], VOWEL),
    noisy("jh", 0.5, (0.6, 2800.0), 1800.0, (50.0, 90.0)),
    noisy("k", 0.0, (0.5, 1800.0), 2000.0, BURST),
    noisy("kcl", 0.0, (0.001, 1000.0), 2000.0, CLOSURE),
    voiced("l", 0.7, [360.0, 1000.0, 2800.0], (60.0, 100.0)),
    voiced("m", 0.6, [260.0, 1050.0, 2100.0], (60.0, 110.0)),
    voiced("n", 0.6, [260.0, 1550.0, 2300.0], (60.0, 110.0)),
    voiced("ng", 0.6, [260.0, 2050.0, 2400.0], (60.0, 110.0)),
    voiced("nx", 0.6, [280.0, 1600.0, 2400.0], (20.0, 40.0)),
    moving("ow", [540.0, 1000.0, 2400.0], [380.0, 800.0], LONG),
    moving("oy", [500.0, 800.0, 2400.0], [380.0, 1950.0], LONG),
    noisy("p", 0.0, (0.3, 800.0), 900.0, BURST),
    noisy("pau", 0.0, (0.002, 1000.0), 1000.0, (60.0, 150.0)),
    noisy("pcl", 0.0, (0.001, 1000.0), 900.0, CLOSURE),
    voiced("q", 0.4, [450.0, 1400.0, 2400.0], (20.0, 50.0)),
    moving("r", [330.0, 1060.0, 1380.0], [420.0, 1250.0], (50.0, 90.0)),
    noisy("s", 0.0, (0.9, 5500.0), 1700.0, FRICATIVE),
    noisy("sh", 0.0, (0.9, 2900.0), 1900.0, FRICATIVE),
    noisy("t", 0.0, (0.5, 4200.0), 1800.0, BURST),
    noisy("tcl", 0.0, (0.001, 1000.0), 1800.0, CLOSURE),
    noisy("th", 0.0, (0.2, 5800.0), 1400.0, FRICATIVE),
    voiced("uh", 1.0, [440.0, 1020.0, 2240.0], VOWEL),
    voiced("uw", 1.0, [300.0, 870.0, 2240.0], VOWEL),
    voiced("ux", 1.0, [310.0, 1700.0, 2300.0], VOWEL),
    noisy("v", 0.6, (0.2, 6500.0), 1100.0, (50.0, 90.0)),
    moving("w", [290.0, 610.0, 2150.0], [350.0, 800.0], (50.0, 90.0)),
    moving("y", [260.0, 2250.0, 3000.0], [350.0, 2000.0], (50.0, 90.0)),
    noisy("z", 0.5, (0.7, 5300.0), 1700.0, FRICATIVE),
    noisy("zh", 0.5, (0.7, 2800.0), 1900.0, FRICATIVE),
];

/// Which phones utterances are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inventory {
    /// All 61.
    Full,
    /// Seven that lie far apart, and the silence around them: what a net of 64 units can learn.
    Small,
}

const SMALL_CONSONANTS: [&str; 3] = ["s", "sh", "m"];
const SMALL_VOWELS: [&str; 4] = ["iy", "aa", "uw", "ae"];
const STOPS: [(&str, &str); 6] =
    [("bcl", "b"), ("dcl", "d"), ("gcl", "g"), ("pcl", "p"), ("tcl", "t"), ("kcl", "k")];

/// How long an utterance may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Longest {
    /// In samples.
    pub samples: usize,
    /// In phones.
    pub phones: usize,
}

/// A speaker: pitch in Hz, and a factor on all formants.
#[derive(Debug, Clone, Copy)]
struct Speaker {
    pitch: f64,
    scale: f64,
}

/// A string of phone labels that begins and ends in silence and is no longer than allowed, with each
/// phone's length in samples. Consonants and vowels alternate, stops follow their closures.
fn phone_string(rng: &mut Rng, inventory: Inventory, longest: Longest) -> Vec<(usize, usize)> {
    let length = |rng: &mut Rng, name: &str| {
        let sound = &SOUNDS[label(name).unwrap_or(0)];
        (rng.range(sound.ms.0, sound.ms.1) * f64::from(RATE) / 1000.0) as usize
    };
    let silence = length(rng, "h#");
    let mut string = vec![("h#", silence)];
    let mut used = 2 * silence;
    let mut vowel = rng.uniform() < 0.5;
    loop {
        let next: Vec<&str> = match inventory {
            Inventory::Small if vowel => vec![SMALL_VOWELS[rng.below(SMALL_VOWELS.len())]],
            Inventory::Small => vec![SMALL_CONSONANTS[rng.below(SMALL_CONSONANTS.len())]],
            Inventory::Full => full_unit(rng, vowel),
        };
        let unit: Vec<(&str, usize)> =
            next.into_iter().map(|name| (name, length(rng, name))).collect();
        let taken: usize = unit.iter().map(|(_, n)| n).sum();
        if used + taken > longest.samples || string.len() + unit.len() >= longest.phones {
            break;
        }
        used += taken;
        string.extend(unit);
        vowel = !vowel;
    }
    string.push(("h#", silence));
    string.into_iter().filter_map(|(name, n)| Some((label(name)?, n))).collect()
}

/// A vowel, or a consonant, or a closure with its burst.
fn full_unit(rng: &mut Rng, vowel: bool) -> Vec<&'static str> {
    let is_stop =
        |name: &str| STOPS.iter().any(|(closure, burst)| name == *closure || name == *burst);
    if !vowel && rng.uniform() < 0.35 {
        let (closure, burst) = STOPS[rng.below(STOPS.len())];
        // A closure is not always released.
        return if rng.uniform() < 0.85 { vec![closure, burst] } else { vec![closure] };
    }
    let fits = |s: &&Sound| s.is_vowel() == vowel && !is_stop(s.name) && s.name != "h#";
    let choice: Vec<&Sound> = SOUNDS.iter().filter(fits).collect();
    vec![choice[rng.below(choice.len())].name]
}

/// A resonator of the second order (Klatt 1980, eq. 1).
#[derive(Debug, Clone, Copy, Default)]
struct Resonator {
    before: [f64; 2],
}

impl Resonator {
    fn run(&mut self, x: f64, hz: f64, bandwidth: f64) -> f64 {
        let t = 1.0 / f64::from(RATE);
        let c = -(-2.0 * PI * bandwidth * t).exp();
        let b = 2.0 * (-PI * bandwidth * t).exp() * (2.0 * PI * hz * t).cos();
        let y = (1.0 - b - c) * x + b * self.before[0] + c * self.before[1];
        self.before = [y, self.before[0]];
        y
    }
}

/// An utterance: audio and its phones.
pub fn utterance(
    rng: &mut Rng,
    inventory: Inventory,
    longest: Longest,
) -> (Vec<i16>, Vec<Segment>) {
    let speaker = Speaker { pitch: rng.range(90.0, 220.0), scale: rng.range(0.92, 1.1) };
    let mut start = 0;
    let mut segments = Vec::new();
    for (phone, length) in phone_string(rng, inventory, longest) {
        let end = start + length;
        segments.push(Segment { start, end, phone });
        start = end;
    }
    (render(rng, &segments, speaker), segments)
}

fn render(rng: &mut Rng, segments: &[Segment], speaker: Speaker) -> Vec<i16> {
    let mut cascade = [Resonator::default(); 3];
    let mut frication = Resonator::default();
    let mut phase = 0.0;
    let mut glottis = 0.0;
    // Parameters glide into each other over 10 ms: [voice, noise, noise Hz, F1, F2, F3].
    let mut now = [0.0, 0.0, 1000.0, 500.0, 1500.0, 2500.0];
    let smoothing = 1.0 - (-1.0 / (0.004 * f64::from(RATE))).exp();
    let mut audio = Vec::with_capacity(segments.last().map_or(0, |s| s.end));
    for segment in segments {
        let sound = &SOUNDS[segment.phone];
        for n in segment.start..segment.end {
            let along = (n - segment.start) as f64 / (segment.end - segment.start) as f64;
            let moved = |i: usize| sound.formants[i] + along * (sound.glide[i] - sound.formants[i]);
            let target = [
                sound.voice,
                sound.noise.0,
                sound.noise.1,
                moved(0) * speaker.scale,
                moved(1) * speaker.scale,
                sound.formants[2] * speaker.scale,
            ];
            for (value, target) in now.iter_mut().zip(target) {
                *value += smoothing * (target - *value);
            }
            phase += speaker.pitch * (1.0 + 0.02 * rng.range(-1.0, 1.0)) / f64::from(RATE);
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase -= phase.floor();
            // The glottis rounds the pulse off.
            glottis = 0.9 * glottis + pulse;
            let mut voice = now[0] * glottis;
            for (i, resonator) in cascade.iter_mut().enumerate() {
                voice = resonator.run(voice, now[3 + i], 60.0 + 40.0 * i as f64);
            }
            let white = rng.range(-1.0, 1.0);
            let noise = frication.run(now[1] * white, now[2].min(7500.0), 700.0);
            let sample = 4000.0 * voice + 6000.0 * noise + 4.0 * rng.range(-1.0, 1.0);
            audio.push(sample.clamp(-32768.0, 32767.0) as i16);
        }
    }
    audio
}

#[cfg(test)]
mod tests {
    use super::super::mfcc::{COEFFICIENTS, HOP, Mfcc, WINDOW};
    use super::super::phones::PHONES;
    use super::*;

    #[test]
    fn every_phone_has_its_sound() {
        assert!(SOUNDS.iter().map(|s| s.name).eq(PHONES));
    }

    #[test]
    fn utterances_fit_and_are_the_same_for_a_seed() {
        for inventory in [Inventory::Small, Inventory::Full] {
            let longest = Longest { samples: 30_000, phones: 100 };
            let (audio, segments) = utterance(&mut Rng::new(3), inventory, longest);
            let again = utterance(&mut Rng::new(3), inventory, longest);
            assert_eq!((audio.clone(), segments.clone()), again);
            assert!(audio.len() <= 30_000 && audio.len() > 20_000);
            assert_eq!(segments.last().unwrap().end, audio.len());
            assert!(audio.iter().any(|s| s.abs() > 1000), "too quiet");
        }
    }

    /// The nearest class mean tells most frames of other speakers: the phones can be learned.
    #[test]
    fn phones_can_be_told_apart() {
        let mfcc = Mfcc::default();
        let frames = |seed: u64| {
            let longest = Longest { samples: 40_000, phones: 100 };
            let (audio, segments) = utterance(&mut Rng::new(seed), Inventory::Small, longest);
            let features = mfcc.features(&audio);
            let rows = features.chunks(COEFFICIENTS).map(<[f32]>::to_vec).zip(0..);
            let labelled = rows.filter_map(|(row, t)| {
                let middle = t * HOP + WINDOW / 2;
                Some((segments.iter().find(|s| s.end > middle)?.phone, row))
            });
            labelled.collect::<Vec<_>>()
        };
        let mut sums = vec![(0.0f32, vec![0.0f32; COEFFICIENTS]); 61];
        for (phone, row) in (0..60).flat_map(frames) {
            sums[phone].0 += 1.0;
            sums[phone].1.iter_mut().zip(row).for_each(|(s, x)| *s += x);
        }
        let distance = |phone: usize, row: &[f32]| -> f32 {
            let (n, sum) = &sums[phone];
            if *n == 0.0 {
                return f32::INFINITY;
            }
            sum.iter().zip(row).map(|(s, x)| (s / n - x).powi(2)).sum()
        };
        let test: Vec<_> = (1000..1020).flat_map(frames).collect();
        let right = test.iter().filter(|(phone, row)| {
            let best = (0..61).min_by(|&a, &b| distance(a, row).total_cmp(&distance(b, row)));
            best == Some(*phone)
        });
        let share = right.count() as f64 / test.len() as f64;
        assert!(share > 0.5, "{share} of the frames: 8 classes, so chance is near 0.13");
    }
}
