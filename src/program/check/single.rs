//! Runs one lowered op alone, its outputs poisoned before and guarded behind.

use std::num::NonZeroU64;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::gpu::pipeline::PARAMS_WINDOW;
use crate::graph::op::Problem;
use crate::kernel::{Lowered, Operand};
use crate::tensor::{Array, DType, TensorSpec};

use super::poison;

/// Bytes of guard words behind each output.
const GUARD: u64 = 256;

/// The outputs, and the first output behind which something was written.
pub(super) fn run(
    gpu: &Gpu,
    problem: &dyn Problem,
    label: &str,
    lowered: &Lowered,
    inputs: &[Array],
) -> Result<(Vec<Array>, Option<usize>)> {
    let filled = |bytes: Vec<u8>| -> Result<wgpu::Buffer> {
        let buffer = gpu.storage(label, bytes.len() as u64)?;
        gpu.write(&buffer, 0, &bytes);
        Ok(buffer)
    };
    let poisoned = |spec: &TensorSpec| {
        let words = (spec.bytes() + GUARD) as usize / 4;
        poison(spec.dtype).repeat(words)
    };
    let outputs = problem.output_specs();
    let in_place: Vec<_> = problem.in_place().collect();
    let given: Result<Vec<_>> = inputs.iter().map(|a| filled(a.to_bytes())).collect();
    let given = given?;
    let mut made = Vec::new();
    for (i, spec) in outputs.iter().enumerate() {
        let mut bytes = poisoned(spec);
        if let Some((_, input)) = in_place.iter().find(|(output, _)| *output == i) {
            let start = inputs[*input].to_bytes();
            bytes[..start.len()].copy_from_slice(&start);
        }
        made.push(filled(bytes)?);
    }
    let scratch: Result<Vec<_>> = lowered.scratch.iter().map(|s| filled(poisoned(s))).collect();
    let scratch = scratch?;

    let params = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("params"),
        size: PARAMS_WINDOW * lowered.dispatches.len().max(1) as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for (n, dispatch) in lowered.dispatches.iter().enumerate() {
        let pipeline = gpu.pipeline(dispatch, label)?;
        let at = n as u64 * PARAMS_WINDOW;
        let words: Vec<u8> = dispatch.words().iter().flat_map(|w| w.to_le_bytes()).collect();
        gpu.write(&params, at, &words);
        let bound: Vec<_> = dispatch
            .bindings
            .iter()
            .map(|binding| {
                let (buffer, spec) = match binding.operand {
                    Operand::Input(n) => (&given[n], &inputs[n].spec),
                    Operand::Output(n) => (&made[n], &outputs[n]),
                    Operand::Scratch(n) => (&scratch[n], &lowered.scratch[n]),
                };
                let size = spec.dtype.size() as u64;
                let len = binding.len.unwrap_or(spec.len() - binding.offset) as u64 * size;
                (buffer, binding.offset as u64 * size, len)
            })
            .collect();
        let entries: Vec<_> = (0u32..)
            .zip(&bound)
            .map(|(binding, (buffer, offset, bytes))| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset: *offset,
                    size: NonZeroU64::new(bytes.next_multiple_of(16).max(16)),
                }),
            })
            .collect();
        let storage = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &pipeline.storage_layout,
            entries: &entries,
        });
        let uniform = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("params"),
            layout: &gpu.params_layout(),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &params,
                    offset: 0,
                    size: NonZeroU64::new(PARAMS_WINDOW),
                }),
            }],
        });
        pass.set_pipeline(&pipeline.raw);
        pass.set_bind_group(0, &storage, &[]);
        pass.set_bind_group(1, &uniform, &[at as u32]);
        let [x, y, z] = dispatch.grid;
        pass.dispatch_workgroups(x, y, z);
    }
    drop(pass);
    gpu.queue.submit([encoder.finish()]);

    let mut results = Vec::new();
    let mut overrun = None;
    for (i, spec) in outputs.iter().enumerate() {
        let bytes = gpu.read(&made[i], 0, spec.bytes() + GUARD)?;
        let (values, guard) = bytes.split_at(spec.bytes() as usize);
        let intact = guard.chunks_exact(4).all(|word| word == poison(spec.dtype));
        if !intact && overrun.is_none() && spec.dtype != DType::U8 {
            overrun = Some(i);
        }
        results.push(Array::from_bytes(spec.clone(), values));
    }
    Ok((results, overrun))
}
