//! By what people tell the records of a page or a table apart: the device's name, and of driver, program, precision,
//! settings and date what differs.

use crate::analysis::RunContext;
use crate::record::Record;
use crate::report::column::{Column, text};
use crate::terms::each_once;

/// A name for each of some records.
#[derive(Debug)]
pub(in crate::report) struct Labels {
    /// What each was made of, `NVIDIA H200, f16`: records that differ in their date alone share it.
    kinds: Vec<String>,
    /// Each record's own, with the date where several are of a kind.
    own: Vec<String>,
    /// What finds a record: its id, its date, since one that was never written has no id, and its device's name, which is
    /// marked where the record was edited.
    keys: Vec<[String; 3]>,
    /// Whether the names are those of devices.
    are_devices: bool,
}

impl Labels {
    pub(in crate::report) fn of(records: &[Record]) -> Self {
        let names: Vec<String> = records.iter().map(Record::device_name).collect();
        let kind = |(record, name): (&Record, &String)| {
            let mut parts = vec![name.clone()];
            // Of one device: another's driver is another in any case.
            let within: [fn(&Record) -> String; 3] = [
                |r| r.device.backend.to_string(),
                |r| r.device.driver.clone(),
                |r| format!("{} ({})", r.tool.measured(), r.tool.commit()),
            ];
            let of_device = || records.iter().zip(&names).filter(|(_, other)| *other == name);
            let varying = within.iter().filter(|of| of_device().any(|(r, _)| of(r) != of(record)));
            parts.extend(varying.map(|of| of(record)));
            let among_all: [fn(&Record) -> String; 3] = [
                |r| format!("preset {}", r.config.preset),
                |r| r.config.precision.to_string(),
                |r| fused(r.config.fuse).into(),
            ];
            let varying = among_all.iter().filter(|of| records.iter().any(|r| of(r) != of(record)));
            parts.extend(varying.map(|of| of(record)));
            parts.extend(record.further_conditions());
            parts.retain(|part| !part.is_empty());
            parts.join(", ")
        };
        let kinds: Vec<String> = records.iter().zip(&names).map(kind).collect();
        let is_alone = |kind: &String| kinds.iter().filter(|known| *known == kind).count() < 2;
        let own = |(record, kind): (&Record, &String)| {
            if is_alone(kind) { kind.clone() } else { format!("{kind}, {}", date(&record.created)) }
        };
        let key = |(record, name): (&Record, &String)| {
            [record.id.clone(), record.created.clone(), name.clone()]
        };
        Self {
            own: records.iter().zip(&kinds).map(own).collect(),
            keys: records.iter().zip(&names).map(key).collect(),
            are_devices: kinds == names && kinds.iter().all(is_alone),
            kinds,
        }
    }

    /// A record's kind, by its place among the records.
    pub(in crate::report) fn kind(&self, at: usize) -> &str {
        &self.kinds[at]
    }

    /// A record's own name, by its place among the records.
    pub(in crate::report) fn own(&self, at: usize) -> &str {
        &self.own[at]
    }

    /// The same of the record that a run is of.
    pub(super) fn own_of<'a>(&'a self, run: &'a RunContext) -> &'a str {
        self.place(run).map_or(&run.device, |at| &self.own[at])
    }

    /// The kind of the record that a run is of.
    pub(super) fn kind_of<'a>(&'a self, run: &'a RunContext) -> &'a str {
        self.place(run).map_or(&run.device, |at| &self.kinds[at])
    }

    fn place(&self, run: &RunContext) -> Option<usize> {
        let sought = [&run.record, &run.created, &run.device];
        self.keys.iter().position(|key| key.each_ref() == sought)
    }

    /// The kinds, each once, in the order of the records.
    pub(in crate::report) fn distinct(&self) -> Vec<&str> {
        each_once(self.kinds.iter().map(String::as_str))
    }

    /// The column that tells rows apart; nothing where all are of one record.
    pub(super) fn column(&self) -> Option<Column> {
        let title = if self.are_devices { "device" } else { "record" };
        (self.keys.len() > 1).then(|| text(title).people())
    }

    /// `, NVIDIA H200, f16`: what a title of one run ends in; nothing where all are of one record.
    pub(super) fn ending(&self, run: &RunContext) -> String {
        if self.keys.len() > 1 { format!(", {}", self.own_of(run)) } else { String::new() }
    }
}

/// Whether elementwise ops were merged into their neighbours, in words.
pub(in crate::report) fn fused(is_fused: bool) -> &'static str {
    if is_fused { "fused" } else { "not fused" }
}

/// `2026-11-26`, in UTC as in the record.
pub(in crate::report) fn day(created: &str) -> &str {
    created.split('T').next().unwrap_or_default()
}

/// `2026-11-26 02:15:30`, in UTC as in the record.
pub(in crate::report) fn date(created: &str) -> String {
    created.split(['.', 'Z']).next().unwrap_or_default().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::terms::Precision;

    fn record(device: &str, driver: &str, created: &str) -> Record {
        let mut record = synthetic::record(&[]);
        record.device.name = device.into();
        record.device.driver = driver.into();
        record.created = created.into();
        record
    }

    fn names(records: &[Record]) -> Vec<String> {
        let labels = Labels::of(records);
        (0..records.len()).map(|at| labels.own(at).to_string()).collect()
    }

    #[test]
    fn records_are_told_apart_by_what_differs_and_by_no_more() {
        let a = record("a", "1.0", "2026-01-01T00:00:00.5Z");
        let b = record("b", "2.0", "2026-01-02T00:00:00.5Z");
        assert_eq!(names(&[a.clone(), b.clone()]), ["a", "b"]);
        assert!(Labels::of(&[a.clone(), b.clone()]).are_devices);
        assert!(Labels::of(std::slice::from_ref(&a)).column().is_none());
        let updated = record("a", "1.1", "2026-01-03T00:00:00.5Z");
        assert_eq!(names(&[a.clone(), updated, b.clone()]), ["a, 1.0", "a, 1.1", "b"]);
        let again = record("a", "1.0", "2026-01-04T00:00:00.5Z");
        assert_eq!(
            names(&[a.clone(), again]),
            ["a, 2026-01-01 00:00:00", "a, 2026-01-04 00:00:00"]
        );
        let mut half = a.clone();
        half.config.precision = Precision::F16;
        assert_eq!(names(&[a, half]), ["a, f32", "a, f16"]);
    }

    #[test]
    fn what_was_edited_is_not_called_as_what_it_was_made_of() {
        let mut record = record("a", "1.0", "2026-01-01T00:00:00Z");
        record.runs = synthetic::record(&[("w", crate::terms::Mode::Train, &[("add", 1.0)])]).runs;
        let mut edited = record.clone();
        edited.integrity = crate::record::Integrity::Edited;
        let labels = Labels::of(&[record, edited.clone()]);
        let run = RunContext::of(&edited, &edited.runs[0]);
        assert_eq!(labels.own_of(&run), "a (EDITED)");
    }
}
