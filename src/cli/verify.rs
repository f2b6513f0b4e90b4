//! `fathom verify`: every kernel variant on every case against its f64 reference on this device.

use clap::Args;

use crate::error::{Error, Result};
use crate::listing;
use crate::measure::kernels::{self, Checked};
use crate::measure::verify::advice;
use crate::program::check::Verdict;

use super::{DeviceArgs, OutputArgs, output, progress};

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Only kernels with a name that contains this: `matmul`, `matmul/tile`, `sgd`
    ///
    /// Names are those of the family and of the op type: `optimizer`, `sgd`.
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
    let chosen = kernels::choose(&gpu.caps, filter)?;
    let progress = progress::Progress::new(&args.out, "verifying");
    let checked = kernels::verify(&gpu, &chosen, &|share| progress.set(share))?;
    drop(progress);
    let table = listing::stamped(listing::kernels::verification(&checked), &gpu);
    output::emit(&args.out, |form| table.render(form))?;
    let wrong = |kernel: &Checked| {
        let told = |verdict: &Verdict| format!("{}: {}", kernel.label, verdict.detail);
        kernel.failed.iter().map(told).collect::<Vec<_>>()
    };
    let failures: Vec<_> = checked.iter().flat_map(wrong).collect();
    let failed = failures.len();
    let checks: usize = checked.iter().map(|kernel| kernel.checks).sum();
    let passed = checks - failed;
    output::note(&args.out, &format!("{}: {passed} of {checks} checks passed", gpu.summary));
    if failed == 0 {
        return Ok(());
    }
    Err(Error::Verification(format!(
        "{failed} of {checks} checks failed on {}:\n  {}\n{}",
        gpu.summary,
        named(failures).join("\n  "),
        advice()
    )))
}

/// Failed checks that are named; a common file of shaders may fail thousands.
const NAMED: usize = 40;

/// The first of them, and how many more there are.
fn named(mut failures: Vec<String>) -> Vec<String> {
    let more = failures.len().saturating_sub(NAMED);
    failures.truncate(NAMED);
    if more > 0 {
        failures.push(format!("and {more} more: `fathom verify KERNEL` names those of one kernel"));
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_failures_are_named_and_the_rest_are_counted() {
        let failures = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(named(failures(NAMED)), failures(NAMED));
        let named = named(failures(NAMED + 3));
        assert_eq!(named.len(), NAMED + 1);
        assert!(named[NAMED].starts_with("and 3 more: "), "{}", named[NAMED]);
    }
}
