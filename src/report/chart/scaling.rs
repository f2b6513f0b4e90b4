//! Time against threads or batch.

use crate::analysis::scaling::{Axis, Curve};
use crate::report::number::duration_ns;

use super::svg::{Anchor, Scale, Svg, WIDTH};

/// Lines that [`svg`] draws beside that of all ops.
const LINES: usize = 5;

/// Time against threads or batch, of all ops and of the longest types, each over its own at the least value.
pub(in crate::report) fn svg(curve: &Curve) -> String {
    let (left, top, right, bottom) = (44.0, 12.0, WIDTH - 150.0, 200.0);
    let axis = match curve.axis {
        Axis::Threads => "threads",
        Axis::Batch => "samples in a batch",
    };
    let mut svg = Svg::new(
        240.0,
        &format!("Time against {axis}, relative to the least, for all ops and the longest types"),
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
        svg.level(y.at(value), (left, right), "grid", &format!("{value:.2}"));
    }
    for &n in &curve.at {
        svg.text((x.at(n as f64), bottom + 16.0), Anchor::Middle, "axis", &n.to_string());
    }
    let middle = (f64::midpoint(left, right), bottom + 33.0);
    svg.text(middle, Anchor::Middle, "axis", axis);
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
