//! Training against inference, workload by workload, on every adapter.

use crate::record::{Record, Run};
use crate::terms::Mode;

use super::{RunContext, runs};

/// A figure with an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// Lower end; not a number where samples were too few to know it.
    pub low: f64,
    /// Upper end, likewise.
    pub high: f64,
}

impl Interval {
    /// This over another: the interval reaches to the least and the greatest quotient of both, so two
    /// 95 % intervals give one that holds with 90 % at least.
    fn over(self, base: Self) -> Option<Self> {
        (base.value > 0.0).then(|| Self {
            value: self.value / base.value,
            low: self.low / base.high,
            high: self.high / base.low,
        })
    }
}

/// All adapters and workloads of some records.
#[derive(Debug, Clone, PartialEq)]
pub struct Modes {
    /// The adapter whose training times the others are compared with: a software adapter if there is one,
    /// as the paper's figure compares all with the CPU, else that of the oldest record.
    pub base: String,
    /// A row for each adapter, workload, preset and batch.
    pub rows: Vec<ModeRow>,
    /// Runs that are in no row, since there is a newer one of the kind.
    pub older: usize,
}

/// A workload on an adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct ModeRow {
    /// The runs that its figures are of: one or both modes.
    pub runs: Vec<RunContext>,
    /// Median step of training in nanoseconds with its 95 % interval.
    pub train_ns: Option<Interval>,
    /// The same of inference.
    pub infer_ns: Option<Interval>,
    /// Inference over training on this adapter, at 90 %.
    pub infer_over_train: Option<Interval>,
    /// Training over this workload's training on the base adapter, at 90 %; exactly 1 on the base itself, whatever its
    /// threads and its driver.
    pub train_normalised: Option<Interval>,
    /// Inference over this workload's training on the base adapter, at 90 %.
    pub infer_normalised: Option<Interval>,
}

impl ModeRow {
    /// What its runs share: adapter, workload, preset, batch and fusion.
    pub fn context(&self) -> &RunContext {
        &self.runs[0]
    }
}

/// Training and inference side by side; `None` where no run was timed. Of several runs of a key the
/// newest record's counts.
pub fn modes(records: &[Record]) -> Option<Modes> {
    let mut timed: Vec<(RunContext, Interval)> = Vec::new();
    let mut older = 0;
    for (context, run) in runs(records) {
        let Some(step) = step(run) else { continue };
        match timed.iter_mut().find(|(c, _)| is_same(c, &context) && c.mode == context.mode) {
            Some(known) => {
                older += 1;
                *known = (context, step);
            }
            None => timed.push((context, step)),
        }
    }
    let first = timed.iter().find(|(context, _)| context.software).or(timed.first())?;
    let base = first.0.device.clone();
    let find = |mode: Mode, fits: &dyn Fn(&RunContext) -> bool| {
        let run = timed.iter().find(|(context, _)| context.mode == mode && fits(context));
        run.map(|(_, step)| *step)
    };
    let mut rows: Vec<ModeRow> = Vec::new();
    for (i, (context, _)) in timed.iter().enumerate() {
        if timed[..i].iter().any(|(earlier, _)| is_same(earlier, context)) {
            continue;
        }
        let runs = timed.iter().map(|(c, _)| c).filter(|c| is_same(c, context)).cloned().collect();
        let train = find(Mode::Train, &|c| is_same(c, context));
        let infer = find(Mode::Infer, &|c| is_same(c, context));
        // A row of the base device has its own: with other threads or drivers it is another.
        let is_base = context.device == base;
        let of_base = |c: &RunContext| c.device == base && is_same_model(c, context);
        let on_base = if is_base { train } else { find(Mode::Train, &of_base) };
        let over = |a: Option<Interval>, b: Option<Interval>| a.and_then(|a| a.over(b?));
        let itself = Interval { value: 1.0, low: 1.0, high: 1.0 };
        rows.push(ModeRow {
            runs,
            train_ns: train,
            infer_ns: infer,
            infer_over_train: over(infer, train),
            train_normalised: if is_base { train.map(|_| itself) } else { over(train, on_base) },
            infer_normalised: over(infer, on_base),
        });
    }
    Some(Modes { base, rows, older })
}

fn step(run: &Run) -> Option<Interval> {
    let step = &run.timing.as_ref()?.step;
    let (low, high) = if step.noise().is_some() { step.ci95_ns } else { (f64::NAN, f64::NAN) };
    Some(Interval { value: step.median_ns, low, high })
}

fn is_same(a: &RunContext, b: &RunContext) -> bool {
    a.is_comparable(b) && is_same_model(a, b) && a.workers == b.workers
}

fn is_same_model(a: &RunContext, b: &RunContext) -> bool {
    a.workload == b.workload
        && a.preset == b.preset
        && a.batch == b.batch
        && a.precision == b.precision
        && a.fused == b.fused
        && a.conditions == b.conditions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;

    #[test]
    fn each_workload_is_held_against_its_training_on_the_software_adapter() {
        let gpu = synthetic::record(&[
            ("w", Mode::Train, &[("add", 20.0)]),
            ("w", Mode::Infer, &[("add", 5.0)]),
        ]);
        let mut cpu = synthetic::record(&[
            ("w", Mode::Train, &[("add", 200.0)]),
            ("w", Mode::Infer, &[("add", 50.0)]),
            ("v", Mode::Infer, &[("add", 7.0)]),
        ]);
        cpu.device.name = "cores".into();
        cpu.device.software = true;
        let modes = modes(&[gpu, cpu]).unwrap();
        assert_eq!(modes.base, "cores");
        let row = |device: &str, workload: &str| {
            let mut rows = modes.rows.iter();
            rows.find(|r| r.context().device == device && r.context().workload == workload).unwrap()
        };
        let on_gpu = row("made up", "w");
        let infer = on_gpu.infer_normalised.unwrap();
        assert!((infer.value - 0.025).abs() < 1e-12);
        // 1 % to both sides of each.
        assert!((infer.low - 0.025 * 0.99 / 1.01).abs() < 1e-12);
        assert!((infer.high - 0.025 * 1.01 / 0.99).abs() < 1e-12);
        assert!((on_gpu.infer_over_train.unwrap().value - 0.25).abs() < 1e-12);
        assert!((on_gpu.train_normalised.unwrap().value - 0.1).abs() < 1e-12);
        assert_eq!(row("cores", "w").train_normalised.unwrap().high, 1.0);
        let lone = row("cores", "v");
        assert_eq!((lone.train_ns, lone.infer_normalised), (None, None));
        assert_eq!(lone.infer_ns.unwrap().value, 7.0);
    }

    #[test]
    fn each_row_of_the_base_device_is_normalised_by_its_own_training() {
        let steps = |train, infer| {
            let mut record = synthetic::record(&[
                ("w", Mode::Train, &[("add", train)]),
                ("w", Mode::Infer, &[("add", infer)]),
            ]);
            record.device.software = true;
            record
        };
        let (one, mut two, mut later) = (steps(20.0, 10.0), steps(12.0, 6.0), steps(8.0, 4.0));
        two.host.threads = Some(2);
        later.device.driver = "of another version".into();
        let modes = modes(&[one, two, later]).unwrap();
        assert_eq!((modes.rows.len(), modes.older), (3, 0));
        for row in &modes.rows {
            assert_eq!(row.infer_normalised.unwrap().value, 0.5);
        }
    }

    #[test]
    fn what_too_few_samples_say_has_no_interval() {
        let mut record = synthetic::record(&[
            ("w", Mode::Train, &[("add", 20.0)]),
            ("w", Mode::Infer, &[("add", 10.0)]),
        ]);
        record.runs[0].timing.as_mut().unwrap().step.n = 5;
        let row = modes(&[record]).unwrap().rows.remove(0);
        let ratio = row.infer_over_train.unwrap();
        assert_eq!((row.train_ns.unwrap().value, ratio.value), (20.0, 0.5));
        assert!(row.train_ns.unwrap().low.is_nan() && ratio.low.is_nan() && ratio.high.is_nan());
        assert!(row.infer_ns.unwrap().low < 10.0);
    }

    #[test]
    fn without_timed_runs_there_is_nothing() {
        let mut record = synthetic::record(&[("w", Mode::Train, &[("add", 20.0)])]);
        record.runs[0].timing = None;
        assert_eq!(modes(&[record]), None);
        assert_eq!(modes(&[]), None);
    }

    #[test]
    fn what_was_measured_otherwise_stands_in_for_nothing() {
        let single = synthetic::record(&[("w", Mode::Train, &[("add", 20.0)])]);
        let mut half = single.clone();
        half.config.precision = crate::terms::Precision::F16;
        let both = modes(&[single.clone(), half]).unwrap();
        assert_eq!((both.rows.len(), both.older), (2, 0));
        let again = modes(&[single.clone(), single]).unwrap();
        assert_eq!((again.rows.len(), again.older), (1, 1));
    }
}
