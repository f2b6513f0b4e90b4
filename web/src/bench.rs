//! The runs of a record: the device, what was chosen, what has been measured.

use std::sync::Arc;
use std::time::Duration;

use fathom::error::{Error, Result};
use fathom::gpu::{Gpu, Selector};
use fathom::measure::estimate::{Pace, Rates, estimates};
use fathom::measure::largest_batch::TooLarge;
use fathom::measure::peak::{self, Ceilings};
use fathom::measure::provenance;
use fathom::measure::run::{self, Plan};
use fathom::measure::sample::Budget;
use fathom::measure::suite::{self, schedules};
use fathom::pass::Options;
use fathom::record::{Browser, Record, Tuning};
use fathom::report::number;
use fathom::terms::{Checks, Preset};
use fathom::workload::{self, DataSource, WORKLOADS};

use crate::message::{Answer, Chosen, Listed, News, Planned, Question, Surroundings};
use crate::{adapter, progress, show};

/// Of parameters, data and draws: that of the program's default, so that records agree.
const SEED: u64 = 1;

/// Half-width of the interval that is aimed at, as the program's default.
const NOISE: f64 = 0.01;

/// Samples at least, as the program's default.
const MIN_SAMPLES: usize = 10;

/// All that the page's worker holds.
#[derive(Default)]
pub(crate) struct Bench {
    known: Surroundings,
    gpu: Option<Gpu>,
    begun: Option<Begun>,
}

/// A record in the making.
struct Begun {
    runs: Vec<suite::Chosen>,
    plan: Plan,
    ceilings: Ceilings,
    record: Record,
}

impl Bench {
    /// Answers a question.
    pub(crate) fn answer(&mut self, question: Question) -> Answer {
        let outcome = match question {
            Question::Open(known) => self.open(known),
            Question::Plan(chosen) => self.plan(&chosen),
            Question::Begin(chosen) => self.begin(&chosen),
            Question::Run { at, lose } => self.run(at, lose),
            Question::Note { text } => self.note(text),
            Question::End => self.end(),
            Question::Report { records } => show::report(&records),
            Question::Markdown { text } => show::markdown(&text),
        };
        outcome.unwrap_or_else(|error| Answer::Failed {
            why: for_page(&error.to_string()),
            lost: self.gpu.as_ref().is_some_and(Gpu::is_lost),
        })
    }

    fn open(&mut self, known: Surroundings) -> Result<Answer> {
        self.known = known;
        self.gpu = None;
        let gpu = self.opened()?;
        let (summary, caps) = (&gpu.summary, &gpu.caps);
        let clock = match gpu.timestamp_resolution {
            _ if !caps.timestamps => "none: the wall clock is used".to_string(),
            Some(ns) => format!("the GPU's, rounded to {}", number::duration_ns(ns)),
            None => "the GPU's".to_string(),
        };
        let facts = vec![
            ("browser", summary.driver.clone()),
            ("clock", clock),
            ("largest binding", number::bytes(caps.max_binding as f64)),
            ("largest buffer", number::bytes(caps.max_buffer as f64)),
            ("workgroup memory", number::bytes(f64::from(caps.max_shared))),
            ("invocations of a workgroup", caps.max_invocations.to_string()),
        ];
        let answer = Answer::Opened {
            name: summary.name.clone(),
            driver: summary.driver.clone(),
            software: summary.software,
            timestamps: caps.timestamps,
            preset: if summary.software { Preset::Tiny } else { Preset::Full },
            facts,
            workloads: WORKLOADS.iter().map(|w| Listed { name: w.name, about: w.about }).collect(),
        };
        self.gpu = Some(gpu);
        Ok(answer)
    }

    /// A device of the page's adapter, with what is known of it.
    fn opened(&self) -> Result<Gpu> {
        let gpu = Gpu::open(&Selector::default(), Checks::On)?;
        let summary = adapter::described(gpu.summary.clone(), &self.known);
        let mut gpu = gpu.described(summary);
        gpu.find_resolution()?;
        Ok(gpu)
    }

    fn gpu(&self) -> Result<&Gpu> {
        self.gpu.as_ref().ok_or_else(|| Error::Device("no device is open".into()))
    }

    fn plan(&self, chosen: &Chosen) -> Result<Answer> {
        let gpu = self.gpu()?;
        let plan = plan(chosen);
        let runs = chosen_runs(chosen)?;
        let schedules = schedules(&runs, &gpu.caps, &plan.options)?;
        let estimates = estimates(&schedules, &plan, &Rates::guess(&gpu.caps));
        let rows = runs.iter().zip(&schedules).zip(&estimates).map(|(((model, mode), s), time)| {
            let step = TooLarge::new(&gpu.caps, None, *mode, &plan.options, model.batch());
            let other = |batch| Ok((model.info().configure)(chosen.preset, Some(batch)));
            let unfit = step.advise(s.fits(&gpu.caps), &other).err();
            Planned {
                workload: model.info().name.into(),
                mode: *mode,
                batch: model.batch(),
                memory: number::bytes(s.memory.bytes() as f64),
                seconds: time.total(),
                unfit: unfit.map(|error| for_page(&error.to_string())),
            }
        });
        let rows: Vec<Planned> = rows.collect();
        let seconds = peak::ABOUT.as_secs_f64() + Pace::new(estimates).total();
        Ok(Answer::Planned { rows, about: number::span(seconds) })
    }

    fn begin(&mut self, chosen: &Chosen) -> Result<Answer> {
        let gpu = self.gpu()?;
        let tell = |share| say("measuring the device's ceilings", share);
        tell(0.0);
        if chosen.lose {
            gpu.lose_device(5);
        }
        let ceilings = peak::measure(gpu, peak::time(gpu), &tell)?;
        let mut plan = plan(chosen);
        plan.rule = Some(Arc::new(ceilings.rule(gpu)?));
        let mut record = provenance::record(gpu, &plan, None, ceilings.peaks.clone());
        let known = &self.known;
        record.host.os = known.os.clone();
        record.host.logical_cores = known.cores;
        record.host.usable_cores = None;
        record.host.browser = Some(Browser {
            user_agent: known.user_agent.clone(),
            clock_resolution_ns: known.clock_resolution_ns,
        });
        record.tuning = Some(Tuning::none(gpu.caps.speeds, Vec::new()));
        if let Some(earlier) = &chosen.earlier {
            let earlier = Record::parse(earlier, "record.json".as_ref())?;
            record.runs = earlier.runs;
            record.notes = earlier.notes;
        }
        chosen.failures.iter().for_each(|why| record.note_failure(&for_page(why)));
        let mut begun = Begun { runs: chosen_runs(chosen)?, plan, ceilings, record };
        let answer = Answer::Begun { runs: begun.runs.len(), record: begun.text()? };
        self.begun = Some(begun);
        Ok(answer)
    }

    fn run(&mut self, at: usize, lose: bool) -> Result<Answer> {
        self.revive()?;
        let gpu = self.gpu.as_ref().ok_or_else(nothing_begun)?;
        let begun = self.begun.as_mut().ok_or_else(nothing_begun)?;
        if lose {
            gpu.lose_device(5);
        }
        let (model, mode) = &begun.runs[at];
        let (model, mode) = (model.as_ref(), *mode);
        let source = DataSource { seed: SEED, ..DataSource::default() };
        let outcome = model.samples(&source).and_then(|mut samples| {
            run::measure(gpu, model, mode, &begun.plan, samples.as_mut(), &say)
        });
        let step = TooLarge::new(&gpu.caps, Some(gpu), mode, &begun.plan.options, model.batch());
        let preset = begun.plan.preset;
        let other = |batch| Ok((model.info().configure)(preset, Some(batch)));
        let outcome = step.advise(outcome, &other);
        match outcome.map_err(|error| error.during(run::key(model, mode))) {
            Ok(run) => {
                let row = show::row(&run);
                peak::raise(&mut begun.record.peaks, &run);
                begun.record.runs.push(run);
                Ok(Answer::Ran { row, record: begun.text()? })
            }
            Err(error) => {
                let why = for_page(&error.to_string());
                begun.record.note_failure(&why);
                Ok(Answer::Missed { record: begun.text()?, why })
            }
        }
    }

    /// Opens the device anew where it was lost.
    fn revive(&mut self) -> Result<()> {
        if !self.gpu.as_ref().is_some_and(Gpu::is_lost) {
            return Ok(());
        }
        let gpu = self.opened()?;
        if let Some(begun) = &mut self.begun {
            begun.plan.rule = Some(Arc::new(begun.ceilings.rule(&gpu)?));
        }
        self.gpu = Some(gpu);
        Ok(())
    }

    fn note(&mut self, text: String) -> Result<Answer> {
        let begun = self.begun.as_mut().ok_or_else(nothing_begun)?;
        begun.record.notes.push(text);
        Ok(Answer::Recorded { record: begun.text()? })
    }

    fn end(&mut self) -> Result<Answer> {
        self.revive()?;
        say("measuring the ceilings once more", 0.0);
        let gpu = self.gpu.as_ref().ok_or_else(nothing_begun)?;
        let begun = self.begun.as_mut().ok_or_else(nothing_begun)?;
        begun.ceilings.end(gpu, &mut begun.record)?;
        Ok(Answer::Recorded { record: begun.text()? })
    }
}

impl Begun {
    /// The record so far, which says whether all that was to be run has been.
    fn text(&mut self) -> Result<String> {
        self.record.note_progress(self.runs.len());
        self.record.to_json()
    }
}

fn nothing_begun() -> Error {
    Error::Internal("no record was begun".into())
}

fn say(part: &str, share: f64) {
    progress(&serde_json::to_string(&News { part, share }).unwrap_or_default());
}

/// The models that are run, each with its mode.
fn chosen_runs(chosen: &Chosen) -> Result<Vec<suite::Chosen>> {
    let mut runs = Vec::new();
    for name in &chosen.workloads {
        let info = workload::find(name)?;
        for &mode in &chosen.modes {
            runs.push(((info.configure)(chosen.preset, None), mode));
        }
    }
    Ok(runs)
}

fn plan(chosen: &Chosen) -> Plan {
    Plan {
        preset: chosen.preset,
        options: Options::default(),
        verify: true,
        profile: true,
        budget: Budget {
            time: Duration::from_secs_f64(chosen.time_s.clamp(0.01, 600.0)),
            noise: NOISE,
            min_samples: MIN_SAMPLES,
        },
        seed: SEED,
        queue_depth: fathom::measure::QUEUE_DEPTH,
        rule: None,
    }
}

/// An error's text without the options of a command line, which a page does not have.
fn for_page(text: &str) -> String {
    let without_option = |line: &str| line.split(": --batch ").next().unwrap_or(line).to_string();
    let lines: Vec<_> = text.lines().map(without_option).collect();
    lines
        .join("\n")
        .replace("choose a smaller --batch", "choose fewer or smaller models")
        .replace("choose --preset tiny, or another device", "choose the small models")
        .replace("choose --preset tiny", "choose the small models")
}
