//! Sentences as stories have them: their words, in the room of a text.

use std::sync::Arc;

use super::Question;

/// Words in lower case, in about the room of the line they come from. The questions after a sentence share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence(Arc<str>);

impl Sentence {
    /// Of a line, without what ends a sentence.
    pub(super) fn of(text: &str) -> Self {
        let mut words = String::new();
        for word in text.split(is_separator).filter(|word| !word.is_empty()) {
            if !words.is_empty() {
                words.push(' ');
            }
            words += &word.to_lowercase();
        }
        Self(words.into())
    }

    /// Its words.
    pub fn words(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }

    /// Its words with spaces between them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Between words, or at the end of a sentence.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | '?' | '!' | ',')
}

/// The sentences of questions, each with the first question that refers to it.
pub(super) fn sentences<'a>(
    questions: impl Iterator<Item = &'a Question> + Clone,
) -> impl Iterator<Item = (&'a Question, &'a Sentence)> {
    let before = std::iter::once(&[][..]).chain(questions.clone().map(|q| &q.story[..]));
    questions.zip(before).flat_map(|(question, before)| {
        // A question's story is that of the one before it, gone on with, or a new one.
        let known = before
            .first()
            .zip(question.story.first())
            .is_some_and(|(a, b)| Arc::ptr_eq(&a.0, &b.0));
        let new = &question.story[if known { before.len() } else { 0 }..];
        new.iter().chain([&question.question]).map(move |sentence| (question, sentence))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;
    use super::*;
    use crate::data::listing::Listing;

    #[test]
    fn words_take_no_more_room_than_their_text() {
        let text = [b"1 ", &b"A ".repeat(1 << 14)[..], b"\n2 b?\tc\t1\n"].concat().repeat(1 << 6);
        let questions =
            parse(&text, Path::new("qa1_test.txt"), 1, &mut Listing::new(false)).unwrap();
        let room: usize =
            sentences(questions.iter()).map(|(_, sentence)| sentence.as_str().len()).sum();
        assert!((1 << 20..=text.len()).contains(&room), "{room} of {}", text.len());
    }
}
