//! Buffers: creating them, filling them, reading them back.

use crate::error::{Error, Result, mebibytes};
use crate::host;

use super::Gpu;

impl Gpu {
    /// A zeroed storage buffer of at least `bytes`, which the device's limits allow.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] with the bytes needed where the device has no room.
    pub(crate) fn storage(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer> {
        let descriptor = wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes.next_multiple_of(256).max(256),
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&descriptor);
        match host::block_on(scope.pop()) {
            None => Ok(buffer),
            Some(error) => Err(Error::OutOfMemory(format!(
                "{} cannot allocate {} for '{label}': {error}",
                self.summary.name,
                mebibytes(bytes)
            ))),
        }
    }

    /// Writes bytes (a multiple of 4) at an offset.
    pub(crate) fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
        self.queue.write_buffer(buffer, offset, bytes);
    }

    /// Reads `bytes` from an offset, both multiples of 4, waiting for all work before.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device was lost.
    pub(crate) fn read(&self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        Ok(self.read_ranges(&[(buffer, offset, bytes)])?.swap_remove(0))
    }

    /// The same of several ranges (buffer, offset, bytes), waiting once.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub(crate) fn read_ranges(&self, ranges: &[(&wgpu::Buffer, u64, u64)]) -> Result<Vec<Vec<u8>>> {
        let staging = |&(_, _, bytes): &(&wgpu::Buffer, u64, u64)| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("read-back"),
                // A buffer of no bytes is never mapped: a value may be empty.
                size: bytes.max(4),
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let stagings: Vec<_> = ranges.iter().map(staging).collect();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for ((buffer, offset, bytes), staging) in ranges.iter().zip(&stagings) {
            if *bytes > 0 {
                encoder.copy_buffer_to_buffer(buffer, *offset, staging, 0, *bytes);
            }
        }
        self.queue.submit([encoder.finish()]);
        for staging in &stagings {
            staging.slice(..).map_async(wgpu::MapMode::Read, |_outcome| {
                // A failed map shows below: the range then has no mapped view.
            });
        }
        self.wait()?;
        let read = |((_, _, bytes), staging): (&(&wgpu::Buffer, u64, u64), &wgpu::Buffer)| {
            let view = staging.slice(..).get_mapped_range().map_err(|e| {
                Error::Gpu(format!("cannot read back from {}: {e}", self.summary.name))
            })?;
            Ok(view[..*bytes as usize].to_vec())
        };
        ranges.iter().zip(&stagings).map(read).collect()
    }
}
