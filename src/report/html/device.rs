//! The devices of a page.

use crate::record::Record;
use crate::report::number::{byte_rate, bytes, duration_ns, flop_rate};
use crate::report::section::labels::{Labels, date, fused};
use crate::report::section::score::in_words;
use crate::score;
use crate::terms::each_once;

/// A device and what was measured of it.
#[derive(Debug)]
pub(super) struct Device {
    /// Of its card: its name, and of driver, program and settings what differs on the page.
    pub(super) title: String,
    pub(super) name: String,
    pub(super) rows: Vec<(&'static str, String)>,
}

/// What was measured, a card for each device, driver, program and settings, with the figures of its newest record.
pub(super) fn devices(records: &[Record]) -> Vec<Device> {
    let labels = Labels::of(records);
    let mut newest: Vec<(&str, &Record)> = Vec::new();
    for (at, record) in records.iter().enumerate() {
        let kind = labels.kind(at);
        match newest.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, known)) if known.created < record.created => *known = record,
            Some(_) => {}
            None => newest.push((kind, record)),
        }
    }
    newest.into_iter().map(|(kind, record)| device(kind, record)).collect()
}

/// The names of the devices, each once.
pub(super) fn names(devices: &[Device]) -> Vec<&str> {
    each_once(devices.iter().map(|device| device.name.as_str()))
}

/// Its score with the interval; a dash where it has none.
fn score_of(record: &Record) -> String {
    let score = score::of(record).ok();
    score.as_ref().and_then(in_words).unwrap_or_else(|| "-".into())
}

/// `preset full, f32, fused`, and what else changes its figures.
fn settings(record: &Record) -> String {
    let config = &record.config;
    let first = [
        format!("preset {}", config.preset),
        config.precision.to_string(),
        fused(config.fuse).into(),
    ];
    first.into_iter().chain(record.further_conditions()).collect::<Vec<_>>().join(", ")
}

fn device(title: &str, record: &Record) -> Device {
    let (device, peaks) = (&record.device, &record.peaks);
    let kind = if device.software { " (runs on the CPU)" } else { "" };
    let limits = &device.limits;
    Device {
        title: title.to_string(),
        name: record.device_name(),
        rows: vec![
            ("driver", format!("{}, {}", device.driver, device.backend)),
            ("kind", format!("{}{kind}", device.kind)),
            ("measured with", settings(record)),
            ("FMA ceiling", flop_rate(peaks.fma_f32_flop_per_s)),
            ("copy ceiling", byte_rate(peaks.copy_bytes_per_s)),
            ("empty dispatch", duration_ns(peaks.launch_ns)),
            ("score", score_of(record)),
            ("largest binding", bytes(limits.max_binding_bytes as f64)),
            (
                "host",
                format!(
                    "{}, {}",
                    record.host.cpu.as_deref().unwrap_or("unknown CPU"),
                    record.host.os
                ),
            ),
            // To the second.
            ("measured", format!("{}Z", date(&record.created))),
            (
                "by",
                match &record.tool.peer {
                    Some(_) => record.tool.measured(),
                    None => format!(
                        "fathom {} ({}), wgpu {}",
                        record.tool.version,
                        record.tool.commit(),
                        record.tool.wgpu
                    ),
                },
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::terms::Precision;

    #[test]
    fn a_card_names_a_commit_with_local_changes_as_tables_do() {
        let mut record = synthetic::record(&[]);
        record.tool.git = "3f5cc7f26790".into();
        record.tool.dirty = true;
        let card = devices(&[record]).remove(0);
        let by = card.rows.iter().find(|(name, _)| *name == "by").unwrap();
        assert_eq!(by.1, "fathom 0.1.0 (3f5cc7f26790-dirty), wgpu ");
    }

    #[test]
    fn a_card_says_what_its_figures_were_measured_with() {
        let record = synthetic::record(&[]);
        let mut half = record.clone();
        half.config.precision = Precision::F16;
        let cards = devices(std::slice::from_ref(&half));
        let told = |card: &Device| card.rows.iter().any(|(_, value)| value.contains("f16"));
        assert_eq!((cards.len(), told(&cards[0])), (1, true));
        assert_eq!(cards[0].title, "made up", "alone it needs no more");
        let cards = devices(&[record, half]);
        assert_eq!((told(&cards[0]), told(&cards[1])), (false, true));
        assert_eq!((cards[1].title.as_str(), names(&cards).len()), ("made up, f16", 1));
    }
}
