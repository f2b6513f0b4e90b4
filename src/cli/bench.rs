//! `fathom bench`: kernels over a range of shapes.

use std::time::Duration;

use clap::Args;

use crate::error::{Error, Result};
use crate::listing;
use crate::measure::sample::{Budget, interrupted};
use crate::measure::{kernels, peak};

use super::{DeviceArgs, OutputArgs, output};

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Only kernels whose label contains this: `matmul`, `matmul/tile`
    pub filter: Option<String>,

    /// Maximum seconds to sample each kernel for
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    time: f64,

    /// Time every test case, not only the large ones
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    device: DeviceArgs,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// Times and prints.
///
/// # Errors
/// [`Error::NothingSelected`] where no kernel matches the filter, [`Error::Gpu`] where the device fails.
pub fn execute(args: &BenchArgs) -> Result<()> {
    let gpu = args.device.open()?;
    let filter = args.filter.as_deref().unwrap_or("");
    let chosen = if args.all {
        kernels::choose(&gpu.caps, filter, |family| family.cases())
    } else {
        kernels::choose(&gpu.caps, filter, |family| family.benches())
    }?;
    let progress = output::Progress::new(&args.out, "ceilings");
    let peaks = peak::measure(&gpu, Duration::from_secs(1), &|share| progress.set(share))?.peaks;
    let time = Duration::from_secs_f64(args.time.clamp(0.01, 600.0));
    let timed =
        kernels::time(&gpu, &chosen, &Budget { time, ..Budget::default() }, &|label, share| {
            progress.say(label);
            progress.set(share);
        })?;
    drop(progress);
    let table = listing::kernels::timings(&timed, &peaks);
    output::emit(&args.out, |form| table.render(form))?;
    if interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}
