//! Where a step's time goes: by op type, by class, by op against the device's ceilings, and between ops.

use crate::record::{Op, Peaks, Record, Run};
use crate::terms::{Class, Phase, words};

use super::{RunContext, class, share, sum};

/// Types below this share of the ops' time are gathered: see [`gathered`].
pub const GATHERED: f64 = 0.01;

/// The share of the ops' time that [`RunProfile::to_dominance`] counts types up to.
pub const DOMINANCE: f64 = 0.9;

/// One run's time, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct RunProfile {
    /// The run.
    pub context: RunContext,
    /// Steps that were profiled.
    pub steps: usize,
    /// The ops' times and the gaps between them.
    pub span_ns: f64,
    /// The same over a step that was timed whole; nothing where none was.
    pub over_timed: Option<f64>,
    /// What of it lies between ops.
    pub gaps_ns: f64,
    /// The same as a share of the span.
    pub gap_share: f64,
    /// Sum of the ops' times: what all shares below are of.
    pub ops_ns: f64,
    /// All buffers of the plan.
    pub planned_bytes: u64,
    /// What is alive at the fullest moment of a step, persistent values included: no plan can be smaller.
    pub peak_bytes: u64,
    /// By op type, the longest first.
    pub types: Vec<TypeTime>,
    /// How many types reach [`DOMINANCE`].
    pub to_dominance: usize,
    /// By class, A to G, all seven.
    pub classes: Vec<ClassTime>,
    /// Each op, in order of execution.
    pub ops: Vec<OpPlace>,
}

/// All ops of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeTime {
    /// `matmul`; of a fused op the type that carries it.
    pub name: String,
    /// A to G; a dash where several are gathered.
    pub class: char,
    /// Ops in a step.
    pub calls: usize,
    /// Of these, how many have other types merged into them.
    pub fused_calls: usize,
    /// Sum of the ops' times.
    pub ns: f64,
    /// Share of all ops' time.
    pub share: f64,
    /// This share and those of all types before it.
    pub cumulative: f64,
    /// Where its ops lie together.
    pub roofline: Roofline,
}

/// All ops of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassTime {
    /// A to G.
    pub class: char,
    /// `matrix`.
    pub name: String,
    /// Sum of the ops' times.
    pub ns: f64,
    /// Share of all ops' time.
    pub share: f64,
}

/// One op of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct OpPlace {
    /// `dense1.matmul/tile[BM=64,BN=64,BK=16]`.
    pub label: String,
    /// A to G.
    pub class: char,
    /// Its part of the step.
    pub phase: Phase,
    /// Types inside; one unless fused.
    pub types: Vec<String>,
    /// Its time, as it adds up with the others'.
    pub ns: f64,
    /// Where nine tenths of the steps lie, from the 5th percentile to the 95th.
    pub middle_ns: Option<(f64, f64)>,
    /// Share of all ops' time.
    pub share: f64,
    /// Where it lies.
    pub roofline: Roofline,
}

/// Work and time compared with the ceilings measured in the same record (Williams, Waterman, Patterson
/// 2009). Bytes count each operand once, so an op whose operands lie in a cache can exceed the roof.
#[derive(Debug, Clone, PartialEq)]
pub struct Roofline {
    /// Arithmetic.
    pub flops: u64,
    /// Operands, once each.
    pub bytes: u64,
    /// Operations a byte; nothing for an op without operands.
    pub intensity: Option<f64>,
    /// Achieved; nothing where the clock was too coarse to see the op.
    pub flop_per_s: Option<f64>,
    /// Achieved; nothing as above.
    pub bytes_per_s: Option<f64>,
    /// Which ceiling would hold it back first.
    pub bound: Bound,
    /// The time that ceiling allows over the time taken: 1 is on the roof; nothing as above.
    pub of_roof: Option<f64>,
}

words! {
    /// What limits an op at best.
    Bound {
        /// Its bytes take longer than its arithmetic.
        Memory = "memory",
        /// Its arithmetic takes longer than its bytes.
        Compute = "compute",
    }
}

impl Roofline {
    /// For work done in `ns`.
    fn of(flops: u64, bytes: u64, ns: f64, peaks: &Peaks) -> Self {
        let arithmetic_ns = share(flops as f64, peaks.fma_f32_flop_per_s) * 1e9;
        let memory_ns = share(bytes as f64, peaks.copy_bytes_per_s) * 1e9;
        let over_time = |work: f64| (ns > 0.0).then(|| work / ns);
        Self {
            flops,
            bytes,
            intensity: (bytes > 0).then(|| flops as f64 / bytes as f64),
            flop_per_s: over_time(flops as f64 * 1e9),
            bytes_per_s: over_time(bytes as f64 * 1e9),
            bound: if arithmetic_ns > memory_ns { Bound::Compute } else { Bound::Memory },
            of_roof: over_time(arithmetic_ns.max(memory_ns)),
        }
    }

    /// The same under a record's ceilings; without rates, where its clock rounds and hardly saw the work.
    fn seen(record: &Record, flops: u64, bytes: u64, ns: f64) -> Self {
        let roofline = Self::of(flops, bytes, ns, &record.peaks);
        match record.device.limits.timestamp_resolution_ns {
            Some(finest) if ns < ROUNDINGS * finest => {
                Self { flop_per_s: None, bytes_per_s: None, of_roof: None, ..roofline }
            }
            _ => roofline,
        }
    }
}

/// Roundings of the clock that a time has to have before a rate is made of it: two digits.
const ROUNDINGS: f64 = 10.0;

/// Every profiled run of a record; runs without a profile are left out.
pub fn profile(record: &Record) -> Vec<RunProfile> {
    let of = |run| of_run(record, run);
    record.runs.iter().filter_map(of).collect()
}

fn of_run(record: &Record, run: &Run) -> Option<RunProfile> {
    let profile = run.profile.as_ref()?;
    let ops_ns = run.ops_ns();
    let types = types(record, run);
    let reached = types.iter().position(|t| t.cumulative >= DOMINANCE - 1e-9);
    let place = |op: &Op| OpPlace {
        label: op.label.clone(),
        class: class::of(op).letter(),
        phase: op.phase,
        types: op.types.clone(),
        ns: time(op),
        middle_ns: op.ns.as_ref().map(|ns| (ns.p05, ns.p95)),
        share: share(time(op), ops_ns),
        roofline: Roofline::seen(record, op.flops, op.bytes, time(op)),
    };
    let memory = &run.memory;
    Some(RunProfile {
        context: RunContext::of(record, run),
        steps: profile.steps,
        span_ns: ops_ns + profile.gaps_ns,
        over_timed: run.profiled_over_timed(),
        gaps_ns: profile.gaps_ns,
        gap_share: share(profile.gaps_ns, ops_ns + profile.gaps_ns),
        ops_ns,
        planned_bytes: memory.planned_bytes,
        peak_bytes: memory.planned_bytes.saturating_sub(memory.slots_bytes)
            + memory.slots_bound_bytes,
        to_dominance: reached.map_or(types.len(), |at| at + 1),
        classes: classes(&types),
        types,
        ops: run.ops.iter().map(place).collect(),
    })
}

/// An op's time, 0 without a profile.
pub(super) fn time(op: &Op) -> f64 {
    op.time_ns().unwrap_or(0.0)
}

/// A run's ops by type, the longest first. Without a profile all times are 0.
pub fn types(record: &Record, run: &Run) -> Vec<TypeTime> {
    let total = run.ops_ns();
    let row = |(name, ns): (&str, f64)| {
        let ops: Vec<_> = run.ops.iter().filter(|op| counts_as(op).contains(&name)).collect();
        let flops = ops.iter().map(|op| op.flops / counts_as(op).len() as u64).sum();
        let bytes = ops.iter().map(|op| op.bytes / counts_as(op).len() as u64).sum();
        TypeTime {
            name: name.to_string(),
            class: ops.first().map_or('-', |op| class::of(op).letter()),
            calls: ops.len(),
            fused_calls: ops.iter().filter(|op| op.types.len() > 1).count(),
            ns,
            share: share(ns, total),
            cumulative: 0.0,
            roofline: Roofline::seen(record, flops, bytes, ns),
        }
    };
    let mut rows: Vec<_> = times(run).into_iter().map(row).collect();
    rows.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    let mut reached = 0.0;
    for row in &mut rows {
        reached += row.share;
        row.cumulative = reached;
    }
    rows
}

/// Both gradients of a convolution, where a GPU makes them at once: a choice of kernels, layer by layer, which must not make
/// workloads look unlike. Each takes as much arithmetic.
const BOTH_GRADIENTS: (&str, [&str; 2]) =
    ("conv2d_grads", ["conv2d_grad_input", "conv2d_grad_weight"]);

/// The types that share an op's time evenly: its own, but see [`BOTH_GRADIENTS`].
pub(super) fn counts_as(op: &Op) -> Vec<&str> {
    let (both, each) = BOTH_GRADIENTS;
    if op.op == both { each.to_vec() } else { vec![&op.op] }
}

/// Each type's time, in order of first appearance.
pub(super) fn times(run: &Run) -> Vec<(&str, f64)> {
    let mut times: Vec<(&str, f64)> = Vec::new();
    for op in &run.ops {
        let names = counts_as(op);
        let each = time(op) / names.len() as f64;
        for name in names {
            match times.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 += each,
                None => times.push((name, each)),
            }
        }
    }
    times
}

fn classes(types: &[TypeTime]) -> Vec<ClassTime> {
    let total: f64 = types.iter().map(|t| t.ns).sum();
    let row = |class: Class| {
        let (letter, name) = (class.letter(), class.title().to_string());
        let ns = sum(types.iter().filter(|t| t.class == letter).map(|t| t.ns));
        ClassTime { class: letter, name, ns, share: share(ns, total) }
    };
    Class::ALL.map(row).into()
}

/// The types as a table shows them: those below [`GATHERED`] as one last row, `5 others under 1 %`.
pub fn gathered(types: &[TypeTime], record: &Record) -> Vec<TypeTime> {
    let (mut shown, small): (Vec<_>, Vec<_>) =
        types.iter().cloned().partition(|t| t.share >= GATHERED);
    if let (Some(last), true) = (small.last(), small.len() > 1) {
        let ns = small.iter().map(|t| t.ns).sum();
        let flops = small.iter().map(|t| t.roofline.flops).sum();
        let bytes = small.iter().map(|t| t.roofline.bytes).sum();
        shown.push(TypeTime {
            name: format!("{} others under 1 %", small.len()),
            class: '-',
            calls: small.iter().map(|t| t.calls).sum(),
            fused_calls: small.iter().map(|t| t.fused_calls).sum(),
            ns,
            share: small.iter().map(|t| t.share).sum(),
            cumulative: last.cumulative,
            roofline: Roofline::seen(record, flops, bytes, ns),
        });
    } else {
        shown.extend(small);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::terms::Mode;

    #[test]
    fn dominance_counts_the_types_that_reach_nine_tenths() {
        let record = synthetic::record(&[(
            "w",
            Mode::Train,
            &[
                ("matmul", 50.0),
                ("add", 5.0),
                ("conv2d", 30.0),
                ("matmul", 10.0),
                ("advance_step", 0.5),
                ("copy", 0.5),
                ("sum", 4.0),
            ],
        )]);
        let profiles = profile(&record);
        let [profile] = &profiles[..] else { panic!("{profiles:?}") };
        let names: Vec<_> = profile.types.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["matmul", "conv2d", "add", "sum", "advance_step", "copy"]);
        // 60 % + 30 %: exactly nine tenths.
        assert_eq!(profile.to_dominance, 2);
        assert_eq!((profile.types[0].calls, profile.types[0].class), (2, 'A'));
        assert!((profile.types[2].cumulative - 0.95).abs() < 1e-12);
        let of = |letter| profile.classes.iter().find(|c| c.class == letter).unwrap();
        assert_eq!(profile.classes.len(), 7);
        assert!((of('A').share - 0.6).abs() < 1e-12 && of('E').ns == 0.0);
        let shown = gathered(&profile.types, &record);
        assert_eq!(shown.len(), 5);
        assert_eq!(shown[4].name, "2 others under 1 %");
        assert!((shown[4].cumulative - 1.0).abs() < 1e-12);
        assert!((profile.gap_share - 0.02).abs() < 1e-12, "{}", profile.gap_share);
        assert_eq!((profile.planned_bytes, profile.peak_bytes), (1000, 900));
    }

    #[test]
    fn both_gradients_of_a_convolution_count_as_each() {
        let ops = [("conv2d_grads", 60.0), ("conv2d_grad_input", 10.0), ("add", 30.0)];
        let record = synthetic::record(&[("w", Mode::Train, &ops)]);
        let profile = profile(&record).remove(0);
        let rows: Vec<_> =
            profile.types.iter().map(|t| (t.name.as_str(), t.ns, t.calls, t.class)).collect();
        let class = Class::Convolution.letter();
        let expected = [
            ("conv2d_grad_input", 40.0, 2, class),
            ("conv2d_grad_weight", 30.0, 1, class),
            ("add", 30.0, 1, Class::Elementwise.letter()),
        ];
        assert_eq!(rows, expected);
        let flops = |types: &[TypeTime]| types.iter().map(|t| t.roofline.flops).sum::<u64>();
        assert_eq!(flops(&profile.types), 3 * record.runs[0].ops[0].flops);
        assert_eq!(profile.ops.len(), 3);
    }

    #[test]
    fn an_op_lies_under_the_roof_of_its_intensity() {
        // 100 GFLOP/s and 10 GB/s: the ridge is at 10 operations a byte.
        let peaks = synthetic::peaks();
        let compute = Roofline::of(2_000, 100, 40.0, &peaks);
        assert_eq!(compute.bound, Bound::Compute);
        assert_eq!(compute.intensity, Some(20.0));
        assert_eq!(compute.flop_per_s, Some(50e9));
        assert!((compute.of_roof.unwrap() - 0.5).abs() < 1e-12);
        let memory = Roofline::of(100, 100, 20.0, &peaks);
        assert_eq!(memory.bound, Bound::Memory);
        assert_eq!(memory.bytes_per_s, Some(5e9));
        assert!((memory.of_roof.unwrap() - 0.5).abs() < 1e-12);
        let unseen = Roofline::of(100, 0, 0.0, &peaks);
        assert_eq!((unseen.intensity, unseen.of_roof, unseen.flop_per_s), (None, None, None));
    }

    #[test]
    fn no_rate_is_made_of_a_time_that_a_rounded_clock_hardly_saw() {
        let ops = [("matmul", 5_000_000.0), ("add", 300_000.0), ("sum", 2.0), ("copy", 1.0)];
        let mut record = synthetic::record(&[("w", Mode::Train, &ops)]);
        let told = |record: &Record| {
            let profile = profile(record).remove(0);
            let types = profile.types.iter().map(|t| t.roofline.bytes_per_s.is_some());
            let ops = profile.ops.iter().map(|op| op.roofline.bytes_per_s.is_some());
            let rows = gathered(&profile.types, record);
            let last = rows.last().map(|others| others.roofline.bytes_per_s.is_some());
            types.chain(ops).chain(last).collect::<Vec<_>>()
        };
        assert_eq!(told(&record), [true; 9]);
        record.device.limits.timestamp_resolution_ns = Some(100_000.0);
        let long_enough = [true, false, false, false];
        assert_eq!(told(&record), [&long_enough[..], &long_enough, &[false]].concat());
    }

    #[test]
    fn a_run_without_a_profile_has_none() {
        let mut record = synthetic::record(&[("w", Mode::Train, &[("add", 1.0)])]);
        record.runs[0].profile = None;
        record.runs[0].ops[0].ns = None;
        assert!(profile(&record).is_empty());
        assert_eq!(types(&record, &record.runs[0])[0].share, 0.0);
    }
}
