//! What the machine did while steps were timed: the rates of known work, and who else wanted to run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::{median, quantile};

use super::YardstickPart;

/// Rates that move by more than this share are pointed out.
pub const MOVED: f64 = 0.1;

/// Known work, timed before the first sample, after the last, and between them about once a second: where its
/// rates move, the machine moved, not the program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Yardstick {
    /// Samples taken before each reading, ascending.
    pub after_samples: Vec<usize>,
    /// Multiply-adds, in operations a second.
    pub fma: Vec<Reading>,
    /// A copy, in bytes read and written a second.
    pub copy: Vec<Reading>,
    /// Dispatches that wait for each other, a second.
    pub launch: Vec<Reading>,
    /// Threads of other programs that wanted to run, several looks a reading, where the system tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<u32>,
    /// What the system said of the device at each reading, where it says anything. Informative: nothing depends on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensors: Vec<Sensors>,
}

/// A device's sensors, each where the system has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sensors {
    /// Clock of its processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_hz: Option<f64>,
    /// Power it draws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_w: Option<f64>,
    /// Temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
}

/// A rate, measured several times in a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Median.
    pub rate: f64,
    /// Middle half of the repetitions as a share of the median.
    pub spread: f64,
}

impl Yardstick {
    /// The readings of a part.
    pub fn part(&self, part: YardstickPart) -> &[Reading] {
        match part {
            YardstickPart::Fma => &self.fma,
            YardstickPart::Copy => &self.copy,
            YardstickPart::Launch => &self.launch,
        }
    }

    /// The part that moved most, if by more than is pointed out, and its best rate over its worst, minus 1.
    pub fn moved(&self) -> Option<(YardstickPart, f64)> {
        let of = |part| {
            let rates: Vec<f64> = self.part(part).iter().map(|reading| reading.rate).collect();
            (part, quantile(&rates, 1.0) / quantile(&rates, 0.0) - 1.0)
        };
        let moved = YardstickPart::ALL.map(of).into_iter().filter(|(_, by)| *by > MOVED);
        moved.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Threads of other programs that wanted to run, in the middle of all looks; nothing where that is unknown.
    pub fn others(&self) -> Option<u32> {
        let looks: Vec<f64> = self.others.iter().map(|&n| f64::from(n)).collect();
        Some(median(&looks)).filter(|n| !n.is_nan()).map(|n| n.round() as u32)
    }
}

impl Reading {
    /// Of a rate's repetitions.
    pub fn of(rates: &[f64]) -> Self {
        let rate = median(rates);
        Self { rate, spread: (quantile(rates, 0.75) - quantile(rates, 0.25)) / rate }
    }
}
