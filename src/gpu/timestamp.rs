//! The GPU's own clock: a pair of timestamps around each pass, and the ways in which they can be wrong.
//!
//! Drivers resolve pairs to zeros, to equal or reversed values, round them to 100 us or wrap around.
//! Every reading is inspected; a figure from a faulty one falls back to wall time and says so.

use crate::error::Result;
use crate::terms::{ClockFault, FaultCount};

use super::Gpu;

/// Timestamps that one query set may hold.
const SET: u32 = 4096;

/// Readings by which rounding is found: multiples of a step that have another divisor in common are rare among this many.
const READINGS: usize = 12;

/// Nanoseconds from which on a step of the clock is called rounding.
const ROUNDED: f64 = 1e3;

/// Start and end of one pass, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When the pass began.
    pub start: u64,
    /// When it ended.
    pub end: u64,
}

impl Stamp {
    /// What is wrong with this pair alone.
    pub fn fault(&self) -> Option<ClockFault> {
        match (self.start, self.end) {
            (0, 0) => Some(ClockFault::Zero),
            (start, end) if end < start => Some(ClockFault::Reversed),
            (start, end) if end == start => Some(ClockFault::Equal),
            _ => None,
        }
    }
}

/// What is wrong with readings of whole submissions: each kind of fault with how many pairs have it.
pub fn faults(stamps: &[Stamp]) -> Vec<FaultCount> {
    let mut faults = counts(stamps, &[ClockFault::Zero, ClockFault::Reversed, ClockFault::Equal]);
    let durations = stamps.iter().filter(|s| s.fault().is_none());
    let shortest = durations.map(|s| s.end - s.start).min();
    // A hundredth of the shortest interval must be resolved, or the figure is rounded by more.
    if shortest.is_some_and(|shortest| is_coarse(stamps, shortest / 100)) {
        faults.push(FaultCount { fault: ClockFault::Coarse, pairs: stamps.len() });
    }
    faults
}

/// What is wrong with readings of steps of `ops` passes each. A pass may be too short for the clock, so
/// that its stamps are equal, but passes begin in the order in which they were recorded.
pub fn faults_of_steps(stamps: &[Stamp], ops: usize) -> Vec<FaultCount> {
    let mut faults = counts(stamps, &[ClockFault::Zero, ClockFault::Reversed]);
    let before = |pair: &[Stamp]| pair[1].fault().is_none() && pair[1].start < pair[0].start;
    let steps = stamps.chunks(ops.max(1));
    let back: usize = steps.map(|step| step.windows(2).filter(|pair| before(pair)).count()).sum();
    if back > 0 {
        match faults.iter_mut().find(|count| count.fault == ClockFault::Reversed) {
            Some(known) => known.pairs += back,
            None => faults.push(FaultCount { fault: ClockFault::Reversed, pairs: back }),
        }
    }
    // One pass may be too short for the clock, all of them are not.
    if !stamps.is_empty() && stamps.iter().all(|s| s.fault() == Some(ClockFault::Equal)) {
        faults.push(FaultCount { fault: ClockFault::Equal, pairs: stamps.len() });
    }
    // Of all ops together: a twentieth of the mean must be resolved.
    let seen = stamps.iter().filter(|s| s.end >= s.start);
    let total: u64 = seen.fold(0, |sum, s| sum.saturating_add(s.end - s.start));
    if is_coarse(stamps, total / stamps.len().max(1) as u64 / 20) {
        faults.push(FaultCount { fault: ClockFault::Coarse, pairs: stamps.len() });
    }
    faults
}

fn counts(stamps: &[Stamp], kinds: &[ClockFault]) -> Vec<FaultCount> {
    let count = |&fault: &ClockFault| FaultCount {
        fault,
        pairs: stamps.iter().filter(|s| s.fault() == Some(fault)).count(),
    };
    kinds.iter().map(count).filter(|count| count.pairs > 0).collect()
}

/// Whether all ticks are multiples of a step above `finest`. Two pairs may be so by chance.
fn is_coarse(stamps: &[Stamp], finest: u64) -> bool {
    let ticks = stamps.iter().flat_map(|s| [s.start, s.end]);
    let step = ticks.fold(0, gcd);
    stamps.len() > 2 && step > 1 && step > finest
}

/// What a test does to every reading of a device, as drivers have been seen to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// Nothing was written.
    Zeros,
    /// Ends before starts.
    Reversed,
    /// Ends at starts.
    Equal,
    /// A counter of so few bits that it wraps within the reading.
    Wrapped,
    /// Rounded to multiples of this many ticks.
    Rounded(u64),
    /// The last slot was never written.
    MissingLast,
}

impl Injected {
    fn apply(self, stamps: &mut [Stamp]) {
        // Half-way through the reading, so that wrapping parts it.
        let middle = stamps.get(stamps.len() / 2).map_or(0, |s| s.start.midpoint(s.end));
        for stamp in &mut *stamps {
            let Stamp { start, end } = *stamp;
            (stamp.start, stamp.end) = match self {
                Self::Zeros => (0, 0),
                Self::Reversed => (end, start),
                Self::Equal => (start, start),
                Self::Wrapped => {
                    // 36 bits are the fewest that Vulkan lets a counter have.
                    let wrapped = |tick: u64| tick.wrapping_sub(middle) & ((1 << 36) - 1);
                    (wrapped(start), wrapped(end))
                }
                Self::Rounded(step) => (start / step * step, end / step * step),
                Self::MissingLast => (start, end),
            };
        }
        if let (Self::MissingLast, Some(last)) = (self, stamps.last_mut()) {
            last.end = 0;
        }
    }
}

impl Gpu {
    /// Finds out to what timestamps are rounded: browsers round them, so that no page can tell others' work by them.
    ///
    /// # Errors
    /// [`crate::error::Error::Gpu`] where the device was lost, [`crate::error::Error::OutOfMemory`] where it has no room.
    pub fn find_resolution(&mut self) -> Result<()> {
        let Some(timer) = Timer::new(self, 1)? else {
            return Ok(());
        };
        let mut step = 0;
        for _ in 0..READINGS {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            drop(encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("timestamps"),
                timestamp_writes: Some(timer.writes(0)),
            }));
            timer.resolve(&mut encoder);
            self.submit([encoder.finish()]);
            let stamps = timer.read(self)?;
            step = stamps.iter().flat_map(|s| [s.start, s.end]).fold(step, gcd);
        }
        let resolution = step as f64 * self.timestamp_period;
        self.timestamp_resolution = Some(resolution).filter(|ns| *ns >= ROUNDED);
        Ok(())
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Query sets for a fixed number of stretches of work, with their read-back.
#[derive(Debug)]
pub(crate) struct Timer {
    sets: Vec<wgpu::QuerySet>,
    resolved: wgpu::Buffer,
    pairs: u32,
    /// Whether the pairs stand inside one pass, around stretches of it.
    pub(crate) inside: bool,
}

impl Timer {
    /// Room for `pairs` passes; `None` where the device has no timestamps.
    ///
    /// # Errors
    /// [`crate::error::Error::OutOfMemory`], as [`Timer::inside`].
    pub(crate) fn new(gpu: &Gpu, pairs: usize) -> Result<Option<Self>> {
        gpu.caps.timestamps.then(|| Self::with(gpu, pairs as u32, false)).transpose()
    }

    /// Room for `pairs` inside one pass; `None` where the device has no timestamps there.
    pub(crate) fn inside(gpu: &Gpu, pairs: usize) -> Result<Option<Self>> {
        let inside = gpu.caps.timestamps && gpu.timestamps_in_passes;
        inside.then(|| Self::with(gpu, pairs as u32, true)).transpose()
    }

    fn with(gpu: &Gpu, pairs: u32, inside: bool) -> Result<Self> {
        let stamps = 2 * pairs;
        let set = |first: u32| {
            let count = SET.min(stamps - first);
            let descriptor = wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count,
            };
            let bytes = u64::from(count) * 8;
            gpu.allocate("timestamps", bytes, || gpu.device.create_query_set(&descriptor))
        };
        let sets = (0..stamps).step_by(SET as usize).map(set).collect::<Result<_>>()?;
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = gpu.buffer("timestamps", u64::from(stamps) * 8, usage)?;
        Ok(Self { sets, resolved, pairs, inside })
    }

    /// Writes the first (0) or second (1) stamp of a pair inside a pass. Each stretch has both its own, since a
    /// driver may take time to write one: that is then no part of what is timed.
    pub(crate) fn stamp(&self, pass: &mut wgpu::ComputePass<'_>, pair: usize, end: u32) {
        let at = 2 * pair as u32 + end;
        pass.write_timestamp(&self.sets[(at / SET) as usize], at % SET);
    }

    /// What pass `pair` is to be begun with.
    pub(crate) fn writes(&self, pair: usize) -> wgpu::ComputePassTimestampWrites<'_> {
        let at = 2 * pair as u32;
        wgpu::ComputePassTimestampWrites {
            query_set: &self.sets[(at / SET) as usize],
            beginning_of_pass_write_index: Some(at % SET),
            end_of_pass_write_index: Some(at % SET + 1),
        }
    }

    /// The first pair around several passes: what the first of them writes, and the last; nothing between.
    pub(crate) fn around(
        &self,
        first: bool,
        last: bool,
    ) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        (first || last).then(|| wgpu::ComputePassTimestampWrites {
            query_set: &self.sets[0],
            beginning_of_pass_write_index: first.then_some(0),
            end_of_pass_write_index: last.then_some(1),
        })
    }

    /// Ends the recording.
    pub(crate) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        for (i, set) in self.sets.iter().enumerate() {
            // A resolve begins at a multiple of 256 bytes: a full set takes 32 KiB.
            let at = i as u64 * u64::from(SET) * 8;
            encoder.resolve_query_set(set, 0..set.count(), &self.resolved, at);
        }
    }

    /// Waits for and reads all pairs.
    ///
    /// # Errors
    /// [`crate::error::Error::Gpu`] where the device was lost.
    pub(crate) fn read(&self, gpu: &Gpu) -> Result<Vec<Stamp>> {
        let bytes = gpu.read(&self.resolved, 0, u64::from(self.pairs) * 16)?;
        let ticks: Vec<u64> = bytes
            .chunks_exact(8)
            .map(|c| u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]]))
            .collect();
        let stamp = |pair: &[u64]| Stamp { start: pair[0], end: pair[1] };
        let mut stamps: Vec<_> = ticks.chunks_exact(2).map(stamp).collect();
        if let Some(fault) = gpu.injected {
            fault.apply(&mut stamps);
        }
        Ok(stamps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(pairs: &[(u64, u64)]) -> Vec<Stamp> {
        pairs.iter().map(|&(start, end)| Stamp { start, end }).collect()
    }

    fn seen(fault: ClockFault, pairs: usize) -> FaultCount {
        FaultCount { fault, pairs }
    }

    #[test]
    fn every_kind_of_fault_is_seen() {
        let good = stamps(&[(1001, 2002), (2003, 3007), (3011, 4013)]);
        assert_eq!(faults(&good), vec![]);
        assert_eq!(faults(&stamps(&[(0, 0), (1, 1002)])), [seen(ClockFault::Zero, 1)]);
        assert_eq!(faults(&stamps(&[(u64::MAX, 5)])), [seen(ClockFault::Reversed, 1)]);
        assert_eq!(faults(&stamps(&[(5, 5)])), [seen(ClockFault::Equal, 1)]);
        assert_eq!(faults_of_steps(&stamps(&[(5, 5), (6, 1007)]), 2), vec![]);
        assert_eq!(faults_of_steps(&stamps(&[(5, 5), (6, 6)]), 2), [seen(ClockFault::Equal, 2)]);
        let rounded = stamps(&[(100_000, 300_000), (400_000, 500_000), (600_000, 700_000)]);
        assert_eq!(faults(&rounded), [seen(ClockFault::Coarse, 3)]);
        assert_eq!(faults_of_steps(&rounded, 3), [seen(ClockFault::Coarse, 3)]);
        assert_eq!(faults_of_steps(&good, 3), vec![]);
        // A counter that wrapped between two passes of a step; between two steps it does no harm.
        let wrapped = stamps(&[(1001, 2002), (3, 1007), (1011, 2013)]);
        assert_eq!(faults_of_steps(&wrapped, 3), [seen(ClockFault::Reversed, 1)]);
        assert_eq!(faults_of_steps(&wrapped, 1), vec![]);
    }
}
