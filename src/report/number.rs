//! Figures formatted with four digits and their unit.

/// Four significant digits: 149.3, 0.4071, 12340.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let rounded = four_digits(value);
    let magnitude = if rounded == 0.0 { 0 } else { rounded.abs().log10().floor() as i32 };
    let decimals = (3 - magnitude).clamp(0, 6) as usize;
    format!("{value:.decimals$}")
}

/// Rounded to what [`digits`] shows, which may have a digit more before the point: 9.9996 is 10.00.
fn four_digits(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while four_digits(value).abs() >= step && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    format!("{} {}", digits(value), units[unit])
}

/// A time in nanoseconds.
pub fn duration_ns(ns: f64) -> String {
    scaled(ns, 1000.0, &["ns", "µs", "ms", "s"])
}

/// A time in nanoseconds by a clock that rounds to `finest`: in no more digits than it has.
pub fn rounded_ns(ns: f64, finest: f64) -> String {
    if ns < finest {
        return format!("< {}", bare(finest));
    }
    let digits = ((ns / finest).log10().floor() as i32 + 1).clamp(1, 4);
    let unit = 10_f64.powi(ns.log10().floor() as i32 + 1 - digits);
    bare((ns / unit).round() * unit)
}

/// `100 µs`: without zeros that say how well it is known.
fn bare(ns: f64) -> String {
    let text = duration_ns(ns);
    match text.split_once(' ') {
        Some((value, unit)) if value.contains('.') => {
            format!("{} {unit}", value.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// A time that somebody waits, in seconds: `45 s`, `4 min`, `1 h 10 min`. No figure to be relied on.
pub fn span(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        _ if seconds < 99.5 => format!("{:.0} s", seconds.max(1.0)),
        0..100 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// Bytes in binary units.
pub fn bytes(bytes: f64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// Operations.
pub fn flops(flops: f64) -> String {
    scaled(flops, 1000.0, &["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"])
}

/// Operations a second.
pub fn flop_rate(rate: f64) -> String {
    scaled(rate, 1000.0, &["FLOP/s", "kFLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s"])
}

/// Bytes a second in decimal units, as memory is sold.
pub fn byte_rate(rate: f64) -> String {
    scaled(rate, 1000.0, &["B/s", "kB/s", "MB/s", "GB/s", "TB/s"])
}

/// A share as percent. What is not nothing is not shown as nothing.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        _ if !percent.is_finite() => "-".into(),
        _ if percent > 0.0 && percent < 0.05 => "<0.1 %".into(),
        // No wider than less is: a column of a table that is being written cannot grow.
        _ if percent >= 99.95 => format!("{percent:.0} %"),
        _ => format!("{percent:.1} %"),
    }
}

/// A share that is under way, behind what it is of: ` 41 %`; nothing at its beginning.
pub fn percent_whole(share: f64) -> String {
    if share > 0.0 { format!(" {:.0} %", 100.0 * share) } else { String::new() }
}

/// How many times as much: 2.14x; 0.0214x where two decimals would hide how small it is.
pub fn times(ratio: f64) -> String {
    let decimals = if ratio > 0.0 && ratio < 0.1 { 2 - ratio.log10().floor() as i32 } else { 2 };
    format!("{ratio:.0$}x", decimals.clamp(2, 9) as usize)
}

/// A difference as a share, in percent with its sign.
pub fn signed_percent(share: f64) -> String {
    if share.is_finite() { format!("{:+.1} %", 100.0 * share) } else { "-".into() }
}

/// A count with its thousands apart: 60,965,224.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_units() {
        let spans = [0.2, 45.4, 99.0, 240.0, 4200.0, 7000.0].map(span);
        assert_eq!(spans, ["1 s", "45 s", "99 s", "4 min", "70 min", "1 h 57 min"]);
    }

    #[test]
    fn a_time_by_a_rounded_clock_has_no_more_digits_than_the_clock() {
        let shown = [0.0, 99e3, 100e3, 333e3, 1.27e6, 2e6, 12.34e6, 123.456e6, 9.8765e9];
        assert_eq!(
            shown.map(|ns| rounded_ns(ns, 100e3)),
            [
                "< 100 µs",
                "< 100 µs",
                "100 µs",
                "300 µs",
                "1.3 ms",
                "2 ms",
                "12.3 ms",
                "123.5 ms",
                "9.877 s"
            ]
        );
        assert_eq!(rounded_ns(65_000.0, 5000.0), "65 µs");
    }

    #[test]
    fn small_ratios_are_told_as_well_as_great_ones() {
        let shown = [2.0, 0.5, 0.0214, 0.00214].map(times);
        assert_eq!(shown, ["2.00x", "0.50x", "0.0214x", "0.00214x"]);
    }

    #[test]
    fn figures_have_four_digits_and_a_unit() {
        assert_eq!(duration_ns(149_312_000.0), "149.3 ms");
        assert_eq!(duration_ns(950.0), "950.0 ns");
        assert_eq!(duration_ns(9_999_700.0), "10.00 ms");
        assert_eq!(duration_ns(999_970.0), "1.000 ms");
        assert_eq!(bytes(6.1 * 1024.0 * 1024.0 * 1024.0), "6.100 GiB");
        assert_eq!(flop_rate(60.1e12), "60.10 TFLOP/s");
        assert_eq!(byte_rate(4.2e12), "4.200 TB/s");
        assert_eq!(percent(0.412), "41.2 %");
        assert_eq!([0.0, 0.0004, 0.0006].map(percent), ["0.0 %", "<0.1 %", "0.1 %"]);
        assert_eq!([0, 999, 1000, 60_965_224].map(grouped), ["0", "999", "1,000", "60,965,224"]);
        assert_eq!(
            (digits(f64::NAN), digits(0.0), digits(12_345.6)),
            ("-".into(), "0.000".into(), "12346".into())
        );
    }
}
