//! Whether a record's figures are possible, so that analyses may rely on them.

use crate::record::Record;

/// The first impossible figure: where it is, as `runs[1].ops[4].ns.median`, and what is wrong.
pub fn fault(record: &Record) -> Option<(String, String)> {
    let peaks = &record.peaks;
    let ceilings = [
        ("peaks.fma_f32_flop_per_s", peaks.fma_f32_flop_per_s),
        ("peaks.copy_bytes_per_s", peaks.copy_bytes_per_s),
    ];
    let wrong = |x: f64| !(x.is_finite() && x >= 0.0);
    if let Some((place, x)) = ceilings.into_iter().find(|(_, x)| wrong(*x)) {
        return Some((place.into(), format!("{x} is not a rate")));
    }
    for (i, run) in record.runs.iter().enumerate() {
        let timing = run.timing.iter().flat_map(|t| {
            [
                ("timing.step.median_ns".to_string(), t.step.median_ns),
                ("timing.step.ci95_ns[0]".to_string(), t.step.ci95_ns.0),
                ("timing.step.ci95_ns[1]".to_string(), t.step.ci95_ns.1),
            ]
        });
        // Gaps are a difference: rounding can leave them a hair below 0.
        let profile = run.profile.iter().map(|p| ("profile.span_ns".to_string(), p.span_ns));
        let op = |(j, op): (usize, &crate::record::Op)| {
            let median = op.ns.as_ref()?.median;
            Some((format!("ops[{j}].ns.median"), median))
        };
        let ops = run.ops.iter().enumerate().filter_map(op);
        if let Some((place, x)) = timing.chain(profile).chain(ops).find(|(_, x)| wrong(*x)) {
            return Some((format!("runs[{i}].{place}"), format!("{x} is not a time")));
        }
        if run.batch == 0 {
            return Some((format!("runs[{i}].batch"), "a batch without samples".into()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::terms::Mode;

    #[test]
    fn impossible_figures_are_named_by_their_place() {
        let good = synthetic::record(&[("w", Mode::Train, &[("add", 1.0), ("sum", 2.0)])]);
        assert_eq!(fault(&good), None);
        let spoilt = |spoil: &dyn Fn(&mut Record)| {
            let mut record = good.clone();
            spoil(&mut record);
            fault(&record).unwrap().0
        };
        assert_eq!(
            spoilt(&|r| r.runs[0].ops[1].ns.as_mut().unwrap().median = -2.0),
            "runs[0].ops[1].ns.median"
        );
        assert_eq!(
            spoilt(&|r| r.runs[0].profile.as_mut().unwrap().span_ns = f64::NAN),
            "runs[0].profile.span_ns"
        );
        assert_eq!(spoilt(&|r| r.peaks.copy_bytes_per_s = f64::INFINITY), "peaks.copy_bytes_per_s");
        assert_eq!(spoilt(&|r| r.runs[0].batch = 0), "runs[0].batch");
    }
}
