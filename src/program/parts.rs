//! A step in parts, each submitted alone: drivers reset a device that works too long on one submission (Windows after 2
//! seconds), and a desktop stands still meanwhile.

use std::ops::Range;
use std::time::Duration;

use crate::pass::OpInstance;
use crate::terms::Speeds;

/// Time of an op over what it would take at the device's peak, as kernels that are not tuned have it.
const OVER_PEAK: f64 = 4.0;

/// The ops in runs of neighbours that each take no longer than `longest` by estimate, or are a single op. One run where
/// nothing is said.
pub(super) fn parts(
    ops: &[OpInstance],
    speeds: &Speeds,
    longest: Option<Duration>,
) -> Vec<Range<usize>> {
    let longest = longest.map_or(f64::INFINITY, |time| time.as_nanos() as f64);
    let (mut parts, mut begin, mut spent) = (Vec::new(), 0, 0.0);
    for (at, op) in ops.iter().enumerate() {
        let ns = estimate(op, speeds);
        if at > begin && spent + ns > longest {
            parts.push(begin..at);
            (begin, spent) = (at, 0.0);
        }
        spent += ns;
    }
    parts.push(begin..ops.len());
    parts
}

fn estimate(op: &OpInstance, speeds: &Speeds) -> f64 {
    let arithmetic = speeds.products_ns(op.cost.flops as f64 / 2.0) / f64::from(speeds.processors);
    let dispatches = speeds.dispatches_ns(op.dispatches.len());
    OVER_PEAK * arithmetic.max(speeds.bytes_ns(op.cost.bytes as f64)) + dispatches
}
