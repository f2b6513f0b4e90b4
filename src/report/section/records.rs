//! Record files: what is kept, and what is wrong with a file.

use std::path::Path;

use crate::columns;
use crate::error::{Result, plain};
use crate::record::consistency::Contradiction;
use crate::record::store::Loaded;
use crate::record::{Integrity, Record, id};
use crate::report::Format;
use crate::report::column::Quantity::Digits;
use crate::report::column::{count, number, text};
use crate::report::table::{ColumnOf, Table, sentence};

use super::headline;
use super::labels::date;

/// A kept record.
#[derive(Debug)]
pub struct Kept<'a> {
    /// Its file.
    pub path: &'a Path,
    /// What it holds.
    pub record: &'a Record,
    /// The baselines that are this record.
    pub baselines: Vec<&'a str>,
    /// Of the whole suite; nothing where it has none.
    pub score: Option<f64>,
}

/// A row for each kept record.
pub fn kept(records: &[Kept]) -> Table {
    let columns: [ColumnOf<&Kept<'_>>; 15] = columns![kept:
        text("id").people() => id::short(&kept.record.id),
        text("id").programs() => &kept.record.id,
        text("date").people() => date(&kept.record.created),
        text("created").programs() => &kept.record.created,
        text("device") => &kept.record.device.name,
        text("device_id").programs() => kept.record.device.id(),
        text("backend").programs() => kept.record.device.backend,
        text("driver").programs() => &kept.record.device.driver,
        text("preset") => kept.record.config.preset,
        text("precision").spare(1) => kept.record.config.precision,
        count("runs").named("cells") => kept.record.runs.len(),
        number("score", "score", Digits) => kept.score,
        text("integrity") => kept.record.integrity,
        text("baseline") => kept.baselines.join(", "),
        text("file").programs() => kept.path.display().to_string(),
    ];
    Table::of(columns, records.iter())
}

/// Records as one document: several are an array in JSON, and have one heading in CSV.
///
/// # Errors
/// As [`headline::render`].
pub fn printed(records: &[Loaded], form: Format) -> Result<String> {
    let each = |join: &str| -> Result<String> {
        let texts = records.iter().map(|loaded| headline::render(&loaded.record, form));
        Ok(texts.collect::<Result<Vec<_>>>()?.join(join))
    };
    match (form, records) {
        (Format::Json, [one]) => Ok(one.text.clone()),
        (Format::Json, several) => {
            let texts: Vec<_> = several.iter().map(|loaded| loaded.text.trim_end()).collect();
            Ok(format!("[{}]\n", texts.join(",\n")))
        }
        (Format::Csv, several) => {
            let records: Vec<_> = several.iter().map(|loaded| loaded.record.clone()).collect();
            headline::runs(&records).render(form)
        }
        (Format::Jsonl, _) => each(""),
        (Format::Table | Format::Md, _) => each("\n"),
    }
}

/// A file that was checked.
#[derive(Debug)]
pub struct Checked {
    /// As it was named.
    pub file: String,
    /// What it holds, or why that cannot be read.
    pub content: std::result::Result<(Record, Vec<Contradiction>), String>,
    /// What it lacks of what was asked for besides, in sentences.
    pub lacks: Vec<String>,
}

impl Checked {
    fn record(&self) -> Option<&Record> {
        self.content.as_ref().ok().map(|(record, _)| record)
    }

    /// Everything that is wrong with it, in sentences; nothing of a sound record.
    pub fn faults(&self) -> Vec<String> {
        match &self.content {
            Err(why) => vec![why.clone()],
            Ok((record, contradictions)) => {
                let warning = record.integrity.warning().map(String::from);
                let lines = contradictions.iter().map(|c| format!("{}: {}", c.place, c.what));
                warning.into_iter().chain(lines).chain(self.lacks.iter().cloned()).collect()
            }
        }
    }
}

/// A row for each checked file; for people, everything that is wrong with each below.
///
/// # Errors
/// As [`Table::render`].
pub fn checks(files: &[Checked], form: Format) -> Result<String> {
    let mut text = checked(files).render(form)?;
    if matches!(form, Format::Table | Format::Md) {
        for file in files {
            for fault in file.faults() {
                let fault = format!("{}: {fault}", plain(&file.file));
                text += &format!("\n{}", sentence(&fault, form));
            }
        }
    }
    Ok(text)
}

/// A row for each checked file.
fn checked(files: &[Checked]) -> Table {
    let columns: [ColumnOf<&Checked>; 9] = columns![file:
        text("file") => &file.file,
        text("schema").spare(3) => file.record().map(|r| r.schema.as_str()),
        text("id").people().spare(1) => file.record().map(|r| id::short(&r.id)),
        text("id").programs() => file.record().map(|r| r.id.as_str()),
        text("integrity").spare(2) => file.record().map(|r| r.integrity),
        count("runs").named("cells").spare(4) => file.record().map(|r| r.runs.len()),
        count("contradictions").spare(5)
            => file.content.as_ref().ok().map(|(_, contradictions)| contradictions.len()),
        text("verdict") => verdict(file),
        text("faults").programs() => file.faults().join("; "),
    ];
    Table::of(columns, files)
}

fn verdict(file: &Checked) -> &'static str {
    match &file.content {
        Err(_) => "UNREADABLE",
        Ok((record, _)) if record.integrity == Integrity::Edited => "EDITED",
        Ok((_, contradictions)) if !contradictions.is_empty() => "CONTRADICTS ITSELF",
        Ok((record, _)) if record.integrity == Integrity::Unproven => "UNPROVEN",
        Ok(_) if !file.lacks.is_empty() => "INCOMPLETE",
        Ok(_) => "sound",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn each_verdict_names_the_worst_that_is_wrong() {
        let of = |integrity, contradictions: usize| {
            let contradiction = Contradiction { place: "runs[0].flops".into(), what: "x".into() };
            let record = Record { integrity, ..example::record(&[]) };
            let content = Ok((record, vec![contradiction; contradictions]));
            Checked { file: "r.json".into(), content, lacks: Vec::new() }
        };
        let unfit = |lacks: &str| Checked { lacks: vec![lacks.into()], ..of(Integrity::Intact, 0) };
        let verdicts = [
            (unfit("speech train: unverified"), "INCOMPLETE", 1),
            (of(Integrity::Intact, 0), "sound", 0),
            (of(Integrity::Unproven, 0), "UNPROVEN", 1),
            (of(Integrity::Intact, 2), "CONTRADICTS ITSELF", 2),
            (of(Integrity::Edited, 2), "EDITED", 3),
            (Checked { content: Err("no".into()), ..of(Integrity::Intact, 0) }, "UNREADABLE", 1),
        ];
        for (file, expected, faults) in verdicts {
            assert_eq!((verdict(&file), file.faults().len()), (expected, faults));
        }
    }

    #[test]
    fn people_get_a_short_id_and_programs_the_whole() {
        let mut record = example::record(&[]);
        record.id = format!("jcs-sha256:{}", "ab".repeat(32));
        let kept = [Kept {
            path: Path::new("r.json"),
            record: &record,
            baselines: vec!["main"],
            score: Some(7.0),
        }];
        let shown = super::kept(&kept).render(Format::Table).unwrap();
        assert!(shown.contains("abababababab ") && !shown.contains("jcs"), "{shown}");
        assert!(shown.contains("2026-11-01 10:00:00") && shown.contains("main"), "{shown}");
        let line = super::kept(&kept).render(Format::Jsonl).unwrap();
        assert!(line.contains(&record.id) && line.contains("\"score\":7.0"), "{line}");
    }
}
