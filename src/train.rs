//! Training: real batches, the loss as it goes, the metric on held-out samples.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::pass::Options;
use crate::program::Program;
use crate::session::Session;
use crate::tensor::DType;
use crate::terms::{Mode, Precision};
use crate::workload::{Batch, DataSource, Model, Ratio, Samples, Split, Workload, step};

pub mod play;

/// A model in training: one set of parameters under a training and an inference program.
pub struct Trainer<'a> {
    session: Session<'a>,
    model: Box<dyn Workload>,
    data: Box<dyn Samples>,
    options: Options,
    /// Training and inference of each bucket of the model.
    programs: Vec<[Program; 2]>,
    steps: u64,
    news: Vec<String>,
}

impl std::fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer")
            .field("model", &self.model)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

/// The metric by group of samples: its name and the value in the metric's unit.
pub type Groups = Vec<(String, f64)>;

impl<'a> Trainer<'a> {
    /// Opens the data and compiles both programs.
    ///
    /// # Errors
    /// [`Error::Gpu`], [`Error::Data`].
    pub fn new(
        gpu: &'a Gpu,
        mut model: Box<dyn Workload>,
        source: &DataSource,
        precision: Precision,
    ) -> Result<Self> {
        if let Some(curriculum) = model.curriculum() {
            curriculum.begin();
        }
        // Data come first: what is wrong with them should show before anything is compiled.
        let data = model.samples(source)?;
        let mut session = Session::new(gpu, source.seed);
        let options = Options { precision, ..Options::default() };
        let programs = programs_of(&mut session, model.as_ref(), &options)?;
        Ok(Self { session, model, data, options, programs, steps: 0, news: Vec::new() })
    }

    /// The model, as far as training has changed it.
    pub fn model(&self) -> &dyn Workload {
        self.model.as_ref()
    }

    /// What runs the steps: the state that they leave can be read and written there.
    pub fn session(&self) -> &Session<'a> {
        &self.session
    }

    /// What changed in the step since this was last asked: `epoch 4: rate halved`.
    pub fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// What it learns from.
    pub fn data(&self) -> &dyn Samples {
        self.data.as_ref()
    }

    /// One step; its loss.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails, [`Error::Verification`] where the loss is not a number.
    pub fn step(&mut self) -> Result<f64> {
        let batch = self.data.batch(Split::Train, self.steps)?;
        let [training, _] = &self.programs[self.data.bucket(Split::Train, self.steps)];
        self.session.feed(training, &batch.tensors())?;
        self.session.run(training, 1)?;
        self.steps += 1;
        let loss = self.session.output(training, step::LOSS)?.data[0];
        check_loss(loss, &self.session, &format!("at step {}", self.steps))?;
        match self.data.epoch() {
            Some(epoch) if self.steps.is_multiple_of(epoch) => self.follow(self.steps / epoch)?,
            _ => {}
        }
        Ok(loss)
    }

    /// Lets the model settle its step by what an epoch came to.
    fn follow(&mut self, epoch: u64) -> Result<()> {
        if self.model.curriculum().is_none() {
            return Ok(());
        }
        let mut judged = Ratio::default();
        for (step, batch) in (0..).zip(self.data.validation()?) {
            let inference = self.infer(batch.as_ref(), 0)?;
            let outputs = |name: &str| self.session.output(inference, name);
            let Some(part) = batch.judge(&outputs, self.data.counted(step))? else {
                return Ok(());
            };
            judged += part;
        }
        if judged.of == 0.0 {
            return Ok(()); // a set too small to steer by
        }
        let change = self.model.curriculum().and_then(|c| c.follow(epoch, judged.value()));
        if let Some(change) = change {
            // What changed is part of the graph, so it is compiled anew; its state and pipelines are kept.
            self.programs = programs_of(&mut self.session, self.model.as_ref(), &self.options)?;
            self.news.push(change);
        }
        Ok(())
    }

    /// An inference step of a bucket.
    fn infer(&self, batch: &dyn Batch, bucket: usize) -> Result<&Program> {
        let [_, inference] = &self.programs[bucket];
        self.session.feed(inference, &batch.tensors())?;
        self.session.run(inference, 1)?;
        Ok(inference)
    }

    /// The metric over all held-out samples, in its unit, and by group where samples fall into groups.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn evaluate(&mut self) -> Result<(f64, Groups)> {
        let factor = self.model.info().metric.factor;
        let mut whole = Ratio::default();
        let mut groups: BTreeMap<String, Ratio> = BTreeMap::new();
        for step in 0..self.data.test_batches() {
            let batch = self.data.batch(Split::Test, step)?;
            let inference = self.infer(batch.as_ref(), self.data.bucket(Split::Test, step))?;
            let outputs = |name: &str| self.session.output(inference, name);
            whole += batch.score(&outputs, self.data.counted(step))?;
            for (name, part) in batch.by_group(&outputs)? {
                *groups.entry(name).or_default() += part;
            }
        }
        if whole.of == 0.0 {
            let what = "the held-out samples have nothing to be measured on".into();
            return Err(Error::NothingSelected(what));
        }
        // The factor comes first: another order would round otherwise.
        let metric = |ratio: Ratio| factor * ratio.sum / ratio.of;
        let groups = groups.into_iter().map(|(name, ratio)| (name, metric(ratio)));
        Ok((metric(whole), groups.collect()))
    }

    /// Some held-out samples with what the model makes of them; none where the workload has no such view.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn show(&mut self, count: usize) -> Result<Vec<String>> {
        let mut shown = Vec::new();
        let most = self.model.batch();
        for sample in 0..count {
            let step = (sample / most) as u64;
            let batch = self.data.batch(Split::Test, step)?;
            let inference = self.infer(batch.as_ref(), self.data.bucket(Split::Test, step))?;
            let outputs = |name: &str| self.session.output(inference, name);
            shown.extend(batch.show(&outputs, sample % most)?);
        }
        Ok(shown)
    }
}

/// Refuses a loss that is not a number, with how far training had come and which part of the model is not a number either.
fn check_loss(loss: f64, session: &Session<'_>, place: &str) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    let also = match first_not_finite(session)? {
        Some((name, value)) => format!("and {name} holds {value}"),
        None => "while all that the model keeps is still numbers".to_string(),
    };
    Err(Error::Verification(format!(
        "the loss is {loss} {place}, {also}; `fathom verify` finds a kernel that is wrong on this device, and another \
         --seed tells a bad start from a bad kernel"
    )))
}

/// The first tensor that a model keeps, in the order of its layers, with a value that is not a number.
fn first_not_finite(session: &Session<'_>) -> Result<Option<(String, f64)>> {
    let floats = session.state().names().filter(|(_, spec)| spec.dtype == DType::F32);
    for (name, _) in floats {
        let value = session.value(name)?.data.into_iter().find(|value| !value.is_finite());
        if let Some(value) = value {
            return Ok(Some((name.to_string(), value)));
        }
    }
    Ok(None)
}

/// The programs of each bucket of a model over one state.
fn programs_of(
    session: &mut Session<'_>,
    model: &dyn Model,
    options: &Options,
) -> Result<Vec<[Program; 2]>> {
    // Over one state: inference sees the parameters as training leaves them.
    let mut both = |model: &dyn Model| {
        let mut compile = |mode| session.compile(model, mode, options);
        Ok([compile(Mode::Train)?, compile(Mode::Infer)?])
    };
    match model.buckets() {
        buckets if buckets.is_empty() => Ok(vec![both(model)?]),
        buckets => buckets.iter().map(|bucket| both(bucket.as_ref())).collect(),
    }
}
