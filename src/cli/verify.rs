//! `fathom verify`: every kernel variant on every case against its f64 reference on this device.

use clap::Args;

use crate::error::{Error, Result};
use crate::listing;
use crate::measure::kernels;
use crate::op::Family;

use super::{DeviceArgs, OutputArgs, output, progress};

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Only kernels whose label contains this: `matmul`, `matmul/tile`
    filter: Option<String>,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    out: OutputArgs,
}

/// Verifies, and prints a row for each op variant.
///
/// # Errors
/// [`Error::Verification`] where any check fails, [`Error::NothingSelected`] where no kernel matches the filter.
pub fn execute(args: &VerifyArgs) -> Result<()> {
    let gpu = args.device.open()?;
    let filter = args.filter.as_deref().unwrap_or("");
    let chosen = kernels::choose(&gpu.caps, filter, Family::cases)?;
    let progress = progress::Progress::new(&args.out, "verifying");
    let checked = kernels::verify(&gpu, &chosen, &|share| progress.set(share))?;
    drop(progress);
    let table = listing::stamped(listing::kernels::verification(&checked), &gpu);
    output::emit(&args.out, |form| table.render(form))?;
    let failed: usize = checked.iter().map(|kernel| kernel.failed).sum();
    let checks: usize = checked.iter().map(|kernel| kernel.checks).sum();
    let passed = checks - failed;
    output::note(&args.out, &format!("{}: {passed} of {checks} checks passed", gpu.summary));
    if failed == 0 {
        return Ok(());
    }
    Err(Error::Verification(format!(
        "{failed} of {checks} checks failed on {}; try a newer driver; if that does not help, please report the rows above",
        gpu.summary
    )))
}
