//! Steps that each have samples of their own, as programs take them: uploaded and encoded while the device works on the
//! steps before, or one at a time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::host::Instant;
use crate::program::Program;
use crate::session::Session;
use crate::stats::median;
use crate::workload::Feed;

use super::restart::{Restart, STEPS};

/// Steps in flight where nothing else is said.
pub const QUEUE_DEPTH: usize = 8;

/// A program with the samples that each of its steps is given.
#[derive(Debug, Clone, Copy)]
pub struct Fed<'a> {
    /// Where it runs.
    pub gpu: &'a Gpu,
    /// What it was made by.
    pub session: &'a Session<'a>,
    /// The step.
    pub program: &'a Program,
    /// Every input of it.
    pub batch: &'a Feed,
}

/// What such steps take, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flight {
    /// A step, with several in flight: the batch over it is the throughput.
    pub overlapped: f64,
    /// One step by itself, from the upload of its samples until it is done.
    pub latency: f64,
}

impl Fed<'_> {
    /// Takes steps for about `time`, of which one takes `step` nanoseconds, half of it with up to `depth` in flight, and
    /// half of it one at a time. Training is started again by `restart` in time.
    ///
    /// # Errors
    /// [`crate::error::Error::Gpu`] where the device fails.
    pub fn flight(
        self,
        depth: usize,
        time: Duration,
        step: f64,
        restart: &Restart<'_>,
    ) -> Result<Flight> {
        let most = (time.as_nanos() as f64 / 2.0 / step) as usize;
        // Few steps would only fill the queue.
        let several = most.clamp((2 * depth).min(STEPS), STEPS);
        restart.before(several)?;
        let overlapped = self.overlapped(depth, several)?;
        let single = most.clamp(3, STEPS);
        restart.before(single)?;
        Ok(Flight { overlapped, latency: self.latency(single)? })
    }

    /// The wall clock over `steps`, by step. Uploads and encoding wait for nothing, a submission for the one `depth`
    /// before it.
    fn overlapped(self, depth: usize, steps: usize) -> Result<f64> {
        let begun = Instant::now();
        let mut in_flight = VecDeque::new();
        for _ in 0..steps {
            self.session.feed(self.program, self.batch)?;
            let commands = self.program.encoded(self.gpu, 1, None)?;
            if in_flight.len() >= depth
                && let Some(oldest) = in_flight.pop_front()
            {
                self.gpu.wait_for(oldest)?;
            }
            in_flight.extend(commands.into_iter().map(|part| self.gpu.submit_marked(part)).last());
        }
        self.gpu.wait()?;
        Ok(begun.elapsed().as_nanos() as f64 / steps as f64)
    }

    /// The median of `steps` that are each waited for.
    fn latency(self, steps: usize) -> Result<f64> {
        let step = |_| {
            let begun = Instant::now();
            self.session.feed(self.program, self.batch)?;
            self.session.run(self.program, 1)?;
            self.gpu.wait()?;
            Ok(begun.elapsed().as_nanos() as f64)
        };
        Ok(median(&(0..steps).map(step).collect::<Result<Vec<f64>>>()?))
    }
}
