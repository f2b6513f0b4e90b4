//! The few SVG elements that make up the page's charts. Lengths are in the units of the view box.

use std::fmt::Write;

/// Width of every chart: on a phone a unit is two thirds of a pixel, on a desk one and a third.
pub(in crate::report) const WIDTH: f64 = 540.0;

/// Characters of a label that has a line to itself.
pub(in crate::report) const WHOLE_LINE: usize = 76;

/// Characters of a label beside a figure.
pub(in crate::report) const BESIDE_FIGURE: usize = 64;

/// A label that is cut where there is no more room, and shows that it is.
pub(in crate::report) fn shortened(label: &str, most: usize) -> String {
    match label.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", label[..end].trim_end()),
        None => label.into(),
    }
}

/// A chart under construction.
#[derive(Debug)]
pub(in crate::report) struct Svg {
    height: f64,
    label: String,
    body: String,
}

/// Where a text begins, is centred, or ends.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// An empty chart; `label` is what someone hears who does not see it.
    pub(in crate::report) fn new(height: f64, label: &str) -> Self {
        Self { height, label: label.into(), body: String::new() }
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(element);
    }

    /// A rectangle of a style's `class`, with the exact figure for whoever points at it.
    pub(in crate::report) fn rect(
        &mut self,
        (x, y): (f64, f64),
        (w, h): (f64, f64),
        class: &str,
        tip: &str,
    ) {
        let w = w.max(0.0);
        let tip = data_tip(tip);
        self.push(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}" class="{class}"{tip}/>"#
        ));
    }

    /// A straight line.
    pub(in crate::report) fn line(
        &mut self,
        (x1, y1): (f64, f64),
        (x2, y2): (f64, f64),
        class: &str,
    ) {
        self.push(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#
        ));
    }

    /// A line through points.
    pub(in crate::report) fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        self.push(format_args!(r#"<polyline points="{points}" class="{class}"/>"#));
    }

    /// A disc.
    pub(in crate::report) fn dot(&mut self, (x, y): (f64, f64), r: f64, class: &str, tip: &str) {
        let tip = data_tip(tip);
        self.push(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{r:.1}" class="{class}"{tip}/>"#
        ));
    }

    /// Words; `y` is their base line.
    pub(in crate::report) fn text(
        &mut self,
        (x, y): (f64, f64),
        anchor: Anchor,
        class: &str,
        text: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.push(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}">{text}</text>"#
        ));
    }

    /// A line across at a height, with what it stands for at its left.
    pub(in crate::report) fn level(&mut self, y: f64, ends: (f64, f64), class: &str, label: &str) {
        self.line((ends.0, y), (ends.1, y), class);
        self.text((ends.0 - 6.0, y + 4.0), Anchor::End, "axis", label);
    }

    /// An interval as a line between two ticks.
    pub(in crate::report) fn whisker(&mut self, y: f64, low: f64, high: f64) {
        self.line((low, y), (high, y), "whisker");
        for x in [low, high] {
            self.line((x, y - 3.0), (x, y + 3.0), "whisker");
        }
    }

    /// The element.
    pub(in crate::report) fn finish(self) -> String {
        format!(
            r#"<svg viewBox="0 0 {WIDTH} {:.0}" role="img" aria-label="{}">{}</svg>"#,
            self.height,
            escaped(&self.label),
            self.body
        )
    }
}

fn data_tip(tip: &str) -> String {
    if tip.is_empty() { String::new() } else { format!(r#" data-tip="{}""#, escaped(tip)) }
}

/// Text as it may stand in an element or an attribute.
pub(in crate::report) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Values to places on an axis.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    /// `from` to `to`, evenly.
    pub(in crate::report) fn linear(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from, to, logarithmic: false }
    }

    /// The same by orders of magnitude; both ends of `from` above 0.
    pub(in crate::report) fn logarithmic(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from, to, logarithmic: true }
    }

    /// The place of a value, held within the axis.
    pub(in crate::report) fn at(&self, value: f64) -> f64 {
        let map = |v: f64| if self.logarithmic { v.ln() } else { v };
        let (low, high) = (map(self.from.0), map(self.from.1));
        let whole = high - low;
        let part = if whole > 0.0 { ((map(value) - low) / whole).clamp(0.0, 1.0) } else { 0.0 };
        self.to.0 + part * (self.to.1 - self.to.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_reach_from_end_to_end() {
        let even = Scale::linear((0.0, 4.0), (100.0, 200.0));
        assert_eq!([0.0, 1.0, 4.0, 9.0].map(|v| even.at(v)), [100.0, 125.0, 200.0, 200.0]);
        let log = Scale::logarithmic((1.0, 100.0), (0.0, 2.0));
        assert!((log.at(10.0) - 1.0).abs() < 1e-12);
        assert_eq!(Scale::linear((3.0, 3.0), (7.0, 9.0)).at(3.0), 7.0);
    }

    #[test]
    fn names_cannot_break_out() {
        let mut svg = Svg::new(10.0, "a \"b\"");
        svg.rect((0.0, 0.0), (1.0, 1.0), "bar", "x\"><script>");
        svg.text((0.0, 0.0), Anchor::Start, "", "</svg>");
        let text = svg.finish();
        assert!(!text.contains("<script>") && text.matches("</svg>").count() == 1, "{text}");
        assert!(text.contains("aria-label=\"a &quot;b&quot;\""));
    }
}
