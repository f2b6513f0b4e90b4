//! Runs in no time: what is measured in them does not matter.

use std::time::Duration;

use fathom::measure::run::Plan;
use fathom::measure::sample::Budget;
use fathom::pass::Options;
use fathom::terms::Preset;

/// Timed and profiled for two samples, after verification if that is asked for.
pub(crate) fn plan(verify: bool) -> Plan {
    Plan {
        preset: Preset::Tiny,
        options: Options::default(),
        verify,
        profile: true,
        budget: Budget { time: Duration::from_micros(1), noise: 0.01, min_samples: 2 },
        seed: 1,
        queue_depth: fathom::measure::QUEUE_DEPTH,
        rule: None,
    }
}
