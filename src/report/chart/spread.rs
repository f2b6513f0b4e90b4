//! How a run's steps scatter: their times over the run's median, as a box of the middle half and a line from the
//! 5th to the 95th of a hundred. A steady device has short boxes; a long line to the right is jitter that a median
//! hides.

use super::ratios::{Ratios, style};

/// Height of a box.
const BOX: f64 = 9.0;

/// The quantiles that are drawn, smallest first.
pub(in crate::report) const QUANTILES: [f64; 4] = [0.05, 0.25, 0.75, 0.95];

/// A run, and for each device the [`QUANTILES`] of its steps over their median.
#[derive(Debug, Clone)]
pub(in crate::report) struct Spread {
    pub(in crate::report) label: String,
    pub(in crate::report) devices: Vec<Option<[f64; 4]>>,
}

/// Every run's spread, and which colour is which device.
pub(in crate::report) fn spread(title: &str, devices: &[&str], runs: &[Spread]) -> String {
    let known = runs.iter().flat_map(|run| run.devices.iter().flatten());
    let mut chart = Ratios::new(title, (0, devices), runs.len(), known.flatten().copied());
    for (at, run) in runs.iter().enumerate() {
        chart.name(at, &run.label);
        for (i, quantiles) in run.devices.iter().enumerate() {
            let Some(quantiles) = quantiles else {
                continue;
            };
            let y = chart.y(at, i);
            let [low, from, to, high] = quantiles.map(|quantile| chart.x.at(quantile));
            chart.svg.whisker(y, low, high);
            let [low_is, from_is, to_is, high_is] = *quantiles;
            let tip = format!(
                "{}: {}: half of the steps from {from_is:.3} to {to_is:.3} of the median, nine in ten from \
                 {low_is:.3} to {high_is:.3}",
                run.label, devices[i]
            );
            // At least a line of it, where all steps take the same time.
            let width = (to - from).max(2.0);
            chart.svg.rect((from, y - BOX / 2.0), (width, BOX), &style(i), &tip);
        }
    }
    chart.svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_as_wide_as_the_middle_half() {
        let run = |quantiles| Spread { label: "vgg train".into(), devices: vec![Some(quantiles)] };
        let wide = spread("steps", &["one"], &[run([0.5, 0.71, 1.41, 2.0])]);
        let flat = spread("steps", &["one"], &[run([1.0; 4])]);
        let width = |svg: &str| -> f64 {
            let rect = svg.split("<rect ").nth(1).unwrap();
            rect.split('"').nth(5).unwrap().parse().unwrap()
        };
        // A half of an axis that reaches from one half to double.
        assert!((width(&wide) - 492.0 / 2.0).abs() < 3.0, "{wide}");
        assert_eq!(width(&flat), 2.0);
        assert!(wide.contains("nine in ten from 0.500 to 2.000"), "{wide}");
    }
}
