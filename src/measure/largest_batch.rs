//! Advice where a step does not fit: the largest batch that does.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::pass::Options;
use crate::session::schedule;
use crate::terms::Mode;
use crate::workload::Workload;

/// A step that may have been too large.
#[derive(Debug, Clone, Copy)]
pub struct TooLarge<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// Of the step.
    pub mode: Mode,
    /// Of the step.
    pub options: &'a Options,
    /// Its batch.
    pub batch: usize,
}

/// Makes the model with another batch.
type Configure<'a> = dyn Fn(usize) -> Result<Box<dyn Workload>> + 'a;

impl TooLarge<'_> {
    /// Adds the largest batch that fits to an out-of-memory error.
    ///
    /// # Errors
    /// Those of `outcome`.
    pub fn advise<T>(&self, outcome: Result<T>, configure: &Configure<'_>) -> Result<T> {
        outcome.map_err(|error| match error {
            Error::OutOfMemory(why) => Error::OutOfMemory(match self.largest_batch(configure) {
                Some(batch) => {
                    format!("{why}\nthe largest batch that fits is {batch}: --batch {batch}")
                }
                None => format!(
                    "{why}\nnot even a batch of 1 fits: choose --preset tiny, or another device"
                ),
            }),
            other => other,
        })
    }

    /// By bisection: what a step needs grows with its batch.
    fn largest_batch(&self, configure: &Configure<'_>) -> Option<usize> {
        // The batch that was asked for did not fit: between 0 and it lies the bound.
        let (mut fits, mut fails) = (0, self.batch);
        while fits + 1 < fails {
            let middle = fits.midpoint(fails);
            let model = configure(middle).ok()?;
            if self.fits(model.as_ref()) {
                fits = middle;
            } else {
                fails = middle;
            }
        }
        (fits > 0).then_some(fits)
    }

    /// Whether the device's limits allow the step and it has the memory.
    fn fits(&self, model: &dyn Workload) -> bool {
        let compiled = schedule(model, self.mode, &self.gpu.caps, self.options);
        let buffers = compiled.and_then(|schedule| {
            schedule.fits(&self.gpu.caps)?;
            schedule.memory.buffers.iter().try_fold(Vec::new(), |mut held, buffer| {
                held.push(self.gpu.storage("trial", buffer.bytes)?);
                Ok(held)
            })
        });
        // What was held goes back before the next trial.
        let fits = buffers.is_ok();
        drop(buffers);
        fits && self.gpu.wait().is_ok()
    }
}
