//! `fathom snapshot`: every number of one step, for another framework.

use std::path::PathBuf;

use clap::Args;

use crate::error::Result;
use crate::snapshot::{Request, take_on};
use crate::terms::Mode;
use crate::workload;

use super::args::check_one_program;
use super::{DataArgs, DeviceArgs, ModelArgs, VoiceArgs, output};

/// Options of `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// Training or inference: train, infer
    #[arg(short, long, value_name = "MODE", default_value = "train", hide_possible_values = true)]
    mode: Mode,

    /// Steps to run before the one written
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = super::args::whole::<u64>(0, 1_000_000_000))]
    skip: u64,

    /// Run this variant of an op, as in `matmul/register`; may be repeated
    #[arg(long, value_name = "LABEL")]
    variant: Vec<String>,

    /// File to write
    #[arg(short, long, value_name = "F.safetensors", alias = "out", value_parser = output::file())]
    save: PathBuf,

    #[command(flatten)]
    data: DataArgs,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    output: VoiceArgs,
}

/// Runs the step and writes the file.
///
/// # Errors
/// As [`take_on`] and [`crate::snapshot::Snapshot::save`].
pub fn execute(args: &SnapshotArgs) -> Result<()> {
    let workload = workload::find(&args.model.workload)?;
    args.data.check(&[workload], true)?;
    let gpu = args.device.open()?;
    let (preset, model) = args.model.configure(Some(&gpu))?;
    check_one_program(model.as_ref())?;
    let request = Request {
        workload: workload.name,
        preset,
        mode: args.mode,
        source: args.data.source(workload, args.model.seed),
        skip: args.skip,
        forced: args.variant.clone(),
    };
    let mut samples = args.data.open(&args.output, args.model.seed, [model.as_ref()])?;
    let snapshot = take_on(&gpu, model.as_ref(), &request, samples.of(model.as_ref())?);
    let snapshot = super::advise(snapshot, &args.model, request.mode, &request.options(), &gpu)?;
    samples.close();
    snapshot.save(&args.save)?;
    let text = format!(
        "{}: {} tensors of {} {} {preset}, batch {}, seed {}, on {}",
        args.save.display(),
        snapshot.tensors.len(),
        workload.name,
        request.mode,
        model.batch(),
        args.model.seed,
        gpu.summary,
    );
    output::note(&args.output, &text);
    Ok(())
}
