//! The two generated languages of the built-in text: their words, and how frequent each one is.
//!
//! A word has one translation and no second meaning: all words of a language differ, so that a reader knows
//! the form, the class and the number from the word alone. Within a kind, frequencies follow Zipf's law,
//! and frequent words are short.

use crate::error::{Error, Result};

use super::words::{Maker, WordKind};

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

/// All words of both languages.
#[derive(Debug)]
pub(super) struct Lexicon {
    /// Distinct words of each side, by number.
    pub(super) words: [Vec<String>; 2],
    /// Forms: singular, plural on both sides.
    pub(super) nouns: WordKind,
    /// One form in the source, one for each class in the target.
    pub(super) adjectives: WordKind,
    /// Forms: present singular, present plural, past in the source; singular, plural in the target.
    pub(super) intransitive: WordKind,
    /// As those of [`Lexicon::intransitive`].
    pub(super) transitive: WordKind,
    /// One form.
    pub(super) adverbs: WordKind,
    /// One form.
    pub(super) names: WordKind,
    /// One form; the target's follow their phrase.
    pub(super) prepositions: WordKind,
    /// One form; join clauses.
    pub(super) conjunctions: WordKind,
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
        let [source, target] = vocabularies.map(|size| size.min(LARGEST + SPECIAL) - others);
        let capacity = (source - SOURCE.len()).min(target - TARGET.len());
        let units = capacity / UNIT;
        // More verbs take an object than do without.
        let intransitive = (2 * units).div_ceil(3);
        let mut maker = Maker::new([&SOURCE, &TARGET]);
        Ok(Self {
            prepositions: maker.kind(PREPOSITIONS, [&["u"], &["em"]]),
            conjunctions: maker.kind(CONJUNCTIONS, [&["ol"], &["ev"]]),
            nouns: maker.kind_by(6 * units, noun_endings),
            adjectives: maker.kind(2 * units, [&["ik"], &["a", "o"]]),
            intransitive: maker.kind(intransitive, [&["et", "en", "ed"], &["u", "un"]]),
            transitive: maker.kind(2 * units - intransitive, [&["et", "en", "ed"], &["u", "un"]]),
            adverbs: maker.kind(units, [&["li"], &["e"]]),
            // Names also take what is left.
            names: maker.names(3 * units + capacity % UNIT),
            words: maker.words,
        })
    }
}

/// The target's endings show the class, as they do in many languages.
fn noun_endings(noun: usize) -> [&'static [&'static str]; 2] {
    match class(noun) {
        0 => [&["", "s"], &["a", "ai"]],
        _ => [&["", "s"], &["o", "oi"]],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_size_is_used_and_all_words_differ() {
        for size in [58, 64, 200, 1000, 40_000, 100_000] {
            let lexicon = Lexicon::new([size, size]).unwrap();
            let capacity = size.min(LARGEST + SPECIAL) - SPECIAL;
            for (words, unused) in lexicon.words.iter().zip([TARGET.len() - SOURCE.len(), 0]) {
                assert_eq!(words.len(), capacity - unused);
                let distinct: HashSet<_> = words.iter().collect();
                assert_eq!(distinct.len(), words.len());
                let tokens =
                    words.iter().map(|w| super::super::token::tokenize(w.as_bytes()).unwrap());
                assert!(tokens.zip(words).all(|(tokens, word)| tokens == [word.as_str()]));
            }
        }
        let uneven = Lexicon::new([200, 5000]).unwrap();
        assert!(uneven.words[0].len() == 196 && uneven.words[1].len() < 300);
        let error = Lexicon::new([200, 57]).unwrap_err().to_string();
        assert!(error.contains("57 is too small") && error.contains("58 or more"), "{error}");
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
}
