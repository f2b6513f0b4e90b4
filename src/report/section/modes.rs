//! Training against inference: one table for all adapters, one chart per workload.

use crate::analysis::modes::{self, Interval, ModeRow, Modes};
use crate::columns;
use crate::record::Record;
use crate::report::chart::Chart;
use crate::report::chart::bars::{Bar, bars};
use crate::report::column::Quantity::{Digits, Duration};
use crate::report::column::{count, number, text};
use crate::report::field::Field;
use crate::report::number::duration_ns;
use crate::report::table::{ColumnOf, Table};
use crate::terms::each_once;

use super::labels::Labels;
use super::{Analysis, Options, Sample, Section, provenance, provenance_of};

/// What training takes beyond inference.
pub const ANALYSIS: Analysis = Analysis {
    name: "modes",
    heading: "Training against inference",
    charts: "Solid bars are training, hatched ones inference; whiskers are 95 % intervals.",
    needs: "a timed run",
    sample: Sample::Timed,
    sections,
};

fn sections(records: &[Record], _: &Options) -> Vec<Section> {
    let labels = Labels::of(records);
    modes::modes(records).iter().map(|modes| section(&labels, modes)).collect()
}

fn section(labels: &Labels, modes: &Modes) -> Section {
    let columns: [ColumnOf<&ModeRow>; 13] = columns![row:
        text("device").programs() => &row.context().device,
        text("backend").programs() => row.context().backend,
        count("threads").programs() => row.context().threads(),
        text("workload") => &row.context().workload,
        text("preset").wide() => row.context().preset,
        text("precision").programs() => row.context().precision,
        count("batch") => row.context().batch,
        text("fused").programs() => row.context().fused,
        number("train", "train_ns", Duration).half_width() => row.train_ns,
        number("infer", "infer_ns", Duration).half_width() => row.infer_ns,
        number("infer / train", "infer_over_train", Digits).ends() => row.infer_over_train,
        number("train, normalised", "train_normalised", Digits).ends().spare(2)
            => row.train_normalised,
        number("infer, normalised", "infer_normalised", Digits).ends().spare(1)
            => row.infer_normalised,
    ];
    let heading = "Training against inference, per step";
    let (columns, fields): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let label = text("device").people().spare(3);
    let mut table = Table::new(provenance().into_iter().chain([label]).chain(columns));
    for row in &modes.rows {
        let label = Field::from(labels.kind_of(row.context()));
        let fields = fields.iter().map(|field| field(&row));
        table.row(provenance_of(&row.runs).into_iter().chain([label]).chain(fields));
    }
    let section = Section::new("modes", heading, table).note(format!(
        "normalised: divided by the workload's training time on {}, as in the paper's figure; times have their 95 % \
         interval, ratios [from .. to] cover 90 % or more",
        modes.base
    ));
    let workloads = each_once(modes.rows.iter().map(|row| row.context().workload.as_str()));
    let charts = workloads.iter().map(|workload| chart(labels, modes, workload));
    charts.fold(section.note_older(modes.older), Section::chart)
}

impl From<Interval> for Field {
    fn from(Interval { value, low, high }: Interval) -> Self {
        Self::interval(value, (low, high))
    }
}

/// The steps of a workload: on each adapter and batch training, then inference.
fn chart(labels: &Labels, modes: &Modes, workload: &str) -> Chart {
    let device = |row: &ModeRow| labels.kind_of(row.context()).to_string();
    let several = modes.rows.iter().any(|row| device(row) != device(&modes.rows[0]));
    let pair = |row: &ModeRow| {
        let batch = format!("batch {}", row.context().batch);
        let place = if several { format!("{}, {batch}", device(row)) } else { batch };
        let bar = |(mode, style, interval): (&str, &str, Option<Interval>)| {
            let interval = interval?;
            Some(Bar {
                label: format!("{mode}, {place}"),
                value: interval.value,
                interval: Some((interval.low, interval.high)).filter(|(low, _)| low.is_finite()),
                style: style.into(),
                shown: duration_ns(interval.value),
            })
        };
        let both = [("train", "bar", row.train_ns), ("infer", "bar other", row.infer_ns)];
        both.into_iter().filter_map(bar).collect::<Vec<_>>()
    };
    let rows = modes.rows.iter().filter(|row| row.context().workload == workload);
    let label = format!("{workload}: a step of training and of inference");
    Chart::new(workload, bars(&label, &rows.flat_map(pair).collect::<Vec<_>>()))
}
