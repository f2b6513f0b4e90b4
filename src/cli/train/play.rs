//! `fathom train --workload deepq`: the score as training goes on, and where the time goes.

use crate::cli::args::{ModelArgs, SizeArgs};
use crate::cli::output::{self, Live};
use crate::error::Result;
use crate::fields;
use crate::game;
use crate::gpu::Gpu;
use crate::listing;
use crate::measure::sample::going_on;
use crate::report::section::training;
use crate::report::{Format, number};
use crate::train::play::{Learner, Times};
use crate::workload;

use super::{TrainArgs, follow, seconds};

/// Plays and learns, and prints a row at regular intervals.
///
/// # Errors
/// As [`Learner`].
pub(super) fn execute(args: &TrainArgs, gpu: &Gpu) -> Result<()> {
    let source = args.data.source(workload::find(&args.model.workload)?, args.model.seed);
    let game = game::find(source.game.as_deref())?;
    // The game's own pace, unless the command line says otherwise.
    let pace = ("period".to_string(), game.pace.period);
    let configure = |batch: Option<usize>| {
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
    let outcome = follow(args, &mut learner, Learner::step, |learner, step, loss| {
        let score = learner.judge()?;
        let times = learner.times;
        let [environment, action, update] =
            [times.environment, times.action, times.update].map(seconds);
        live.row(fields![step, times.updates, loss, score, environment, action, update])
    });
    if args.output.output == Format::Table {
        output::note(&args.output, &summary(&learner.times));
    }
    // The rows that there are count, however training ended.
    live.finish()?;
    outcome?;
    going_on()
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
