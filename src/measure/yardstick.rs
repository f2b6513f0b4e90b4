//! Known work, timed beside the steps: the portable stand-in for the clocks, temperatures and neighbours that a
//! benchmark cannot see. Where its rates move, the machine moved, not the program.

use std::time::Duration;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::gpu::timestamp::Timer;
use crate::host::{self, Instant};
use crate::program::Program;
use crate::record::yardstick::MOVED;
use crate::record::{Doubt, Reading, Yardstick};

use super::sensors;
use super::submission::submit;

/// Nanoseconds that one repetition of a part should take: a millisecond, or as long as a rounded clock takes to tell a
/// fifth of what counts as a change of the machine's speed.
pub(super) fn repetition(gpu: &Gpu) -> f64 {
    gpu.timestamp_resolution.map_or(1e6, |ns| f64::max(1e6, 5.0 * ns / MOVED))
}

/// Repetitions of a part in a reading.
const REPETITIONS: usize = 5;

/// Time between two readings.
const APART: Duration = Duration::from_secs(1);

/// Share of the rate that the ceilings were measured at from which on a device's clocks count as risen.
const RISEN: f64 = 1.0 - MOVED;

/// The programs of the known work, ready to be timed.
#[derive(Debug)]
pub struct Rule {
    /// Multiply-adds.
    pub(super) fma: Part,
    /// A copy.
    pub(super) copy: Part,
    /// Dispatches, each waiting for the one before.
    pub(super) launch: Part,
}

impl Rule {
    /// Whether the device computes as fast as when its ceilings were measured: an idle GPU lowers its clocks, to a sixth
    /// of what they are under load, and takes a third of a second to raise them.
    pub(super) fn is_awake(&self, gpu: &Gpu) -> Result<bool> {
        let timer = Timer::new(gpu, 1)?;
        let reading = self.fma.read(gpu, timer.as_ref())?;
        Ok(reading.rate >= RISEN * self.fma.rate)
    }
}

/// One kind of known work.
#[derive(Debug)]
pub(super) struct Part {
    program: Program,
    /// Runs of the program in a repetition.
    steps: usize,
    /// Operations, bytes or dispatches of one run.
    work: f64,
    /// How many of them a second are expected.
    rate: f64,
}

impl Part {
    /// As many runs as make a repetition of so many nanoseconds, by the rate that is expected.
    pub(super) fn new(program: Program, work: f64, rate: f64, repetition: f64) -> Self {
        let ns = work / rate * 1e9;
        Self { program, work, rate, steps: (repetition / ns).clamp(1.0, 256.0) as usize }
    }

    fn read(&self, gpu: &Gpu, timer: Option<&Timer>) -> Result<Reading> {
        let mut rates = Vec::new();
        for _ in 0..REPETITIONS {
            let ns = submit(gpu, &self.program, self.steps, timer)?.step_ns(gpu, self.steps);
            rates.push(self.work / ns * 1e9);
        }
        Ok(Reading::of(&rates))
    }
}

/// The readings of one run.
#[derive(Debug)]
pub(super) struct Readings<'a> {
    gpu: &'a Gpu,
    rule: &'a Rule,
    timer: Option<Timer>,
    taken: Yardstick,
    last: Instant,
}

impl<'a> Readings<'a> {
    /// Takes the first.
    pub(super) fn begin(gpu: &'a Gpu, rule: &'a Rule) -> Result<Self> {
        let timer = Timer::new(gpu, 1)?;
        let taken = Yardstick::default();
        let mut readings = Self { gpu, rule, timer, taken, last: Instant::now() };
        // What is cold is not the machine's speed.
        for part in [&rule.fma, &rule.copy, &rule.launch] {
            submit(gpu, &part.program, part.steps, None)?;
        }
        readings.read(0)?;
        Ok(readings)
    }

    /// Takes another where the last is long ago.
    pub(super) fn between(&mut self, samples: usize) -> Result<()> {
        if self.last.elapsed() < APART { Ok(()) } else { self.read(samples) }
    }

    /// Takes the last.
    pub(super) fn end(mut self, samples: usize) -> Result<Yardstick> {
        self.read(samples)?;
        Ok(self.taken)
    }

    fn read(&mut self, samples: usize) -> Result<()> {
        let timer = self.timer.as_ref();
        let mut read = |part: &Part| {
            // The driver's own threads rest between submissions.
            self.taken.others.extend(host::other_threads());
            part.read(self.gpu, timer)
        };
        let (fma, copy, launch) =
            (read(&self.rule.fma)?, read(&self.rule.copy)?, read(&self.rule.launch)?);
        self.taken.fma.push(fma);
        self.taken.copy.push(copy);
        self.taken.launch.push(launch);
        self.taken.sensors.extend(self.gpu.summary.pci.as_deref().and_then(sensors::read));
        self.taken.after_samples.push(samples);
        self.last = Instant::now();
        Ok(())
    }
}

/// What the readings say against the samples taken between them.
pub(super) fn doubts(gpu: &Gpu, yardstick: &Yardstick) -> Vec<Doubt> {
    // A software adapter computes on the processors that the others want.
    let free = Doubt::free(host::cores(), gpu.summary.threads());
    Doubt::of_yardstick(yardstick, gpu.caps.software.then_some(free))
}
