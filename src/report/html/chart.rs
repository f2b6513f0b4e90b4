//! The page's charts, each from the plain data of an analysis.

use crate::analysis::profile::{ClassTime, OpPlace, TypeTime};
use crate::analysis::scaling::{Axis, Curve};
use crate::analysis::similarity::Similarity;
use crate::record::Peaks;
use crate::report::number::{byte_rate, digits, duration_ns, flop_rate, percent};
use crate::terms::Class;

use super::svg::{Anchor, Scale, Svg, WIDTH};

/// A bar with its interval.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    /// What it is of.
    pub(super) label: String,
    /// Its length.
    pub(super) value: f64,
    /// Where its interval begins and ends, if it has one.
    pub(super) interval: Option<(f64, f64)>,
    /// Style: `bar`, `bar other`, `class-A`.
    pub(super) style: String,
    /// The figure in words.
    pub(super) shown: String,
}

/// Bars from 0, each under its label.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    const PITCH: f64 = 34.0;
    let mut svg = Svg::new(bars.len() as f64 * PITCH + 6.0, title);
    let longest = |bar: &Bar| bar.interval.map_or(bar.value, |(_, high)| high.max(bar.value));
    let most = bars.iter().map(longest).fold(0.0, f64::max);
    let x = Scale::linear((0.0, most), (0.0, WIDTH - 6.0));
    for (i, bar) in bars.iter().enumerate() {
        let top = i as f64 * PITCH;
        svg.text((0.0, top + 12.0), Anchor::Start, "", &bar.label);
        svg.text((WIDTH, top + 12.0), Anchor::End, "figure", &bar.shown);
        let tip = format!("{}: {}", bar.label, bar.shown);
        svg.rect((0.0, top + 17.0), (x.at(bar.value), 11.0), &bar.style, &tip);
        if let Some((low, high)) = bar.interval {
            svg.whisker(top + 22.5, x.at(low), x.at(high));
        }
    }
    svg.finish()
}

/// The shares of the classes, a bar for each of several cells.
pub(super) fn classes(cells: &[(String, &[ClassTime])]) -> String {
    const PITCH: f64 = 40.0;
    let title = "Share of the ops' time by class, a bar for each run";
    let mut svg = Svg::new(cells.len() as f64 * PITCH + 4.0, title);
    for (i, (label, classes)) in cells.iter().enumerate() {
        let top = i as f64 * PITCH;
        svg.text((0.0, top + 12.0), Anchor::Start, "", label);
        let mut left = 0.0;
        for class in classes.iter().filter(|class| class.share > 0.0) {
            let width = class.share * WIDTH;
            let tip = format!(
                "{label}, {} {}: {}, {}",
                class.class,
                class.name,
                percent(class.share),
                duration_ns(class.ns)
            );
            let style = format!("class-{}", class.class);
            svg.rect((left, top + 17.0), (width, 19.0), &style, &tip);
            if width > 16.0 {
                let middle = (left + width / 2.0, top + 31.0);
                svg.text(middle, Anchor::Middle, "on-class", &class.class.to_string());
            }
            left += width;
        }
    }
    svg.finish()
}

/// The legend of [`classes`]: letter, style and name.
pub(super) fn legend() -> Vec<(char, &'static str)> {
    Class::ALL.map(|class| (class.letter(), class.name())).into()
}

/// How fast the shares add up, the longest types first.
pub(super) fn dominance(types: &[TypeTime], to_dominance: usize) -> String {
    let (left, top, bottom) = (44.0, 10.0, 180.0);
    let mut svg = Svg::new(
        220.0,
        &format!("Cumulative share of time by op types: {to_dominance} types reach 90 %"),
    );
    let x = Scale::linear((0.0, types.len() as f64), (left, WIDTH - 10.0));
    let y = Scale::linear((0.0, 1.0), (bottom, top));
    for share in [0.0, 0.5, 0.9, 1.0] {
        let style = if share == 0.9 { "mark" } else { "grid" };
        svg.line((left, y.at(share)), (WIDTH - 10.0, y.at(share)), style);
        let label = format!("{:.0} %", share * 100.0);
        svg.text((left - 6.0, y.at(share) + 4.0), Anchor::End, "axis", &label);
    }
    let mut points = vec![(x.at(0.0), y.at(0.0))];
    points
        .extend(types.iter().enumerate().map(|(i, t)| (x.at(i as f64 + 1.0), y.at(t.cumulative))));
    svg.path(&points, "curve");
    for (i, kind) in types.iter().enumerate() {
        let at = (x.at(i as f64 + 1.0), y.at(kind.cumulative));
        let tip = format!(
            "{} of {}: with {} {} ({} alone)",
            i + 1,
            types.len(),
            kind.name,
            percent(kind.cumulative),
            percent(kind.share)
        );
        let style = if i + 1 == to_dominance { "point reached" } else { "point" };
        svg.dot(at, if i + 1 == to_dominance { 5.0 } else { 3.5 }, style, &tip);
    }
    svg.text((left, bottom + 18.0), Anchor::Start, "axis", "0");
    let middle = (f64::midpoint(left, WIDTH), bottom + 34.0);
    svg.text(middle, Anchor::Middle, "axis", "op types, the longest first");
    svg.text((WIDTH - 10.0, bottom + 18.0), Anchor::End, "axis", &types.len().to_string());
    svg.finish()
}

/// Each op by arithmetic intensity and rate, under the ceilings (Williams, Waterman, Patterson 2009). The
/// mark of an op is its class's letter. With how many ops have no place: no arithmetic, or no time seen.
pub(super) fn roofline(ops: &[OpPlace], peaks: &Peaks) -> (String, usize) {
    let placed: Vec<_> = ops
        .iter()
        .filter_map(|op| {
            let at = (op.roofline.intensity?, op.roofline.flop_per_s?);
            (at.0 > 0.0 && at.1 > 0.0).then_some((op, at))
        })
        .collect();
    let ridge = peaks.fma_f32_flop_per_s / peaks.copy_bytes_per_s;
    let ends = |values: Vec<f64>| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(0.0, f64::max);
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
        svg.line((left, y.at(value)), (right, y.at(value)), "grid");
        svg.text((left - 6.0, y.at(value) + 4.0), Anchor::End, "axis", &short(value, "FLOP/s"));
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
    (svg.finish(), ops.len() - placed.len())
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

/// The distances of a [`Similarity`] as a map of shades with the figures in it.
pub(super) fn distances(similarity: &Similarity) -> String {
    let n = similarity.order.len();
    let (left, top) = (72.0, 24.0);
    let side = (WIDTH - left) / n as f64;
    let height = side.min(34.0);
    let mut svg = Svg::new(
        top + n as f64 * height + 2.0,
        "Cosine distance of each two workloads: 0 for the same mix of op types, 1 for none in common",
    );
    let name = |i: usize| similarity.workloads[i].workload.as_str();
    for (row, &i) in similarity.order.iter().enumerate() {
        let y = top + row as f64 * height;
        svg.text((left - 6.0, y + height / 2.0 + 4.0), Anchor::End, "", name(i));
        let centre = left + (row as f64 + 0.5) * side;
        svg.text((centre, top - 8.0), Anchor::Middle, "small", name(i));
        for (column, &k) in similarity.order.iter().enumerate() {
            let x = left + column as f64 * side;
            let distance = similarity.distances[i][k];
            let tip = format!("{} and {}: {distance:.4}", name(i), name(k));
            // Ten shades: the nearer, the darker.
            let shade = ((1.0 - distance.min(1.0)) * 9.0).round();
            svg.rect((x, y), (side - 1.0, height - 1.0), &format!("near-{shade:.0}"), &tip);
            let style = if shade > 4.0 { "on-near" } else { "" };
            let middle = (x + side / 2.0, y + height / 2.0 + 4.0);
            svg.text(middle, Anchor::Middle, style, &format!("{distance:.2}"));
        }
    }
    svg.finish()
}

/// How the workloads of a [`Similarity`] come together.
pub(super) fn dendrogram(similarity: &Similarity) -> String {
    const PITCH: f64 = 26.0;
    let n = similarity.order.len();
    let (left, right) = (78.0, WIDTH - 14.0);
    let bottom = n as f64 * PITCH + 6.0;
    let mut svg =
        Svg::new(bottom + 30.0, "Dendrogram: workloads that spend their time alike join early");
    let highest = similarity.merges.iter().map(|m| m.height).fold(0.0, f64::max);
    let x = Scale::linear((0.0, highest), (left, right));
    // Of each workload, then of each merge: where its line ends.
    let mut ends = vec![(left, 0.0); n];
    for (row, &i) in similarity.order.iter().enumerate() {
        let y = row as f64 * PITCH + 16.0;
        ends[i] = (left, y);
        svg.text((left - 6.0, y + 4.0), Anchor::End, "", &similarity.workloads[i].workload);
    }
    for merge in &similarity.merges {
        let at = x.at(merge.height);
        let (a, b) = (ends[merge.left], ends[merge.right]);
        svg.line(a, (at, a.1), "branch");
        svg.line(b, (at, b.1), "branch");
        svg.line((at, a.1), (at, b.1), "branch");
        let middle = (at, f64::midpoint(a.1, b.1));
        let tip = format!("{} workloads join at {:.4}", merge.size, merge.height);
        svg.dot(middle, 4.0, "point", &tip);
        ends.push(middle);
    }
    for share in [0.0, 0.5, 1.0] {
        let value = share * highest;
        svg.line((x.at(value), bottom), (x.at(value), bottom + 4.0), "whisker");
        svg.text((x.at(value), bottom + 18.0), Anchor::Middle, "axis", &format!("{value:.2}"));
    }
    svg.finish()
}

/// Lines that [`scaling`] draws beside that of all ops.
const LINES: usize = 5;

/// Time against threads or batch, of all ops and of the longest types, each over its own at the least value.
pub(super) fn scaling(curve: &Curve) -> String {
    let (left, top, right, bottom) = (44.0, 12.0, WIDTH - 150.0, 200.0);
    let what = match curve.axis {
        Axis::Threads => "threads",
        Axis::Batch => "samples in a batch",
    };
    let mut svg = Svg::new(
        240.0,
        &format!("Time against {what}, relative to the least, for all ops and the longest types"),
    );
    let chosen = std::iter::once(&curve.total).chain(curve.types.iter().take(LINES));
    let lines: Vec<(&str, Vec<f64>, &[f64])> = chosen
        .filter(|line| line.ns.first().is_some_and(|ns| *ns > 0.0))
        .map(|line| {
            let relative = line.ns.iter().map(|ns| ns / line.ns[0]).collect();
            (line.name.as_str(), relative, line.ns.as_slice())
        })
        .collect();
    let most = lines.iter().flat_map(|line| &line.1).copied().fold(1.0, f64::max);
    let ends = (curve.at[0] as f64, curve.at[curve.at.len() - 1] as f64);
    let x = Scale::logarithmic(ends, (left, right));
    let y = Scale::linear((0.0, most), (bottom, top));
    for share in [0.0, 0.5, 1.0] {
        let value = share * most;
        svg.line((left, y.at(value)), (right, y.at(value)), "grid");
        svg.text((left - 6.0, y.at(value) + 4.0), Anchor::End, "axis", &format!("{value:.2}"));
    }
    for &n in &curve.at {
        svg.text((x.at(n as f64), bottom + 16.0), Anchor::Middle, "axis", &n.to_string());
    }
    let middle = (f64::midpoint(left, right), bottom + 33.0);
    svg.text(middle, Anchor::Middle, "axis", what);
    // Labels stand in the order of the lines' ends, at least a line of text apart.
    let mut order: Vec<usize> = (0..lines.len()).collect();
    let end = |i: usize| lines[i].1[lines[i].1.len() - 1];
    order.sort_by(|&a, &b| end(b).total_cmp(&end(a)));
    let mut below = top - 14.0;
    for i in order {
        let (name, relative, ns) = &lines[i];
        let style = format!("curve dash-{i}");
        let at = |(k, value): (usize, &f64)| (x.at(curve.at[k] as f64), y.at(*value));
        let points: Vec<_> = relative.iter().enumerate().map(at).collect();
        svg.path(&points, &style);
        for (k, point) in points.iter().enumerate() {
            let tip = format!("{name} at {}: {}", curve.at[k], duration_ns(ns[k]));
            svg.dot(*point, 3.0, "point", &tip);
        }
        let last = points[points.len() - 1];
        below = last.1.max(below + 14.0);
        svg.line(last, (right + 10.0, below), &style);
        svg.text((right + 14.0, below + 4.0), Anchor::Start, "", name);
    }
    svg.finish()
}
