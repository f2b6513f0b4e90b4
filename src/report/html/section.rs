//! The page's parts: each analysis as charts, tables and the words between them.

use serde::Serialize;

use crate::analysis::modes::{self, Interval};
use crate::analysis::profile::{self, CellProfile};
use crate::analysis::similarity::{self, Linkage, Similarity};
use crate::analysis::stationarity::{self, CellStationarity, Verdict};
use crate::analysis::{self, scaling as scales};
use crate::record::{Record, Run, Status, Timing};
use crate::report::number::{byte_rate, bytes, digits, duration_ns, flop_rate, grouped, percent};
use crate::terms::Mode;

use super::chart::{self, Bar};
use super::table::{Cell, Table};

/// Ops in a chart of the longest.
const TOP: usize = 10;

/// A device and what was measured of it.
#[derive(Debug, Serialize)]
pub(super) struct Device {
    name: String,
    rows: Vec<(&'static str, String)>,
}

/// The devices of all records, each with the figures of its newest.
pub(super) fn devices(records: &[Record]) -> Vec<Device> {
    let mut newest: Vec<&Record> = Vec::new();
    for record in records {
        let same = |known: &&mut &Record| {
            (&known.device.name, &known.device.backend)
                == (&record.device.name, &record.device.backend)
        };
        match newest.iter_mut().find(same) {
            Some(known) if known.created < record.created => *known = record,
            Some(_) => {}
            None => newest.push(record),
        }
    }
    newest.into_iter().map(device).collect()
}

fn device(record: &Record) -> Device {
    let (device, peaks) = (&record.device, &record.peaks);
    let kind = if device.software { " (runs on the CPU)" } else { "" };
    let limits = &device.limits;
    Device {
        name: device.name.clone(),
        rows: vec![
            ("driver", format!("{}, {}", device.driver, device.backend)),
            ("kind", format!("{}{kind}", device.kind)),
            ("FMA ceiling", flop_rate(peaks.fma_f32_flop_per_s)),
            ("copy ceiling", byte_rate(peaks.copy_bytes_per_s)),
            ("empty dispatch", duration_ns(peaks.launch_ns)),
            ("largest binding", bytes(limits.max_binding_bytes as f64)),
            (
                "host",
                format!(
                    "{}, {}",
                    record.host.cpu.as_deref().unwrap_or("unknown CPU"),
                    record.host.os
                ),
            ),
            // To the second.
            (
                "measured",
                format!("{}Z", record.created.split(['.', 'Z']).next().unwrap_or_default())
                    .replace('T', " "),
            ),
            (
                "by",
                format!(
                    "fathom {} ({}), wgpu {}",
                    record.tool.version, record.tool.git, record.tool.wgpu
                ),
            ),
        ],
    }
}

fn timing_text(timing: &Timing) -> String {
    let step = &timing.step;
    let half = (step.ci95_ns.1 - step.ci95_ns.0) / 2.0;
    format!("{} ± {}", duration_ns(step.median_ns), percent(half / step.median_ns))
}

/// Every run of every record in a line.
pub(super) fn summary(records: &[Record]) -> Table {
    let mut table = Table::new(
        "Every run: the median step with half the width of its 95 % interval",
        &[
            "device",
            "workload",
            "mode",
            "preset",
            ">batch",
            ">step",
            ">95 % from",
            ">to",
            ">samples/s",
            ">rate",
            ">of peak",
            ">memory",
            "verified",
            "remarks",
        ],
    );
    for record in records {
        for run in &record.runs {
            table.row(summary_row(record, run));
        }
    }
    table
}

fn summary_row(record: &Record, run: &Run) -> Vec<Cell> {
    let step = run.timing.as_ref().map(|t| &t.step);
    let median = step.map(|s| s.median_ns);
    let rate = median.map(|ns| run.flops as f64 / ns * 1e9);
    let remarks: Vec<String> = run.doubts.iter().map(ToString::to_string).collect();
    let verified = match run.verified.status {
        Status::Passed => format!("{}/{}", run.verified.passed, run.verified.checked),
        other => other.to_string(),
    };
    vec![
        record.device.name.as_str().into(),
        run.workload.as_str().into(),
        run.mode.name().into(),
        run.preset.name().into(),
        Cell::count(run.batch),
        match &run.timing {
            Some(timing) => Cell::number(timing.step.median_ns, timing_text(timing)),
            None => "–".into(),
        },
        Cell::maybe(step.map(|s| s.ci95_ns.0), duration_ns),
        Cell::maybe(step.map(|s| s.ci95_ns.1), duration_ns),
        Cell::maybe(median.map(|ns| run.batch as f64 / ns * 1e9), digits),
        Cell::maybe(rate, flop_rate),
        Cell::maybe(rate.map(|r| r / record.peaks.fma_f32_flop_per_s), percent),
        Cell::number(run.memory.planned_bytes as f64, bytes(run.memory.planned_bytes as f64)),
        verified.into(),
        remarks.join("; ").into(),
    ]
}

/// A chart and a table of one thing.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    title: String,
    charts: Vec<(String, String)>,
    table: Table,
    note: String,
}

fn interval_text(interval: &Interval, show: impl Fn(f64) -> String) -> String {
    format!("{} [{} to {}]", show(interval.value), show(interval.low), show(interval.high))
}

/// Training against inference: a chart for each workload, and all in a table.
pub(super) fn modes(records: &[Record]) -> Option<Figure> {
    let modes = modes::modes(records)?;
    let mut table = Table::new(
        "Training and inference: a step, absolute and over the workload's training on the first device",
        &[
            "device",
            "workload",
            "preset",
            ">batch",
            ">train",
            ">infer",
            ">infer / train",
            ">train, normalised",
            ">infer, normalised",
        ],
    );
    let mut workloads: Vec<&str> = Vec::new();
    for row in &modes.rows {
        if !workloads.contains(&row.workload.as_str()) {
            workloads.push(&row.workload);
        }
        let time = |i: &Option<Interval>| match i {
            Some(i) => Cell::number(i.value, interval_text(i, duration_ns)),
            None => "–".into(),
        };
        let ratio = |i: &Option<Interval>| match i {
            Some(i) => Cell::number(i.value, interval_text(i, digits)),
            None => "–".into(),
        };
        table.row([
            row.device.as_str().into(),
            row.workload.as_str().into(),
            row.preset.name().into(),
            Cell::count(row.batch),
            time(&row.train_ns),
            time(&row.infer_ns),
            ratio(&row.infer_over_train),
            ratio(&row.train_normalised),
            ratio(&row.infer_normalised),
        ]);
    }
    let several = modes.rows.iter().any(|row| row.device != modes.rows[0].device);
    let chart = |workload: &str| {
        let rows = modes.rows.iter().filter(|row| row.workload == workload);
        let bars: Vec<Bar> = rows
            .flat_map(|row| {
                let batch = format!("batch {}", row.batch);
                let place = if several { format!("{}, {batch}", row.device) } else { batch };
                let bar = |mode: &str, interval: &Interval| Bar {
                    label: format!("{mode}, {place}"),
                    value: interval.value,
                    interval: Some((interval.low, interval.high)),
                    style: if mode == "train" { "bar" } else { "bar other" }.into(),
                    shown: duration_ns(interval.value),
                };
                let train = row.train_ns.as_ref().map(|i| bar("train", i));
                train.into_iter().chain(row.infer_ns.as_ref().map(|i| bar("infer", i)))
            })
            .collect();
        (
            workload.to_string(),
            chart::bars(&format!("{workload}: a step of training and of inference"), &bars),
        )
    };
    Some(Figure {
        title: "Training against inference".into(),
        charts: workloads.iter().map(|w| chart(w)).collect(),
        table,
        note: format!(
            "Solid bars are training, hatched ones inference; whiskers are 95 % intervals. Normalised: over the \
             workload's training time on {}, as in the paper's figure; these intervals hold with 90 % at least.",
            modes.base
        ),
    })
}

/// A workload with all its runs.
#[derive(Debug, Serialize)]
pub(super) struct Workload {
    name: String,
    classes: String,
    runs: Vec<RunPart>,
}

/// One run taken apart.
#[derive(Debug, Serialize)]
struct RunPart {
    title: String,
    facts: Vec<(&'static str, String)>,
    top: String,
    dominance: String,
    roofline: String,
    unplaced: usize,
    types: Table,
    ops: Table,
}

/// Each workload that has a profiled run.
pub(super) fn workloads(records: &[Record]) -> Vec<Workload> {
    let mut names: Vec<&str> = Vec::new();
    for run in records.iter().flat_map(|record| &record.runs) {
        if run.profile.is_some() && !names.contains(&run.workload.as_str()) {
            names.push(&run.workload);
        }
    }
    names.into_iter().map(|name| workload(name, records)).collect()
}

fn workload(name: &str, records: &[Record]) -> Workload {
    let mut runs = Vec::new();
    let mut stacks = Vec::new();
    for record in records {
        let profiles = profile::profile(record);
        let steady = stationarity::stationarity(record);
        let profiled = record.runs.iter().filter(|run| run.profile.is_some());
        for ((run, profile), steady) in profiled.zip(profiles).zip(&steady) {
            if run.workload == name {
                runs.push(part(record, run, &profile, steady));
                stacks.push((title(&profile.cell), profile.classes));
            }
        }
    }
    let stacks: Vec<_> =
        stacks.iter().map(|(title, classes)| (title.clone(), classes.as_slice())).collect();
    Workload { name: name.into(), classes: chart::classes(&stacks), runs }
}

fn title(cell: &analysis::Cell) -> String {
    let threads = cell.threads.map_or(String::new(), |n| format!(", {n} threads"));
    let fused = if cell.fused { "" } else { ", not fused" };
    format!("{}, batch {}, {}{threads}{fused}", cell.mode, cell.batch, cell.device)
}

fn part(record: &Record, run: &Run, profile: &CellProfile, steady: &CellStationarity) -> RunPart {
    let (roofline, unplaced) = chart::roofline(&profile.ops, &record.peaks);
    let mut facts = vec![
        ("step", run.timing.as_ref().map_or("not timed".into(), timing_text)),
        ("parameters", grouped(run.parameters)),
        ("ops", format!("{} in {} dispatches", run.ops.len(), run.dispatches)),
        (
            "dominance",
            format!(
                "{} of {} op types take 90 % of the ops' time",
                profile.to_dominance,
                profile.types.len()
            ),
        ),
        (
            "gaps between ops",
            format!(
                "{}, {} of a profiled step",
                duration_ns(profile.gaps_ns),
                percent(profile.gap_share)
            ),
        ),
        (
            "memory",
            format!(
                "{} planned, {} at the fullest moment",
                bytes(profile.planned_bytes as f64),
                bytes(profile.peak_bytes as f64)
            ),
        ),
    ];
    let unsteady = if steady.steps < stationarity::STEPS {
        format!(
            "not told: {} steps were profiled, {} are needed",
            steady.steps,
            stationarity::STEPS
        )
    } else {
        format!(
            "{} of {} ops drift over {} steps, {} of the time; coefficient of variation {}",
            steady.drifting,
            steady.ops.len(),
            steady.steps,
            percent(steady.drifting_share),
            steady.cv.map_or("unknown".into(), percent)
        )
    };
    facts.push(("stationarity", unsteady));
    RunPart {
        title: title(&profile.cell),
        facts,
        top: top(run),
        dominance: chart::dominance(&profile.types, profile.to_dominance),
        roofline,
        unplaced,
        types: types(profile),
        ops: ops(run, profile, steady),
    }
}

fn top(run: &Run) -> String {
    let mut ops: Vec<_> = run.ops.iter().filter_map(|op| Some((op, op.ns.as_ref()?))).collect();
    ops.sort_by(|a, b| b.1.median.total_cmp(&a.1.median));
    let bar = |(op, ns): &(&crate::record::Op, &crate::record::OpTime)| Bar {
        label: op.label.split('[').next().unwrap_or_default().into(),
        value: ns.median,
        interval: Some((ns.p05, ns.p95)),
        style: format!("class-{}", crate::analysis::class::of(&op.op).unwrap_or(op.class.letter())),
        shown: duration_ns(ns.median),
    };
    let bars: Vec<Bar> = ops.iter().take(TOP).map(bar).collect();
    chart::bars("The longest ops: median time, and where nine tenths of the steps lie", &bars)
}

fn types(profile: &CellProfile) -> Table {
    let mut table = Table::new(
        "Op types: time of a step, and where they lie under the ceilings",
        &[
            "type",
            "class",
            ">calls",
            ">time",
            ">share",
            ">sum",
            ">FLOP/byte",
            ">rate",
            ">bandwidth",
            "bound by",
            ">of roof",
        ],
    );
    for kind in &profile.types {
        let roofline = &kind.roofline;
        table.row([
            kind.name.as_str().into(),
            kind.class.to_string().into(),
            Cell::count(kind.calls),
            Cell::number(kind.ns, duration_ns(kind.ns)),
            Cell::number(kind.share, percent(kind.share)),
            Cell::number(kind.cumulative, percent(kind.cumulative)),
            Cell::maybe(roofline.intensity, digits),
            Cell::maybe(roofline.flop_per_s, flop_rate),
            Cell::maybe(roofline.bytes_per_s, byte_rate),
            match roofline.bound {
                profile::Bound::Memory => "memory",
                profile::Bound::Compute => "compute",
            }
            .into(),
            Cell::maybe(roofline.of_roof, percent),
        ]);
    }
    table
}

fn ops(run: &Run, profile: &CellProfile, steady: &CellStationarity) -> Table {
    let mut table = Table::new(
        "Every op in order of execution: median, where nine tenths of the steps lie, and how steady it was",
        &[
            ">#",
            "op",
            "class",
            "phase",
            ">time",
            ">5 %",
            ">95 %",
            ">share",
            ">of roof",
            ">variation",
            ">drift",
            "verdict",
        ],
    );
    // The stationarity's ops are sorted; labels may repeat, so each is taken once.
    let mut rest: Vec<_> = steady.ops.iter().collect();
    for (i, (op, place)) in run.ops.iter().zip(&profile.ops).enumerate() {
        let known = rest.iter().position(|s| s.label == op.label && s.ns == place.ns);
        let steadiness = known.map(|at| rest.swap_remove(at));
        let verdict = match steadiness.map(|s| s.verdict) {
            Some(Verdict::Stationary) => "stationary",
            Some(Verdict::Drifts) => "NOT STATIONARY",
            Some(Verdict::TooFewSteps) => "too few steps",
            Some(Verdict::Unknown) | None => "unknown",
        };
        let signed =
            |share: f64| format!("{}{}", if share > 0.0 { "+" } else { "" }, percent(share));
        table.row([
            Cell::count(i + 1),
            op.label.as_str().into(),
            place.class.to_string().into(),
            op.phase.name().into(),
            Cell::number(place.ns, duration_ns(place.ns)),
            Cell::maybe(op.ns.as_ref().map(|ns| ns.p05), duration_ns),
            Cell::maybe(op.ns.as_ref().map(|ns| ns.p95), duration_ns),
            Cell::number(place.share, percent(place.share)),
            Cell::maybe(place.roofline.of_roof, percent),
            Cell::maybe(steadiness.and_then(|s| s.cv), percent),
            Cell::maybe(steadiness.and_then(|s| s.drift), signed),
            verdict.into(),
        ]);
    }
    table
}

/// Which workloads are alike, for training and for inference on each device.
pub(super) fn similarities(records: &[Record]) -> Vec<Figure> {
    Mode::ALL
        .into_iter()
        .flat_map(|mode| similarity::similarity(records, mode, Linkage::Centroid))
        .map(|similarity| figure(&similarity))
        .collect()
}

fn figure(similarity: &Similarity) -> Figure {
    let cell = &similarity.workloads[0];
    let n = similarity.workloads.len();
    let name = |cluster: usize| match cluster.checked_sub(n) {
        None => similarity.workloads[cluster].workload.clone(),
        Some(merge) => format!("cluster {}", merge + 1),
    };
    let mut table = Table::new(
        "Clusters by centroid linkage, in the order in which they join",
        &[">cluster", "of", "and", ">height", ">workloads"],
    );
    for (i, merge) in similarity.merges.iter().enumerate() {
        table.row([
            Cell::count(i + 1),
            name(merge.left).into(),
            name(merge.right).into(),
            Cell::number(merge.height, format!("{:.4}", merge.height)),
            Cell::count(merge.size),
        ]);
    }
    let inverted = if similarity.inverted {
        " Here a joint lies lower than one before it, as centroid linkage allows."
    } else {
        ""
    };
    Figure {
        title: format!("{}: {}", cell.mode, cell.device),
        charts: vec![
            ("Cosine distance".into(), chart::distances(similarity)),
            ("Dendrogram".into(), chart::dendrogram(similarity)),
        ],
        table,
        note: format!(
            "Each workload is the vector of its time's shares by op type; the distance is 1 - cos of the angle \
             between two.{inverted}"
        ),
    }
}

/// What more threads or larger batches bring, where the records vary them.
pub(super) fn scaling(records: &[Record]) -> Vec<Figure> {
    let threads = scales::threads(records);
    let batches = scales::batches(records);
    threads.iter().chain(&batches).map(curve).collect()
}

fn curve(curve: &scales::Curve) -> Figure {
    let (what, of) = match curve.axis {
        scales::Axis::Threads => ("threads", "a step"),
        scales::Axis::Batch => ("batch", "a sample"),
    };
    let at: Vec<String> = curve.at.iter().map(|n| format!(">at {n}")).collect();
    let mut headings = vec!["type", "class"];
    headings.extend(at.iter().map(String::as_str));
    headings.extend([">serial share", ">fit error"]);
    let mut table = Table::new(&format!("Time of {of} against {what}, by op type"), &headings);
    for line in std::iter::once(&curve.total).chain(&curve.types) {
        let times = line.ns.iter().map(|ns| Cell::number(*ns, duration_ns(*ns)));
        let fit = [
            Cell::maybe(line.fit.map(|fit| fit.serial), |s| format!("{s:.2}")),
            Cell::maybe(line.fit.and_then(|fit| fit.error), percent),
        ];
        let head: [Cell; 2] = [line.name.as_str().into(), line.class.to_string().into()];
        table.row(head.into_iter().chain(times).chain(fit));
    }
    let cell = &curve.cell;
    Figure {
        title: format!("{} {} against {what}: {}", cell.workload, cell.mode, cell.device),
        charts: vec![(format!("Time of {of}, relative"), chart::scaling(curve))],
        table,
        note: "Serial share: the s of Amdahl's law t(n) = t1 (s + (1 - s) / n), by least squares; 0 shares all \
               work among threads or samples, 1 gains nothing."
            .into(),
    }
}
