//! What stands together on the site: records of one device by one driver, one version of the program and the same
//! settings.

use crate::compare::{Side, unlike};
use crate::record::{Record, id};
use crate::report::html::NamedRecord;
use crate::report::number::digits;
use crate::report::section::labels::day;
use crate::score;
use crate::terms::{Backend, Preset};

use super::cell::{Cell, Column, cell};
use super::vendor::vendor;

/// Records of one thing that its page holds, the newest: eight of the whole suite take less than 5 megabytes.
const ON_A_PAGE: usize = 8;

/// Records of the same thing.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sources: Vec<NamedRecord>,
}

/// How fast a device is on the whole.
#[derive(Debug)]
pub(super) struct Score {
    pub(super) value: f64,
    pub(super) interval: (f64, f64),
    /// `1843`.
    pub(super) text: String,
    /// `1830 to 1856`.
    pub(super) small: String,
}

/// An entry as the front page shows it.
#[derive(Debug)]
pub(super) struct Row {
    /// Its place among the scored devices that do not run on the CPU.
    pub(super) rank: Option<usize>,
    pub(super) name: String,
    /// What its files are called.
    pub(super) slug: String,
    pub(super) page: String,
    pub(super) vendor: &'static str,
    pub(super) backend: Backend,
    pub(super) driver: String,
    /// `fathom 0.1.0 (3f2a91c0)`, or of another framework what was measured.
    pub(super) tool: String,
    pub(super) date: String,
    pub(super) software: bool,
    /// What must be known of it before its figures are believed, in a few words each.
    pub(super) marks: Vec<String>,
    pub(super) score: Option<Score>,
    /// Why it has none.
    pub(super) unscored: String,
    pub(super) cells: Vec<Cell>,
}

/// The records by what they are of.
pub(super) fn entries(sources: Vec<NamedRecord>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for source in sources {
        match entries.iter_mut().find(|entry| entry.is_of_the_same(&source.record)) {
            Some(entry) => entry.sources.push(source),
            None => entries.push(Entry { sources: vec![source] }),
        }
    }
    for entry in &mut entries {
        entry.sources.sort_by(|a, b| b.record.created.cmp(&a.record.created));
    }
    entries
}

impl Entry {
    /// Whether a record is of the same device, driver, program and settings.
    fn is_of_the_same(&self, record: &Record) -> bool {
        let first = self.newest();
        let program =
            |r: &Record| (r.tool.version.clone(), r.tool.commit(), r.tool.profile, r.tool.client);
        program(first) == program(record) && unlike::is_again(first, record)
    }

    /// The latest of its records.
    fn newest(&self) -> &Record {
        &self.sources[0].record
    }

    pub(super) fn preset(&self) -> Preset {
        self.newest().config.preset
    }

    /// `nvidia-geforce-rtx-4090-3f2a91c0b1d2`: no two entries have a record in common.
    pub(super) fn slug(&self) -> String {
        let record = self.newest();
        let words = record.device.name.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).take(6).collect();
        // File names have an end, which a driver's name need not have.
        let name: String = words.join("-").to_lowercase().chars().take(80).collect();
        // A name may have no letter that a file's name is safe with.
        let name = if name.is_empty() { "device" } else { &name };
        format!("{name}-{}", id::short(&record.id))
    }

    /// What its page is made of.
    pub(super) fn newest_sources(&self) -> &[NamedRecord] {
        &self.sources[..self.sources.len().min(ON_A_PAGE)]
    }

    /// Where its report is.
    pub(super) fn page(&self) -> String {
        format!("devices/{}.html", self.slug())
    }

    /// Its records as one side of a comparison.
    pub(super) fn side(&self) -> Side {
        let records = self.sources.iter().map(|source| source.record.clone()).collect();
        Side { name: self.newest().device.name.clone(), records }
    }

    pub(super) fn row(&self, reference: Option<&Side>, columns: &[Column]) -> Row {
        let (record, side) = (self.newest(), self.side());
        let device = &record.device;
        let scored = reference.map(|reference| score::score(&side, reference));
        let missing = scored.as_ref().and_then(|scored| scored.missing.first().cloned());
        let score = scored.and_then(|scored| Some((scored.overall()?, scored.range()?)));
        Row {
            rank: None,
            name: device.name.clone(),
            slug: self.slug(),
            page: self.page(),
            vendor: vendor(device),
            backend: device.backend,
            driver: device.driver.clone(),
            tool: format!("{} ({})", record.tool.measured(), record.tool.commit()),
            date: day(&record.created).into(),
            software: device.software,
            marks: self.marks(),
            score: score.map(|(value, interval)| Score {
                value,
                interval,
                text: digits(value),
                small: format!("{} to {}", digits(interval.0), digits(interval.1)),
            }),
            unscored: missing.unwrap_or_else(|| "there is no reference".into()),
            cells: columns.iter().map(|column| cell(&side, column, reference)).collect(),
        }
    }

    fn marks(&self) -> Vec<String> {
        let record = self.newest();
        let mut marks = Vec::new();
        let mut mark = |is_so: bool, words: String| marks.extend(is_so.then_some(words));
        mark(record.device.software, "runs on the CPU".into());
        mark(!record.tool.client.is_native(), "in a browser".into());
        let records = self.sources.len();
        let on_its_page = format!("{records} records, the newest {ON_A_PAGE} on its page");
        mark((2..=ON_A_PAGE).contains(&records), format!("{records} records"));
        mark(records > ON_A_PAGE, on_its_page);
        for source in &self.sources {
            marks.extend(source.record.lacks().map(String::from));
        }
        marks.extend(record.conditions());
        marks
    }
}
