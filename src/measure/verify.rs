//! Before a program is timed, every kernel variant in it runs against its f64 reference on the same
//! device, at the program's own shapes.

use std::collections::HashSet;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::Distribution;
use crate::pass::{OpInstance, Schedule};
use crate::program::check::{Verdict, check_variant};

/// How the variants of a program fared.
#[derive(Debug, Clone, Default)]
pub struct Verification {
    /// One verdict a distinct problem and variant, named by program entry.
    pub verdicts: Vec<Verdict>,
    /// How many were checked at smaller inputs, since the reference would run for minutes.
    pub reduced: usize,
}

impl Verification {
    /// How many passed.
    pub fn passed(&self) -> usize {
        self.verdicts.iter().filter(|v| v.passed()).count()
    }

    /// Whether all passed.
    pub fn is_passed(&self) -> bool {
        self.passed() == self.verdicts.len()
    }

    /// The verdict nearest to, or furthest beyond, its bound.
    pub fn worst(&self) -> Option<&Verdict> {
        self.verdicts.iter().max_by(|a, b| a.error.total_cmp(&b.error))
    }
}

/// Checks each distinct problem and variant of a program once.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where the device fails; a wrong result is a verdict, not an error.
pub fn verify(gpu: &Gpu, schedule: &Schedule, progress: &dyn Fn(f64)) -> Result<Verification> {
    let mut seen = HashSet::new();
    let key = |e: &OpInstance| format!("{:?} {:?} {}", e.op, e.inputs, e.variant);
    let distinct: Vec<_> = schedule.ops.iter().filter(|e| seen.insert(key(e))).collect();
    let mut verification = Verification::default();
    for (i, entry) in distinct.iter().enumerate() {
        let reduced = entry.problem.reduced_problem();
        verification.reduced += usize::from(reduced.is_some());
        let inputs = reduced.unwrap_or_else(|| entry.inputs.clone());
        let distribution = [Distribution::Uniform];
        let verdicts = check_variant(gpu, &entry.op, &inputs, &entry.variant, &distribution)?;
        let label = |verdict| Verdict { label: entry.label.clone(), ..verdict };
        verification.verdicts.extend(verdicts.into_iter().map(label));
        progress((i + 1) as f64 / distinct.len() as f64);
    }
    Ok(verification)
}
