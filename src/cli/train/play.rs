//! `fathom train --workload deepq`: the score as training goes on, and where the time goes.

use crate::cli::args::{ModelArgs, SizeArgs};
use crate::cli::output::{self, Live};
use crate::error::{Error, Result};
use crate::fields;
use crate::game;
use crate::gpu::Gpu;
use crate::listing;
use crate::measure::sample::interrupted;
use crate::report::section::training;
use crate::report::{Format, number};
use crate::stats::mean;
use crate::train::play::{Learner, Times};
use crate::workload;

use super::TrainArgs;

/// Plays and learns, and prints a row at regular intervals.
///
/// # Errors
/// As [`Learner`].
pub(super) fn execute(args: &TrainArgs, gpu: &Gpu) -> Result<()> {
    let source = args.data.source(workload::find(&args.model.workload)?, args.model.seed);
    let game = game::find(source.game.as_deref())?;
    // The game's own pace, unless the command line says otherwise.
    let pace = ("period".to_string(), game.pace.period);
    let configure = |batch: Option<u32>| {
        let set = std::iter::once(&pace).chain(&args.model.size.set).cloned().collect();
        let size = SizeArgs { batch, set, ..args.model.size.clone() };
        ModelArgs { size, ..args.model.clone() }.configure(Some(gpu))
    };
    let (preset, model) = configure(args.model.size.batch)?;
    let (_, single) = configure(Some(1))?;
    let seed = args.model.seed;
    let mut learner =
        Learner::new(gpu, [model.as_ref(), single.as_ref()], game, seed, args.precision.precision)?;
    let note = format!(
        "{} {preset}, {}, batch {}, seed {seed}, on {}\nplays {}: {}",
        args.model.workload,
        args.precision.precision,
        model.batch(),
        gpu.summary,
        game.name,
        game.about
    );
    output::note(&args.output, &note);
    let table = listing::of_precision(training::plays(), args.precision.precision);
    let table = listing::stamped(table, gpu);
    let mut live = Live::new(&args.output, table)?;
    let outcome = follow(args, &mut learner, &mut live);
    if args.output.output == Format::Table {
        output::note(&args.output, &summary(&learner.times));
    }
    // The rows that there are count, however training ended.
    live.finish()?;
    outcome?;
    if interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Plays and learns, with a row at regular intervals.
fn follow(args: &TrainArgs, learner: &mut Learner<'_>, live: &mut Live<'_>) -> Result<()> {
    let every = args.every.unwrap_or(args.steps.div_ceil(10));
    let mut losses = Vec::new();
    for step in 1..=args.steps {
        losses.extend(learner.step()?);
        let stop = interrupted();
        if step % every != 0 && step != args.steps && !stop {
            continue;
        }
        let score = learner.judge()?;
        let loss = (!losses.is_empty()).then(|| mean(&losses));
        losses.clear();
        let times = learner.times;
        // To the millisecond.
        let [environment, action, update] = [times.environment, times.action, times.update]
            .map(|time| (time.as_secs_f64() * 1e3).round() / 1e3);
        live.row(fields![step, times.updates, loss, score, environment, action, update])?;
        if stop {
            break;
        }
    }
    Ok(())
}

/// `environment 85.3 us per step, action 1.20 ms, update 3.41 ms`.
fn summary(times: &Times) -> String {
    let each = |time: std::time::Duration, count: u64| {
        number::duration_ns(time.as_nanos() as f64 / count.max(1) as f64)
    };
    format!(
        "environment {} per step, action {} each, update {} each",
        each(times.environment, times.steps),
        each(times.action, times.actions),
        each(times.update, times.updates)
    )
}
