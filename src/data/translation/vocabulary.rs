//! Words and their ids.

use std::collections::HashMap;

use super::interned::Interned;

/// Fills a sentence up to its bucket.
pub const PAD: u32 = 0;
/// Starts the decoder.
pub const GO: u32 = 1;
/// Ends a sentence.
pub const EOS: u32 = 2;
/// Stands for every word without an id.
pub const UNK: u32 = 3;

/// What the first ids print as.
const SPECIAL: [&str; 4] = ["_PAD", "_GO", "_EOS", "_UNK"];

/// The words of one language, most frequent first, after [`PAD`], [`GO`], [`EOS`] and [`UNK`].
#[derive(Debug, Clone)]
pub struct Vocabulary {
    words: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// The most frequent words of `sentences`, with the special ones at most `size`; of equally frequent
    /// ones, the alphabetically first.
    pub fn build<S, W>(sentences: impl IntoIterator<Item = S>, size: usize) -> Self
    where
        S: IntoIterator<Item = W>,
        W: AsRef<str>,
    {
        let mut words = Words::default();
        for word in sentences.into_iter().flatten() {
            let raw = words.number(word.as_ref());
            words.count(raw);
        }
        words.vocabulary(size).0
    }

    /// The id of a word: [`UNK`] where it has none of its own.
    pub fn id(&self, word: &str) -> u32 {
        self.ids.get(word).copied().unwrap_or(UNK)
    }

    /// The word of an id; `_UNK` beyond the last.
    pub fn word(&self, id: u32) -> &str {
        let word = self.words.get(id as usize);
        word.map_or(SPECIAL[UNK as usize], String::as_str)
    }

    /// Number of ids, the special ones among them.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are no words but the special ones.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Words in the order in which they were met, and how often: what a vocabulary is made from.
#[derive(Debug, Default)]
pub(super) struct Words {
    known: Interned,
    counts: Vec<u64>,
}

impl Words {
    /// A list of distinct words, each counted once.
    pub(super) fn list(words: &[String]) -> Self {
        let mut list = Self::default();
        for word in words {
            let number = list.number(word);
            list.count(number);
        }
        list
    }

    /// The number of a word, a new one where it has none.
    pub(super) fn number(&mut self, word: &str) -> u32 {
        let number = self.known.number(word);
        self.counts.resize(self.known.len(), 0);
        number
    }

    /// Memory that the words take, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.known.bytes() + size_of::<u64>() * self.counts.len()
    }

    /// Counts one more occurrence.
    pub(super) fn count(&mut self, number: u32) {
        self.counts[number as usize] += 1;
    }

    /// The vocabulary of at most `size` ids, and the id of each word by number.
    pub(super) fn vocabulary(&self, size: usize) -> (Vocabulary, Vec<u32>) {
        let mut order: Vec<usize> = (0..self.known.len()).filter(|&w| self.counts[w] > 0).collect();
        order.sort_unstable_by(|&a, &b| {
            let frequent_first = self.counts[b].cmp(&self.counts[a]);
            frequent_first.then_with(|| self.known.word(a).cmp(self.known.word(b)))
        });
        order.truncate(size.saturating_sub(SPECIAL.len()));
        let mut words: Vec<String> = SPECIAL.map(str::to_owned).to_vec();
        let mut known = vec![UNK; self.known.len()];
        for &number in &order {
            known[number] = words.len() as u32;
            words.push(self.known.word(number).to_owned());
        }
        // What the special ids print as is not looked up: a text may have such words of its own.
        let named = words.iter().cloned().zip(0..).skip(SPECIAL.len());
        let ids = named.collect();
        (Vocabulary { words, ids }, known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: [[&str; 4]; 3] =
        [["b", "a", "c", "b"], ["c", "d", "b", "_PAD"], ["b", "d", "a", "e"]];

    #[test]
    fn frequent_words_first_and_ties_by_the_alphabet() {
        let vocabulary = Vocabulary::build(TEXT, 100);
        let words: Vec<_> = (0..10).map(|id| vocabulary.word(id)).collect();
        assert_eq!(words[..4], SPECIAL);
        assert_eq!(words[4..], ["b", "a", "c", "d", "_PAD", "e"]);
        assert_eq!(vocabulary.len(), 10);
        assert_eq!((vocabulary.id("b"), vocabulary.id("e"), vocabulary.id("_PAD")), (4, 9, 8));
        assert_eq!(
            (vocabulary.id("x"), vocabulary.id("_GO"), vocabulary.word(10)),
            (UNK, UNK, "_UNK")
        );
    }

    #[test]
    fn no_more_than_the_size() {
        let limited = Vocabulary::build(TEXT, 6);
        assert_eq!((limited.len(), limited.id("a"), limited.id("c")), (6, 5, UNK));
        for size in [0, 4] {
            let empty = Vocabulary::build(TEXT, size);
            assert!(empty.len() == 4 && empty.is_empty());
        }
    }
}
