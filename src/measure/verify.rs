//! Before a program is timed, every kernel variant in it runs against its f64 reference on the same device, at the
//! program's own shapes. Where that reference would run for minutes, smaller shapes take its place, and some values or rows
//! of the real ones are checked as well, in the program itself.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::op::Distribution;
use crate::pass::{OpInstance, Schedule};
use crate::program::check::{Verdict, check_alone};
use crate::program::{Program, make_pipelines};
use crate::record::{Status, Verified, Worst};

use super::sample::going_on;

/// Checks each distinct problem and variant of a program once; the record has which program it was. `progress` is told
/// the op that comes next and the share done.
///
/// # Errors
/// [`Error::Gpu`] where the device fails, [`Error::Interrupted`]; a wrong result is a verdict, not an error.
pub fn verify(gpu: &Gpu, program: &Program, progress: &dyn Fn(&str, f64)) -> Result<Verified> {
    let distinct: Vec<_> = distinct(&program.schedule).collect();
    let alone = |op: &&OpInstance| op.alone(&op.variant, &gpu.caps);
    let alone = distinct.iter().map(alone).collect::<Result<Vec<_>>>()?;
    // All their kernels at once: one after the other, each would wait for one thread of the driver's.
    make_pipelines(gpu, &alone, &|_| going_on())?;
    let mut verdicts = Vec::new();
    // What is checked at smaller sizes: its place in the schedule, and that of its verdict.
    let mut reduced_ops = Vec::new();
    for (i, (op, alone)) in distinct.iter().zip(alone).enumerate() {
        progress(&op.label, i as f64 / distinct.len() as f64);
        if op.reduced_inputs().is_some() {
            let at = program.schedule.ops.iter().position(|one| std::ptr::eq(one, *op));
            reduced_ops.extend(at.map(|at| (at, verdicts.len())));
        }
        let checked = check_alone(gpu, alone, &[Distribution::Uniform])?;
        let labelled = |verdict| Verdict { label: op.label.clone(), ..verdict };
        verdicts.extend(checked.into_iter().map(labelled));
        going_on()?;
    }
    let ops: Vec<usize> = reduced_ops.iter().map(|(at, _)| *at).collect();
    let sampled = program.check_sampled(gpu, &ops, &|label| {
        progress(label, 1.0);
        going_on()
    })?;
    for (at, real) in &sampled {
        let small = reduced_ops.iter().find(|(op, _)| op == at).map(|(_, place)| *place);
        // A kernel is as good as the worse of its two checks.
        if let Some(small) = small.filter(|small| verdicts[*small].error < real.error) {
            verdicts[small] = real.clone();
        }
    }
    let (program, sampled) = (Some(program.hash.clone()), Some(sampled.len()));
    Ok(Verified { program, sampled, ..verified(&verdicts, reduced_ops.len()) })
}

/// The ops that are checked: one of each problem and variant.
pub(super) fn distinct(schedule: &Schedule) -> impl Iterator<Item = &OpInstance> {
    let mut seen = HashSet::new();
    schedule.ops.iter().filter(move |op| seen.insert((op.problem_key(), op.variant.clone())))
}

/// Refuses a device whose kernels are wrong.
///
/// # Errors
/// [`Error::Verification`] with `failures`, a line each, where there are any.
pub fn all_agree(gpu: &Gpu, failures: &[String]) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::Verification(format!(
        "these kernels disagree with their references on {}, so their runs were not timed:\n  {}\ntry a newer \
         driver; if that does not help, please report this",
        gpu.summary,
        failures.join("\n  ")
    )))
}

/// What a record keeps of one verdict for each distinct problem and variant.
fn verified(verdicts: &[Verdict], reduced: usize) -> Verified {
    let passed = verdicts.iter().filter(|verdict| verdict.passed()).count();
    let worst = verdicts.iter().max_by(|a, b| a.error.total_cmp(&b.error));
    Verified {
        status: if passed == verdicts.len() { Status::Passed } else { Status::Failed },
        checked: verdicts.len(),
        passed,
        reduced,
        worst: worst.map(|verdict| Worst {
            label: verdict.label.clone(),
            error: verdict.error.is_finite().then_some(verdict.error),
            detail: (!verdict.passed()).then(|| verdict.detail.clone()),
        }),
        sampled: None,
        program: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_furthest_beyond_its_bound_and_says_how() {
        let verdict = |label: &str, error| Verdict {
            label: label.into(),
            error,
            detail: format!("{error} of the bound"),
        };
        let record = verified(&[verdict("a", 0.5), verdict("b", 0.7)], 1);
        assert_eq!((record.status, record.passed, record.wrong()), (Status::Passed, 2, None));
        assert_eq!(record.worst.unwrap().label, "b");
        let record =
            verified(&[verdict("a", 3.0), verdict("b", f64::INFINITY), verdict("c", 0.1)], 0);
        assert_eq!((record.status, record.checked, record.passed), (Status::Failed, 3, 1));
        assert_eq!(record.wrong().unwrap().to_string(), "b: inf of the bound");
        assert_eq!(record.wrong().unwrap().error, None);
    }
}
