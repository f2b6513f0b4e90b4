//! Splits a line into words, by the rules of TensorFlow's translate tutorial of 2016 (`data_utils.py`).

use std::borrow::Cow;
use std::str::Utf8Error;

/// Each of these is a word of its own, wherever it stands.
const MARKS: [char; 10] = ['.', ',', '!', '?', '"', '\'', ':', ';', ')', '('];

/// The words of a line: split at white space, then around each of `. , ! ? " ' : ; ) (`. Every digit
/// becomes 0, so that numbers of one length are one word. Case is kept.
///
/// `Le 14 juillet, (1789)!` is `Le` `00` `juillet` `,` `(` `0000` `)` `!`.
///
/// # Errors
/// Bytes that are no UTF-8.
pub fn tokenize(line: &[u8]) -> Result<Vec<Cow<'_, str>>, Utf8Error> {
    std::str::from_utf8(line).map(split)
}

/// [`tokenize`] of what is known to be text.
pub(super) fn split(line: &str) -> Vec<Cow<'_, str>> {
    let mut words = Vec::new();
    for fragment in line.split_whitespace() {
        for piece in fragment.split_inclusive(MARKS) {
            // Every mark is one byte.
            let mark = piece.ends_with(MARKS).then(|| piece.len() - 1);
            let (word, mark) = piece.split_at(mark.unwrap_or(piece.len()));
            words.extend([word, mark].into_iter().filter(|w| !w.is_empty()).map(zeros));
        }
    }
    words
}

fn zeros(word: &str) -> Cow<'_, str> {
    let digit = |c: char| c.is_ascii_digit();
    if word.contains(digit) { word.replace(digit, "0").into() } else { word.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_digits_and_case() {
        let cases: [(&str, &[&str]); 7] = [
            ("The cat sat.", &["The", "cat", "sat", "."]),
            ("  don't\tgo \r", &["don", "'", "t", "go"]),
            ("(\"Wait...\")", &["(", "\"", "Wait", ".", ".", ".", "\"", ")"]),
            ("3.14 and 1,000: A4;", &["0", ".", "00", "and", "0", ",", "000", ":", "A0", ";"]),
            ("peut-être à l'été\u{a0}?", &["peut-être", "à", "l", "'", "été", "?"]),
            ("50% of §7", &["00%", "of", "§0"]),
            (" \t ", &[]),
        ];
        for (line, words) in cases {
            assert_eq!(tokenize(line.as_bytes()).unwrap(), words);
        }
        assert!(tokenize(b"caf\xe9").is_err());
    }
}
