//! One run of a record: a workload in one mode at one batch, and what was measured.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::{MIN_SAMPLES_FOR_CI95, Summary, quantile};
use crate::terms::{Class, Listed, Mode, Phase, Preset, words};

use super::doubt::{self, Doubt};
use super::outcome::Outcome;
use super::yardstick::Yardstick;

/// What is run: records hold runs of the same key against each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunKey {
    /// `speech`.
    pub workload: String,
    /// Training or inference.
    pub mode: Mode,
    /// Samples in a batch.
    pub batch: usize,
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} batch {}", self.workload, self.mode, self.batch)
    }
}

/// A workload in one mode at one batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// `speech`.
    pub workload: String,
    /// Training or inference.
    pub mode: Mode,
    /// The model's size.
    pub preset: Preset,
    /// Samples in a batch.
    pub batch: usize,
    /// Every number of the model.
    pub model: serde_json::Map<String, serde_json::Value>,
    /// What the samples are.
    pub data: String,
    /// What was taken of a real data set and what was passed over; nothing for built-in samples and in older
    /// records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listed>,
    /// `sha256:` of the program: shaders, grids, parameters, bindings.
    pub program: String,
    /// Whether its kernels were verified.
    pub verified: Verified,
    /// Every reason to doubt its figures.
    #[serde(flatten, with = "doubt::written")]
    #[schemars(with = "doubt::Written")]
    pub doubts: Vec<Doubt>,
    /// Step times; nothing where verification failed.
    pub timing: Option<Timing>,
    /// Arithmetic of a step.
    pub flops: u64,
    /// Bytes of a step, each operand of an op once.
    pub bytes: u64,
    /// Values in the model's parameters.
    pub parameters: u64,
    /// Dispatches of a step.
    pub dispatches: usize,
    /// Loss after the timed steps, in training: how many those are depends on the time they took.
    pub loss: Option<f64>,
    /// What the first steps from the seed gave; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Memory on the device.
    pub memory: Memory,
    /// From the graph to the end of the first step, less what a later step takes.
    pub build_ns: f64,
    /// Of that, what the first step took beyond a later one: many drivers compile kernels there. Nothing in
    /// older records, whose `build_ns` ends before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_step_ns: Option<f64>,
    /// Pipelines made for this run.
    pub pipelines: usize,
    /// Of that, making pipelines.
    pub pipelines_ns: f64,
    /// Making a batch on the host.
    pub data_ns: f64,
    /// Handing a batch to the device.
    pub upload_ns: f64,
    /// Where samples come from playing, in training: what the other parts of it take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playing: Option<Playing>,
    /// The profiled pass.
    pub profile: Option<Profile>,
    /// The ops, in order of execution.
    pub ops: Vec<Op>,
    /// Where values are stored as f16: the ops whose values are f32 all the same, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays_f32: Vec<StaysF32>,
}

/// A type of op whose values stay f32.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct StaysF32 {
    /// `lstm`.
    pub op: String,
    /// Why.
    pub why: String,
}

/// What playing takes beside the updates, which are the timed steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Playing {
    /// A step of the game: four frames, drawing, preprocessing.
    pub environment_ns: f64,
    /// Choosing actions for a batch of states: upload, inference, reading back.
    pub action_ns: f64,
}

words! {
    /// How verification ended.
    Status {
        /// Every kernel lies within its bound.
        Passed = "passed",
        /// One does not: nothing was timed.
        Failed = "failed",
        /// It was switched off.
        Unverified = "unverified",
    }
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// Whether all kernels are right.
    pub status: Status,
    /// Kernels checked.
    pub checked: usize,
    /// Kernels within their bounds.
    pub passed: usize,
    /// Kernels checked at smaller sizes.
    pub reduced: usize,
    /// Of the reduced, those checked at their real sizes as well, at sampled values; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<usize>,
    /// The kernel nearest to its bound, or furthest beyond.
    pub worst: Option<Worst>,
    /// Every kernel that is wrong, the worst first; nothing where none is, and in older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Worst>,
    /// `sha256:` of the program whose kernels were checked, which has to be the one that was timed; nothing where none
    /// were, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

/// A kernel of a verification: the worst, or one that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Worst {
    /// The op.
    pub label: String,
    /// Its error as a share of the bound; nothing where it is not finite.
    pub error: Option<f64>,
    /// Where and how it is wrong; nothing where it is not, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

words! {
    /// Where step times come from.
    Clock {
        /// The GPU's own timestamps.
        Timestamps = "timestamps",
        /// The wall clock, since there are no timestamps or they were faulty.
        Wall = "wall",
    }
}

/// Step times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// Where `step_ns` comes from.
    #[serde(rename = "source")]
    pub clock: Clock,
    /// Steps in a submission.
    pub steps_per_submit: usize,
    /// A step, one value a submission.
    pub step_ns: Vec<f64>,
    /// The same by the wall clock.
    pub wall_ns: Vec<f64>,
    /// Statistics of `step_ns`.
    pub step: Statistics,
    /// Median of `wall_ns`.
    pub wall_median_ns: f64,
    /// Encoding a step on the host: outside `step_ns` and `wall_ns`.
    pub encode_ns: f64,
    /// A step with several in flight, as programs take them: each is a submission with samples of its own, which are
    /// uploaded and encoded while the device works on the steps before. The wall clock over all of them; the batch over
    /// it is the throughput. Nothing in older records, and without uploads where there is no `queue_depth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlapped_ns: Option<f64>,
    /// How many were in flight at most. Nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_depth: Option<usize>,
    /// A step by itself, from the upload of its samples until it is done: the median of several, each waited for.
    /// Nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ns: Option<f64>,
    /// What a step costs the host's processors: the time that all threads of the program computed, encoding included,
    /// over the samples' steps. On an adapter that computes on the CPU it is nearly the same however busy the machine is.
    /// Nothing where the system does not tell, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<f64>,
    /// What else the machine did meanwhile; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<Yardstick>,
    /// Whether the wanted precision was reached.
    pub settled: bool,
}

/// Statistics of samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Statistics {
    /// Number of samples.
    pub n: usize,
    /// Middle.
    pub median_ns: f64,
    /// 95 % interval of the median.
    pub ci95_ns: (f64, f64),
    /// Least.
    pub min_ns: f64,
    /// Standard deviation over mean; nothing for a single sample.
    pub cv: Option<f64>,
    /// How many lie far from the rest.
    pub outliers: usize,
    /// Later half over earlier half, minus 1; nothing for a single sample.
    pub drift: Option<f64>,
}

/// Memory on the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// All buffers of the plan.
    pub planned_bytes: u64,
    /// Slots that temporary values share.
    pub slots_bytes: u64,
    /// What no plan could go below for them.
    pub slots_bound_bytes: u64,
}

words! {
    /// How ops were timed.
    Method {
        /// Timestamps around each op inside one pass, as the timed step has it.
        InPass = "in-pass",
        /// A pass an op, with timestamps at its ends.
        PassPerOp = "pass-per-op",
    }
}

/// The profiled steps. Ops and gaps are means over the middle half of the steps by span, so that they add up to
/// the span; in older records all three are medians, which do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// Steps profiled.
    pub steps: usize,
    /// First op's start to last op's end.
    pub span_ns: f64,
    /// What of it lies between ops.
    pub gaps_ns: f64,
    /// How they were timed; nothing in older records, which had a pass an op.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// The span over the timed step; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_timed: Option<f64>,
}

/// One op of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Op {
    /// `dense1.matmul/tile[BM=64,BN=64,BK=16]`.
    pub label: String,
    /// Type: `matmul`.
    pub op: String,
    /// Of its type.
    pub class: Class,
    /// Its part of the step.
    pub phase: Phase,
    /// Dispatches it takes.
    pub dispatches: usize,
    /// Arithmetic.
    pub flops: u64,
    /// Operands, once each.
    pub bytes: u64,
    /// Types inside, where several ops are fused.
    pub types: Vec<String>,
    /// Its time; nothing without a profile.
    pub ns: Option<OpTime>,
}

/// An op's time over the profiled steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpTime {
    /// Middle.
    pub median: f64,
    /// Mean over the steps whose span is of the middle half: with the gaps these add up to the span. Nothing in
    /// older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Twentieth part.
    pub p05: f64,
    /// Nineteen twentieth parts.
    pub p95: f64,
    /// How steady it was; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steadiness: Option<Steadiness>,
    /// Each step.
    #[serde(default)]
    pub samples: Vec<f64>,
}

/// How steady an op's time was over the profiled steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Steadiness {
    /// Steps it was timed in.
    pub steps: usize,
    /// Standard deviation over mean; nothing for a single step or a clock too coarse to see the op.
    pub cv: Option<f64>,
    /// Median of the later half over that of the earlier half, minus 1; nothing as for `cv`.
    pub drift: Option<f64>,
    /// Whether the 95 % intervals of the two halves' medians lie apart.
    pub drift_significant: bool,
}

impl Run {
    /// What was run.
    pub fn key(&self) -> RunKey {
        RunKey { workload: self.workload.clone(), mode: self.mode, batch: self.batch }
    }

    /// The median step in nanoseconds; nothing where it was not timed, as for all rates below.
    pub fn step_ns(&self) -> Option<f64> {
        self.timing.as_ref().map(|timing| timing.step.median_ns)
    }

    /// Half-width of the median's 95 % interval as a share of it.
    pub fn noise(&self) -> Option<f64> {
        self.timing.as_ref()?.step.noise()
    }

    /// Samples trained with or inferred from in a second.
    pub fn samples_per_s(&self) -> Option<f64> {
        self.step_ns().map(|ns| self.batch as f64 / ns * 1e9)
    }

    /// The same with several steps in flight, each with samples of its own; nothing in older records.
    pub fn throughput(&self) -> Option<f64> {
        let timing = self.timing.as_ref()?;
        timing.queue_depth?;
        timing.overlapped_ns.map(|ns| self.batch as f64 / ns * 1e9)
    }

    /// Operations a second.
    pub fn flop_per_s(&self) -> Option<f64> {
        self.step_ns().map(|ns| self.flops as f64 / ns * 1e9)
    }

    /// The profiled step over the timed one: near 1 where the profile tells of the step that was timed.
    pub fn profiled_over_timed(&self) -> Option<f64> {
        let over_timed = self.profile.as_ref()?.over_timed;
        over_timed.or_else(|| Some(self.span_ns()? / self.step_ns()?))
    }

    /// The ops' times together, as they stand in a table; 0 without a profile.
    pub fn ops_ns(&self) -> f64 {
        self.ops.iter().filter_map(Op::time_ns).sum()
    }

    /// The profiled step as the sum of its ops and gaps, so that every table adds up; nothing without a profile.
    pub fn span_ns(&self) -> Option<f64> {
        self.profile.as_ref().map(|profile| self.ops_ns() + profile.gaps_ns)
    }

    /// Share of the profiled step that lies between ops; nothing without a profile.
    pub fn gap_share(&self) -> Option<f64> {
        Some(self.profile.as_ref()?.gaps_ns / self.span_ns()?)
    }

    /// Why it is no measurement of a verified model, in two words; nothing where it is one.
    pub fn why_not_counted(&self) -> Option<&'static str> {
        match self.verified.status {
            Status::Passed if self.timing.is_some() => None,
            Status::Passed => Some("not timed"),
            Status::Failed => Some("verification failed"),
            Status::Unverified => Some("unverified"),
        }
    }
}

impl Statistics {
    /// Sums up the samples, which are in the order in which they were taken.
    pub fn of(samples_ns: &[f64]) -> Self {
        let summary = Summary::of(samples_ns);
        Self {
            n: summary.n,
            median_ns: summary.median,
            ci95_ns: summary.ci95,
            min_ns: summary.min,
            cv: finite(summary.cv),
            outliers: summary.outliers,
            drift: finite(summary.drift.relative),
        }
    }

    /// Half-width of the median's 95 % interval as a share of it; nothing where there are too few samples for one, of
    /// which a single one would seem to be exact.
    pub fn noise(&self) -> Option<f64> {
        let half = (self.ci95_ns.1 - self.ci95_ns.0) / 2.0;
        (self.n >= MIN_SAMPLES_FOR_CI95).then_some(half / self.median_ns)
    }
}

impl OpTime {
    /// Of an op's nanoseconds in each profiled step, and its mean over the middle ones.
    pub fn of(samples_ns: Vec<f64>, mean: f64) -> Self {
        let summary = Summary::of(&samples_ns);
        Self {
            median: summary.median,
            mean: Some(mean),
            p05: quantile(&samples_ns, 0.05),
            p95: quantile(&samples_ns, 0.95),
            steadiness: Some(Steadiness {
                steps: summary.n,
                cv: finite(summary.cv),
                drift: finite(summary.drift.relative),
                drift_significant: summary.drift.significant,
            }),
            samples: samples_ns,
        }
    }
}

impl Verified {
    /// Where verification was switched off.
    pub fn nothing() -> Self {
        Self {
            status: Status::Unverified,
            checked: 0,
            passed: 0,
            reduced: 0,
            sampled: None,
            worst: None,
            failed: Vec::new(),
            program: None,
        }
    }

    /// The kernels beyond their bounds, the worst first; older records name that one alone.
    pub fn wrong(&self) -> &[Worst] {
        match (self.status, self.failed.as_slice()) {
            (Status::Failed, []) => self.worst.as_slice(),
            (Status::Failed, all) => all,
            _ => &[],
        }
    }
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.label, self.detail.as_deref().unwrap_or("beyond its bound"))
    }
}

/// What JSON can hold: it has no word for what is not a number.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl Op {
    /// Its time, as it adds up with the others' to the profiled span; nothing without a profile.
    pub fn time_ns(&self) -> Option<f64> {
        self.ns.as_ref().map(|ns| ns.mean.unwrap_or(ns.median))
    }
}
