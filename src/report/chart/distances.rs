//! The distance between each pair of workloads.

use crate::analysis::similarity::Similarity;

use super::svg::{Anchor, Svg, WIDTH};

/// The distances of a [`Similarity`] as a map of shades with the figures in it.
pub(in crate::report) fn svg(similarity: &Similarity) -> String {
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
