//! Times one variant of one op alone.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::Builder;
use crate::graph::op::{Distribution, Op};
use crate::kernel::Variant;
use crate::pass::choose::Choice;
use crate::pass::{Options, compile};
use crate::program::{Program, State};
use crate::random::Rng;
use crate::tensor::{HostTensor, TensorSpec};

use super::sample::{Budget, sample};

/// A program of one op, its inputs filled with values the op accepts.
///
/// # Errors
/// [`Error::Gpu`], [`Error::Internal`] as the op's kernels and buffers.
pub fn program_of(
    gpu: &Gpu,
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    variant: &Variant,
) -> Result<Program> {
    let graph = Builder::new();
    let names: Vec<String> = (0..inputs.len()).map(|i| format!("input{i}")).collect();
    let tensors: Vec<_> = names
        .iter()
        .zip(inputs)
        .map(|(name, spec)| graph.input(name, spec.shape.clone(), spec.dtype))
        .collect();
    let made = graph.apply_shared(Arc::clone(op), &tensors);
    graph.output("output", made[0]);
    let options = Options {
        fuse: false,
        choice: Choice { forced: vec![format!("{}/{variant}", op.kind().name)] },
    };
    let schedule = compile(graph.finish()?, &gpu.caps, &options)?;
    let program = Program::new(gpu, schedule, &mut State::new(0))?;
    let problem = op.problem(inputs).map_err(Error::Internal)?;
    let values = problem.sample(inputs, Distribution::Uniform, &mut Rng::new(1));
    for (name, value) in names.iter().zip(&values) {
        program.write(gpu, name, &HostTensor::from(value))?;
    }
    Ok(program)
}

/// Nanoseconds of one run of a variant, one value a submission.
///
/// # Errors
/// As [`program_of`] and [`sample`].
pub fn time_variant(
    gpu: &Gpu,
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    variant: &Variant,
    budget: &Budget,
) -> Result<Vec<f64>> {
    let program = program_of(gpu, op, inputs, variant)?;
    Ok(sample(gpu, &program, budget, &|_| {})?.timing.step_ns)
}
