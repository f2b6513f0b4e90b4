//! Bars: lengths with their intervals, and shares that add up.

use crate::analysis::profile::ClassTime;
use crate::report::number::{duration_ns, percent};

use super::svg::{Anchor, BESIDE_FIGURE, Scale, Svg, WHOLE_LINE, WIDTH, shortened};

/// A bar with its interval.
#[derive(Debug, Clone)]
pub(in crate::report) struct Bar {
    /// What it is of.
    pub(in crate::report) label: String,
    /// Its length.
    pub(in crate::report) value: f64,
    /// Where its interval begins and ends, if it has one.
    pub(in crate::report) interval: Option<(f64, f64)>,
    /// Style: `bar`, `bar other`, `class-A`.
    pub(in crate::report) style: String,
    /// The figure in words.
    pub(in crate::report) shown: String,
}

/// Bars from 0, each under its label.
pub(in crate::report) fn bars(title: &str, bars: &[Bar]) -> String {
    const PITCH: f64 = 34.0;
    let mut svg = Svg::new(bars.len() as f64 * PITCH + 6.0, title);
    let longest = |bar: &Bar| bar.interval.map_or(bar.value, |(_, high)| high.max(bar.value));
    let most = bars.iter().map(longest).fold(0.0, f64::max);
    let x = Scale::linear((0.0, most), (0.0, WIDTH - 6.0));
    for (i, bar) in bars.iter().enumerate() {
        let top = i as f64 * PITCH;
        svg.text((0.0, top + 12.0), Anchor::Start, "", &shortened(&bar.label, BESIDE_FIGURE));
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
pub(in crate::report) fn classes(cells: &[(String, &[ClassTime])]) -> String {
    const PITCH: f64 = 40.0;
    let title = "Share of the ops' time by class, a bar for each run";
    let mut svg = Svg::new(cells.len() as f64 * PITCH + 4.0, title);
    for (i, (label, classes)) in cells.iter().enumerate() {
        let top = i as f64 * PITCH;
        svg.text((0.0, top + 12.0), Anchor::Start, "", &shortened(label, WHOLE_LINE));
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
