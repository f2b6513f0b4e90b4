//! Whether a file that parses is a record fit to compute with: the one check of its figures.

use super::{Record, Run, SCHEMA, YardstickPart};

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
        Some(other) if !other.starts_with("fathom.record/") => {
            Err(format!("'{other}' is not '{SCHEMA}': this is not a fathom record"))
        }
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
    let ceilings = [
        ("fma_f32_flop_per_s", peaks.fma_f32_flop_per_s, "rate"),
        ("copy_bytes_per_s", peaks.copy_bytes_per_s, "rate"),
        ("launch_ns", peaks.launch_ns, "time"),
        ("submit_ns", peaks.submit_ns, "time"),
        ("pipeline_ns", peaks.pipeline_ns, "time"),
    ];
    let later = [
        ("read_bytes_per_s", peaks.read_bytes_per_s, "rate"),
        ("shared_bytes_per_s", peaks.shared_bytes_per_s, "rate"),
        ("upload_bytes_per_s", peaks.upload_bytes_per_s, "rate"),
        ("download_bytes_per_s", peaks.download_bytes_per_s, "rate"),
        ("encode_ns", peaks.encode_ns, "time"),
    ];
    let later = later.into_iter().filter_map(|(name, figure, kind)| Some((name, figure?, kind)));
    let bad = ceilings.into_iter().chain(later).find(|(_, figure, _)| !is_possible(*figure));
    bad.map(|(name, figure, kind)| {
        (format!("peaks.{name}"), format!("{figure} is not a valid {kind}"))
    })
    .or_else(|| {
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
    if let Some(verified) = run.verified.program.as_ref().filter(|hash| **hash != run.program) {
        let what = format!(
            "{verified}, but the program that was timed is {}: no figure of the run is of verified kernels",
            run.program
        );
        return Some(("verified.program".into(), what));
    }
    if let Some(what) = apart(run) {
        return Some(("timing.yardstick".into(), what));
    }
    if run.timing.as_ref().is_some_and(|timing| timing.step_ns.is_empty()) {
        return Some(("timing.step_ns".into(), "there are no samples".into()));
    }
    let bad_step = steps(run).into_iter().find(|(_, ns)| !(*ns > 0.0 && ns.is_finite()));
    if let Some((place, ns)) = bad_step {
        return Some((format!("timing.{place}"), format!("{ns} is not a valid step time")));
    }
    if let Some((place, ns)) = times(run).into_iter().find(|(_, ns)| !is_possible(*ns)) {
        return Some((place, format!("{ns} is not a valid time")));
    }
    let (place, rate) = rates(run).into_iter().find(|(_, rate)| !is_possible(*rate))?;
    Some((place, format!("{rate} is not a valid rate")))
}

/// Every other time by its place. Gaps are a difference: rounding can leave them a hair below 0.
fn times(run: &Run) -> Vec<(String, f64)> {
    let host = [
        ("build_ns", Some(run.build_ns)),
        ("pipelines_ns", Some(run.pipelines_ns)),
        ("data_ns", Some(run.data_ns)),
        ("upload_ns", Some(run.upload_ns)),
        ("first_step_ns", run.first_step_ns),
        ("timing.overlapped_ns", run.timing.as_ref().and_then(|timing| timing.overlapped_ns)),
        ("timing.latency_ns", run.timing.as_ref().and_then(|timing| timing.latency_ns)),
        ("timing.cpu_ns", run.timing.as_ref().and_then(|timing| timing.cpu_ns)),
        ("timing.encode_ns", run.timing.as_ref().map(|timing| timing.encode_ns)),
        ("playing.environment_ns", run.playing.as_ref().map(|playing| playing.environment_ns)),
        ("playing.action_ns", run.playing.as_ref().map(|playing| playing.action_ns)),
        ("profile.span_ns", run.profile.as_ref().map(|profile| profile.span_ns)),
    ];
    let host = host.into_iter().filter_map(|(name, ns)| Some((name.to_string(), ns?)));
    let ops = run.ops.iter().enumerate().filter_map(|(j, op)| Some((j, op.ns.as_ref()?)));
    let ops = ops.flat_map(|(j, ns)| {
        let figures = [("median", ns.median), ("p05", ns.p05), ("p95", ns.p95)];
        let figures = figures.map(|(name, ns)| (format!("ops[{j}].ns.{name}"), ns));
        let samples = ns.samples.iter().enumerate();
        let samples = samples.map(move |(k, ns)| (format!("ops[{j}].ns.samples[{k}]"), *ns));
        let mean = ns.mean.map(|mean| (format!("ops[{j}].ns.mean"), mean));
        figures.into_iter().chain(mean).chain(samples)
    });
    host.chain(ops).collect()
}

/// Why readings of known work cannot be placed between samples; nothing where they can.
fn apart(run: &Run) -> Option<String> {
    let yardstick = run.timing.as_ref()?.yardstick.as_ref()?;
    let places = &yardstick.after_samples;
    if !places.is_sorted() {
        return Some("the places of its readings do not ascend".into());
    }
    YardstickPart::ALL.into_iter().find_map(|part| {
        let readings = yardstick.part(part).len();
        let is_whole = readings == places.len();
        (!is_whole).then(|| format!("{readings} readings of {part} for {} places", places.len()))
    })
}

/// Every rate of known work, by its place.
fn rates(run: &Run) -> Vec<(String, f64)> {
    let yardstick = run.timing.as_ref().and_then(|timing| timing.yardstick.as_ref());
    let of = |part| {
        let readings = yardstick.into_iter().flat_map(move |yardstick| yardstick.part(part));
        let place = move |i: usize| format!("timing.yardstick, {part}, reading {i}");
        readings.enumerate().map(move |(i, reading)| (place(i), reading.rate))
    };
    YardstickPart::ALL.into_iter().flat_map(of).collect()
}

/// Every time of a whole step, by its place in the run's timing.
fn steps(run: &Run) -> Vec<(String, f64)> {
    let Some(timing) = &run.timing else { return Vec::new() };
    let (low, high) = timing.step.ci95_ns;
    let figures = [
        ("step.median_ns", timing.step.median_ns),
        ("step.ci95_ns[0]", low),
        ("step.ci95_ns[1]", high),
        ("step.min_ns", timing.step.min_ns),
        ("wall_median_ns", timing.wall_median_ns),
    ];
    let figures = figures.map(|(name, ns)| (name.to_string(), ns));
    let each = |name: &'static str, samples: &[f64]| -> Vec<(String, f64)> {
        samples.iter().enumerate().map(|(k, ns)| (format!("{name}[{k}]"), *ns)).collect()
    };
    let samples = [each("step_ns", &timing.step_ns), each("wall_ns", &timing.wall_ns)].concat();
    figures.into_iter().chain(samples).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Op, OpTime, Profile, Reading, Yardstick, example};
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
        assert_eq!(place(|r| r.peaks.launch_ns = -1.0), "peaks.launch_ns");
        assert_eq!(place(|r| r.runs[0].batch = 0), "runs[0].batch");
        let other = place(|r| r.runs[0].verified.program = Some("sha256:another".into()));
        assert_eq!(other, "runs[0].verified.program");
        assert_eq!(place(|r| r.runs[0].build_ns = -1.0), "runs[0].build_ns");
        let wall = place(|r| r.runs[0].timing.as_mut().unwrap().wall_ns[1] = -1.0);
        assert_eq!(wall, "runs[0].timing.wall_ns[1]");
        assert_eq!(place(|r| r.peaks.encode_ns = Some(-1.0)), "peaks.encode_ns");
        type Bend = fn(&mut Yardstick);
        let bends: [(Bend, &str); 3] = [
            (|y| y.copy[1].rate = -1.0, "runs[0].timing.yardstick, copying, reading 1"),
            (|y| y.launch.truncate(1), "runs[0].timing.yardstick"),
            (|y| y.after_samples.reverse(), "runs[0].timing.yardstick"),
        ];
        for (bend, expected) in bends {
            let [fma, copy, launch] = [(); 3].map(|()| vec![Reading { rate: 1.0, spread: 0.0 }; 2]);
            let after_samples = vec![0, 6];
            let mut yardstick =
                Yardstick { after_samples, fma, copy, launch, ..Default::default() };
            let mut record = good.clone();
            record.runs[0].timing.as_mut().unwrap().yardstick = Some(yardstick.clone());
            assert_eq!(impossible(&record), None);
            bend(&mut yardstick);
            record.runs[0].timing.as_mut().unwrap().yardstick = Some(yardstick);
            assert_eq!(impossible(&record).unwrap().0, expected);
        }
        let sample = place(|r| r.runs[0].ops[1].ns.as_mut().unwrap().samples[2] = -1.0);
        assert_eq!(sample, "runs[0].ops[1].ns.samples[2]");
    }
}
