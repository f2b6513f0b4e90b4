//! Many different words in about the room of their letters.

use std::hash::{BuildHasher, RandomState};

/// Different words by number, in the order in which they were met. A word takes some fifteen bytes besides its letters,
/// where a map of strings takes a hundred.
#[derive(Debug, Default)]
pub(super) struct Interned {
    /// Of all words, one after the other.
    letters: String,
    /// Where each word ends.
    ends: Vec<u32>,
    /// Numbers of words by their hashes, at the first free place from there; at most half of the places are taken.
    places: Vec<u32>,
    hasher: RandomState,
}

/// No word's number.
const FREE: u32 = u32::MAX;

/// Places of the first few words.
const FEWEST: usize = 64;

impl Interned {
    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Memory that they take, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.letters.len() + size_of::<u32>() * (self.ends.len() + self.places.len())
    }

    /// The word of a number.
    pub(super) fn word(&self, number: usize) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.letters[start..self.ends[number] as usize]
    }

    /// The number of a word, the next one where it is new.
    pub(super) fn number(&mut self, word: &str) -> u32 {
        if 2 * (self.len() + 1) > self.places.len() {
            self.spread();
        }
        let place = self.place(word);
        if self.places[place] == FREE {
            self.places[place] = self.len() as u32;
            self.letters.push_str(word);
            self.ends.push(self.letters.len() as u32);
        }
        self.places[place]
    }

    /// Where a word's number is, or would be.
    fn place(&self, word: &str) -> usize {
        let last = self.places.len() - 1;
        let mut place = self.hasher.hash_one(word) as usize & last;
        while self.places[place] != FREE && self.word(self.places[place] as usize) != word {
            place = (place + 1) & last;
        }
        place
    }

    /// Makes twice as many places.
    fn spread(&mut self) {
        // A power of two, so that a hash's last bits are a place.
        self.places = vec![FREE; (2 * self.places.len()).max(FEWEST)];
        for number in 0..self.len() {
            let place = self.place(self.word(number));
            self.places[place] = number as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_numbers_however_many_there_are() {
        let mut words = Interned::default();
        let name = |number: usize| format!("w{}", number * 7919 % 10_007);
        for round in 0..2 {
            for number in 0..10_007 {
                assert_eq!(words.number(&name(number)), number as u32, "{round}");
            }
        }
        assert_eq!(words.number(""), 10_007);
        assert_eq!((words.len(), words.word(10_007)), (10_008, ""));
        assert!((0..10_007).all(|number| words.word(number) == name(number)));
    }

    #[test]
    fn a_word_takes_little_more_than_its_letters() {
        let mut words = Interned::default();
        for number in 0..100_000 {
            words.number(&number.to_string());
        }
        assert!(words.bytes() < 100_000 * 20, "{}", words.bytes());
        let held = words.letters.capacity() + 4 * (words.ends.capacity() + words.places.capacity());
        assert!(held < 2 * words.bytes(), "{held}");
    }
}
