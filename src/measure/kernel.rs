//! Programs of one variant of one op on its own, to be timed.

use std::sync::Arc;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::{Distribution, Op, Problem, Sampler};
use crate::kernel::Variant;
use crate::op::Case;
use crate::pass::compile_op;
use crate::program::Program;
use crate::session::Session;
use crate::tensor::{DType, HostTensor, TensorSpec};

/// A program of one op, its inputs filled with values the op accepts.
///
/// # Errors
/// [`crate::error::Error::Gpu`], [`crate::error::Error::Internal`] as the op's kernels and buffers.
pub fn program_of(
    gpu: &Gpu,
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    variant: &Variant,
) -> Result<Program> {
    program_over(gpu, (op, inputs, &[]), variant, &|problem| drawn(problem, inputs))
}

/// The same of a case.
///
/// # Errors
/// As [`program_of`].
pub(super) fn program_of_case(gpu: &Gpu, case: &Case, variant: &Variant) -> Result<Program> {
    let Case { op, inputs, stored, .. } = case;
    program_over(gpu, (op, inputs, stored), variant, &|problem| drawn(problem, inputs))
}

fn drawn(problem: &dyn Problem, inputs: &[TensorSpec]) -> Vec<HostTensor> {
    let values = problem.sample(inputs, &mut Sampler::new(Distribution::Uniform, 1));
    values.iter().map(HostTensor::from).collect()
}

/// The same over inputs f32 whose values make no difference to the time: a few, again and again.
///
/// # Errors
/// As [`program_of`].
pub(super) fn program_over_any(
    gpu: &Gpu,
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    variant: &Variant,
) -> Result<Program> {
    let block: Vec<u8> = (0..1024).flat_map(|i| (i as f32 / 1024.0).to_le_bytes()).collect();
    program_over(gpu, (op, inputs, &[]), variant, &|_| {
        let tensor = |spec: &TensorSpec| {
            let length = spec.bytes() as usize;
            let mut bytes = block.repeat(length.div_ceil(block.len()));
            bytes.truncate(length);
            HostTensor { spec: spec.clone(), bytes }
        };
        inputs.iter().map(tensor).collect()
    })
}

fn program_over(
    gpu: &Gpu,
    (op, inputs, stored): (&Arc<dyn Op>, &[TensorSpec], &[DType]),
    variant: &Variant,
    values: &dyn Fn(&dyn Problem) -> Vec<HostTensor>,
) -> Result<Program> {
    let mut session = Session::new(gpu, 0);
    let program = session.build(compile_op(op, inputs, stored, variant, &gpu.caps, false)?)?;
    let values = values(program.schedule.ops[0].problem.as_ref());
    let names: Vec<_> = (0..values.len()).map(|i| format!("input{i}")).collect();
    let batch = names.iter().map(String::as_str).zip(values);
    session.feed(&program, &batch.collect::<Vec<_>>())?;
    Ok(program)
}
