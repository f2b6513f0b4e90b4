//! `fathom trace`: the timeline of one step.

use std::path::PathBuf;

use clap::Args;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::host::write_atomically;
use crate::measure::profile::one_step;
use crate::measure::verify::verify;
use crate::pass::{OpInstance, Options};
use crate::report::trace::{self, Span, TracedStep};
use crate::session::Session;
use crate::terms::Mode;
use crate::workload::{self, Split};

use super::args::check_game;
use super::data::Opened;
use super::{DataArgs, DeviceArgs, PrecisionArgs, SizeArgs, VoiceArgs, output, progress};

/// Steps profiled; the one with the median span is written.
const STEPS: usize = 9;

/// Options of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Workload; see `fathom list workloads`
    pub workload: String,

    /// File to write, for ui.perfetto.dev or chrome://tracing [default: stdout]
    #[arg(short, long, value_name = "FILE.json", value_parser = file)]
    save: Option<PathBuf>,

    /// Training or inference: train, infer
    #[arg(short, long, value_name = "MODE", default_value = "train", hide_possible_values = true)]
    mode: Mode,

    #[command(flatten)]
    size: SizeArgs,

    /// Seed of parameters, data and every random draw
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = super::args::seed, env = "FATHOM_SEED")]
    seed: u64,

    /// Don't fuse elementwise ops into their neighbours
    #[arg(long)]
    no_fuse: bool,

    #[command(flatten)]
    precision: PrecisionArgs,

    /// Don't check kernels against their references first; the trace says so
    #[arg(long)]
    no_verify: bool,

    #[command(flatten)]
    data: DataArgs,

    #[command(flatten)]
    device: DeviceArgs,

    /// Amount of output.
    #[command(flatten)]
    pub voice: VoiceArgs,
}

fn file(text: &str) -> std::result::Result<PathBuf, String> {
    let path = PathBuf::from(text);
    output::writable(&path)?;
    Ok(path)
}

/// Verifies, profiles a few steps, and writes one.
///
/// # Errors
/// [`Error::Device`] where there are no usable timestamps, [`Error::Verification`], [`Error::Io`].
pub fn execute(args: &TraceArgs) -> Result<()> {
    check_game(workload::find(&args.workload)?, args.data.game.as_deref(), true)?;
    let gpu = args.device.open()?;
    let step = take(args, &gpu)?;
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

fn take(args: &TraceArgs, gpu: &Gpu) -> Result<TracedStep> {
    let workload = workload::find(&args.workload)?;
    let (preset, model) = args.size.configure(workload, Some(gpu))?;
    // Data come first: what is wrong with them should show before anything is compiled.
    let mut samples = Opened::one(&args.data, &args.voice, args.seed, model.as_ref())?;
    let mode = args.mode;
    let options =
        Options { fuse: !args.no_fuse, precision: args.precision.precision, ..Options::default() };
    let mut session = Session::new(gpu, args.seed);
    let program = session.compile(model.as_ref(), mode, &options)?;
    if !args.no_verify {
        let progress = progress::Progress::new(&args.voice, "verifying");
        let verified = verify(gpu, &program, &|_, share| progress.set(share))?;
        if let Some(wrong) = verified.wrong() {
            return Err(Error::Verification(format!("{wrong}; the step was not timed")));
        }
    }
    let batch = samples.of(model.as_ref())?.batch(Split::Train, 0)?;
    session.feed(&program, &batch.tensors())?;
    samples.close();
    let places = one_step(gpu, &program, STEPS)?.ok_or_else(|| {
        Error::Device(format!(
            "{} has no usable timestamps, which a trace needs: choose another device with --device",
            gpu.summary
        ))
    })?;
    let timed = program.schedule.ops.iter().zip(places);
    let span = |(op, (start_ns, end_ns)): (&OpInstance, (f64, f64))| {
        let kind = op.op.kind();
        Span {
            label: op.label.clone(),
            op: kind.name.into(),
            variant: op.variant.to_string(),
            class: kind.class,
            phase: op.phase,
            dispatches: op.dispatches.len(),
            flops: op.cost.flops,
            bytes: op.cost.bytes,
            start_ns,
            end_ns,
        }
    };
    Ok(TracedStep {
        title: format!("{} {mode} batch {}, preset {preset}", workload.name, model.batch()),
        device: gpu.summary.to_string(),
        tool: format!("fathom {} ({})", env!("CARGO_PKG_VERSION"), env!("FATHOM_COMMIT")),
        verified: !args.no_verify,
        ops: timed.map(span).collect(),
    })
}
