//! A kernel is checked before it is timed by itself: at its own sizes where that takes a moment, else at smaller ones.

use std::collections::HashMap;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::Distribution;
use crate::op::{Case, Family, LIST};
use crate::pass::{Schedule, compile_op};
use crate::program::check::{Verdict, check_alone};
use crate::terms::words;

use super::super::estimate::{AFFORDABLE_S, checked};
use super::Kernel;

words! {
    /// The sizes that a kernel was checked at.
    Sizes {
        /// Those it was timed at.
        Own = "right",
        /// Smaller ones that stand for them.
        Smaller = "small",
        /// None: no case that it takes is small enough.
        None = "none",
    }
}

/// What was checked already: a small case stands for several large ones.
#[derive(Debug, Default)]
pub(super) struct Checks {
    known: HashMap<(String, String), Verdict>,
}

impl Checks {
    /// The verdict on a kernel, and at which sizes it was reached; none where that would take too long.
    ///
    /// # Errors
    /// As [`check_alone`].
    pub(super) fn check(&mut self, gpu: &Gpu, kernel: &Kernel) -> Result<(Sizes, Option<Verdict>)> {
        let Some((sizes, schedule)) = checkable(gpu, kernel)? else {
            return Ok((Sizes::None, None));
        };
        let op = &schedule.ops[0];
        let key = (op.problem_key(), kernel.label.clone());
        if let Some(verdict) = self.known.get(&key) {
            return Ok((sizes, Some(verdict.clone())));
        }
        let alone = op.alone(&kernel.variant, &gpu.caps)?;
        let verdicts = check_alone(gpu, alone, &[Distribution::Uniform])?;
        let worst = verdicts.into_iter().max_by(|a, b| a.error.total_cmp(&b.error));
        self.known.extend(worst.clone().map(|verdict| (key, verdict)));
        Ok((sizes, worst))
    }
}

/// The largest problem at which a kernel can be checked in a moment.
fn checkable(gpu: &Gpu, kernel: &Kernel) -> Result<Option<(Sizes, Schedule)>> {
    let Kernel { case, variant, .. } = kernel;
    let compiled = |Case { op, inputs, stored, .. }: &Case| {
        compile_op(op, inputs, stored, variant, &gpu.caps, false)
    };
    let is_affordable = |schedule: &Schedule| checked(&schedule.ops[0]) <= AFFORDABLE_S;
    let own = compiled(case)?;
    if is_affordable(&own) {
        let is_reduced = own.ops[0].reduced_inputs().is_some();
        return Ok(Some((if is_reduced { Sizes::Smaller } else { Sizes::Own }, own)));
    }
    let types = |case: &Case| case.inputs.iter().map(|spec| spec.dtype).collect::<Vec<_>>();
    let is_alike = |other: &Case| {
        other.op.kind() == case.op.kind()
            && types(other) == types(case)
            && case.stored.iter().all(|dtype| !dtype.is_half())
            && other.problem().variants(&gpu.caps).contains(variant)
    };
    let mut others: Vec<_> = LIST.iter().flat_map(Family::cases).filter(is_alike).collect();
    others.sort_by_cached_key(|case| std::cmp::Reverse(case.problem().cost().flops));
    for other in others {
        let other = compiled(&other)?;
        if is_affordable(&other) {
            return Ok(Some((Sizes::Smaller, other)));
        }
    }
    Ok(None)
}
