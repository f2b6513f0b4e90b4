//! A device's ceilings.

use crate::record::Peaks;
use crate::report::column::Kind::{ByteRate, Digits, Duration, FlopRate, Scientific};
use crate::report::column::{number, text};
use crate::report::field::Field;
use crate::report::table::Table;

/// The ceilings, then kernel shapes that were tried, each with its operations or bytes a second.
pub fn ceilings(peaks: &Peaks, candidates: &[(String, f64)]) -> Table {
    let mut table =
        Table::new([text("ceiling"), text("unit"), number("measured", "value", Digits)]);
    for (name, unit, value, kind) in [
        ("fma f32", "FLOP/s", peaks.fma_f32_flop_per_s, FlopRate),
        ("copy, read + write", "B/s", peaks.copy_bytes_per_s, ByteRate),
        ("launch of a dispatch", "ns", peaks.launch_ns, Duration),
        ("submission", "ns", peaks.submit_ns, Duration),
        ("pipeline creation", "ns", peaks.pipeline_ns, Duration),
    ] {
        table.row([Field::from(name), Field::from(unit), Field::Figure(value, kind)]);
    }
    for (label, value) in candidates {
        table.row([Field::from(label), Field::from("1/s"), Field::Figure(*value, Scientific)]);
    }
    table
}
