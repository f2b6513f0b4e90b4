//! Single kernels, all of them or those a filter selects: verified, or timed.

use std::collections::HashMap;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::Cost;
use crate::kernel::Variant;
use crate::op::Case;
use crate::pass::compile_op;
use crate::program::check::{Verdict, check_alone};
use crate::program::make_pipelines;
use crate::stats::median;
use crate::terms::each_once;

use super::estimate::Rates;
use super::kernel::program_of_case;
use super::sample::step_times;
use super::sample::{Budget, going_on};
use super::yardstick::Rule;

mod alone;
mod select;

pub use alone::Sizes;
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

/// A kernel on a case that was to be timed.
#[derive(Debug)]
pub struct Timed {
    /// As of [`Kernel`].
    pub label: String,
    /// `m512_n512_k512`.
    pub case: String,
    /// Its arithmetic and operands.
    pub cost: Cost,
    /// What came of it.
    pub fate: Fate,
}

/// What came of a kernel that was to be timed.
#[derive(Debug)]
pub enum Fate {
    /// The median of its time, and how it was checked before.
    Time {
        /// Nanoseconds.
        ns: f64,
        /// At which sizes.
        checked: Sizes,
    },
    /// It disagrees with its reference, and was not timed.
    Wrong(Verdict),
    /// One dispatch would take about so many seconds.
    LeftOut(f64),
}

/// Kernels whose pipelines are made side by side before they are checked one after the other.
const TOGETHER: usize = 64;

/// Checks each kernel against its f64 reference, on every distribution of inputs that its op names.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where the device fails, [`crate::error::Error::Interrupted`].
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

/// The most seconds that one dispatch may take on a CPU adapter, where that is more than [`TIMES`] the time a kernel is
/// sampled for.
const DISPATCH_S: f64 = 5.0;

/// See [`DISPATCH_S`].
const TIMES: f64 = 100.0;

/// The time to sample a kernel for that such a dispatch is taken with.
pub fn enough_for(dispatch_s: f64) -> f64 {
    (dispatch_s / TIMES * 1.25).max(0.01)
}

/// The kernels in the order in which they are timed: of each op type the small cases first, so that something is seen soon.
pub fn in_order(mut kernels: Vec<Kernel>, rates: &Rates) -> Vec<Kernel> {
    let types = each_once(kernels.iter().map(|kernel| kernel.case.op.kind().name));
    kernels.sort_by_cached_key(|Kernel { case, .. }| {
        let at = types.iter().position(|name| *name == case.op.kind().name);
        (at, (1e9 * rates.work(case.problem().cost())) as u64)
    });
    kernels
}

/// Seconds that it takes to time them.
pub fn estimate(kernels: &[Kernel], rates: &Rates, budget: &Budget) -> f64 {
    kernels.iter().map(|kernel| rates.alone(kernel.case.problem().cost(), budget)).sum()
}

/// Checks each kernel, times those that are right, and hands out what came of each as it is known: in this order, in which a
/// variant's time on a small case tells how long it takes on a large one. A GPU idles while a kernel's inputs are made: its
/// clocks rise again before each. `progress` is told the kernel and the share done.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where the device fails, [`crate::error::Error::Interrupted`], and those of `timed`, which
/// end it.
pub fn time(
    gpu: &Gpu,
    kernels: &[Kernel],
    budget: &Budget,
    (rule, rates): (&Rule, &Rates),
    progress: &dyn Fn(&str, f64),
    timed: &mut dyn FnMut(Timed) -> Result<()>,
) -> Result<()> {
    // How many times as long as estimated a variant takes.
    let mut slowness = HashMap::new();
    let mut checks = alone::Checks::default();
    let most = f64::max(DISPATCH_S, TIMES * budget.time.as_secs_f64());
    for (i, kernel) in kernels.iter().enumerate() {
        let Kernel { label, case, variant } = kernel;
        progress(label, i as f64 / kernels.len() as f64);
        let cost = case.problem().cost();
        let expected = rates.work(cost);
        let dispatch = expected * slowness.get(label).unwrap_or(&1.0);
        let fate = if gpu.caps.software && dispatch > most {
            Fate::LeftOut(dispatch)
        } else {
            match checks.check(gpu, kernel)? {
                (_, Some(verdict)) if !verdict.passed() => Fate::Wrong(verdict),
                (checked, _) => {
                    let program = program_of_case(gpu, case, variant)?;
                    let ns = median(&step_times(gpu, &program, budget, Some(rule))?);
                    slowness.insert(label, ns / 1e9 / expected);
                    Fate::Time { ns, checked }
                }
            }
        };
        timed(Timed { label: label.clone(), case: case.name.clone(), cost, fate })?;
        going_on()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kernel::Caps;

    #[test]
    fn small_cases_come_first_and_each_type_by_itself() {
        let caps = Caps::portable_software();
        let rates = Rates::guess(&caps);
        let chosen = in_order(choose_large(&caps, "matmul").unwrap(), &rates);
        let work = |kernel: &Kernel| kernel.case.problem().cost().flops;
        assert!(chosen.is_sorted_by_key(work) && work(&chosen[0]) < work(chosen.last().unwrap()));
        let updates = in_order(choose_large(&caps, "o").unwrap(), &rates);
        let mut types: Vec<_> = updates.iter().map(|kernel| kernel.case.op.kind().name).collect();
        let all = each_once(types.clone()).len();
        types.dedup();
        assert_eq!(types.len(), all);
        // What one dispatch takes, or what it is sampled for, is what counts.
        let short = Budget { time: Duration::from_millis(20), ..Budget::default() };
        let long = Budget { time: Duration::from_secs(20), ..short };
        let products = [short, long].map(|budget| estimate(&chosen, &rates, &budget));
        assert!(products[0] > 60.0 && products[1] < 2.0 * products[0], "{products:?}");
        let chosen = choose_large(&caps, "adam").unwrap();
        let adam = [short, long].map(|budget| estimate(&chosen, &rates, &budget));
        assert!(adam[1] > adam[0] + 20.0 * chosen.len() as f64, "{adam:?}");
    }
}
