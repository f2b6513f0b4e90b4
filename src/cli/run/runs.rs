//! One run after the other, each kept before the next begins, whatever the device does meanwhile.

use std::cell::RefCell;

use crate::error::{Error, Result};
#[cfg(debug_assertions)]
use crate::gpu::Gpu;
use crate::measure::estimate::{Countdown, Pace, Rates};
use crate::measure::largest_batch::TooLarge;
use crate::measure::peak::Ceilings;
use crate::measure::run::{self, key};
use crate::measure::sample::going_on;
use crate::measure::suite::Suite;
use crate::measure::verify;
use crate::record::{Record, Run};
use crate::report::number;
use crate::report::section::headline;
use crate::terms::OnFailure;
use crate::workload::Opened;

use super::super::progress::Progress;
use super::super::{interrupt, output, records};
use super::choose::configure;
use super::{RunArgs, close, keep};

/// Measures all that is chosen into the record; what the device failed in, as said of each.
pub(super) fn measure(
    args: &RunArgs,
    suite: &mut Suite,
    samples: &mut Opened<'_>,
    ceilings: &Ceilings,
    show: bool,
    record: &mut Record,
) -> Result<Vec<String>> {
    let rates = Rates::measured(&suite.gpu.caps, &record.peaks);
    let countdown = Countdown::start(Pace::new(suite.estimates(&rates)));
    let planned = suite.chosen.len();
    let mut failed = Vec::new();
    for at in 0..planned {
        let mut outcome = attempt(args, suite, samples, &countdown, at);
        if args.on_failure == OnFailure::Retry
            && let Err(error @ Error::Gpu(_)) = &outcome
        {
            output::note(&args.out, &format!("warning: {error}\nthe run is tried once more"));
            revive(args, suite, ceilings)?;
            outcome = attempt(args, suite, samples, &countdown, at);
        }
        match outcome {
            Ok(run) => {
                record.runs.push(run);
                if show {
                    output::data(&headline::row(record, args.out.output)?)?;
                }
            }
            Err(Error::Gpu(why)) if args.on_failure != OnFailure::Stop => {
                output::note(&args.out, &format!("warning: {why}"));
                record.note_failure(&why);
                failed.push(why);
                revive(args, suite, ceilings)?;
            }
            Err(error) => {
                if let Error::Hung(why) = &error {
                    record.note_failure(why);
                }
                return Err(error);
            }
        }
        record.note_progress(planned);
        // A record of no runs would stand in the way of the last one that has some.
        if !record.runs.is_empty() {
            // Written after each run, so that nothing measured is lost; the final write, in `keep`, fails where this does.
            if let (_, Err(error)) = records::write(&args.out, record) {
                output::warn(&error.to_string());
            }
            leave(args, show, record);
        }
        going_on()?;
    }
    verify::all_agree(&suite.gpu, &record.runs)?;
    Ok(failed)
}

/// Fails where runs are missing.
pub(super) fn all_ran(failed: &[String], planned: usize) -> Result<()> {
    let Some(first) = failed.first() else { return Ok(()) };
    let which = if failed.len() == 1 { ":" } else { "; the first:" };
    Err(Error::Gpu(format!("{} of {planned} runs failed{which} {first}", failed.len())))
}

/// One run.
fn attempt(
    args: &RunArgs,
    suite: &Suite,
    samples: &mut Opened<'_>,
    countdown: &Countdown,
    at: usize,
) -> Result<Run> {
    let Suite { gpu, chosen, plan, .. } = suite;
    let (model, mode) = &chosen[at];
    let key = key(model.as_ref(), *mode);
    let progress = Progress::from(&args.out, &key.to_string(), countdown.done());
    let present = RefCell::new(String::new());
    let watch = |part: &str, share: f64| {
        if present.borrow().as_str() != part {
            log::info!("{key}: {part}");
            part.clone_into(&mut present.borrow_mut());
        }
        let (done, left) = countdown.at(at, part, share);
        let label = format!("{} {mode} {}: {part}", key.workload, key.batch);
        let percent = number::percent_whole(share);
        progress.show(&format!("[{}/{}] {label}{percent}", at + 1, chosen.len()), done);
        progress.left(left);
    };
    let data = samples.of(model.as_ref())?;
    #[cfg(debug_assertions)]
    provoke(gpu, &key.workload);
    let outcome = run::measure(gpu, model.as_ref(), *mode, plan, data, &watch);
    let step = TooLarge::new(&gpu.caps, Some(gpu), *mode, &plan.options, model.batch());
    let outcome =
        step.advise(outcome, &|batch| configure(args, model.info(), plan.preset, Some(batch)));
    outcome.map_err(|error| error.during(&key))
}

/// So that a whole process can be seen to lose its device, or to wait for one that hangs, once, while it measures a
/// workload; released programs know nothing of it.
#[cfg(debug_assertions)]
fn provoke(gpu: &Gpu, workload: &str) {
    static LOST: std::sync::Once = std::sync::Once::new();
    if std::env::var("FATHOM_LOSE_DEVICE").is_ok_and(|named| named == workload) {
        LOST.call_once(|| gpu.lose_device(5));
    }
    if std::env::var("FATHOM_HANG_DEVICE").is_ok_and(|named| named == workload) {
        gpu.hang(5);
    }
}

/// Opens the device anew where it was lost.
fn revive(args: &RunArgs, suite: &mut Suite, ceilings: &Ceilings) -> Result<()> {
    if suite.gpu.is_lost() { suite.revive(args.device.open()?, ceilings) } else { Ok(()) }
}

/// What is printed and kept should the next run not come to its end.
fn leave(args: &RunArgs, show: bool, record: &Record) {
    let (args, record) = (args.clone(), record.clone());
    interrupt::leave(move || {
        let kept = if show { close(&args, &record) } else { keep(&args, &record) };
        if let Err(error) = kept {
            output::note(&args.out, &format!("warning: {error}"));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_failed_are_counted_and_the_first_is_told() {
        let failed = |n: usize| vec!["vgg train batch 4: lost\nperhaps a watchdog".to_string(); n];
        assert!(all_ran(&[], 4).is_ok());
        let one = all_ran(&failed(1), 4).unwrap_err();
        assert_eq!(one.exit_code(), 6);
        assert!(
            one.to_string().starts_with("1 of 4 runs failed: vgg train batch 4: lost"),
            "{one}"
        );
        let three = all_ran(&failed(3), 4).unwrap_err().to_string();
        assert!(three.starts_with("3 of 4 runs failed; the first: vgg"), "{three}");
    }
}
