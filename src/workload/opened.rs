//! The samples of the models that are run, each set opened once.

use std::fmt;

use crate::error::{Error, Result};

use super::{DataSource, Samples, Workload, WorkloadInfo};

/// Where a workload's samples come from.
type Source<'a> = dyn Fn(&WorkloadInfo) -> DataSource + 'a;

/// Who is told what the samples are, line by line.
type Tell<'a> = dyn Fn(&str) + 'a;

/// The samples of the workloads that are run. Those of real data are opened at once, before anything is measured; each is
/// there for all modes of a workload.
pub struct Opened<'a> {
    source: Box<Source<'a>>,
    tell: Box<Tell<'a>>,
    kept: Vec<Kept>,
}

struct Kept {
    workload: &'static str,
    batch: usize,
    real: bool,
    samples: Box<dyn Samples>,
}

impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl<'a> Opened<'a> {
    /// Opens the real data of each workload at its first batch, and tells what they are.
    ///
    /// # Errors
    /// [`Error::Data`] with the workload that they do not fit; [`Error::Io`].
    pub fn new<'m>(
        source: Box<Source<'a>>,
        tell: Box<Tell<'a>>,
        models: impl Iterator<Item = &'m dyn Workload>,
    ) -> Result<Self> {
        let mut opened = Self { source, tell, kept: Vec::new() };
        for model in models {
            let info = model.info();
            let real = (opened.source)(info).path.is_some();
            if real && opened.kept.iter().all(|kept| kept.workload != info.name) {
                let samples = &opened.open(model)?.samples;
                let text = describe(info.name, samples.as_ref());
                (opened.tell)(&text);
            }
        }
        Ok(opened)
    }

    /// The samples of a model.
    ///
    /// # Errors
    /// As [`Opened::new`].
    pub fn of(&mut self, model: &dyn Workload) -> Result<&mut dyn Samples> {
        let (name, batch) = (model.info().name, model.batch());
        let place = |kept: &Kept| kept.workload == name && kept.batch == batch;
        if let Some(at) = self.kept.iter().position(place) {
            return Ok(self.kept[at].samples.as_mut());
        }
        // Of built-in samples one set at a time; of real ones one for each workload.
        let (kept, closed) = std::mem::take(&mut self.kept)
            .into_iter()
            .partition(|kept| kept.real && kept.workload != name);
        self.kept = kept;
        self.tell_passed_over(&closed);
        Ok(self.open(model)?.samples.as_mut())
    }

    fn open(&mut self, model: &dyn Workload) -> Result<&mut Kept> {
        let info = model.info();
        let source = (self.source)(info);
        let real = source.path.is_some();
        let samples = model.samples(&source).map_err(|error| for_workload(error, info, real))?;
        let (workload, batch) = (info.name, model.batch());
        Ok(self.kept.push_mut(Kept { workload, batch, real, samples }))
    }

    /// Tells what `--skip-bad` passed over.
    pub fn close(self) {
        self.tell_passed_over(&self.kept);
    }

    fn tell_passed_over(&self, closed: &[Kept]) {
        let lines = closed.iter().flat_map(|kept| passed_over(kept.samples.as_ref()));
        lines.for_each(|line| (self.tell)(&line));
    }
}

/// An error of real data with the workload that was to learn from them.
fn for_workload(error: Error, info: &WorkloadInfo, real: bool) -> Error {
    match error {
        Error::Data { file, place, what } if real => {
            let takes = info.real_data.unwrap_or("no real data");
            let what = format!("{what} ({} takes {takes})", info.name);
            Error::Data { file, place, what }
        }
        other => other,
    }
}

/// What samples are, and what was passed over, in one line.
pub fn describe(workload: &str, samples: &dyn Samples) -> String {
    let passed = samples.listing().and_then(|listing| listing.line());
    let passed = passed.map_or(String::new(), |line| format!("; {line}"));
    format!("{workload}: {}{passed}", samples.describe())
}

/// What `--skip-bad` passed over of real samples, a line each.
pub fn passed_over(samples: &dyn Samples) -> impl Iterator<Item = String> + use<> {
    let skipped = samples.listing().map(|listing| listing.skipped()).unwrap_or_default();
    skipped.into_iter().map(|what| format!("passed over: {what}"))
}
