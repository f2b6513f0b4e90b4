//! What a reader took of a data set and what it passed over: one account for all of them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use crate::error::{Error, Result, plain};
use crate::terms::{Listed, PassedOver, Reason};

use super::Split;

/// Names kept for each reason. All are counted; the first ones are enough to see what it is about.
const NAMED: usize = 100;

/// Names shown in [`Listing::line`] for a reason, where there are no more.
const SHOWN: usize = 3;

/// The account of a data set.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    skip_bad: bool,
    taken: [usize; 2],
    passed: BTreeMap<Reason, Passed>,
}

/// What was passed over for a reason.
#[derive(Debug, Clone, Default)]
struct Passed {
    count: usize,
    /// What they are called.
    names: Vec<String>,
    /// The errors that they would have been without `--skip-bad`.
    errors: Vec<String>,
}

impl Listing {
    /// Nothing yet. `skip_bad` passes over what would be refused otherwise.
    pub fn new(skip_bad: bool) -> Self {
        Self { skip_bad, ..Self::default() }
    }

    /// Counts samples that are taken.
    pub(crate) fn take(&mut self, split: Split, count: usize) {
        self.taken[split as usize] += count;
    }

    /// Counts one thing that needs no decision of the user.
    pub(crate) fn pass(&mut self, reason: Reason, name: impl Display) {
        let passed = self.passed.entry(reason).or_default();
        passed.count += 1;
        if passed.names.len() < NAMED {
            passed.names.push(plain(name));
        }
    }

    /// Counts things that have no names.
    pub(crate) fn pass_many(&mut self, reason: Reason, count: usize) {
        if count > 0 {
            self.passed.entry(reason).or_default().count += count;
        }
    }

    /// Refuses something by its error, or passes it over where `--skip-bad` is given.
    ///
    /// # Errors
    /// The error, unless such are passed over. What is no fault of the data is never passed over.
    pub(crate) fn doubt(&mut self, reason: Reason, error: Error) -> Result<()> {
        if !self.skip_bad || !matches!(error, Error::Data { .. } | Error::Io { .. }) {
            return Err(error);
        }
        let passed = self.passed.entry(reason).or_default();
        passed.count += 1;
        if passed.errors.len() < NAMED {
            passed.errors.push(error.to_string());
        }
        Ok(())
    }

    /// Refuses a set without samples to learn from, or without any held out.
    ///
    /// # Errors
    /// [`Error::Data`] with what was passed over.
    pub(crate) fn settle(&self, path: &Path, samples: &str) -> Result<()> {
        let [train, held_out] = self.taken;
        let missing = match (train, held_out) {
            (0, 0) => "to take",
            (0, _) => "to learn from",
            (_, 0) => "held out to measure on",
            _ => return Ok(()),
        };
        let mut what = format!("none {missing}: at least one is needed");
        if let Some(line) = self.line() {
            what += &format!("; {line}");
        }
        if let Some(first) = self.skipped().first() {
            what += &format!("; the first: {first}");
        }
        Err(Error::data(path, samples, what))
    }

    /// The account as records have it.
    pub fn listed(&self) -> Listed {
        let passed = self.passed.iter();
        let passed = passed.map(|(&reason, passed)| PassedOver { reason, count: passed.count });
        let [train, held_out] = self.taken;
        Listed { train, held_out, passed_over: passed.collect() }
    }

    /// `passed over: 2 hidden files, 1 entry that is not used (val.en)`; nothing where all was taken.
    pub fn line(&self) -> Option<String> {
        let part = |(&reason, passed): (&Reason, &Passed)| {
            let counted = PassedOver { reason, count: passed.count }.to_string();
            let named = (1..=SHOWN).contains(&passed.names.len()) && passed.errors.is_empty();
            if named && reason != Reason::Hidden {
                format!("{counted} ({})", passed.names.join(", "))
            } else {
                counted
            }
        };
        let parts: Vec<_> = self.passed.iter().map(part).collect();
        (!parts.is_empty()).then(|| format!("passed over: {}", parts.join(", ")))
    }

    /// What `--skip-bad` passed over: the error that each would have been.
    pub fn skipped(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (&reason, passed) in &self.passed {
            lines.extend(passed.errors.iter().cloned());
            if passed.errors.len() == NAMED && passed.count > NAMED {
                let rest = PassedOver { reason, count: passed.count - NAMED };
                lines.push(format!("and more: {rest}"));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(what: &str) -> Error {
        Error::data("a.png", "image data", what)
    }

    #[test]
    fn what_is_passed_over_is_counted_by_reason_and_said_in_one_line() {
        let mut listing = Listing::new(false);
        assert_eq!(listing.line(), None);
        listing.pass(Reason::Hidden, "._a");
        listing.pass(Reason::Hidden, "._b");
        listing.pass(Reason::Unused, "val.en");
        listing.pass_many(Reason::Blank, 3);
        let line = listing.line().unwrap();
        assert_eq!(
            line,
            "passed over: 2 hidden files, 1 entry that is not used (val.en), 3 blank lines"
        );
        assert_eq!(listing.listed().passed_over[2].count, 3);
        assert!(listing.skipped().is_empty());
    }

    #[test]
    fn doubts_are_refused_or_named() {
        assert!(Listing::new(false).doubt(Reason::Unreadable, fault("x")).is_err());
        let mut lenient = Listing::new(true);
        for what in ["x", "y"] {
            lenient.doubt(Reason::Unreadable, fault(what)).unwrap();
        }
        assert_eq!(lenient.line().unwrap(), "passed over: 2 unreadable samples");
        assert_eq!(lenient.skipped(), ["a.png: image data: x", "a.png: image data: y"]);
        assert!(lenient.doubt(Reason::Unreadable, Error::Internal("bug".into())).is_err());
    }

    #[test]
    fn neither_half_of_a_set_may_be_empty() {
        let mut listing = Listing::new(true);
        listing.take(Split::Train, 3);
        listing.doubt(Reason::Unreadable, fault("cut short")).unwrap();
        let error = listing.settle(Path::new("set"), "images").unwrap_err().to_string();
        assert_eq!(
            error,
            "set: images: none held out to measure on: at least one is needed; passed over: \
             1 unreadable sample; the first: a.png: image data: cut short"
        );
        listing.take(Split::Test, 1);
        listing.settle(Path::new("set"), "images").unwrap();
    }

    #[test]
    fn names_are_bounded_and_counts_are_not() {
        let mut listing = Listing::new(true);
        for i in 0..3 * NAMED {
            listing.doubt(Reason::Unreadable, fault(&i.to_string())).unwrap();
        }
        assert_eq!(listing.skipped().len(), NAMED + 1);
        assert_eq!(listing.skipped()[NAMED], "and more: 200 unreadable samples");
    }
}
