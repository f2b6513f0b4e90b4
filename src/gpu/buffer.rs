//! Buffers: making them, filling them, reading them back.

use crate::error::{Error, Result, mebibytes};

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
        match pollster::block_on(scope.pop()) {
            None => Ok(buffer),
            Some(error) => Err(Error::OutOfMemory(format!(
                "{} has no room for the {} of '{label}': {error}",
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
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, bytes);
        self.queue.submit([encoder.finish()]);
        staging.slice(..).map_async(wgpu::MapMode::Read, |_outcome| {
            // A failed map shows below: the range then has no mapped view.
        });
        self.wait()?;
        let view = staging
            .slice(..)
            .get_mapped_range()
            .map_err(|e| Error::Gpu(format!("reading back from {}: {e}", self.summary.name)))?;
        Ok(view.to_vec())
    }
}
