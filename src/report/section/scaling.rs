//! What more parallelism gains: a table and a chart per workload, mode and axis.

use crate::analysis::scaling::{self, Axis, Curve, TypeCurve};
use crate::fields;
use crate::record::Record;
use crate::report::chart::{Chart, scaling as chart};
use crate::report::column::Quantity::{Duration, Fixed, Percent, Times};
use crate::report::column::{number, text};
use crate::report::field::Field;
use crate::report::number::duration_ns;
use crate::terms::counted;

use super::{Analysis, Options, Sample, Section, context_fields, place, with_context};

/// Time against threads and against the batch.
pub const ANALYSIS: Analysis = Analysis {
    name: "scaling",
    heading: "What scales",
    charts: "Times are relative to those at the smallest value.",
    needs: "profiled runs of one workload that differ in threads (LP_NUM_THREADS) or in batch alone",
    sample: Sample::Varied,
    sections,
};

/// Types below this share of the time at every value are left out of tables for people and programs alike.
const SHOWN: f64 = 0.01;

/// What one thread is in a curve that begins with a driver without workers.
const ALONE: &str =
    "1 thread: the one that submits computes (LP_NUM_THREADS=0); runs with one worker do not count";

/// The same of one whose driver had a worker.
const HANDED: &str = "1 thread: a worker that is handed each dispatch and waited for (LP_NUM_THREADS=1), which takes longer than \
    without workers (LP_NUM_THREADS=0)";

fn sections(records: &[Record], _: &Options) -> Vec<Section> {
    let mut curves = scaling::threads(records);
    curves.extend(scaling::batches(records));
    let mut sections: Vec<_> = curves.iter().map(section).collect();
    if let Some(last) = sections.pop() {
        let last = last.note(
            "serial: the share s in Amdahl's law t(n) = t1 (s + (1 - s) / n), fitted by least squares, 0 to 1; \
     error: root mean square of the residuals over the mean time, a dash for two points, which always fit",
        );
        sections.push(last.note_fusion(curves.iter().map(|curve| &curve.context)));
    }
    sections
}

fn section(curve: &Curve) -> Section {
    let (key, value, what, of) = match curve.axis {
        Axis::Threads => ("scaling_threads", "thread count", "threads", "step"),
        Axis::Batch => ("scaling_batch", "batch size", "batch size", "sample"),
    };
    let point = |n: &usize| {
        let title = match curve.axis {
            Axis::Threads => counted(*n, "thread"),
            Axis::Batch => format!("batch {n}"),
        };
        number(title, format!("ns_{n}"), Duration)
    };
    let head = [text("type"), text("class").spare(2)];
    let tail = [
        number("serial", "serial", Fixed(2)),
        number("error", "error", Percent).spare(3),
        number("gain", "gain", Times).spare(1),
    ];
    let mut table = with_context(head.into_iter().chain(curve.at.iter().map(point)).chain(tail));
    let is_shown =
        |t: &&TypeCurve| t.ns.iter().zip(&curve.total.ns).any(|(ns, all)| ns / all >= SHOWN);
    for row in curve.types.iter().filter(is_shown).chain([&curve.total]) {
        let gain = row.ns.first().zip(row.ns.last()).map(|(first, last)| first / last);
        let times = row.ns.iter().map(|&ns| Field::from(ns));
        let tail = fields![row.fit.map(|fit| fit.serial), row.fit.and_then(|fit| fit.error), gain];
        let fields =
            context_fields(&curve.context).into_iter().chain(fields![&row.name, row.class]);
        table.row(fields.chain(times).chain(tail));
    }
    let mut context = curve.context.clone();
    let fixed = match curve.axis {
        Axis::Threads => format!(" batch {}", context.batch),
        Axis::Batch => String::new(),
    };
    if curve.axis == Axis::Threads {
        context.workers = None;
    }
    let heading = format!(
        "{} {}{fixed}: time per {of} against {what}; {}",
        context.workload,
        context.mode,
        place(&context)
    );
    let first = curve.total.ns.first().copied().unwrap_or(0.0);
    let one = match (curve.axis, curve.context.workers) {
        (Axis::Threads, Some(0)) => Some(ALONE),
        (Axis::Threads, Some(1)) => Some(HANDED),
        _ => None,
    };
    Section::new(key, heading, table)
        .chart(Chart::new(format!("Relative time per {of}"), chart::svg(curve)))
        .note(format!(
            "types under 1 % at every {value} are omitted; all ops at the first: {}",
            duration_ns(first)
        ))
        .notes(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::similarity::Linkage;
    use crate::analysis::synthetic;
    use crate::report::Format;
    use crate::report::section::render;
    use crate::terms::Mode;

    #[test]
    fn one_thread_is_called_so_with_and_without_workers() {
        let told = |workers: usize| {
            let planted = [("matmul", 80.0 / workers.max(1) as f64)];
            let mut record = synthetic::record(&[("w", Mode::Train, &planted)]);
            record.host.threads = Some(workers);
            record
        };
        let options = Options { modes: vec![Mode::Train], linkage: Linkage::Centroid, ops: false };
        for (workers, note) in [(0, ALONE), (1, HANDED)] {
            let sections = sections(&[told(workers), told(2)], &options);
            let text = render(&sections, Format::Md).unwrap();
            assert!(text.contains("| 1 thread |") && text.contains("| 2 threads |"), "{text}");
            for known in [ALONE, HANDED] {
                assert_eq!(text.contains(known), known == note, "{text}");
            }
            let rows = render(&sections, Format::Jsonl).unwrap();
            assert!(rows.contains(r#""threads":1"#) && rows.contains(r#""ns_1":"#), "{rows}");
        }
    }
}
