//! Training that is timed starts again from the seed every few steps.

use std::cell::Cell;

use crate::error::Result;
use crate::session::Session;

/// Steps of training after which the state starts again. Timed steps see one batch, and momentum on four images over and
/// over leaves the numbers: alexnet tiny from seed 3 has a loss of 0.08 after 80 steps, of 5e7 after 100, of none after
/// 102.
pub const STEPS: usize = 64;

/// Counts the steps since the start.
#[derive(Debug)]
pub struct Restart<'a> {
    session: &'a Session<'a>,
    taken: Cell<usize>,
}

impl<'a> Restart<'a> {
    /// For a session that may be anywhere: the first steps start it again.
    pub fn new(session: &'a Session<'a>) -> Self {
        Self { session, taken: Cell::new(STEPS) }
    }

    /// To be called before `steps` steps, outside what is timed.
    ///
    /// # Errors
    /// [`crate::error::Error::Gpu`] where the device fails.
    pub fn before(&self, steps: usize) -> Result<()> {
        let taken = self.taken.get() + steps;
        if taken <= STEPS {
            self.taken.set(taken);
            return Ok(());
        }
        self.taken.set(steps);
        self.session.restart()
    }
}
