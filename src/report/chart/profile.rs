//! One run in detail: how its op types add up, and where its ops stand under the roofline.

use crate::analysis::profile::{OpPlace, TypeTime};
use crate::record::Peaks;
use crate::report::number::{byte_rate, digits, duration_ns, flop_rate, percent};

use super::svg::{Anchor, Scale, Svg, WIDTH};

/// How fast the shares add up, the longest types first.
pub(in crate::report) fn dominance(types: &[TypeTime], to_dominance: usize) -> String {
    let (left, top, bottom) = (44.0, 10.0, 180.0);
    let mut svg = Svg::new(
        220.0,
        &format!("Cumulative share of time by op types: {to_dominance} types reach 90 %"),
    );
    let x = Scale::linear((0.0, types.len() as f64), (left, WIDTH - 10.0));
    let y = Scale::linear((0.0, 1.0), (bottom, top));
    for share in [0.0, 0.5, 0.9, 1.0] {
        let style = if share == 0.9 { "mark" } else { "grid" };
        let label = format!("{:.0} %", share * 100.0);
        svg.level(y.at(share), (left, WIDTH - 10.0), style, &label);
    }
    let shares = std::iter::once(0.0).chain(types.iter().map(|kind| kind.cumulative));
    let points: Vec<_> =
        shares.enumerate().map(|(i, share)| (x.at(i as f64), y.at(share))).collect();
    svg.path(&points, "curve");
    for (i, kind) in types.iter().enumerate() {
        let tip = format!(
            "{} of {}: with {} {} ({} alone)",
            i + 1,
            types.len(),
            kind.name,
            percent(kind.cumulative),
            percent(kind.share)
        );
        let (radius, style) =
            if i + 1 == to_dominance { (5.0, "point reached") } else { (3.5, "point") };
        svg.dot(points[i + 1], radius, style, &tip);
    }
    svg.text((left, bottom + 18.0), Anchor::Start, "axis", "0");
    let middle = (f64::midpoint(left, WIDTH), bottom + 34.0);
    svg.text(middle, Anchor::Middle, "axis", "op types, the longest first");
    svg.text((WIDTH - 10.0, bottom + 18.0), Anchor::End, "axis", &types.len().to_string());
    svg.finish()
}

/// What has a place in a roofline: operations a byte and a second.
const LEAST: f64 = 1e-6;
const MOST: f64 = 1e18;

/// Each op by arithmetic intensity and rate, under the ceilings (Williams, Waterman, Patterson 2009). The
/// mark of an op is its class's letter. With how many ops have no place: no arithmetic, or no time seen. Without
/// ceilings there is no picture.
pub(in crate::report) fn roofline(ops: &[OpPlace], peaks: &Peaks) -> Option<(String, usize)> {
    let ceilings = [peaks.fma_f32_flop_per_s, peaks.copy_bytes_per_s];
    // A record may come from anywhere: a picture of a span without end would never be finished.
    if !ceilings.iter().all(|rate| (1.0..MOST).contains(rate)) {
        return None;
    }
    let placed: Vec<_> = ops
        .iter()
        .filter_map(|op| {
            let at = (op.roofline.intensity?, op.roofline.flop_per_s?);
            [at.0, at.1].iter().all(|figure| (LEAST..MOST).contains(figure)).then_some((op, at))
        })
        .collect();
    let ridge = peaks.fma_f32_flop_per_s / peaks.copy_bytes_per_s;
    let ends = |values: Vec<f64>| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.into_iter().fold(0.0, f64::max);
        (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil()))
    };
    let across = ends(placed.iter().map(|(_, at)| at.0).chain([ridge, ridge * 4.0]).collect());
    let up = ends(placed.iter().map(|(_, at)| at.1).chain([peaks.fma_f32_flop_per_s]).collect());
    let (left, top, right, bottom) = (84.0, 10.0, WIDTH - 10.0, 250.0);
    let (x, y) = (Scale::logarithmic(across, (left, right)), Scale::logarithmic(up, (bottom, top)));
    let mut svg = Svg::new(
        292.0,
        &format!(
            "Roofline: {} ops by operations a byte and operations a second under {} and {}",
            placed.len(),
            flop_rate(peaks.fma_f32_flop_per_s),
            byte_rate(peaks.copy_bytes_per_s)
        ),
    );
    for value in decades(up) {
        svg.level(y.at(value), (left, right), "grid", &short(value, "FLOP/s"));
    }
    for value in decades(across) {
        svg.line((x.at(value), top), (x.at(value), bottom), "grid");
        svg.text((x.at(value), bottom + 17.0), Anchor::Middle, "axis", &short(value, ""));
    }
    let middle = (f64::midpoint(left, right), bottom + 35.0);
    svg.text(middle, Anchor::Middle, "axis", "FLOP a byte");
    // Where the slope enters the picture: at its left edge, or at its lower one.
    let low = across.0.max(up.0 / peaks.copy_bytes_per_s);
    let roof = [
        (x.at(low), y.at(low * peaks.copy_bytes_per_s)),
        (x.at(ridge), y.at(peaks.fma_f32_flop_per_s)),
        (right, y.at(peaks.fma_f32_flop_per_s)),
    ];
    svg.path(&roof, "roof");
    for (op, at) in &placed {
        let place = (x.at(at.0), y.at(at.1));
        let tip = format!(
            "{}: {} FLOP a byte, {}, {} of its roof, {}",
            op.label,
            digits(at.0),
            flop_rate(at.1),
            op.roofline.of_roof.map_or("unknown share".into(), percent),
            duration_ns(op.ns)
        );
        svg.dot(place, 7.5, &format!("class-{}", op.class), &tip);
        let below = (place.0, place.1 + 3.8);
        svg.text(below, Anchor::Middle, "on-class small", &op.class.to_string());
    }
    Some((svg.finish(), ops.len() - placed.len()))
}

fn decades((from, to): (f64, f64)) -> impl Iterator<Item = f64> {
    let (first, last) = (from.log10().round() as i32, to.log10().round() as i32);
    // Not more lines than can be read.
    let step = ((last - first) / 6 + 1).max(1) as usize;
    (first..=last).step_by(step).map(|power| 10f64.powi(power))
}

/// A power of ten with its prefix.
fn short(value: f64, unit: &str) -> String {
    let prefixes = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let large = prefixes.iter().find(|(size, _)| value >= *size * 0.999);
    let (size, prefix) = large.filter(|_| !unit.is_empty()).copied().unwrap_or((1.0, ""));
    let number = value / size;
    let number = if number >= 1.0 { format!("{number:.0}") } else { format!("{number}") };
    format!("{number} {prefix}{unit}").trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn without_ceilings_there_is_no_roofline() {
        let mut peaks = example::record(&[]).peaks;
        assert!(roofline(&[], &peaks).is_some());
        for rate in [0.0, 1e-300, 1e300] {
            peaks.copy_bytes_per_s = rate;
            assert_eq!(roofline(&[], &peaks), None, "{rate}");
        }
    }
}
