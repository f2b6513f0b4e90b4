//! Before a program is timed, every kernel variant in it runs against its f64 reference on the same device, at the
//! program's own shapes. Where that reference would run for minutes, smaller shapes take its place, and some values or rows
//! of the real ones are checked as well, in the program itself.

use std::collections::HashSet;

use crate::error::{Error, Result, plain};
use crate::gpu::{Gpu, shader};
use crate::graph::op::Distribution;
use crate::pass::{OpInstance, Schedule};
use crate::program::check::{Verdict, check_alone};
use crate::program::{Program, make_pipelines};
use crate::record::{Run, Status, Verified, Worst};

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
/// [`Error::Verification`] with the kernels that are wrong in these runs, a line each, where there are any.
pub fn all_agree(gpu: &Gpu, runs: &[Run]) -> Result<()> {
    let wrong = |run: &Run| {
        let key = run.key();
        run.verified.wrong().iter().map(|one| format!("\n  {key}: {one}")).collect::<String>()
    };
    let failures: String = runs.iter().map(wrong).collect();
    let Some(first) = runs.iter().find(|run| !run.verified.wrong().is_empty()) else {
        return Ok(());
    };
    let Run { workload, mode, batch, preset, .. } = first;
    Err(Error::Verification(format!(
        "these kernels disagree with their references on {}, so their runs were not timed:{failures}\n\
         a kernel's text: `fathom show {workload} -m {mode} -b {batch} --preset {preset} --kernel LABEL`\n{}",
        gpu.summary,
        advice()
    )))
}

/// What to do about a kernel that is wrong.
pub fn advice() -> String {
    match shader::folder() {
        Some(folder) => format!("the shaders are those of {}", plain(folder.display())),
        None => "try a newer driver; if that does not help, please report this".into(),
    }
}

/// What a record keeps of one verdict for each distinct problem and variant.
fn verified(verdicts: &[Verdict], reduced: usize) -> Verified {
    let passed = verdicts.iter().filter(|verdict| verdict.passed()).count();
    let mut by_error: Vec<_> = verdicts.iter().collect();
    by_error.sort_by(|a, b| b.error.total_cmp(&a.error));
    let kept = |verdict: &Verdict| Worst {
        label: verdict.label.clone(),
        error: verdict.error.is_finite().then_some(verdict.error),
        detail: (!verdict.passed()).then(|| verdict.detail.clone()),
    };
    Verified {
        status: if passed == verdicts.len() { Status::Passed } else { Status::Failed },
        checked: verdicts.len(),
        passed,
        reduced,
        worst: by_error.first().map(|verdict| kept(verdict)),
        failed: by_error.iter().filter(|v| !v.passed()).map(|verdict| kept(verdict)).collect(),
        sampled: None,
        program: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_kept_the_furthest_beyond_its_bound_first() {
        let verdict = |label: &str, error| Verdict {
            label: label.into(),
            error,
            detail: format!("{error} of the bound"),
        };
        let record = verified(&[verdict("a", 0.5), verdict("b", 0.7)], 1);
        assert_eq!((record.status, record.passed, record.failed.len()), (Status::Passed, 2, 0));
        assert_eq!(record.worst.unwrap().label, "b");
        let record =
            verified(&[verdict("a", 3.0), verdict("b", f64::INFINITY), verdict("c", 0.1)], 0);
        assert_eq!((record.status, record.checked, record.passed), (Status::Failed, 3, 1));
        let wrong: Vec<_> = record.wrong().iter().map(ToString::to_string).collect();
        assert_eq!(wrong, ["b: inf of the bound", "a: 3 of the bound"]);
        assert_eq!(record.wrong()[0].error, None);
        let older = Verified { failed: Vec::new(), ..record };
        assert_eq!(older.wrong().len(), 1, "the worst");
    }
}
