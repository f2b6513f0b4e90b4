//! `fathom train --workload deepq`: the score as it rises, and where the time goes.

use crate::cli::table::Table;
use crate::cli::{Format, ModelArgs, output};
use crate::error::{Error, Result};
use crate::game;
use crate::gpu::Gpu;
use crate::measure::sample::interrupted;
use crate::report::number;
use crate::stats::mean;
use crate::train::play::{Learner, Times};

use super::TrainArgs;

/// Plays and learns, with a line every so often.
///
/// # Errors
/// As [`Learner`].
pub(super) fn execute(args: &TrainArgs, gpu: &Gpu) -> Result<()> {
    let source = args.data.source(args.model.seed);
    if let Some(path) = source.path {
        let what = "learns by playing: choose a game with --env, see `fathom list games`";
        return Err(Error::Usage(format!(
            "--data {}: {} {what}",
            path.display(),
            args.model.workload
        )));
    }
    let entry = game::find(source.game.as_deref())?;
    // The game's own pace, unless the command line says otherwise.
    let pace = ("period".to_string(), entry.pace.period);
    let configure = |batch: Option<u32>| {
        let model = ModelArgs {
            batch,
            set: std::iter::once(pace.clone()).chain(args.model.set.iter().cloned()).collect(),
            ..args.model.clone()
        };
        model.configure(Some(gpu))
    };
    let (preset, model) = configure(args.model.batch)?;
    let (_, one) = configure(Some(1))?;
    let seed = args.model.seed;
    let mut learner = Learner::new(gpu, [model.as_ref(), one.as_ref()], entry, seed)?;
    let note = format!(
        "{} {preset}, batch {}, seed {seed}, on {}\nplays {}: {}",
        args.model.workload,
        model.batch(),
        gpu.summary,
        entry.name,
        entry.about
    );
    output::note(&args.output, &note);
    let people = args.output.output == Format::Table;
    let headings =
        [">step", ">updates", ">loss", ">score", ">environment_s", ">action_s", ">update_s"];
    let mut table = Table::new(&headings);
    if people {
        output::data(&format!(
            "{:>8}  {:>8}  {:>10}  {:>10}  {:>11}  {:>8}  {:>8}\n",
            "step", "updates", "loss", "mean score", "environment", "action", "update"
        ))?;
    }
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
        let parts = [times.environment, times.action, times.update].map(|t| t.as_secs_f64());
        if people {
            let [environment, action, update] = parts;
            let loss = loss.map_or("-".into(), |loss| format!("{loss:.5}"));
            output::data(&format!(
                "{step:8}  {:8}  {loss:>10}  {score:10.3}  {environment:9.1} s  {action:6.1} s  {update:6.1} s\n",
                times.updates
            ))?;
        }
        let mut row = vec![
            step.to_string(),
            times.updates.to_string(),
            loss.map_or(String::new(), |loss| loss.to_string()),
            score.to_string(),
        ];
        row.extend(parts.map(|t| format!("{t:.3}")));
        table.row(row);
        if stop {
            break;
        }
    }
    if people {
        output::note(&args.output, &summary(&learner.times));
    }
    super::finish(args, &table)?;
    if interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}

/// `environment 85.3 us a step, action 1.20 ms, update 3.41 ms`.
fn summary(times: &Times) -> String {
    let each = |time: std::time::Duration, count: u64| {
        number::duration_ns(time.as_nanos() as f64 / count.max(1) as f64)
    };
    format!(
        "environment {} a step, action {} each, update {} each",
        each(times.environment, times.steps),
        each(times.action, times.actions),
        each(times.update, times.updates)
    )
}
