//! Makes words: pronounceable, all different, and in kinds whose frequencies follow Zipf's law.

use std::collections::HashSet;

use crate::random::Rng;

/// Words of one kind. Lexeme 0 is the most frequent.
#[derive(Debug)]
pub(super) struct WordKind {
    /// The word of lexeme 0 in form 0, on each side.
    first: [u32; 2],
    /// Forms of a lexeme on each side.
    forms: [u32; 2],
    /// Share of the lexemes up to each.
    cumulative: Vec<f64>,
}

impl WordKind {
    /// Draws a lexeme by frequency.
    pub(super) fn draw(&self, rng: &mut Rng) -> usize {
        let at = rng.uniform();
        let place = self.cumulative.partition_point(|&sum| sum <= at);
        place.min(self.cumulative.len() - 1)
    }

    /// The source word of a lexeme.
    pub(super) fn source(&self, lexeme: usize, form: u32) -> u32 {
        self.first[0] + lexeme as u32 * self.forms[0] + form
    }

    /// The target word of a lexeme.
    pub(super) fn target(&self, lexeme: usize, form: u32) -> u32 {
        self.first[1] + lexeme as u32 * self.forms[1] + form
    }
}

/// Endings of a lexeme's forms on each side.
pub(super) type Endings<'a> = [&'a [&'a str]; 2];

/// Makes words that differ from all before.
pub(super) struct Maker {
    rng: Rng,
    /// Of each side, by number.
    pub(super) words: [Vec<String>; 2],
    taken: [HashSet<String>; 2],
}

impl Maker {
    /// Starts with the words of each side that are no lexemes.
    pub(super) fn new(fixed: [&[&str]; 2]) -> Self {
        let words = fixed.map(|own| own.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        Self {
            // Not the data's seed: the languages are always the same.
            rng: Rng::new(0),
            taken: words.each_ref().map(|own| own.iter().cloned().collect()),
            words,
        }
    }

    /// Makes a kind whose lexemes all have these endings.
    pub(super) fn kind(&mut self, lexemes: usize, endings: Endings<'_>) -> WordKind {
        self.make(lexemes, |_| endings, false)
    }

    /// Makes a kind whose endings depend on the lexeme.
    pub(super) fn kind_by(
        &mut self,
        lexemes: usize,
        endings: impl Fn(usize) -> Endings<'static>,
    ) -> WordKind {
        self.make(lexemes, endings, false)
    }

    /// Makes names.
    pub(super) fn names(&mut self, lexemes: usize) -> WordKind {
        self.make(lexemes, |_| [&[""], &["i"]], true)
    }

    fn make<'a>(
        &mut self,
        lexemes: usize,
        endings: impl Fn(usize) -> Endings<'a>,
        capital: bool,
    ) -> WordKind {
        let first = self.words.each_ref().map(|words| words.len() as u32);
        for lexeme in 0..lexemes {
            for (side, endings) in endings(lexeme).into_iter().enumerate() {
                self.word(side, lexeme, endings, capital);
            }
        }
        WordKind {
            first,
            forms: endings(0).map(|forms| forms.len() as u32),
            cumulative: zipf(lexemes),
        }
    }

    /// Makes the forms of one lexeme: a stem of one syllable for the most frequent, more for rarer ones and
    /// where the short stems are used up.
    fn word(&mut self, side: usize, lexeme: usize, endings: &[&str], capital: bool) {
        let shortest = 1 + usize::from(lexeme >= 20) + usize::from(lexeme >= 1000);
        for attempt in 0.. {
            let stem = stem(side, shortest + attempt / 8, &mut self.rng, capital);
            let forms: Vec<_> = endings.iter().map(|end| format!("{stem}{end}")).collect();
            if forms.iter().all(|form| !self.taken[side].contains(form)) {
                self.taken[side].extend(forms.iter().cloned());
                self.words[side].extend(forms);
                return;
            }
        }
    }
}

/// A pronounceable stem; the target's end in a consonant, as a vowel follows.
fn stem(side: usize, syllables: usize, rng: &mut Rng, capital: bool) -> String {
    const ONSETS: [&[&str]; 2] = [
        &["b", "d", "f", "g", "gr", "l", "m", "p", "pl", "r", "s", "st", "t", "tr", "w"],
        &["ch", "h", "j", "k", "m", "n", "q", "r", "s", "sh", "v", "y", "z"],
    ];
    const VOWELS: [&[&str]; 2] = [&["a", "e", "i", "o", "u", "ea"], &["a", "i", "o", "u"]];
    const CODAS: [&[&str]; 2] = [&["", "n", "r", "l", "m", "d"], &[""]];
    const LAST: [&[&str]; 2] = [&[""], &["k", "n", "r", "s", "t", "z", "sh"]];
    let mut stem = String::new();
    for _ in 0..syllables {
        for sounds in [ONSETS[side], VOWELS[side], CODAS[side]] {
            stem.push_str(sounds[rng.below(sounds.len())]);
        }
    }
    stem.push_str(LAST[side][rng.below(LAST[side].len())]);
    if capital {
        stem[..1].make_ascii_uppercase();
    }
    stem
}

/// Cumulative shares of `n` lexemes by Zipf's law with Mandelbrot's offset: the share of rank r is as
/// 1 / (r + 2).
fn zipf(n: usize) -> Vec<f64> {
    let sums = (1..=n).scan(0.0, |sum, rank| {
        *sum += 1.0 / (rank as f64 + 2.0);
        Some(*sum)
    });
    let sums: Vec<f64> = sums.collect();
    let total = sums.last().copied().unwrap_or(1.0);
    sums.into_iter().map(|sum| sum / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_follow_zipf() {
        let shares = zipf(1000);
        let share = |rank: usize| shares[rank - 1] - if rank > 1 { shares[rank - 2] } else { 0.0 };
        assert!((share(1) / share(100) - 34.0).abs() < 1e-6);
        assert!((shares[999] - 1.0).abs() < 1e-12);
    }
}
