//! The two made-up languages of the built-in text: their words, and how frequent each is.
//!
//! A word has one translation and no second meaning: all words of a language differ, so that a reader knows
//! the form, the class and the number from the word alone. Within a kind, frequencies follow Zipf's law,
//! and frequent words are short.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::random::Rng;

/// Words of a language at most.
const LARGEST: usize = 40_000;
/// Ids that are no words.
const SPECIAL: usize = 4;

/// Function words of the source.
const SOURCE: [&str; 8] = [".", "?", "lo", "un", "sem", "de", "ke", "nol"];
/// Function words of the target: [`article`] and [`relative`] find those that agree.
const TARGET: [&str; 18] = [
    ".", "?", "ta", "tai", "to", "toi", "ya", "yai", "yo", "yoi", "qua", "quai", "quo", "quoi",
    "vu", "nu", "zi", "ne",
];

/// Numbers of the function words: first those of both sides, then the source's, then the target's.
pub(super) mod fixed {
    pub(crate) const STOP: u32 = 0;
    pub(crate) const QUESTION: u32 = 1;
    pub(crate) const THE: u32 = 2;
    pub(crate) const A: u32 = 3;
    pub(crate) const SOME: u32 = 4;
    pub(crate) const OF: u32 = 5;
    pub(crate) const THAT: u32 = 6;
    pub(crate) const NOT: u32 = 7;
    /// Opens a question in the target, which the source shows by its last token alone.
    pub(crate) const ASKS: u32 = 14;
    /// Joins owner and owned.
    pub(crate) const OWNS: u32 = 15;
    /// Follows a verb of the past.
    pub(crate) const PAST: u32 = 16;
    /// Follows a verb that is denied.
    pub(crate) const NEGATES: u32 = 17;
}

/// The target's article for a noun's class and number.
pub(super) fn article(definite: bool, class: u32, plural: bool) -> u32 {
    2 + 4 * u32::from(!definite) + 2 * class + u32::from(plural)
}

/// The target's relative pronoun for a noun's class and number.
pub(super) fn relative(class: u32, plural: bool) -> u32 {
    10 + 2 * class + u32::from(plural)
}

/// The class of a noun, 0 or 1: nothing in the source shows it.
pub(super) fn class(noun: usize) -> u32 {
    // The bits of 0b0110_1001 are as irregular as 8 can be.
    (0b0110_1001 >> (noun % 8)) & 1
}

/// Words of one kind. Lexeme 0 is the most frequent.
#[derive(Debug)]
pub(super) struct Kind {
    /// The word of lexeme 0 in form 0, on each side.
    first: [u32; 2],
    /// Forms of a lexeme on each side.
    forms: [u32; 2],
    /// Share of the lexemes up to each.
    cumulative: Vec<f64>,
}

impl Kind {
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

/// All words of both languages.
#[derive(Debug)]
pub(super) struct Lexicon {
    /// Distinct words of each side, by number.
    pub(super) words: [Vec<String>; 2],
    /// Forms: singular, plural on both sides.
    pub(super) nouns: Kind,
    /// One form in the source, one for each class in the target.
    pub(super) adjectives: Kind,
    /// Forms: present singular, present plural, past in the source; singular, plural in the target.
    pub(super) intransitive: Kind,
    /// As those of [`Lexicon::intransitive`].
    pub(super) transitive: Kind,
    /// One form.
    pub(super) adverbs: Kind,
    /// One form.
    pub(super) names: Kind,
    /// One form; the target's follow their phrase.
    pub(super) prepositions: Kind,
    /// One form; join clauses.
    pub(super) conjunctions: Kind,
}

const PREPOSITIONS: usize = 8;
const CONJUNCTIONS: usize = 4;

impl Lexicon {
    /// The languages for two vocabularies, which hold every word of theirs.
    ///
    /// # Errors
    /// [`Error::Usage`] where a vocabulary is too small for a language.
    pub(super) fn new(vocabularies: [usize; 2]) -> Result<Self> {
        // Of 24 words: 6 nouns of 2 forms, 2 verbs and 2 adjectives (3 + 1 forms in the source, 2 + 2 in
        // the target), 1 adverb and 3 names.
        const UNIT: usize = 24;
        let others = SPECIAL + PREPOSITIONS + CONJUNCTIONS;
        let least = others + TARGET.len() + UNIT;
        if let Some(size) = vocabularies.into_iter().find(|&size| size < least) {
            let what = format!("a vocabulary of {size} is too small for the built-in text");
            return Err(Error::Usage(format!("{what}: choose {least} or more")));
        }
        let room = |size: usize, fixed: usize| size.min(LARGEST + SPECIAL) - others - fixed;
        let room = room(vocabularies[0], SOURCE.len()).min(room(vocabularies[1], TARGET.len()));
        let units = room / UNIT;
        // More verbs take an object than do without.
        let intransitive = (2 * units).div_ceil(3);
        let mut maker = Maker::new();
        Ok(Self {
            prepositions: maker.kind(PREPOSITIONS, [&["u"], &["em"]]),
            conjunctions: maker.kind(CONJUNCTIONS, [&["ol"], &["ev"]]),
            nouns: maker.nouns(6 * units),
            adjectives: maker.kind(2 * units, [&["ik"], &["a", "o"]]),
            intransitive: maker.kind(intransitive, [&["et", "en", "ed"], &["u", "un"]]),
            transitive: maker.kind(
                2 * units - intransitive,
                [&["et", "en", "ed"], &["u", "un"]],
            ),
            adverbs: maker.kind(units, [&["li"], &["e"]]),
            // Names also take the room that is left.
            names: maker.names(3 * units + room % UNIT),
            words: maker.words,
        })
    }
}

/// Endings of a lexeme's forms on each side.
type Endings<'a> = [&'a [&'a str]; 2];

/// Makes words that differ from all before.
struct Maker {
    rng: Rng,
    words: [Vec<String>; 2],
    taken: [HashSet<String>; 2],
}

impl Maker {
    fn new() -> Self {
        let words = [&SOURCE[..], &TARGET[..]].map(|own| own.iter().map(|w| (*w).to_owned()));
        let words = words.map(Iterator::collect::<Vec<_>>);
        Self {
            // Not the data's seed: the languages are always the same.
            rng: Rng::new(0),
            taken: words.each_ref().map(|own| own.iter().cloned().collect()),
            words,
        }
    }

    fn kind(&mut self, lexemes: usize, endings: Endings<'_>) -> Kind {
        self.all(lexemes, |_| endings, false)
    }

    /// The target's endings show the class, as they do in many languages.
    fn nouns(&mut self, lexemes: usize) -> Kind {
        let source: &[&str] = &["", "s"];
        let endings = |noun| {
            [
                source,
                [["a", "ai"], ["o", "oi"]][class(noun) as usize].as_slice(),
            ]
        };
        self.all(lexemes, endings, false)
    }

    fn names(&mut self, lexemes: usize) -> Kind {
        self.all(lexemes, |_| [&[""], &["i"]], true)
    }

    fn all<'a>(
        &mut self,
        lexemes: usize,
        endings: impl Fn(usize) -> Endings<'a>,
        capital: bool,
    ) -> Kind {
        let first = self.words.each_ref().map(|words| words.len() as u32);
        for lexeme in 0..lexemes {
            for (side, endings) in endings(lexeme).into_iter().enumerate() {
                self.word(side, lexeme, endings, capital);
            }
        }
        Kind {
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
        &[
            "b", "d", "f", "g", "gr", "l", "m", "p", "pl", "r", "s", "st", "t", "tr", "w",
        ],
        &[
            "ch", "h", "j", "k", "m", "n", "q", "r", "s", "sh", "v", "y", "z",
        ],
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
    let all = sums.last().copied().unwrap_or(1.0);
    sums.into_iter().map(|sum| sum / all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_used_and_all_words_differ() {
        for size in [58, 64, 200, 1000, 40_000, 100_000] {
            let lexicon = Lexicon::new([size, size]).unwrap();
            let room = size.min(LARGEST + SPECIAL) - SPECIAL;
            for (words, unused) in lexicon.words.iter().zip([TARGET.len() - SOURCE.len(), 0]) {
                assert_eq!(words.len(), room - unused);
                let distinct: HashSet<_> = words.iter().collect();
                assert_eq!(distinct.len(), words.len());
                let tokens = words
                    .iter()
                    .map(|w| super::super::tokenize(w.as_bytes()).unwrap());
                assert!(
                    tokens
                        .zip(words)
                        .all(|(tokens, word)| tokens == [word.as_str()])
                );
            }
        }
        let uneven = Lexicon::new([200, 5000]).unwrap();
        assert!(uneven.words[0].len() == 196 && uneven.words[1].len() < 300);
        let error = Lexicon::new([200, 57]).unwrap_err().to_string();
        assert!(
            error.contains("57 is too small") && error.contains("58 or more"),
            "{error}"
        );
    }

    #[test]
    fn a_form_is_where_it_is_looked_for() {
        let lexicon = Lexicon::new([5000, 5000]).unwrap();
        let [source, target] = &lexicon.words;
        for noun in [0, 1, 500] {
            let form = |form| &source[lexicon.nouns.source(noun, form) as usize];
            assert_eq!(*form(1), format!("{}s", form(0)));
            let form = |form| &target[lexicon.nouns.target(noun, form) as usize];
            assert_eq!(*form(1), format!("{}i", form(0)));
            assert!(form(0).ends_with(["a", "o"][class(noun) as usize]));
        }
        assert!(source[lexicon.transitive.source(9, 2) as usize].ends_with("ed"));
        assert!(target[lexicon.adjectives.target(9, 1) as usize].ends_with('o'));
        assert!(target[lexicon.names.target(0, 0) as usize].starts_with(char::is_uppercase));
        assert_eq!(target[article(false, 1, true) as usize], "yoi");
        assert_eq!(target[relative(0, true) as usize], "quai");
        assert_eq!(target[fixed::PAST as usize], "zi");
    }

    #[test]
    fn frequencies_follow_zipf() {
        let shares = zipf(1000);
        let share = |rank: usize| shares[rank - 1] - if rank > 1 { shares[rank - 2] } else { 0.0 };
        assert!((share(1) / share(100) - 34.0).abs() < 1e-6);
        assert!((shares[999] - 1.0).abs() < 1e-12);
    }
}
