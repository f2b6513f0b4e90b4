//! `fathom peak`: the device's ceilings.

use std::time::Duration;

use clap::Args;

use crate::error::Result;
use crate::listing;
use crate::measure::peak;
use crate::report::section::peaks;

use super::{DeviceArgs, OutputArgs, output, progress};

/// Options of `peak`.
#[derive(Debug, Args)]
pub struct PeakArgs {
    /// Seconds to measure for
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = super::args::number_in(0.1, 600.0, "seconds"))]
    time: f64,

    /// List every kernel shape tried, not only the best
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    out: OutputArgs,
}

/// Measures and prints.
///
/// # Errors
/// As [`peak::measure`].
pub fn execute(args: &PeakArgs) -> Result<()> {
    let gpu = args.device.open()?;
    let progress = progress::Progress::new(&args.out, "measuring");
    let time = Duration::from_secs_f64(args.time);
    let measured = peak::measure(&gpu, time, &|share| progress.set(share))?;
    drop(progress);
    output::note(&args.out, &gpu.summary.to_string());
    let candidates = if args.all { measured.candidates.as_slice() } else { &[] };
    let table = listing::stamped(peaks::ceilings(&measured.peaks, candidates), &gpu);
    output::emit(&args.out, |form| table.render(form))
}
