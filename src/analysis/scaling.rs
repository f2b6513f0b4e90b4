//! What more parallelism gains: op time by type against threads of a CPU adapter, or against the batch.
//!
//! Both follow Amdahl's law (1967): t(n) = t1 (s + (1 - s) / n), s the serial share. Against threads, t is
//! a step's time. Against the batch, t is the time of one sample, a step's time over its samples: the part
//! 1 - s is paid once a step and shared by the batch, s is paid by each sample anew. So s near 0 is a device
//! that takes further samples for free, s near 1 one that a single sample fills.

use crate::record::{Record, Run};

use super::{RunContext, class, profile, runs};

pub use fit::{Amdahl, amdahl};

mod fit;

/// What was varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Threads of a CPU adapter.
    Threads,
    /// Samples in a batch.
    Batch,
}

/// One workload and mode over the values of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The run at the least value.
    pub context: RunContext,
    /// What was varied.
    pub axis: Axis,
    /// Its values, ascending, two at least.
    pub at: Vec<usize>,
    /// All ops together.
    pub total: TypeCurve,
    /// By op type, the longest at the least value first; types that some value lacks are left out.
    pub types: Vec<TypeCurve>,
}

/// One op type over the values of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeCurve {
    /// `matmul`, or `all`.
    pub name: String,
    /// A to G; a dash for all.
    pub class: char,
    /// At each value: of a step against threads, of a sample against the batch.
    pub ns: Vec<f64>,
    /// The law's parameters; nothing where no time was seen.
    pub fit: Option<Amdahl>,
}

/// The curves against threads. Of those with one thread a run without workers counts, however old it is: what handing
/// each dispatch to a single worker costs is no part of what more threads gain.
pub fn threads(records: &[Record]) -> Vec<Curve> {
    let mut runs = runs(records);
    runs.sort_by_key(|(context, _)| context.workers == Some(0));
    let points = runs.into_iter();
    let points = points.filter_map(|(context, run)| Some((context.threads()?, context, run)));
    curves(Axis::Threads, points.collect(), &|a, b| a.batch == b.batch)
}

/// The curves against the batch.
pub fn batches(records: &[Record]) -> Vec<Curve> {
    let runs = runs(records).into_iter();
    let points = runs.map(|(context, run)| (context.batch, context, run));
    curves(Axis::Batch, points.collect(), &|a, b| a.workers == b.workers)
}

type Point<'a> = (usize, RunContext, &'a Run);

fn curves(
    axis: Axis,
    points: Vec<Point>,
    fits: &dyn Fn(&RunContext, &RunContext) -> bool,
) -> Vec<Curve> {
    let mut series: Vec<Vec<Point>> = Vec::new();
    for point in points {
        if point.2.profile.is_none() || point.0 == 0 {
            continue;
        }
        let belongs = |s: &&mut Vec<Point>| {
            let (a, b) = (&s[0].1, &point.1);
            a.is_comparable(b) && a.workload == b.workload && a.mode == b.mode && fits(a, b)
        };
        let Some(points) = series.iter_mut().find(belongs) else {
            series.push(vec![point]);
            continue;
        };
        // The last of a value counts: points come from old to new.
        match points.iter_mut().find(|(value, ..)| *value == point.0) {
            Some(known) => *known = point,
            None => points.push(point),
        }
    }
    series.retain(|points| points.len() > 1);
    series.into_iter().map(|points| curve(axis, points)).collect()
}

fn curve(axis: Axis, mut points: Vec<Point>) -> Curve {
    points.sort_by_key(|(value, ..)| *value);
    let ops = &points[0].2.ops;
    let at: Vec<usize> = points.iter().map(|(value, ..)| *value).collect();
    let times: Vec<Vec<(&str, f64)>> = points
        .iter()
        .map(|(_, context, run)| {
            let samples = match axis {
                Axis::Threads => 1.0,
                Axis::Batch => context.batch as f64,
            };
            let types = profile::times(run).into_iter();
            types.map(|(name, ns)| (name, ns / samples)).collect()
        })
        .collect();
    let of = |name: &str| {
        let at_point = |types: &Vec<(&str, f64)>| types.iter().find(|t| t.0 == name).map(|t| t.1);
        let ns = times.iter().map(at_point).collect::<Option<Vec<f64>>>()?;
        Some(TypeCurve {
            name: name.into(),
            class: ops
                .iter()
                .find(|op| profile::counts_as(op).contains(&name))
                .map_or('-', |op| class::of(op).letter()),
            fit: amdahl(&at, &ns),
            ns,
        })
    };
    let mut types: Vec<_> = times[0].iter().filter_map(|(name, _)| of(name)).collect();
    types.sort_by(|a, b| b.ns[0].total_cmp(&a.ns[0]));
    let sums: Vec<f64> = times.iter().map(|t| t.iter().map(|(_, ns)| ns).sum()).collect();
    let total = TypeCurve { name: "all".into(), class: '-', fit: amdahl(&at, &sums), ns: sums };
    let context = points.swap_remove(0).1;
    Curve { context, axis, at, total, types }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::terms::Mode;

    #[test]
    fn threads_are_told_apart_by_type() {
        let at = |threads: usize, created: &str| {
            let n = threads as f64;
            let ops = [("matmul", 80.0 / n), ("ctc", 20.0), ("add", 10.0 * (0.5 + 0.5 / n))];
            let mut record =
                synthetic::record(&[("w", Mode::Train, &ops), ("w", Mode::Infer, &ops)]);
            record.host.threads = Some(threads);
            record.created = created.into();
            record
        };
        let mut unknown = at(8, "2026-01-04");
        unknown.host.threads = None;
        let mut stale = at(2, "2026-01-01");
        stale.runs[0].ops[0].ns.as_mut().unwrap().median = 1e9;
        let records =
            [at(4, "2026-01-03"), at(2, "2026-01-02"), stale, at(1, "2026-01-02"), unknown];
        let curves = threads(&records);
        assert_eq!(curves.len(), 2);
        assert_eq!((curves[0].axis, &curves[0].at[..]), (Axis::Threads, &[1, 2, 4][..]));
        let serial: Vec<_> = curves[0]
            .types
            .iter()
            .map(|t| (t.name.as_str(), t.fit.as_ref().unwrap().serial))
            .collect();
        for ((name, found), (expected, share)) in
            serial.iter().zip([("matmul", 0.0), ("ctc", 1.0), ("add", 0.5)])
        {
            assert!(*name == expected && (found - share).abs() < 1e-9, "{serial:?}");
        }
        let fit = curves[0].total.fit.as_ref().unwrap();
        assert!((fit.serial - 25.0 / 110.0).abs() < 1e-9);
        assert!(batches(&records[..1]).is_empty());
    }

    #[test]
    fn one_thread_is_the_one_that_submits_before_a_worker_beside_it() {
        let at = |workers: usize, ns: f64, created: &str| {
            let mut record = synthetic::record(&[("w", Mode::Train, &[("matmul", ns)])]);
            record.host.threads = Some(workers);
            record.created = created.into();
            record
        };
        let (none, two) = (at(0, 60.0, "2026-01-01"), at(2, 40.0, "2026-01-02"));
        let one = at(1, 90.0, "2026-01-03");
        let curve = |records: &[Record]| {
            let mut curves = threads(records);
            assert_eq!(curves.len(), 1);
            let curve = curves.remove(0);
            (curve.context.workers, curve.at, curve.total.ns)
        };
        let without = (Some(0), vec![1, 2], vec![60.0, 40.0]);
        assert_eq!(curve(&[none.clone(), two.clone()]), without);
        assert_eq!(curve(&[one.clone(), none.clone(), two.clone()]), without);
        assert_eq!(curve(&[one.clone(), two]), (Some(1), vec![1, 2], vec![90.0, 40.0]));
        // Two ways to have one thread are no curve.
        assert!(threads(&[none.clone(), one.clone()]).is_empty());
        // Nor do they share one against the batch.
        let mut larger = one;
        larger.runs[0].batch *= 2;
        assert!(batches(&[none, larger]).is_empty());
    }

    #[test]
    fn a_batch_is_counted_by_the_sample() {
        // A step takes 30 ns and 10 ns for each sample: a quarter is paid by each sample.
        let at = |batch: usize| {
            let mut record =
                synthetic::record(&[("w", Mode::Train, &[("matmul", 30.0 + 10.0 * batch as f64)])]);
            record.runs[0].batch = batch;
            record
        };
        let curves = batches(&[at(16), at(1), at(4)]);
        assert_eq!(curves[0].at, [1, 4, 16]);
        assert_eq!(curves[0].types[0].ns, [40.0, 17.5, 11.875]);
        let fit = curves[0].types[0].fit.as_ref().unwrap();
        assert!((fit.serial - 0.25).abs() < 1e-9 && (fit.first_ns - 40.0).abs() < 1e-9);
    }
}
