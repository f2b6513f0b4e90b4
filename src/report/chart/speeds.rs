//! How fast devices are beside each other: a row a run, a dot and a colour a device, on a logarithmic scale.

use super::svg::{Anchor, Scale, Svg, WIDTH};

/// How many colours and shapes the page's style has; further devices begin again.
const STYLES: usize = 6;

/// Heights of a run's name, and of a device's line.
const NAME: f64 = 20.0;
const PITCH: f64 = 13.0;

/// A run, and for each device how many times as fast it is, with the ends of its interval.
#[derive(Debug, Clone)]
pub(in crate::report) struct Line {
    pub(in crate::report) label: String,
    pub(in crate::report) speeds: Vec<Option<(f64, f64, f64)>>,
}

/// Every run's speeds, and which colour is which device.
pub(in crate::report) fn speeds(title: &str, devices: &[&str], lines: &[Line]) -> String {
    let row = NAME + devices.len() as f64 * PITCH + 8.0;
    let legend = devices.len() as f64 * 18.0 + 12.0;
    let mut svg = Svg::new(legend + lines.len() as f64 * row + 24.0, title);
    let ends = lines.iter().flat_map(|line| line.speeds.iter().flatten());
    let ends = ends.flat_map(|(value, low, high)| [*value, *low, *high]);
    let usable: Vec<f64> = ends.filter(|end| *end > 0.0 && end.is_finite()).collect();
    // Whole powers of two on either side of 1, so that the grid is the same above and below.
    let reach = usable.iter().map(|end| end.log2().abs()).fold(1.0, f64::max).ceil();
    let x = Scale::logarithmic((0.5f64.powf(reach), 2f64.powf(reach)), (24.0, WIDTH - 24.0));
    for (i, device) in devices.iter().enumerate() {
        let y = 12.0 + i as f64 * 18.0;
        svg.dot((8.0, y - 4.0), 5.0, &style(i), "");
        svg.text((20.0, y), Anchor::Start, "", device);
    }
    let bottom = legend + lines.len() as f64 * row;
    let step = (reach / 3.0).ceil() as i32;
    for power in (-(reach as i32)..=reach as i32).filter(|power| power % step == 0) {
        let at = x.at(2f64.powi(power));
        let class = if power == 0 { "mark" } else { "grid" };
        svg.line((at, legend), (at, bottom), class);
        let text =
            if power < 0 { format!("1/{}x", 1 << -power) } else { format!("{}x", 1 << power) };
        svg.text((at, bottom + 16.0), Anchor::Middle, "axis", &text);
    }
    for (at, line) in lines.iter().enumerate() {
        let top = legend + at as f64 * row;
        svg.text((0.0, top + 12.0), Anchor::Start, "", &line.label);
        for (i, speed) in line.speeds.iter().enumerate() {
            let Some((value, low, high)) = *speed else {
                continue;
            };
            let y = top + NAME + i as f64 * PITCH;
            svg.whisker(y, x.at(low), x.at(high));
            let tip =
                format!("{}: {}: {value:.2}x [{low:.2} .. {high:.2}]", line.label, devices[i]);
            svg.dot((x.at(value), y), 5.0, &style(i), &tip);
        }
    }
    svg.finish()
}

fn style(device: usize) -> String {
    format!("device-{}", device % STYLES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_its_colour_and_one_half_is_as_far_from_1_as_double() {
        let speeds_of = |value| Some((value, value * 0.9, value * 1.1));
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
        assert!(svg.contains("device-0") && svg.contains("device-1"), "{svg}");
        assert!(svg.contains("2.00x [1.80 .. 2.20]"), "{svg}");
    }
}
