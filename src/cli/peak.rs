//! `fathom peak`: the device's ceilings.

use std::time::Duration;

use clap::Args;

use crate::error::Result;
use crate::measure::peak;
use crate::report::number;

use super::table::{Cell, Table};
use super::{DeviceArgs, OutputArgs, output};

/// Options of `peak`.
#[derive(Debug, Args)]
pub struct PeakArgs {
    /// Seconds to measure for
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    time: f64,

    /// Show every kernel shape that was tried, not only the best
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    device: DeviceArgs,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// Measures and prints.
///
/// # Errors
/// As [`peak::measure`].
pub fn execute(args: &PeakArgs) -> Result<()> {
    let gpu = args.device.open()?;
    let progress = output::Progress::new(&args.out, "measuring");
    let time = Duration::from_secs_f64(args.time.clamp(0.1, 600.0));
    let measured = peak::measure(&gpu, time, &|share| progress.set(share))?;
    drop(progress);
    let peaks = &measured.peaks;
    output::note(&args.out, &gpu.summary.to_string());
    let mut table = Table::new(&["ceiling", "unit", ">measured|value"]);
    let (rate, bytes, time) = (number::flop_rate, number::byte_rate, number::duration_ns);
    type Show = fn(f64) -> String;
    let rows: [(&str, &str, f64, Show); 5] = [
        ("fma f32", "FLOP/s", peaks.fma_f32_flop_per_s, rate),
        ("copy, read + write", "B/s", peaks.copy_bytes_per_s, bytes),
        ("launch of a dispatch", "ns", peaks.launch_ns, time),
        ("submission", "ns", peaks.submit_ns, time),
        ("pipeline creation", "ns", peaks.pipeline_ns, time),
    ];
    for (name, unit, value, show) in rows {
        table.row([name.into(), unit.into(), Cell::number(value, show(value))]);
    }
    if args.all {
        for (label, value) in &measured.candidates {
            let shown = format!("{value:.4e} /s");
            table.row([label.as_str().into(), "1/s".into(), Cell::number(*value, shown)]);
        }
    }
    output::emit(&args.out, |form| table.render(form))
}
