//! Training: real batches, the loss as it falls, the metric on held-out samples.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::program::{Options, Outline, Program, State};
use crate::snapshot::feed;
use crate::workload::{Data, Mode, Source, Split, Workload, step};

pub mod play;

/// A model in training: one set of parameters under a training and an inference program.
pub struct Trainer<'a> {
    gpu: &'a Gpu,
    model: &'a dyn Workload,
    data: Box<dyn Data>,
    state: State,
    training: Program,
    inference: Program,
    steps: u64,
}

impl std::fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer")
            .field("model", &self.model)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl<'a> Trainer<'a> {
    /// Compiles both programs and opens the data.
    ///
    /// # Errors
    /// [`Error::Gpu`], [`Error::Data`].
    pub fn new(gpu: &'a Gpu, model: &'a dyn Workload, source: &Source) -> Result<Self> {
        let mut state = State::new(source.seed);
        let mut compile = |mode| {
            let nodes = step::nodes(model, mode, &gpu.caps, false)?;
            let outline = Outline::new(&gpu.caps, &nodes, &Options::default())?;
            Program::new(gpu, outline, &mut state)
        };
        let (training, inference) = (compile(Mode::Train)?, compile(Mode::Infer)?);
        Ok(Self {
            data: model.data(source)?,
            gpu,
            model,
            state,
            training,
            inference,
            steps: 0,
        })
    }

    /// What it learns from.
    pub fn data(&self) -> &dyn Data {
        self.data.as_ref()
    }

    /// The model's state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// One step; its loss.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails, [`Error::Verification`] where the loss is no number.
    pub fn step(&mut self) -> Result<f64> {
        feed(
            self.gpu,
            &self.training,
            &self.data.batch(Split::Train, self.steps)?,
        )?;
        self.training.run(self.gpu, 1)?;
        self.steps += 1;
        let loss = self.training.read(self.gpu, step::LOSS)?.data[0];
        if loss.is_finite() {
            Ok(loss)
        } else {
            Err(Error::Verification(format!(
                "the loss is {loss} at step {}; `fathom verify` finds a kernel that is wrong on this \
                 device, and another --seed tells a bad start from a bad kernel",
                self.steps
            )))
        }
    }

    /// The metric over all held-out samples, in its unit.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn evaluate(&mut self) -> Result<f64> {
        let (mut above, mut below) = (0.0, 0.0);
        // Inference advances the clock for its own draws; training goes on where it was.
        let clock = self.state.read(self.gpu, "clock")?;
        for batch in 0..self.data.test_batches() {
            let batch = self.data.batch(Split::Test, batch)?;
            feed(self.gpu, &self.inference, &batch)?;
            self.inference.run(self.gpu, 1)?;
            let read = |name: &str| self.inference.read(self.gpu, name);
            let (numerator, denominator) = self.model.score(&batch, &read)?;
            above += numerator;
            below += denominator;
        }
        self.state.write(self.gpu, "clock", &clock)?;
        Ok(self.model.metric().factor * above / below)
    }
}
