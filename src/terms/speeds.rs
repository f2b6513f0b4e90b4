//! How fast a device is: what the choice of a kernel weighs work, waves and dispatches by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a device does in a time, measured by a short probe or typical of its kind. Whole numbers, so that the choice
/// of kernels follows from them exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Speeds {
    /// Processors that run workgroups of their own: while fewer workgroups run, some of them wait.
    pub processors: u32,
    /// Invocations with a few results each that keep one of them busy.
    pub busy: u32,
    /// Multiply-adds in f32 that all of them do in a microsecond.
    pub products_per_us: u32,
    /// Bytes that cross the memory bus in a microsecond.
    pub bytes_per_us: u32,
    /// Nanoseconds of a dispatch that waits for the one before it.
    pub dispatch_ns: u32,
}

impl Speeds {
    /// A large GPU of 2023: 132 processors, 67 TFLOP/s, 4.3 TB/s.
    pub const GPU: Self = Self {
        processors: 132,
        busy: 128,
        products_per_us: 33_500_000,
        bytes_per_us: 4_300_000,
        dispatch_ns: 1_800,
    };

    /// The slowest GPU that is to be reckoned with, part of a small processor: 0.4 TFLOP/s, 15 GB/s. Where a step is cut
    /// by it, no part is too long for any.
    pub const SLOWEST_GPU: Self = Self {
        processors: 4,
        busy: 64,
        products_per_us: 200_000,
        bytes_per_us: 15_000,
        dispatch_ns: 20_000,
    };

    /// A software driver on two cores.
    pub const SOFTWARE: Self = Self {
        processors: 2,
        busy: 1,
        products_per_us: 67_500,
        bytes_per_us: 4_000,
        dispatch_ns: 13_000,
    };

    /// Nanoseconds that multiply-adds take on one processor at its peak.
    pub fn products_ns(&self, products: f64) -> f64 {
        let per_processor = f64::from(self.products_per_us) / f64::from(self.processors);
        1e3 * products / per_processor
    }

    /// Nanoseconds to move some bytes.
    pub fn bytes_ns(&self, bytes: f64) -> f64 {
        1e3 * bytes / f64::from(self.bytes_per_us)
    }

    /// Nanoseconds to launch some dispatches.
    pub fn dispatches_ns(&self, dispatches: usize) -> f64 {
        dispatches as f64 * f64::from(self.dispatch_ns)
    }

    /// Nanoseconds of `workgroups` in waves: each processor holds `resident` of them at once, and `together` tells
    /// how long that many take that share one. The last wave is as long as its fullest processor's share.
    pub fn waves_ns(
        &self,
        workgroups: usize,
        resident: usize,
        together: impl Fn(usize) -> f64,
    ) -> f64 {
        let (processors, resident) = (self.processors.max(1) as usize, resident.max(1));
        let wave = processors * resident;
        let (full, rest) = (workgroups / wave, workgroups % wave);
        let last = if rest == 0 { 0.0 } else { together(rest.div_ceil(processors)) };
        full as f64 * together(resident) + last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workgroup_more_than_a_wave_holds_begins_another() {
        let speeds = Speeds { processors: 132, ..Speeds::GPU };
        let alone = |workgroups| speeds.waves_ns(workgroups, 1, |_| 10.0);
        assert_eq!([1, 132, 133, 144, 264].map(alone), [10.0, 10.0, 20.0, 20.0, 20.0]);
        // Two share a processor at no loss: 264 are one wave, and 12 more run alone.
        let shared = |workgroups| speeds.waves_ns(workgroups, 2, |k| 10.0 * k as f64);
        assert_eq!([132, 133, 264, 276].map(shared), [10.0, 20.0, 20.0, 30.0]);
    }
}
