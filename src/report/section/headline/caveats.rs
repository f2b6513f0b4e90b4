//! What is to be known of a record before its figures are believed, beside the doubts of its runs.

use crate::record::yardstick::MOVED;
use crate::record::{BuildProfile, Record, Run, Worst};
use crate::report::number::percent;
use crate::report::table::paragraph;
use crate::terms::{Precision, each_once};

use super::Measured;

/// Which runs are above the ceiling, and why that can be; nothing where none is.
pub(in crate::report::section) fn above_peak<'a>(
    runs: impl Iterator<Item = Measured<'a>>,
) -> Option<String> {
    let above: Vec<_> =
        runs.filter(|measured| measured.of_peak().is_some_and(|share| share > 1.0)).collect();
    let name = |m: &Measured<'_>| format!("{} {}", m.run.workload, m.run.mode);
    let names = each_once(above.iter().map(name));
    let is_less = |m: &&Measured<'_>| m.run.ops.iter().any(|op| op.label.contains("winograd"));
    let is_half = |m: &&Measured<'_>| m.record.config.precision == Precision::F16;
    let reasons = [
        (
            above.iter().any(|m| is_less(&m)),
            "the rate counts the arithmetic of the model's definition, of which a convolution by Winograd's products \
             does less than half",
        ),
        (
            above.iter().any(|m| is_half(&m)),
            "matrix units may multiply f16 faster than the ceiling's f32",
        ),
        (
            above.iter().any(|m| !is_less(&m) && !is_half(&m)),
            "the ceiling was measured while the machine was slower",
        ),
    ];
    let reasons: Vec<_> = reasons.iter().filter_map(|(holds, why)| holds.then_some(*why)).collect();
    (!names.is_empty())
        .then(|| format!("above 100 % of peak: {}: {}", names.join(", "), reasons.join("; ")))
}

/// What is to be known of a whole record before its figures are believed.
pub(in crate::report::section) fn cautions(record: &Record) -> Vec<String> {
    let moved = record.peaks.moved().filter(|moved| *moved > MOVED).map(|moved| {
        format!(
            "the ceilings moved by {} between the beginning and the end of the run: shares of them are rough",
            percent(moved)
        )
    });
    let raised = record.peaks.raised_by.as_ref();
    let raised =
        raised.map(|kernel| format!("{kernel} was faster than the probe: its rate is the ceiling"));
    let is_slow = record.tool.profile != BuildProfile::Release;
    let slow = is_slow
        .then(|| "this is a debug build: host times and build times are far too long".to_string());
    moved.into_iter().chain(raised).chain(slow).collect()
}

/// The kernels of a run that are wrong, a line each.
pub(super) fn wrong(run: &Run, is_markdown: bool) -> String {
    let line = |kernel: &Worst| match is_markdown {
        true => format!("- wrong: {kernel}\n"),
        false => paragraph(&format!("wrong: {kernel}")),
    };
    let lines: String = run.verified.wrong().iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;
    use crate::analysis::synthetic;
    use crate::record::Status;
    use crate::report::Format;
    use crate::terms::Mode;

    #[test]
    fn every_kernel_that_is_wrong_is_named() {
        let mut record = synthetic::record(&[("vgg", Mode::Train, &[("matmul", 5.0)])]);
        let wrong = |label: &str| Worst {
            label: label.into(),
            error: None,
            detail: Some("output 0[3] is 7, reference 9 exactly".into()),
        };
        let verified = &mut record.runs[0].verified;
        verified.status = Status::Failed;
        verified.failed = vec![wrong("a.matmul/tile"), wrong("b.reduce/rows")];
        for (format, start) in [(Format::Table, ""), (Format::Md, "- ")] {
            let text = render(&record, format).unwrap();
            for label in ["a.matmul/tile", "b.reduce/rows"] {
                let line = format!("\n{start}wrong: {label}: output 0[3] is 7");
                assert!(text.contains(&line), "{text}");
            }
        }
        let text = render(&record, Format::Csv).unwrap();
        assert!(text.contains(",a.matmul/tile; b.reduce/rows,"), "{text}");
    }
}
