//! What charts of ratios share: a name and a line a device for each run, on an axis of powers of two around 1.

use super::svg::{Anchor, Scale, Svg, WHOLE_LINE, WIDTH, shortened};

/// How many colours and shapes the page's style has; further devices begin again.
const STYLES: usize = 8;

/// Heights of a device in the legend, of a run's name, of a device's line, and of the axis.
const ENTRY: f64 = 18.0;
const NAME: f64 = 20.0;
const PITCH: f64 = 13.0;
const AXIS: f64 = 24.0;

/// A chart with its axis and legend, to be filled run by run.
#[derive(Debug)]
pub(super) struct Ratios {
    pub(super) svg: Svg,
    pub(super) x: Scale,
    top: f64,
    row: f64,
}

impl Ratios {
    /// Room for `runs` runs on `devices`, the first of which has the colour `first`, on an axis that holds all of
    /// `ends`.
    pub(super) fn new(
        title: &str,
        (first, devices): (usize, &[&str]),
        runs: usize,
        ends: impl IntoIterator<Item = f64>,
    ) -> Self {
        let row = NAME + devices.len() as f64 * PITCH + 8.0;
        // A single device has no need of a legend.
        let top = if devices.len() > 1 { devices.len() as f64 * ENTRY + 12.0 } else { 0.0 };
        let bottom = top + runs as f64 * row;
        let mut svg = Svg::new(bottom + AXIS, title);
        // Whole powers of two on either side of 1, so that the grid is the same above and below.
        let usable = ends.into_iter().filter(|end| *end > 0.0 && end.is_finite());
        let reach = usable.map(|end| end.log2().abs()).fold(1.0, f64::max).ceil();
        let x = Scale::logarithmic((0.5f64.powf(reach), 2f64.powf(reach)), (24.0, WIDTH - 24.0));
        for (i, device) in devices.iter().enumerate().filter(|_| devices.len() > 1) {
            let y = 12.0 + i as f64 * ENTRY;
            svg.dot((8.0, y - 4.0), 5.0, &style(first + i), "");
            svg.text((20.0, y), Anchor::Start, "", &shortened(device, WHOLE_LINE));
        }
        let step = (reach / 3.0).ceil() as i32;
        for power in (-(reach as i32)..=reach as i32).filter(|power| power % step == 0) {
            let at = x.at(2f64.powi(power));
            let class = if power == 0 { "mark" } else { "grid" };
            svg.line((at, top), (at, bottom), class);
            let text =
                if power < 0 { format!("1/{}x", 1 << -power) } else { format!("{}x", 1 << power) };
            svg.text((at, bottom + 16.0), Anchor::Middle, "axis", &text);
        }
        Self { svg, x, top, row }
    }

    /// Names a run; `at` counts from the top.
    pub(super) fn name(&mut self, at: usize, label: &str) {
        let y = self.top + at as f64 * self.row + 12.0;
        self.svg.text((0.0, y), Anchor::Start, "", label);
    }

    /// The height of a device's line in a run.
    pub(super) fn y(&self, at: usize, device: usize) -> f64 {
        self.top + at as f64 * self.row + NAME + device as f64 * PITCH
    }
}

/// The class of a device's colour.
pub(super) fn style(device: usize) -> String {
    format!("device-{}", device % STYLES)
}
