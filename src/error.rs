//! What can go wrong, in messages for people, and the exit code of each kind.
//!
//! Every message says what happened, where, and what to do next. The exit codes are stable, and
//! documented in `fathom help exit-codes`.

use std::fmt;
use std::path::{Path, PathBuf};

/// A result whose error knows its exit code.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can end a run early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line or the environment asks for something that does not exist.
    #[error("{}", lines(.0))]
    Usage(String),
    /// No adapter matches, or several do.
    #[error("{}", lines(.0))]
    Device(String),
    /// The selection is empty.
    #[error("{}", lines(.0))]
    NothingSelected(String),
    /// A kernel disagrees with its CPU reference on this device.
    #[error("verification failed: {0}")]
    Verification(String),
    /// The device was lost.
    #[error("{}", lines(.0))]
    Gpu(String),
    /// The device does not end what it was given: nothing can be asked of it any more.
    #[error("{}", lines(.0))]
    Hung(String),
    /// The device has no room for a buffer, or does not allow one so large.
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// A row is slower than allowed.
    #[error("regression: {0}")]
    Regression(String),
    /// Records differ in more than what is being compared, or lack what a comparison needs.
    #[error("not comparable: {}", lines(.0))]
    Incomparable(String),
    /// A data file cannot be used.
    #[error("{}: {}: {}", plain(file.display()), plain(place), plain(what))]
    Data {
        /// The file.
        file: PathBuf,
        /// The place in it: `byte 44`, `line 3`, `header`.
        place: String,
        /// What was found, what was expected, and what to do unless that is obvious.
        what: String,
    },
    /// A shader of the folder that `FATHOM_SHADERS` names cannot be used.
    #[error("{}: {}", plain(file.display()), lines(what))]
    Shader {
        /// The folder's file.
        file: PathBuf,
        /// What is wrong, in several lines where the compiler quotes the text.
        what: String,
    },
    /// The operating system refused to read or write a file.
    #[error("cannot {action} {}: {source}", plain(file.display()))]
    Io {
        /// `read`, `write`, `create`.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// The system's own reason.
        source: std::io::Error,
    },
    /// A graph, kernel or program that this crate built is invalid: a bug in fathom itself.
    #[error(
        "internal error: {0}\nthis is a bug in fathom: please report it with the command line that led to it"
    )]
    Internal(String),
    /// A run in a process of its own failed, and said why.
    #[error("{}", lines(text))]
    Run {
        /// Its exit code.
        code: u8,
        /// Its message, which begins as those of its kind do.
        text: String,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// An [`Error::Data`].
    pub fn data(file: impl AsRef<Path>, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Data { file: file.as_ref().to_path_buf(), place: place.into(), what: what.into() }
    }

    /// Turns an [`std::io::Error`] into an [`Error::Io`]: `.map_err(Error::io("read", path))`.
    pub fn io(action: &'static str, file: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.as_ref().to_path_buf();
        move |source| Self::Io { action, file, source }
    }

    /// The message for where the file's name stands beside it.
    pub(crate) fn beside_its_file(&self) -> String {
        match self {
            Self::Data { place, what, .. } => format!("{}: {}", plain(place), plain(what)),
            Self::Io { action, source, .. } => format!("cannot {action} it: {source}"),
            other => other.to_string(),
        }
    }

    /// A failing device's error with what it failed in, as in `speech train batch 32: ...`; others as they are.
    pub fn during(self, what: impl fmt::Display) -> Self {
        match self {
            Self::Gpu(_) | Self::OutOfMemory(_) => Self::Gpu(format!("{what}: {self}")),
            Self::Hung(_) => Self::Hung(format!("{what}: {self}")),
            other => other,
        }
    }

    /// The process exit code: see [`EXIT_CODES`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Internal(_) => 1,
            Self::Usage(_) => 2,
            Self::Device(_) => 3,
            Self::NothingSelected(_) => 4,
            Self::Verification(_) => 5,
            Self::Gpu(_) | Self::Hung(_) | Self::OutOfMemory(_) => 6,
            Self::Regression(_) => 8,
            Self::Incomparable(_) => 9,
            Self::Data { .. } | Self::Shader { .. } | Self::Io { .. } => 10,
            Self::Run { code, .. } => *code,
            Self::Interrupted => 130,
        }
    }
}

/// The exit codes and their meaning, as `fathom help exit-codes` prints them.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "success (a closed pipe counts as success)"),
    (1, "internal error: a bug in fathom"),
    (2, "usage: unknown option, value or name"),
    (3, "no usable device, or an ambiguous --device"),
    (4, "nothing selected"),
    (5, "verification failed: a kernel disagrees with its reference"),
    (6, "device lost, hung, or out of memory (whatever was measured is kept)"),
    (7, "reserved: measurement too noisy"),
    (8, "regression: slower than `compare --fail-on` allows"),
    (9, "records not comparable, or score incomplete"),
    (10, "data or file cannot be read or written"),
    (130, "interrupted (whatever was measured is kept)"),
];

/// Characters of a text from outside that are shown: a path may have four thousand.
const SHOWN: usize = 4096;

/// Characters of a line or a word from outside that are quoted in a message.
const QUOTED: usize = 40;

/// Whether a terminal acts on it: control characters, and those that change the direction of writing.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text from outside without what a terminal would act on, and no longer than can be read.
pub(crate) fn plain(text: impl fmt::Display) -> String {
    first(&text.to_string(), SHOWN).replace(acts, "\u{fffd}")
}

/// The same of a text in several lines, whatever its length.
pub(crate) fn lines(text: &str) -> String {
    text.replace(|c| !matches!(c, '\n' | '\t') && acts(c), "\u{fffd}")
}

/// Enough of a line or a word from outside to know it by.
pub(crate) fn quoted(text: &str) -> String {
    plain(first(text, QUOTED))
}

/// The first `most` characters of a text, and dots where there are more.
fn first(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_string(),
    }
}

/// Bytes for people, with the exact count: `784.0 MiB (822083584 bytes)`.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB ({bytes} bytes)", bytes as f64 / (1 << 20) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_can_be_read_whatever_its_length() {
        assert_eq!(quoted("é\u{1b}[2J"), "é\u{fffd}[2J");
        assert_eq!(quoted(&"é".repeat(1 << 20)), "é".repeat(QUOTED) + "..");
        let error = Error::data("a", "b", "c".repeat(1 << 20)).to_string();
        assert_eq!(error.len(), "a: b: ".len() + SHOWN + 2);
        let error = Error::Usage("one\ntwo\u{1b}]0;x\u{7}".into());
        assert_eq!(error.to_string(), "one\ntwo\u{fffd}]0;x\u{fffd}");
    }

    #[test]
    fn a_file_that_is_named_already_is_not_named_again() {
        assert_eq!(
            Error::data("a.json", "schema", "none\u{1b}").beside_its_file(),
            "schema: none\u{fffd}"
        );
        let gone = Error::io("read", "a.json")(std::io::Error::other("gone"));
        assert_eq!(gone.beside_its_file(), "cannot read it: gone");
        assert_eq!(Error::Interrupted.beside_its_file(), "interrupted");
    }

    #[test]
    fn names_from_outside_cannot_act_on_a_terminal() {
        let error = Error::data("a\u{1b}[31m", "b\u{202e}\n", "c\u{7f}\té");
        assert_eq!(error.to_string(), "a\u{fffd}[31m: b\u{fffd}\u{fffd}: c\u{fffd}\u{fffd}é");
    }
}
