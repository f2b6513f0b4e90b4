//! `fathom trace`: the timeline of one step.

use std::path::PathBuf;

use clap::Args;

use crate::error::Result;
use crate::host::write_atomically;
use crate::measure::suite::schedules;
use crate::measure::trace::{Request, trace as measure};
use crate::report::trace;
use crate::terms::Mode;
use crate::workload;

use super::args::check_one_program;
use super::choice::ChoiceArgs;
use super::progress::Progress;
use super::{DataArgs, DeviceArgs, SizeArgs, VoiceArgs, output};

/// Options of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Workload; see `fathom list workloads`
    workload: String,

    /// File to write, for ui.perfetto.dev or chrome://tracing [default: stdout]
    #[arg(short, long, value_name = "FILE.json", value_parser = output::file())]
    save: Option<PathBuf>,

    /// Training or inference: train, infer
    #[arg(short, long, value_name = "MODE", default_value = "train", hide_possible_values = true)]
    mode: Mode,

    #[command(flatten)]
    size: SizeArgs,

    /// Seed of the parameters, the data and every random draw
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = super::args::seed, env = "FATHOM_SEED")]
    seed: u64,

    #[command(flatten)]
    choice: ChoiceArgs,

    /// Don't check kernels against their references first; the trace says so
    #[arg(long)]
    no_verify: bool,

    #[command(flatten)]
    data: DataArgs,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    voice: VoiceArgs,
}

/// Verifies, profiles a few steps, and writes one.
///
/// # Errors
/// As [`measure`]; [`crate::error::Error::Io`] where the file cannot be written.
pub fn execute(args: &TraceArgs) -> Result<()> {
    let workload = workload::find(&args.workload)?;
    args.data.check(&[workload], true)?;
    let mut gpu = args.device.open()?;
    let (preset, model) = args.size.configure(workload, Some(&gpu))?;
    check_one_program(model.as_ref())?;
    let step = [(model, args.mode)];
    let options = args.choice.options(&args.voice, Some(&mut gpu), &step)?;
    // What is wrong with the options shows before data are read.
    schedules(&step, &gpu.caps, &options)?;
    let model = step[0].0.as_ref();
    let (mode, seed, verify) = (args.mode, args.seed, !args.no_verify);
    let request = Request { preset, mode, options, seed, verify };
    // Data come first: what is wrong with them should show before anything is compiled.
    let mut samples = args.data.open(&args.voice, seed, [model])?;
    let progress = Progress::new(&args.voice, "compiling");
    let watch = |part: &str, share| progress.show(part, share);
    let step = measure(&gpu, model, &request, samples.of(model)?, &watch)?;
    drop(progress);
    samples.close();
    let text = trace::json(&step);
    let Some(path) = &args.save else {
        return output::data(&text);
    };
    write_atomically(path, text.as_bytes())?;
    let note = format!(
        "{}: {} ops of {} on {}; open it in ui.perfetto.dev",
        path.display(),
        step.ops.len(),
        step.title,
        gpu.summary
    );
    output::note(&args.voice, &note);
    Ok(())
}
