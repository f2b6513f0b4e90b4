//! TIMIT's .PHN files: one phone per line, `start end name`, in samples.

use std::fmt::Write;
use std::path::Path;

use crate::data::bounded;
use crate::error::{Error, Result, quoted};

use super::phones::label;

/// Bytes of a file at most: a sentence has some dozens of phones.
const MOST_BYTES: u64 = 1 << 20;

/// Samples behind the last phone at most: TIMIT's have some dozens.
const MOST_BEHIND: usize = 1600;

/// A phone in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// First sample.
    pub start: usize,
    /// The sample after the last.
    pub end: usize,
    /// Label of the phone.
    pub phone: usize,
}

/// Reads a file.
///
/// # Errors
/// [`Error::Data`] with the line, [`Error::Io`].
pub fn read(path: &Path) -> Result<Vec<Segment>> {
    let bytes = bounded::read(path, MOST_BYTES)?;
    if bounded::ends_in_returns(&bytes) {
        return Err(Error::data(path, "line 1", bounded::RETURNS));
    }
    let text = bounded::text(bounded::without_mark(&bytes));
    let text = text.map_err(|what| Error::data(path, "text", what))?;
    let mut segments: Vec<Segment> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let bad = |what: String| Error::data(path, format!("line {}", number + 1), what);
        let words: Vec<&str> = line.split_whitespace().collect();
        let parsed = match words[..] {
            [] => continue,
            [start, end, name] => {
                start.parse().ok().zip(end.parse().ok()).map(|(s, e)| (s, e, name))
            }
            _ => None,
        };
        let (start, end, name) =
            parsed.ok_or_else(|| bad(format!("'{}': expected `start end phone`", quoted(line))))?;
        let phone = label(name)
            .ok_or_else(|| bad(format!("'{}' is not one of TIMIT's 61 phones", quoted(name))))?;
        if start >= end || segments.last().is_some_and(|before| start < before.end) {
            return Err(bad(format!(
                "{start} to {end}: phones must be in order, and none may be empty"
            )));
        }
        segments.push(Segment { start, end, phone });
    }
    if segments.is_empty() {
        return Err(Error::data(path, "line 1", "no phones"));
    }
    Ok(segments)
}

/// Whether phones are missing at the end, as far as that shows: what is said begins in silence and does not end in it, as
/// all of TIMIT does, or goes on for a tenth of a second and more.
pub(super) fn end_early(segments: &[Segment], samples: usize) -> bool {
    let silence = label("h#");
    let is_silent = |segment: Option<&Segment>| segment.map(|segment| segment.phone) == silence;
    let behind = segments.last().map_or(0, |last| samples.saturating_sub(last.end));
    (is_silent(segments.first()) && !is_silent(segments.last())) || behind > MOST_BEHIND
}

/// Writes a file.
///
/// # Errors
/// [`Error::Io`].
pub fn write(path: &Path, segments: &[Segment]) -> Result<()> {
    let mut text = String::new();
    for s in segments {
        // Writing to a String cannot fail.
        let _infallible =
            writeln!(text, "{} {} {}", s.start, s.end, super::phones::PHONES[s.phone]);
    }
    std::fs::write(path, text).map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_of_other_systems_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("SX1.PHN");
        std::fs::write(&path, "\u{feff}0 10 h#\r\n10 20 aa\r\n").unwrap();
        let segments = read(&path).unwrap();
        assert_eq!((segments.len(), segments[1].end), (2, 20));
    }

    #[test]
    fn phones_that_are_missing_at_the_end_show() {
        let segments = |names: &[&str]| -> Vec<Segment> {
            let all = (0..).zip(names);
            all.map(|(at, name)| Segment {
                start: at * 2000,
                end: at * 2000 + 2000,
                phone: label(name).unwrap(),
            })
            .collect()
        };
        for (names, samples, expected) in [
            (&["h#", "aa", "h#"][..], 6100, false),
            (&["h#", "aa"], 6100, true),
            (&["h#", "aa"], 4000, true),
            (&["b", "aa", "b"], 6100, false),
            // The last line lost, and the first as well.
            (&["b", "aa"], 6100, true),
            (&["h#", "aa", "h#"], 8000, true),
        ] {
            assert_eq!(end_early(&segments(names), samples), expected, "{names:?} {samples}");
        }
    }

    #[test]
    fn lines_that_are_wrong_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("SX1.PHN");
        for (text, expected) in [
            ("", "no phones"),
            ("0 10 h#\r10 20 aa\r", "line 1: its lines end in CR alone"),
            ("0 10 h#\n10 20 xx\n", "line 2: 'xx'"),
            ("0 10\n", "line 1"),
            ("0 10 h#\n5 20 aa\n", "line 2: 5 to 20"),
            ("10 10 h#\n", "none may be empty"),
            ("a b h#\n", "line 1"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("SX1.PHN") && error.contains(expected), "{error}");
        }
    }
}
