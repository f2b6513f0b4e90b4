//! Whether op times are stationary: an overview of all runs, then each run's ops.

use crate::analysis::stationarity::{self, RULE, RunStationarity, STEPS, Verdict};
use crate::fields;
use crate::record::Record;
use crate::report::column::Quantity::{Duration, Percent, SignedPercent};
use crate::report::column::{count, number, text};

use super::labels::Labels;
use super::{
    Analysis, Options, Sample, Section, context_fields, overview, overview_fields, places, title,
    with_context,
};

/// Whether a step is like the next.
pub const ANALYSIS: Analysis = Analysis {
    name: "stationarity",
    heading: "Are op times stationary?",
    charts: "",
    needs: super::profile::ANALYSIS.needs,
    sample: Sample::Profiled(STEPS),
    sections,
};

/// Ops below this share are left out of the tables, unless they drift or every op is asked for.
const SHOWN: f64 = 0.01;

fn sections(records: &[Record], options: &Options) -> Vec<Section> {
    let runs: Vec<_> = records.iter().flat_map(stationarity::stationarity).collect();
    if runs.is_empty() {
        return Vec::new();
    }
    let labels = Labels::of(records);
    let each = runs.iter().map(|run| ops(&labels, run, options.ops));
    std::iter::once(all_runs(&labels, &runs)).chain(each).collect()
}

fn all_runs(labels: &Labels, runs: &[RunStationarity]) -> Section {
    let mut table = overview(
        labels,
        [
            count("steps"),
            count("ops"),
            count("drift").named("drifting"),
            number("share of time", "drifting_share", Percent),
            number("variation", "cv", Percent),
        ],
    );
    for run in runs {
        // Too few steps to judge by.
        let judged = (run.steps >= STEPS).then_some((run.drifting, run.drifting_share));
        let row = fields![
            run.steps,
            run.ops.len(),
            judged.map(|(drifting, _)| drifting),
            judged.map(|(_, share)| share),
            run.cv
        ];
        table.row(overview_fields(labels, &run.context).into_iter().chain(row));
    }
    let heading = format!("Stationarity: {}", places(runs.iter().map(|run| &run.context)));
    let rule =
        format!("{RULE}. variation: standard deviation over mean, ops weighted by their time");
    let short = runs.iter().filter(|run| run.steps < STEPS).count();
    let too_few = format!(
        "{short} of {} runs have fewer than {STEPS} profiled steps, too few to judge: `fathom analyze \
         stationarity` without a record profiles {STEPS}, and so does `--min-samples {STEPS}`",
        runs.len()
    );
    let section = Section::new("stationarity", heading, table).note(rule);
    section.notes((short > 0).then_some(too_few))
}

fn ops(labels: &Labels, run: &RunStationarity, every: bool) -> Section {
    let mut table = with_context([
        text("op"),
        number("time", "time_ns", Duration),
        number("share", "share", Percent),
        number("variation", "cv", Percent).spare(2),
        number("drift", "drift", SignedPercent).spare(1),
        text("verdict"),
    ]);
    for op in &run.ops {
        if !every && op.share < SHOWN && op.verdict != Verdict::Drifts {
            continue;
        }
        let row = fields![&op.label, op.ns, op.share, op.cv, op.drift, op.verdict];
        table.row(context_fields(&run.context).into_iter().chain(row));
    }
    let heading = format!("{}, {} steps", title(labels, &run.context), run.steps);
    Section::new("stationarity_ops", heading, table).detail()
}
