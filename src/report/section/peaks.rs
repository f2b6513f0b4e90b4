//! A device's ceilings.

use crate::record::Peaks;
use crate::report::column::Quantity::{ByteRate, Digits, Duration, FlopRate, Percent, Scientific};
use crate::report::column::{number, text};
use crate::report::field::Field;
use crate::report::table::Table;

/// The ceilings, then kernel shapes that were tried, each with its operations or bytes a second.
pub fn ceilings(peaks: &Peaks, candidates: &[(String, f64)]) -> Table {
    let mut table = Table::new([
        text("ceiling"),
        // People read it behind the figure.
        text("unit").programs(),
        number("measured", "value", Digits),
        number("spread", "spread", Percent),
    ]);
    let measured = [
        ("fma f32", "FLOP/s", Some(peaks.fma_f32_flop_per_s), FlopRate),
        ("copy, read + write", "B/s", Some(peaks.copy_bytes_per_s), ByteRate),
        ("reading", "B/s", peaks.read_bytes_per_s, ByteRate),
        ("workgroup memory, reading", "B/s", peaks.shared_bytes_per_s, ByteRate),
        ("host to device", "B/s", peaks.upload_bytes_per_s, ByteRate),
        ("device to host", "B/s", peaks.download_bytes_per_s, ByteRate),
        ("launch of a dispatch", "ns", Some(peaks.launch_ns), Duration),
        ("encoding a dispatch", "ns", peaks.encode_ns, Duration),
        ("submission", "ns", Some(peaks.submit_ns), Duration),
        ("pipeline creation", "ns", Some(peaks.pipeline_ns), Duration),
    ];
    for (name, unit, value, quantity) in measured {
        let Some(value) = value else { continue };
        let readings = match name {
            "fma f32" => &peaks.fma[..],
            "copy, read + write" => &peaks.copy,
            _ => &[],
        };
        let spread = readings.iter().map(|reading| reading.spread).reduce(f64::max);
        table.row([name.into(), unit.into(), Field::Figure(value, quantity), spread.into()]);
    }
    for (label, value) in candidates {
        let rate = Field::Figure(*value, Scientific);
        table.row([label.into(), "1/s".into(), rate, None::<f64>.into()]);
    }
    table
}
