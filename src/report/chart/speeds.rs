//! How fast devices are beside each other: a row a run, a dot and a colour a device, on a logarithmic scale.

use crate::report::number::times;

use super::ratios::{Ratios, style};

/// A run, and how fast each device is in it.
#[derive(Debug, Clone)]
pub(in crate::report) struct Line {
    pub(in crate::report) label: String,
    pub(in crate::report) speeds: Vec<Option<Speed>>,
}

/// How many times as fast, and the ends of its interval, which are not numbers where that is not known.
pub(in crate::report) type Speed = (f64, (f64, f64));

/// The colour of the first of the others: what they are held against has the one before, on every chart of the page.
const FIRST: usize = 1;

/// Every run's speeds, and which colour is which device.
pub(in crate::report) fn speeds(title: &str, devices: &[&str], lines: &[Line]) -> String {
    let known = lines.iter().flat_map(|line| line.speeds.iter().flatten());
    let ends = known.flat_map(|(value, (low, high))| [*value, *low, *high]);
    let mut chart = Ratios::new(title, (FIRST, devices), lines.len(), ends);
    for (at, line) in lines.iter().enumerate() {
        chart.name(at, &line.label);
        for (i, speed) in line.speeds.iter().enumerate() {
            let Some((value, (low, high))) = *speed else {
                continue;
            };
            let (x, y) = (chart.x, chart.y(at, i));
            let mut tip = format!("{}: {}: {}", line.label, devices[i], times(value));
            if low <= high {
                chart.svg.whisker(y, x.at(low), x.at(high));
                tip += &format!(" [{} .. {}]", times(low), times(high));
            }
            chart.svg.dot((x.at(value), y), 5.0, &style(FIRST + i), &tip);
        }
    }
    chart.svg.finish()
}

#[cfg(test)]
mod tests {
    use super::super::svg::WIDTH;
    use super::*;

    #[test]
    fn a_device_has_its_colour_and_one_half_is_as_far_from_1_as_double() {
        let speeds_of = |value| Some((value, (value * 0.9, value * 1.1)));
        let line =
            Line { label: "vgg train".into(), speeds: vec![speeds_of(2.0), speeds_of(0.5), None] };
        let svg = speeds("speeds", &["one", "two", "three"], &[line]);
        let places: Vec<f64> = svg
            .split("<circle ")
            .skip(1)
            .filter(|dot| dot.contains("data-tip"))
            .map(|dot| dot.split('"').nth(1).unwrap().parse().unwrap())
            .collect();
        assert!((places[0] + places[1] - WIDTH).abs() < 0.2, "{places:?}");
        assert!(svg.contains("device-1") && svg.contains("device-2"), "{svg}");
        assert!(!svg.contains("device-0"), "the colour of what they are held against: {svg}");
        assert!(svg.contains("2.00x [1.80x .. 2.20x]"), "{svg}");
    }

    #[test]
    fn a_speed_of_too_few_steps_has_no_interval() {
        let speeds_of = vec![Some((2.0, (f64::NAN, f64::NAN)))];
        let svg = speeds("speeds", &["one"], &[Line { label: "vgg".into(), speeds: speeds_of }]);
        assert!(svg.contains("one: 2.00x\"") && !svg.contains("NaN"), "{svg}");
        assert!(!svg.contains("whisker"), "{svg}");
    }
}
