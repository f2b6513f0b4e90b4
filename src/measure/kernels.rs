//! Single kernels, all of them or those a filter selects: verified, or timed.

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::Cost;
use crate::kernel::Variant;
use crate::op::Case;
use crate::pass::compile_op;
use crate::program::check::{Verdict, check_alone};
use crate::program::make_pipelines;
use crate::stats::median;

use super::kernel::program_of_case;
use super::sample::step_times;
use super::sample::{Budget, going_on};
use super::yardstick::Rule;

mod select;

pub(super) use select::near;
pub use select::{choose, choose_large, of_steps};

/// A variant of an op at a case's sizes.
#[derive(Debug)]
pub struct Kernel {
    /// Its op type and variant, as runs have it: `matmul/tile[BM=64,BN=64,BK=16]`.
    pub label: String,
    /// Op and inputs.
    pub case: Case,
    /// The variant.
    pub variant: Variant,
}

/// What came of verifying a kernel on all its cases.
#[derive(Debug)]
pub struct Checked {
    /// As of [`Kernel`].
    pub label: String,
    /// Cases times distributions of inputs.
    pub checks: usize,
    /// The error nearest to its bound, or furthest beyond, as a share of it.
    pub worst: f64,
    /// The checks that missed their bound, in the order of its cases.
    pub failed: Vec<Verdict>,
}

impl Checked {
    /// The check that is furthest beyond its bound, where one is.
    pub fn furthest(&self) -> Option<&Verdict> {
        self.failed.iter().max_by(|a, b| a.error.total_cmp(&b.error))
    }
}

/// A kernel's time on a case.
#[derive(Debug)]
pub struct Timed {
    /// As of [`Kernel`].
    pub label: String,
    /// `m512_n512_k512`.
    pub case: String,
    /// Median.
    pub ns: f64,
    /// Its arithmetic and operands.
    pub cost: Cost,
}

/// Kernels whose pipelines are made side by side before they are checked one after the other.
const TOGETHER: usize = 64;

/// Checks each kernel against its f64 reference, on every distribution of inputs that its op names.
///
/// # Errors
/// [`Error::Gpu`] where the device fails, [`Error::Interrupted`].
pub fn verify(gpu: &Gpu, kernels: &[Kernel], progress: &dyn Fn(f64)) -> Result<Vec<Checked>> {
    let mut checked: Vec<Checked> = Vec::new();
    for (i, part) in kernels.chunks(TOGETHER).enumerate() {
        let alone = |Kernel { case: Case { op, inputs, stored, .. }, variant, .. }: &Kernel| {
            compile_op(op, inputs, stored, variant, &gpu.caps, true)
        };
        let alone = part.iter().map(alone).collect::<Result<Vec<_>>>()?;
        make_pipelines(gpu, &alone, &|_| going_on())?;
        for (j, (Kernel { label, case, .. }, alone)) in part.iter().zip(alone).enumerate() {
            let problem = case.problem();
            let distributions = problem.distributions();
            let verdicts = check_alone(gpu, alone, distributions)?;
            for (distribution, mut verdict) in distributions.iter().zip(verdicts) {
                verdict.detail = format!("{}, {distribution:?}: {}", case.name, verdict.detail);
                note(&mut checked, label, verdict);
            }
            progress((i * TOGETHER + j + 1) as f64 / kernels.len() as f64);
            going_on()?;
        }
    }
    Ok(checked)
}

/// Adds a verdict to those of its kernel.
fn note(checked: &mut Vec<Checked>, label: &str, verdict: Verdict) {
    let at = checked.iter().position(|known| known.label == label).unwrap_or_else(|| {
        checked.push(Checked { label: label.into(), checks: 0, worst: 0.0, failed: Vec::new() });
        checked.len() - 1
    });
    let known = &mut checked[at];
    known.checks += 1;
    known.worst = known.worst.max(verdict.error);
    known.failed.extend(Some(verdict).filter(|verdict| !verdict.passed()));
}

/// Times each kernel, and hands each time out as it is known. A GPU idles while a kernel's inputs are made: its clocks rise
/// again before each. `progress` is told the kernel and the share done.
///
/// # Errors
/// [`Error::Gpu`] where the device fails, [`Error::Interrupted`], and those of `timed`, which end it.
pub fn time(
    gpu: &Gpu,
    kernels: &[Kernel],
    budget: &Budget,
    rule: &Rule,
    progress: &dyn Fn(&str, f64),
    timed: &mut dyn FnMut(Timed) -> Result<()>,
) -> Result<()> {
    for (i, Kernel { label, case, variant }) in kernels.iter().enumerate() {
        progress(label, i as f64 / kernels.len() as f64);
        let program = program_of_case(gpu, case, variant)?;
        let ns = median(&step_times(gpu, &program, budget, Some(rule))?);
        let cost = case.problem().cost();
        timed(Timed { label: label.clone(), case: case.name.clone(), ns, cost })?;
        going_on()?;
    }
    Ok(())
}
