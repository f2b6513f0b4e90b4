//! Advice where a step does not fit: the largest batch that does.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::Caps;
use crate::pass::{Options, Schedule};
use crate::session::schedule;
use crate::terms::Mode;
use crate::workload::Workload;

/// A step that may have been too large.
#[derive(Debug, Clone, Copy)]
pub struct TooLarge<'a> {
    caps: &'a Caps,
    gpu: Option<&'a Gpu>,
    mode: Mode,
    options: &'a Options,
    batch: usize,
}

/// Makes the model with another batch.
type Configure<'a> = dyn Fn(usize) -> Result<Box<dyn Workload>> + 'a;

impl<'a> TooLarge<'a> {
    /// A step of this batch on a device that can do so much; where it is not open its limits alone are minded.
    pub fn new(
        caps: &'a Caps,
        gpu: Option<&'a Gpu>,
        mode: Mode,
        options: &'a Options,
        batch: usize,
    ) -> Self {
        Self { caps, gpu, mode, options, batch }
    }

    /// Adds the largest batch that fits to an out-of-memory error.
    ///
    /// # Errors
    /// Those of `outcome`.
    pub fn advise<T>(&self, outcome: Result<T>, configure: &Configure<'_>) -> Result<T> {
        outcome.map_err(|error| match error {
            Error::OutOfMemory(why) => Error::OutOfMemory(match self.largest_batch(configure) {
                Ok(Some(batch)) => {
                    format!("{why}\nthe largest batch that fits is {batch}: --batch {batch}")
                }
                Ok(None) => format!(
                    "{why}\nnot even a batch of 1 fits: choose --preset tiny, or another device"
                ),
                // A device that was lost meanwhile says nothing of batches.
                Err(_) => why,
            }),
            other => other,
        })
    }

    /// By bisection: what a step needs grows with its batch.
    fn largest_batch(&self, configure: &Configure<'_>) -> Result<Option<usize>> {
        // What was begun of the step holds memory until then.
        if let Some(gpu) = self.gpu {
            gpu.settle()?;
        }
        // The batch that was asked for did not fit: between 0 and it lies the bound.
        let (mut fits, mut fails) = (0, self.batch);
        while fits + 1 < fails {
            let middle = fits.midpoint(fails);
            let model = configure(middle)?;
            match self.check(&schedule(model.as_ref(), self.mode, self.caps, self.options)?) {
                Ok(()) => fits = middle,
                Err(Error::OutOfMemory(_)) => fails = middle,
                Err(other) => return Err(other),
            }
        }
        Ok((fits > 0).then_some(fits))
    }

    /// Whether the device's limits allow the step and it has the memory, which is tried and given back.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] with what is too large, [`Error::Gpu`] where the device fails.
    pub fn check(&self, schedule: &Schedule) -> Result<()> {
        schedule.fits(self.caps)?;
        let Some(gpu) = self.gpu else {
            return Ok(());
        };
        let buffers = schedule.memory.buffers.iter();
        let held: Result<Vec<_>> = buffers.map(|b| gpu.storage("trial", b.bytes)).collect();
        // What was held goes back before the next trial.
        let outcome = held.map(drop);
        gpu.wait()?;
        outcome
    }
}
