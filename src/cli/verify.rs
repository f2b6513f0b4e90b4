//! `fathom verify`: every kernel variant on every case against its f64 reference on this device.

use clap::Args;

use crate::error::{Error, Result};
use crate::measure::sample::interrupted;
use crate::op::LIST;
use crate::program::check::{Verdict, check_variant};

use super::table::Table;
use super::{DeviceArgs, OutputArgs, output};

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Only kernels whose name contains this: `matmul`, `matmul/tile`
    pub filter: Option<String>,

    #[command(flatten)]
    device: DeviceArgs,

    /// Form and amount of output.
    #[command(flatten)]
    pub out: OutputArgs,
}

/// Verifies, and prints a row for each op variant.
///
/// # Errors
/// [`Error::Verification`] where any is wrong, [`Error::NothingSelected`] where the filter fits none.
pub fn execute(args: &VerifyArgs) -> Result<()> {
    let gpu = args.device.open()?;
    let filter = args.filter.as_deref().unwrap_or("");
    let mut work = Vec::new();
    for family in LIST {
        for case in family.cases() {
            for variant in case.problem().variants(&gpu.caps) {
                let name = format!("{}/{variant}", family.name());
                if name.contains(filter) {
                    work.push((name, case.clone(), variant));
                }
            }
        }
    }
    if work.is_empty() {
        return Err(Error::NothingSelected(format!(
            "no kernel's name contains '{filter}'; `fathom list kernels` shows all"
        )));
    }
    // One row a kernel: cases, checks, the worst verdict with its case.
    let mut rows: Vec<(String, usize, usize, Verdict)> = Vec::new();
    let progress = output::Progress::new(&args.out, "verifying");
    for (i, (name, case, variant)) in work.iter().enumerate() {
        let problem = case.problem();
        let distributions = problem.distributions();
        let verdicts = check_variant(&gpu, &case.op, &case.inputs, variant, distributions)?;
        for (distribution, mut verdict) in distributions.iter().zip(verdicts) {
            verdict.detail = format!("{}, {distribution:?}: {}", case.name, verdict.detail);
            let failed = usize::from(!verdict.passed());
            match rows.iter_mut().find(|row| row.0 == *name) {
                Some(row) => {
                    row.1 += 1;
                    row.2 += failed;
                    if verdict.error > row.3.error {
                        row.3 = verdict;
                    }
                }
                None => rows.push((name.clone(), 1, failed, verdict)),
            }
        }
        progress.set((i + 1) as f64 / work.len() as f64);
        if interrupted() {
            return Err(Error::Interrupted);
        }
    }
    drop(progress);
    let mut table = Table::new(&["kernel", ">checks", ">passed", ">worst error / bound", "where"]);
    for (name, checks, failed, worst) in &rows {
        let passed = (checks - failed).to_string();
        let detail = if *failed > 0 { worst.detail.clone() } else { String::new() };
        table.row([
            name.clone(),
            checks.to_string(),
            passed,
            format!("{:.3}", worst.error),
            detail,
        ]);
    }
    output::emit(&args.out, |form| table.render(form))?;
    let failed: usize = rows.iter().map(|row| row.2).sum();
    let checks: usize = rows.iter().map(|row| row.1).sum();
    output::note(
        &args.out,
        &format!("{}: {} of {checks} checks passed", gpu.summary, checks - failed),
    );
    if failed == 0 {
        return Ok(());
    }
    Err(Error::Verification(format!(
        "{failed} of {checks} checks failed on {}; a newer driver may help, else please report the rows \
         above",
        gpu.summary
    )))
}
