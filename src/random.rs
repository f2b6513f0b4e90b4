//! Philox 4x32-10 (Salmon 2011, "Parallel random numbers: as easy as 1, 2, 3"): the one generator of
//! every random number, the CPU twin of `shaders/common/philox.wgsl`.
//!
//! A draw is a function of (seed, step, stream, element) and of nothing else, so it is the same on
//! every GPU, in every order, and can be drawn again in the backward pass instead of stored.

use std::f64::consts::TAU;

use crate::host::parallel::*;

/// Ten rounds on `counter` under `key`.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            // Weyl sequences of the golden ratio and of the square root of 3.
            key[0] = key[0].wrapping_add(0x9E37_79B9);
            key[1] = key[1].wrapping_add(0xBB67_AE85);
        }
        let p0 = u64::from(counter[0]) * 0xD251_1F53;
        let p1 = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (p1 >> 32) as u32 ^ counter[1] ^ key[0],
            p1 as u32,
            (p0 >> 32) as u32 ^ counter[3] ^ key[1],
            p0 as u32,
        ];
    }
    counter
}

/// One op's draws at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// The run's seed.
    pub seed: u64,
    /// The step, counted from 0.
    pub step: u32,
    /// Which op draws: [`stream_id`] of its name.
    pub id: u32,
}

impl Stream {
    /// The stream `id` at the step a clock shows: (step, seed low, seed high, unused).
    pub fn at(clock: &[f64], id: u32) -> Self {
        Self { seed: clock[1] as u64 | (clock[2] as u64) << 32, step: clock[0] as u32, id }
    }

    /// The 32 random bits of `element`.
    pub fn bits(&self, element: usize) -> u32 {
        self.bits_at(element as u64)
    }

    /// Uniform in [0, 1): the top 24 bits, so that every value is an f32.
    pub fn uniform(&self, element: usize) -> f64 {
        self.uniform_at(element as u64)
    }

    /// Standard normal by Box-Muller: elements 2i and 2i+1 are the cosine and sine of one pair.
    pub fn normal(&self, element: usize) -> f64 {
        self.normal_at(element as u64)
    }

    // There are more elements than a page's `usize` can count.
    fn bits_at(&self, element: u64) -> u32 {
        let block = (element / 4) as u32;
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        philox([block, self.step, self.id, 0], key)[(element % 4) as usize]
    }

    fn uniform_at(&self, element: u64) -> f64 {
        unit(self.bits_at(element))
    }

    /// The uniform draws of `values.len()` elements from `first` on: a block's four are made at once.
    fn fill_uniform(&self, first: u64, values: &mut [f64]) {
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        let mut words = [0; 4];
        for (i, (element, value)) in (first..).zip(values).enumerate() {
            if i == 0 || element % 4 == 0 {
                words = philox([(element / 4) as u32, self.step, self.id, 0], key);
            }
            *value = unit(words[(element % 4) as usize]);
        }
    }

    fn normal_at(&self, element: u64) -> f64 {
        let pair = element & !1;
        // 1 - u lies in (0, 1] and is exact in f32, so the logarithm is too, near 0 and near 1.
        let radius = (-2.0 * (1.0 - self.uniform_at(pair)).ln()).sqrt();
        let angle = TAU * self.uniform_at(pair + 1);
        radius * if element == pair { angle.cos() } else { angle.sin() }
    }

    /// Whether dropout with probability `rate` keeps `element`.
    pub fn keeps(&self, element: usize, rate: f32) -> bool {
        self.bits(element) >= drop_threshold(rate)
    }
}

/// [0, 1) of 32 random bits: the top 24, so that every value is an f32.
fn unit(bits: u32) -> f64 {
    f64::from(bits >> 8) / f64::from(1u32 << 24)
}

/// Draws of a step, after which a sequence moves on to the next.
const LAST: u64 = 1 << 33;

/// A sequence of draws for the host: data generators, test inputs, shuffling.
#[derive(Debug, Clone)]
pub struct Rng {
    stream: Stream,
    next: u64,
}

impl Rng {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        let id = stream_id("host");
        let stream = Stream { seed, step: 0, id };
        Self { stream, next: 0 }
    }

    fn take(&mut self, count: u64) -> u64 {
        // A block holds 4 elements and a 32-bit counter of blocks: move on to the next step after it.
        if self.next >= LAST {
            self.next = 0;
            self.stream.step += 1;
        }
        self.next = self.next.next_multiple_of(count) + count;
        self.next - count
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        let element = self.take(1);
        self.stream.uniform_at(element)
    }

    /// The next `count` of [`Rng::uniform`], on all of the machine's threads.
    pub fn uniforms(&mut self, count: usize) -> Vec<f64> {
        const PART: usize = 1 << 14;
        let first = self.next;
        if first + count as u64 > LAST {
            return (0..count).map(|_| self.uniform()).collect();
        }
        self.next += count as u64;
        let stream = self.stream;
        let mut values = vec![0.0; count];
        let parts = values.par_chunks_mut(PART).enumerate();
        parts.for_each(|(part, values)| stream.fill_uniform(first + (part * PART) as u64, values));
        values
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A whole number below `n`, which is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        let element = self.take(2);
        let bits = u64::from(self.stream.bits_at(element)) << 32
            | u64::from(self.stream.bits_at(element + 1));
        ((u128::from(bits) * n.max(1) as u128) >> 64) as usize
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        let element = self.take(2);
        self.stream.normal_at(element)
    }

    /// Puts `items` into a random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// Elements whose bits lie below this are dropped; an integer, so that CPU and GPU agree exactly.
pub fn drop_threshold(rate: f32) -> u32 {
    (f64::from(rate) * f64::from(u32::MAX)) as u32
}

/// The stream number of a name (32-bit FNV-1a): the same in every preset, mode and program.
pub fn stream_id(name: &str) -> u32 {
    name.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_known_answers() {
        // Random123's kat_vectors, philox4x32 10.
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox(counter, key), expected);
        }
    }

    #[test]
    fn many_draws_at_once_are_those_one_after_the_other() {
        // From within a block, over several parts, and across the end of a step.
        for (before, next) in [(3, 0), (0, 0), (1, LAST - 70_000), (0, LAST - 5), (2, LAST)] {
            let mut one = Rng { next, ..Rng::new(11) };
            (0..before).for_each(|_| assert!(one.uniform() < 1.0));
            let mut many = one.clone();
            let expected: Vec<f64> = (0..40_001).map(|_| one.uniform()).collect();
            assert_eq!(many.uniforms(40_001), expected);
            assert_eq!(many.below(1 << 40), one.below(1 << 40), "both go on from the same place");
        }
    }

    #[test]
    fn moments_are_right() {
        let stream = Stream { seed: 7, step: 3, id: stream_id("eps") };
        let n = 20_000;
        let mean = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
        assert!((mean(&|i| stream.uniform(i)) - 0.5).abs() < 0.01);
        assert!(mean(&|i| stream.normal(i)).abs() < 0.03);
        assert!((mean(&|i| stream.normal(i).powi(2)) - 1.0).abs() < 0.03);
        assert!((mean(&|i| f64::from(u8::from(stream.keeps(i, 0.25)))) - 0.75).abs() < 0.01);
    }
}
