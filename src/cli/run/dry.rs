//! `fathom run --dry-run`: what would run, whether it fits, and how long it would take.

use crate::error::{Error, Result};
use crate::gpu::{Gpu, adapter};
use crate::listing::model::{Planned, in_all, plan as table};
use crate::measure::estimate::{Rates, estimates};
use crate::measure::largest_batch::TooLarge;
use crate::measure::run::key;
use crate::measure::tune::suite::{expected, planned as to_tune};

use super::super::output;
use super::{RunArgs, choose};

/// Checks every option, and prints a row for each run.
///
/// # Errors
/// [`Error::OutOfMemory`] where a step does not fit, with the batch that would; else as `run` itself.
pub(super) fn execute(args: &RunArgs) -> Result<()> {
    choose::check(args)?;
    let gpu = open(args)?;
    let (chosen, plan, schedules) = choose::settle(args, gpu.as_ref())?;
    choose::open(args, &chosen)?.close();
    let caps = args.device.caps(gpu.as_ref());
    let estimates = estimates(&schedules, &plan, &Rates::guess(&caps));
    let mut planned = Vec::new();
    let mut too_large = Vec::new();
    for (((model, mode), schedule), estimate) in chosen.iter().zip(&schedules).zip(&estimates) {
        let key = key(model.as_ref(), *mode);
        let step = TooLarge::new(&caps, gpu.as_ref(), *mode, &plan.options, model.batch());
        let fitting = |batch| choose::configure(args, model.info(), plan.preset, Some(batch));
        let outcome = step.advise(step.check(schedule), &fitting);
        let fits = outcome.is_ok();
        too_large.extend(outcome.err().map(|error| match error {
            Error::OutOfMemory(why) => format!("{key}: {why}"),
            other => format!("{key}: {other}"),
        }));
        planned.push(Planned { key, schedule, estimate, fits });
    }
    let table = table(&planned, plan.preset);
    let effort = args.effort();
    let tuning = gpu.as_ref().map(|gpu| to_tune(effort, gpu, &chosen, &plan)).transpose()?;
    let tuning = expected(effort, &tuning.unwrap_or_default());
    let device = gpu.map_or_else(|| NO_DEVICE.to_string(), |gpu| gpu.summary.to_string());
    output::note(&args.out, &format!("{device}: dry run, nothing is measured"));
    output::emit(&args.out, |form| table.render(form))?;
    output::note(&args.out, &in_all(&estimates, args.repeat, tuning));
    if too_large.is_empty() { Ok(()) } else { Err(Error::OutOfMemory(too_large.join("\n"))) }
}

const NO_DEVICE: &str = "no device found: planned for what WebGPU promises everywhere (bindings of 128 MiB, buffers of \
     256 MiB, 256 invocations, no subgroups)";

/// The device; none where the machine has none at all. One that is named and missing is an error.
fn open(args: &RunArgs) -> Result<Option<Gpu>> {
    let restriction = args.device.restriction();
    if adapter::list(args.device.backend.as_deref(), &restriction)?.is_empty() {
        return Ok(None);
    }
    args.device.open().map(Some)
}
