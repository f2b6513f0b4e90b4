//! Whether a file that parses is a record fit to compute with: the one check of its figures.

use super::{Record, Run, SCHEMA};

/// Whether a record of this schema can be read: `fathom.record/1` with whatever optional fields it lacks.
pub(super) fn schema(name: Option<&str>) -> Result<(), String> {
    let version = |name: &str| name.strip_prefix("fathom.record/").and_then(|v| v.parse().ok());
    let ours: Option<u32> = version(SCHEMA);
    match name {
        Some(SCHEMA) => Ok(()),
        Some(other) if version(other) > ours => Err(format!(
            "'{other}' is not '{SCHEMA}': it was written by another version of fathom, a newer one: \
             update fathom to read it"
        )),
        Some(other) => Err(format!(
            "'{other}' is not '{SCHEMA}': it was written by another version of fathom: repeat the run \
             to get one that this version reads"
        )),
        None => Err("missing: this is not a fathom record".into()),
    }
}

/// A figure that cannot be: its place, as `runs[1].ops[4].ns.median`, and what is wrong with it.
pub(super) type Impossible = (String, String);

/// The first figure of a record that cannot be.
pub(super) fn impossible(record: &Record) -> Option<Impossible> {
    let peaks = &record.peaks;
    let rates = [
        ("peaks.fma_f32_flop_per_s", peaks.fma_f32_flop_per_s),
        ("peaks.copy_bytes_per_s", peaks.copy_bytes_per_s),
    ];
    let rate = rates.into_iter().find(|(_, rate)| !is_possible(*rate));
    rate.map(|(place, rate)| (place.into(), format!("{rate} is not a valid rate"))).or_else(|| {
        record.runs.iter().enumerate().find_map(|(i, run)| {
            let (place, what) = of_run(run)?;
            Some((format!("runs[{i}].{place}"), what))
        })
    })
}

/// Of an op or a span too short for the clock 0 may be read, and of a ceiling that was not reached.
fn is_possible(figure: f64) -> bool {
    figure.is_finite() && figure >= 0.0
}

fn of_run(run: &Run) -> Option<Impossible> {
    if run.batch == 0 {
        return Some(("batch".into(), "the batch is 0".into()));
    }
    if run.timing.as_ref().is_some_and(|timing| timing.step_ns.is_empty()) {
        return Some(("timing.step_ns".into(), "there are no samples".into()));
    }
    let bad_step = steps(run).into_iter().find(|(_, ns)| !(*ns > 0.0 && ns.is_finite()));
    if let Some((place, ns)) = bad_step {
        return Some((format!("timing.{place}"), format!("{ns} is not a valid step time")));
    }
    // Gaps are a difference: rounding can leave them a hair below 0.
    let span = run.profile.iter().map(|profile| ("profile.span_ns".to_string(), profile.span_ns));
    let ops = run.ops.iter().enumerate();
    let ops = ops.filter_map(|(j, op)| op.ns.as_ref().map(|ns| (j, ns))).flat_map(|(j, ns)| {
        let mean = ns.mean.map(|mean| (format!("ops[{j}].ns.mean"), mean));
        [(format!("ops[{j}].ns.median"), ns.median)].into_iter().chain(mean)
    });
    let (place, ns) = span.chain(ops).find(|(_, ns)| !is_possible(*ns))?;
    Some((place, format!("{ns} is not a valid time")))
}

/// Every time of a whole step, by its place in the run's timing.
fn steps(run: &Run) -> Vec<(String, f64)> {
    let Some(timing) = &run.timing else { return Vec::new() };
    let (low, high) = timing.step.ci95_ns;
    let figures = [
        ("step.median_ns", timing.step.median_ns),
        ("step.ci95_ns[0]", low),
        ("step.ci95_ns[1]", high),
        ("wall_median_ns", timing.wall_median_ns),
    ];
    let figures = figures.map(|(name, ns)| (name.to_string(), ns));
    let samples = timing.step_ns.iter().enumerate();
    figures.into_iter().chain(samples.map(|(k, ns)| (format!("step_ns[{k}]"), *ns))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Op, OpTime, Profile, example};
    use crate::terms::{Class, Mode, Phase};

    #[test]
    fn impossible_figures_are_named_by_their_place() {
        let mut run = example::run("speech", Mode::Train, &[1.0; 6]);
        run.profile = Some(Profile {
            steps: 3,
            span_ns: 4.0,
            gaps_ns: -1e-9,
            method: None,
            over_timed: None,
        });
        let op = |ns| Op {
            label: "matmul/tile".into(),
            op: "matmul".into(),
            class: Class::Matrix,
            phase: Phase::Forward,
            dispatches: 1,
            flops: 1,
            bytes: 1,
            types: vec!["matmul".into()],
            ns: Some(OpTime::of(vec![ns; 3], ns)),
        };
        run.ops = vec![op(0.0), op(4.0)];
        let good = example::record(&[run]);
        assert_eq!(impossible(&good), None);
        let place = |spoil: fn(&mut Record)| {
            let mut record = good.clone();
            spoil(&mut record);
            impossible(&record).unwrap().0
        };
        let median = place(|r| r.runs[0].ops[1].ns.as_mut().unwrap().median = -2.0);
        assert_eq!(median, "runs[0].ops[1].ns.median");
        let span = place(|r| r.runs[0].profile.as_mut().unwrap().span_ns = f64::NAN);
        assert_eq!(span, "runs[0].profile.span_ns");
        let step = place(|r| r.runs[0].timing.as_mut().unwrap().step_ns[2] = 0.0);
        assert_eq!(step, "runs[0].timing.step_ns[2]");
        let none = place(|r| r.runs[0].timing.as_mut().unwrap().step_ns.clear());
        assert_eq!(none, "runs[0].timing.step_ns");
        assert_eq!(place(|r| r.peaks.copy_bytes_per_s = f64::INFINITY), "peaks.copy_bytes_per_s");
        assert_eq!(place(|r| r.runs[0].batch = 0), "runs[0].batch");
    }
}
