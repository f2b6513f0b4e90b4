//! `fathom bench`: kernels over their shapes.

use std::time::Duration;

use clap::Args;

use crate::error::{Error, Result};
use crate::measure::kernel::time_variant;
use crate::measure::peak;
use crate::measure::sample::{Budget, interrupted};
use crate::op::LIST;
use crate::report::number;
use crate::stats::median;

use super::table::{Cell, Table};
use super::{DeviceArgs, OutputArgs, output};

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Only kernels whose label contains this: `matmul`, `matmul/tile`
    pub filter: Option<String>,

    /// Most seconds to sample a kernel for
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    time: f64,

    /// Every case of the tests, not only the large ones
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
/// [`Error::NothingSelected`] where the filter fits nothing, [`Error::Gpu`] where the device fails.
pub fn execute(args: &BenchArgs) -> Result<()> {
    let gpu = args.device.open()?;
    let filter = args.filter.as_deref().unwrap_or("");
    let mut work = Vec::new();
    for family in LIST {
        let cases = if args.all { family.cases() } else { family.benches() };
        for case in cases {
            for variant in case.problem().variants(&gpu.caps) {
                let label = format!("{}/{variant}", family.name());
                if label.contains(filter) {
                    work.push((label, case.clone(), variant));
                }
            }
        }
    }
    if work.is_empty() {
        return Err(Error::NothingSelected(format!(
            "no kernel's label contains '{filter}'; `fathom list kernels` shows all"
        )));
    }
    let progress = output::Progress::new(&args.out, "ceilings");
    let peaks = peak::measure(&gpu, Duration::from_secs(1), &|share| progress.set(share))?.peaks;
    let mut table = Table::new(&[
        "kernel",
        "case",
        ">time|time_ns",
        ">GFLOP/s|flop_per_s",
        ">of peak|of_peak",
        ">GB/s|bytes_per_s",
        ">of copy|of_copy",
    ]);
    let share = |share| Cell::number(share, number::percent(share));
    let budget =
        Budget { time: Duration::from_secs_f64(args.time.clamp(0.01, 600.0)), ..Budget::default() };
    for (i, (label, case, variant)) in work.iter().enumerate() {
        progress.say(label);
        progress.set(i as f64 / work.len() as f64);
        let ns = median(&time_variant(&gpu, &case.op, &case.inputs, variant, &budget)?);
        let cost = case.problem().cost();
        let (flops, bytes) = (cost.flops as f64 / ns * 1e9, cost.bytes as f64 / ns * 1e9);
        table.row([
            Cell::from(label.as_str()),
            Cell::from(case.name.as_str()),
            Cell::number(ns, number::duration_ns(ns)),
            Cell::number(flops, format!("{:.4}", flops / 1e9)),
            share(flops / peaks.fma_f32_flop_per_s),
            Cell::number(bytes, format!("{:.4}", bytes / 1e9)),
            share(bytes / peaks.copy_bytes_per_s),
        ]);
        if interrupted() {
            break;
        }
    }
    drop(progress);
    output::emit(&args.out, |form| table.render(form))?;
    if interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}
