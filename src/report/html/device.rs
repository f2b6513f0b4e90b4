//! The devices of a page.

use crate::record::Record;
use crate::report::number::{byte_rate, bytes, duration_ns, flop_rate};
use crate::report::section::score::in_words;
use crate::score;

/// A device and what was measured of it.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) rows: Vec<(&'static str, String)>,
}

/// The devices of all records, each with the figures of its newest.
pub(super) fn devices(records: &[Record]) -> Vec<Device> {
    let mut newest: Vec<&Record> = Vec::new();
    for record in records {
        let same = |known: &&mut &Record| {
            (known.device_name(), known.device.backend)
                == (record.device_name(), record.device.backend)
        };
        match newest.iter_mut().find(same) {
            Some(known) if known.created < record.created => *known = record,
            Some(_) => {}
            None => newest.push(record),
        }
    }
    newest.into_iter().map(device).collect()
}

/// Its score with the interval; a dash where it has none.
fn score_of(record: &Record) -> String {
    let score = score::of(record).ok();
    score.as_ref().and_then(in_words).unwrap_or_else(|| "-".into())
}

fn device(record: &Record) -> Device {
    let (device, peaks) = (&record.device, &record.peaks);
    let kind = if device.software { " (runs on the CPU)" } else { "" };
    let limits = &device.limits;
    Device {
        name: record.device_name(),
        rows: vec![
            ("driver", format!("{}, {}", device.driver, device.backend)),
            ("kind", format!("{}{kind}", device.kind)),
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
            (
                "measured",
                format!("{}Z", record.created.split(['.', 'Z']).next().unwrap_or_default())
                    .replace('T', " "),
            ),
            (
                "by",
                match &record.tool.peer {
                    Some(_) => record.tool.measured(),
                    None => format!(
                        "fathom {} ({}), wgpu {}",
                        record.tool.version, record.tool.git, record.tool.wgpu
                    ),
                },
            ),
        ],
    }
}
