//! `fathom run --dry-run`: what would run, whether it fits, and how long it would take.

use crate::error::{Error, Result};
use crate::gpu::{Gpu, adapter};
use crate::listing::model::{Planned, plan as table};
use crate::measure::estimate::{Estimate, Pace, Rates, estimates};
use crate::measure::largest_batch::TooLarge;
use crate::measure::peak;
use crate::measure::run::key;
use crate::measure::tune::suite::{expected, planned as to_tune};
use crate::report::number;
use crate::terms::Effort;

use super::super::{args, output};
use super::{RunArgs, THOROUGH, choose};

/// Checks every option, and prints a row for each run.
///
/// # Errors
/// [`Error::OutOfMemory`] where a step does not fit, with the batch that would; else as `run` itself.
pub(super) fn execute(args: &RunArgs) -> Result<()> {
    choose::choose(args, args::preset_or_default(args.preset, None))?;
    let gpu = open(args)?;
    let (chosen, plan, schedules) = choose::settle(args, gpu.as_ref())?;
    choose::open(args, &chosen)?.close();
    let caps = args.device.caps(gpu.as_ref());
    let estimates = estimates(&schedules, &plan, &Rates::guess(&caps));
    let mut planned = Vec::new();
    let mut too_large = Vec::new();
    for (((model, mode), schedule), estimate) in chosen.iter().zip(&schedules).zip(&estimates) {
        let key = key(model.as_ref(), *mode);
        let step = TooLarge {
            caps: &caps,
            gpu: gpu.as_ref(),
            mode: *mode,
            options: &plan.options,
            batch: model.batch(),
        };
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
    let effort = args.tune.unwrap_or(Effort::Quick);
    let tuning = gpu.as_ref().map(|gpu| to_tune(effort, gpu, &chosen, &plan)).transpose()?;
    let tuning = expected(effort, &tuning.unwrap_or_default()).map(|time| time.as_secs_f64());
    let device = gpu.map_or_else(|| NO_DEVICE.to_string(), |gpu| gpu.summary.to_string());
    output::note(&args.out, &format!("{device}: dry run, nothing is measured"));
    output::emit(&args.out, |form| table.render(form))?;
    output::note(&args.out, &whole(&estimates, args.repeat, tuning));
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

/// `in all up to about 4 min: ceilings 4 s, building 20 s, verifying 40 s, timing 2 min, profiling 16 s`; tuning is done
/// once, however often what follows is repeated.
fn whole(estimates: &[Estimate], repeat: u32, tuning: Option<f64>) -> String {
    let ceilings = peak::ABOUT.as_secs_f64();
    let mut parts = vec![("ceilings", ceilings)];
    parts.extend(Estimate::sum(estimates).parts);
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(_, seconds)| *seconds > 0.0)
        .map(|(part, seconds)| format!("{part} {}", number::span(seconds)))
        .collect();
    let total = ceilings + Pace::new(estimates.to_vec()).total();
    let parts = parts.join(", ");
    let (seconds, thorough) = tuning.map_or((0.0, THOROUGH), |seconds| (seconds, ""));
    let once = match seconds {
        0.0 => String::new(),
        seconds => format!("tuning {}, ", number::span(seconds)),
    };
    let all = number::span(seconds + f64::from(repeat) * total) + thorough;
    match repeat {
        1 => format!("in all up to about {all}: {once}{parts}"),
        n => {
            let each = number::span(total);
            format!("in all up to about {all}: {once}{n} times {each}, which is {parts}")
        }
    }
}
