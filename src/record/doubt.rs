//! Reasons to doubt a run's figures: kinds with figures, printed in one place.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::drift;
use crate::terms::{ClockFault, FaultCount, by_key, computing, words};

use super::{Profile, Run, Yardstick};

/// A reason to doubt a run's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Doubt {
    /// Kernels were not checked.
    Unverified,
    /// A kernel is wrong, so that nothing was timed.
    WrongKernels,
    /// Steps are timed by the wall clock: the device has no timestamps, or faulty ones.
    WallClock {
        /// What is wrong with them; nothing where there are none.
        faults: Vec<FaultCount>,
    },
    /// The wanted precision was not reached in the time given. Nothing is known of it in older records.
    Unsettled {
        /// Half-width of the median's 95 % interval as a share of it.
        interval: Option<f64>,
        /// What was wanted of it.
        wanted: Option<f64>,
    },
    /// Step times moved while they were taken.
    Drift {
        /// Median of the later half over that of the earlier half, minus 1.
        relative: f64,
    },
    /// Work that is always the same did not always take the same time: the machine changed, or others used it.
    YardstickMoved {
        /// Which of the yardstick's parts moved most.
        part: YardstickPart,
        /// Its best rate over its worst, minus 1.
        relative: f64,
    },
    /// More threads wanted to run than the machine has cores, on an adapter that runs on them.
    Crowded {
        /// Threads of other programs beyond what was left to them, in the middle of several looks.
        excess: u32,
    },
    /// A profiled step took another time than a timed one, so that its shares are of another step.
    ProfileUnlike {
        /// The profiled step over the timed one.
        ratio: f64,
    },
    /// Ops could not be timed.
    NoProfile {
        /// What is wrong with the timestamps.
        faults: Vec<FaultCount>,
    },
    /// Op times are rounded.
    RoundedProfile {
        /// What is wrong with the timestamps.
        faults: Vec<FaultCount>,
    },
    /// Much of a profiled step lies between ops; says nothing of the timed steps.
    Gaps {
        /// As a share of its span.
        share: f64,
    },
    /// The loss is not a number after the timed steps.
    Loss,
    /// One that only another version of fathom knows.
    Other {
        /// In its words.
        text: String,
    },
}

words! {
    /// The parts of a yardstick.
    YardstickPart {
        /// Multiply-adds in registers.
        Fma = "multiply-adds",
        /// A copy through memory.
        Copy = "copying",
        /// Dispatches that wait for each other.
        Launch = "launching",
    }
}

/// Share of a profiled step that may lie between ops.
const MOST_GAPS: f64 = 0.03;

/// How far a profiled step may be from a timed one.
const UNLIKE: f64 = 0.1;

/// How far steps may drift where they do.
const MOST_DRIFT: f64 = 0.02;

impl Doubt {
    /// What the figures of a timing give reason to doubt, besides its precision and its clock.
    pub fn of_steps(step_ns: &[f64]) -> Option<Self> {
        let drift = drift(step_ns);
        let doubtful = drift.significant && drift.relative.abs() > MOST_DRIFT;
        doubtful.then_some(Self::Drift { relative: drift.relative })
    }

    /// Processors that a software adapter leaves to others: of `cores`, one for each thread that computes where it has so
    /// many `workers`.
    pub fn free(cores: usize, workers: Option<usize>) -> u32 {
        let busy = workers.map_or(cores, computing);
        cores.saturating_sub(busy) as u32
    }

    /// What readings of known work say against the samples taken between them, where as many threads of others as are
    /// given have a processor of their own.
    pub fn of_yardstick(yardstick: &Yardstick, free: Option<u32>) -> Vec<Self> {
        let moved = yardstick.moved();
        let moved = moved.map(|(part, relative)| Self::YardstickMoved { part, relative });
        let excess = free.and_then(|free| yardstick.others()?.checked_sub(free));
        let crowded = excess.filter(|&excess| excess > 0).map(|excess| Self::Crowded { excess });
        moved.into_iter().chain(crowded).collect()
    }

    /// What a profile's own figures say against it.
    pub fn of_profile(profile: &Profile) -> Vec<Self> {
        let share = profile.gaps_ns / profile.span_ns;
        let gaps = (share > MOST_GAPS).then_some(Self::Gaps { share });
        let is_unlike = |ratio: &f64| !(1.0 - UNLIKE..1.0 + UNLIKE).contains(ratio);
        let unlike = profile.over_timed.filter(is_unlike);
        gaps.into_iter().chain(unlike.map(|ratio| Self::ProfileUnlike { ratio })).collect()
    }

    /// The figure of those above.
    pub(super) fn figure(&self) -> f64 {
        match self {
            Self::Drift { relative } | Self::YardstickMoved { relative, .. } => *relative,
            Self::Crowded { excess } => f64::from(*excess),
            Self::ProfileUnlike { ratio } => *ratio,
            Self::Gaps { share } => *share,
            _ => 0.0,
        }
    }

    /// Whether it concerns the step times, which comparisons are about.
    pub fn concerns_steps(&self) -> bool {
        !matches!(
            self,
            Self::Gaps { .. }
                | Self::ProfileUnlike { .. }
                | Self::NoProfile { .. }
                | Self::RoundedProfile { .. }
        )
    }

    /// What several runs may have in common: without figures that are each run's own.
    pub fn summary(&self) -> String {
        match self {
            Self::Drift { .. } => DRIFTED.into(),
            Self::YardstickMoved { .. } => YARDSTICK.into(),
            Self::Crowded { .. } => CROWDED.into(),
            other => other.to_string(),
        }
    }

    /// The kind in a few words, for a list of them.
    pub fn brief(&self) -> String {
        match self {
            Self::Unverified => "UNVERIFIED: kernels were not checked".into(),
            Self::WrongKernels => "wrong kernels, so nothing was timed".into(),
            Self::WallClock { .. } => "the wall clock instead of the device's own".into(),
            Self::Unsettled { .. } => "requested precision not reached".into(),
            Self::YardstickMoved { .. } => "the machine's own speed changed".into(),
            Self::Crowded { .. } => "other programs wanted the processors".into(),
            Self::ProfileUnlike { .. } => "a profiled step is unlike a timed one".into(),
            Self::NoProfile { .. } => "no profile: faulty timestamps".into(),
            Self::RoundedProfile { .. } => "op times are rounded".into(),
            Self::Gaps { .. } => "gaps between the ops of a profiled step".into(),
            Self::Loss => "the loss is not a number".into(),
            _ => self.summary(),
        }
    }
}

/// A kind of doubt, and every run that has it with the doubt itself.
pub type DoubtKind<'a> = (String, Vec<(&'a Run, &'a Doubt)>);

/// The doubts of some runs by what `name` says of them, kinds in order of first mention.
pub fn by_kind<'a>(
    runs: impl IntoIterator<Item = &'a Run>,
    name: impl Fn(&Doubt) -> String,
) -> Vec<DoubtKind<'a>> {
    let doubts = runs.into_iter().flat_map(|run| run.doubts.iter().map(move |d| (run, d)));
    by_key(doubts.map(|(run, doubt)| (name(doubt), (run, doubt))))
}

const UNVERIFIED: &str = "UNVERIFIED: kernels were not checked (--no-verify)";
const WRONG_KERNELS: &str = "kernels disagree with their references: not timed";
const NO_TIMESTAMPS: &str = "no usable timestamps: wall time is used";
const WALL_TIME: &str = ": wall time is used";
const UNSETTLED: &str =
    "the requested precision was not reached in the time allowed (--time, --max-noise)";
const DRIFTED: &str = "step times drifted";
const YARDSTICK: &str = "the machine's own speed changed while the steps were timed";
const CROWDED: &str = "other programs wanted the processors that run the kernels";
const NO_PROFILE: &str = "no profile: ";
const PROFILE: &str = "profile: ";
const GAPS: &str = " % of a profiled step lies between ops";
const LOSS: &str = "the loss is not a number after the timed steps";

/// What older versions wrote for kinds that read differently now.
const OLD_UNSETTLED: &str =
    "the wanted precision was not reached in the time given (--time, --max-noise)";
const OLD_LOSS: &str = "the loss is no number after the timed steps";

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |faults: &[FaultCount]| {
            faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Unverified => f.write_str(UNVERIFIED),
            Self::WrongKernels => f.write_str(WRONG_KERNELS),
            Self::WallClock { faults } if faults.is_empty() => f.write_str(NO_TIMESTAMPS),
            Self::WallClock { faults } => write!(f, "{}{WALL_TIME}", list(faults)),
            Self::Unsettled { .. } => f.write_str(UNSETTLED),
            Self::Drift { relative } => write!(f, "{DRIFTED} by {:+.1} %", 100.0 * relative),
            Self::YardstickMoved { part, relative } => {
                write!(f, "{YARDSTICK}: {part} by {:.0} %", 100.0 * relative)
            }
            Self::Crowded { excess } => {
                write!(f, "{CROWDED}: {excess} more threads than there was room for")
            }
            Self::ProfileUnlike { ratio } => {
                write!(f, "a profiled step takes {ratio:.2} times as long as a timed one")
            }
            Self::NoProfile { faults } => write!(f, "{NO_PROFILE}{}", list(faults)),
            Self::RoundedProfile { faults } => write!(f, "{PROFILE}{}", list(faults)),
            Self::Gaps { share } => write!(f, "{:.1}{GAPS}", 100.0 * share),
            Self::Loss => f.write_str(LOSS),
            Self::Other { text } => f.write_str(text),
        }
    }
}

/// Doubts as a record holds them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Written {
    /// `ok`, or each reason to doubt the figures as a sentence.
    validity: Vec<String>,
    /// The same reasons with their figures; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubts: Option<Vec<Doubt>>,
}

/// Between a run's doubts and what a record holds of them, the one place that reads an older record's
/// sentences.
pub(super) mod written {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Doubt, Written, of_sentence};

    pub(in crate::record) fn serialize<S: Serializer>(
        doubts: &[Doubt],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut validity: Vec<_> = doubts.iter().map(ToString::to_string).collect();
        if validity.is_empty() {
            validity.push("ok".into());
        }
        Written { validity, doubts: Some(doubts.to_vec()) }.serialize(serializer)
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Doubt>, D::Error> {
        let written = Written::deserialize(deserializer)?;
        Ok(written.doubts.unwrap_or_else(|| {
            written.validity.iter().filter(|text| *text != "ok").map(|t| of_sentence(t)).collect()
        }))
    }
}

/// What a sentence of a record from before `doubts` says.
fn of_sentence(text: &str) -> Doubt {
    // As JSON's numbers are read: a page carries one reader of decimals.
    let percent = |figure: &str| serde_json::from_str::<f64>(figure.trim_end_matches(" %"));
    let share = |figure: &str| percent(figure).map(|percent| percent / 100.0);
    let known = match text {
        UNVERIFIED => Some(Doubt::Unverified),
        WRONG_KERNELS => Some(Doubt::WrongKernels),
        NO_TIMESTAMPS => Some(Doubt::WallClock { faults: Vec::new() }),
        UNSETTLED | OLD_UNSETTLED => Some(Doubt::Unsettled { interval: None, wanted: None }),
        LOSS | OLD_LOSS => Some(Doubt::Loss),
        _ => None,
    };
    let with_figure = || {
        if let Some(faults) = text.strip_suffix(WALL_TIME) {
            return Some(Doubt::WallClock { faults: faults_of(faults)? });
        }
        if let Some(faults) = text.strip_prefix(NO_PROFILE) {
            return Some(Doubt::NoProfile { faults: faults_of(faults)? });
        }
        if let Some(faults) = text.strip_prefix(PROFILE) {
            return Some(Doubt::RoundedProfile { faults: faults_of(faults)? });
        }
        if let Some(figure) = text.strip_prefix(DRIFTED).and_then(|t| t.strip_prefix(" by ")) {
            return Some(Doubt::Drift { relative: share(figure).ok()? });
        }
        let figure = text.strip_suffix(GAPS)?;
        Some(Doubt::Gaps { share: share(figure).ok()? })
    };
    known.or_else(with_figure).unwrap_or_else(|| Doubt::Other { text: text.into() })
}

/// `timestamps read as zero (3 pairs), timestamps are rounded (8 pairs)`.
fn faults_of(text: &str) -> Option<Vec<FaultCount>> {
    let of = |part: &str| {
        let (what, pairs) = part.strip_suffix(" pairs)")?.split_once(" (")?;
        let fault = ClockFault::ALL.into_iter().find(|fault| fault.text() == what)?;
        Some(FaultCount { fault, pairs: pairs.parse().ok()? })
    };
    text.split(", ").map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use crate::terms::Mode;

    #[test]
    fn a_driver_without_workers_takes_one_processor() {
        let free =
            [None, Some(0), Some(1), Some(3), Some(9)].map(|workers| Doubt::free(4, workers));
        assert_eq!(free, [0, 3, 3, 1, 0]);
    }

    fn every_kind() -> Vec<Doubt> {
        let faults = vec![
            FaultCount { fault: ClockFault::Zero, pairs: 3 },
            FaultCount { fault: ClockFault::Coarse, pairs: 8 },
        ];
        vec![
            Doubt::Unverified,
            Doubt::WrongKernels,
            Doubt::WallClock { faults: Vec::new() },
            Doubt::WallClock { faults: faults.clone() },
            Doubt::Unsettled { interval: None, wanted: None },
            Doubt::Drift { relative: -0.105 },
            Doubt::NoProfile { faults: faults.clone() },
            Doubt::RoundedProfile { faults },
            Doubt::Gaps { share: 0.126 },
            Doubt::Loss,
            Doubt::Other { text: "a doubt of another version".into() },
        ]
    }

    #[test]
    fn a_record_holds_each_doubt_as_a_sentence_and_with_its_figures() {
        let mut run = example::run("speech", Mode::Train, &[1.0; 6]);
        let json = serde_json::to_value(&run).unwrap();
        assert_eq!((&json["validity"][0], &json["doubts"]), (&"ok".into(), &serde_json::json!([])));
        run.doubts = every_kind();
        run.doubts.extend([
            Doubt::YardstickMoved { part: YardstickPart::Copy, relative: 0.2 },
            Doubt::Crowded { excess: 3 },
            Doubt::ProfileUnlike { ratio: 1.94 },
        ]);
        let json = serde_json::to_string(&run).unwrap();
        assert!(json.contains(r#""validity":["UNVERIFIED: kernels were"#), "{json}");
        assert!(json.contains(r#"{"kind":"drift","relative":-0.105}"#), "{json}");
        assert_eq!(serde_json::from_str::<Run>(&json).unwrap(), run);
    }

    #[test]
    fn the_sentences_of_older_records_are_understood() {
        let mut run = example::run("speech", Mode::Train, &[1.0; 6]);
        run.doubts = every_kind();
        let mut json = serde_json::to_value(&run).unwrap();
        json.as_object_mut().unwrap().remove("doubts");
        let read: Run = serde_json::from_value(json).unwrap();
        assert_eq!(read, run);
    }

    #[test]
    fn sentences_that_have_been_reworded_are_still_understood() {
        assert_eq!(of_sentence(OLD_LOSS), Doubt::Loss);
        let unsettled = Doubt::Unsettled { interval: None, wanted: None };
        assert_eq!(of_sentence(OLD_UNSETTLED), unsettled);
    }
}
