//! Buffers: creating them, filling them, reading them back.
//!
//! Whatever takes the device's memory comes through `Gpu::allocate`, which says what there was no room for.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result, mebibytes};
use crate::host;

use super::Gpu;
use super::counter::Counter;

/// What was asked of a device's memory.
#[derive(Debug, Default)]
pub(super) struct Allocations {
    calls: Counter,
    bytes: AtomicU64,
}

impl Gpu {
    /// A zeroed storage buffer of at least `bytes`, which the device's limits allow.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] with the bytes needed where the device has no room.
    pub(crate) fn storage(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        self.buffer(label, bytes.next_multiple_of(256).max(256), usage)
    }

    /// A zeroed buffer.
    ///
    /// # Errors
    /// As [`Gpu::storage`].
    pub(crate) fn buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer> {
        let descriptor = wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes,
            usage,
            mapped_at_creation: false,
        };
        self.allocate(label, bytes, || self.device.create_buffer(&descriptor))
    }

    /// What `create` makes, which takes about `bytes` of the device's memory.
    ///
    /// # Errors
    /// As [`Gpu::storage`].
    pub(crate) fn allocate<T>(
        &self,
        label: &str,
        bytes: u64,
        create: impl FnOnce() -> T,
    ) -> Result<T> {
        let refused = |why: &str| {
            let (name, bytes) = (&self.summary.name, mebibytes(bytes));
            Err(Error::OutOfMemory(format!("{name} cannot allocate {bytes} for '{label}': {why}")))
        };
        self.allocations.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.allocations.calls.next_fails() {
            return refused("a test refuses it");
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = create();
        match host::block_on(scope.pop()) {
            None => Ok(made),
            Some(error) => refused(&error.to_string()),
        }
    }

    /// Has the `nth` allocation from now on fail, counted from 1, and those behind it succeed again: tests show by it
    /// that a device without room is told and nothing is left half done.
    pub fn refuse_allocation(&self, nth: u64) {
        self.allocations.calls.fail(nth);
    }

    /// How many allocations there were, and their bytes: of all that was ever asked for.
    pub fn allocated(&self) -> (u64, u64) {
        (self.allocations.calls.so_far(), self.allocations.bytes.load(Ordering::Relaxed))
    }

    /// Bytes of the driver's memory that are in use, where the backend tells.
    pub fn live_bytes(&self) -> Option<u64> {
        Some(self.device.generate_allocator_report()?.total_allocated_bytes)
    }

    /// Writes bytes (a multiple of 4) at an offset.
    pub(crate) fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
        self.queue.write_buffer(buffer, offset, bytes);
    }

    /// Reads `bytes` from an offset, both multiples of 4, waiting for all work before.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device was lost, [`Error::OutOfMemory`].
    pub(crate) fn read(&self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        Ok(self.read_ranges(&[(buffer, offset, bytes)])?.swap_remove(0))
    }

    /// The same of several ranges (buffer, offset, bytes), waiting once.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub(crate) fn read_ranges(&self, ranges: &[(&wgpu::Buffer, u64, u64)]) -> Result<Vec<Vec<u8>>> {
        self.read_as(ranges, |_, bytes| bytes.to_vec())
    }

    /// What `take` makes of the bytes of several ranges, each with its index, where they lie: large ones are not copied.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub(crate) fn read_as<T>(
        &self,
        ranges: &[(&wgpu::Buffer, u64, u64)],
        take: impl Fn(usize, &[u8]) -> T,
    ) -> Result<Vec<T>> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        // A buffer of no bytes is never mapped: a value may be empty.
        let staging = |&(_, _, bytes): &(&wgpu::Buffer, u64, u64)| {
            self.buffer("read-back", bytes.max(4), usage)
        };
        let stagings = ranges.iter().map(staging).collect::<Result<Vec<_>>>()?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for ((buffer, offset, bytes), staging) in ranges.iter().zip(&stagings) {
            if *bytes > 0 {
                encoder.copy_buffer_to_buffer(buffer, *offset, staging, 0, *bytes);
            }
        }
        self.submit([encoder.finish()]);
        for staging in &stagings {
            staging.slice(..).map_async(wgpu::MapMode::Read, |_outcome| {
                // A failed map shows below: the range then has no mapped view.
            });
        }
        self.wait()?;
        let mut taken = Vec::new();
        for (at, ((_, _, bytes), staging)) in ranges.iter().zip(&stagings).enumerate() {
            let view = staging.slice(..).get_mapped_range().map_err(|e| {
                Error::Gpu(format!("cannot read back from {}: {e}", self.summary.name))
            })?;
            taken.push(take(at, &view[..*bytes as usize]));
        }
        Ok(taken)
    }
}
