//! Holds what the device computed against the f64 references.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::op::{Distribution, Op, Tolerance};
use crate::kernel::Variant;
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};

use super::Program;

mod single;

/// How one comparison went.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Label of the kernel or program entry.
    pub label: String,
    /// Worst error of any element as a share of its bound: up to 1 passes.
    pub error: f64,
    /// Where and how it is worst; what failed.
    pub detail: String,
}

impl Verdict {
    /// Whether every element lies within its bound.
    pub fn passed(&self) -> bool {
        self.error <= 1.0
    }
}

/// Compares outputs element by element: the error's bound is the tolerance times the larger of the
/// reference value and the root mean square of its tensor. NaN never passes unless the reference is NaN.
pub fn compare(label: &str, got: &[Array], wanted: &[Array], tolerance: Tolerance) -> Verdict {
    let mut verdict = Verdict { label: label.to_string(), error: 0.0, detail: String::new() };
    for (output, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let finite = wanted.data.iter().filter(|x| x.is_finite());
        let squares: f64 = finite.clone().map(|x| x * x).sum();
        let rms = (squares / finite.count().max(1) as f64).sqrt();
        for (i, (&g, &w)) in got.data.iter().zip(&wanted.data).enumerate() {
            let same = g == w || (g.is_nan() && w.is_nan());
            let error = if same {
                0.0
            } else if wanted.spec.dtype.is_integer() || !w.is_finite() || !g.is_finite() {
                f64::INFINITY
            } else {
                // Values that f32 holds only as denormals may be flushed to 0.
                let bound = tolerance.0 * w.abs().max(rms) + 4.0 * f64::from(f32::MIN_POSITIVE);
                (g - w).abs() / bound
            };
            if error > verdict.error {
                verdict.error = error;
                verdict.detail = format!("output {output}[{i}] is {g:e}, reference {w:e}");
            }
        }
    }
    verdict
}

/// Runs one variant of one op on inputs drawn from `distribution` and compares it with the reference.
///
/// # Errors
/// [`Error::Gpu`], [`Error::Internal`] where it cannot run at all.
pub fn check_variant(
    gpu: &Gpu,
    op: &dyn Op,
    inputs: &[TensorSpec],
    variant: &Variant,
    distribution: Distribution,
) -> Result<Verdict> {
    let mut rng = Rng::new(0x5eed);
    let problem = op.problem(inputs).map_err(Error::Internal)?;
    let arrays: Vec<_> =
        problem.sample(inputs, distribution, &mut rng).iter().map(Array::rounded).collect();
    let label = format!("{}/{variant}", op.kind().name);
    let lowered = problem.lower(variant, &gpu.caps);
    let (got, overrun) = single::run(gpu, problem.as_ref(), &label, &lowered, &arrays)?;
    let references: Vec<_> = arrays.iter().collect();
    let wanted = problem.reference(&references);
    let mut verdict = compare(&label, &got, &wanted, problem.tolerance());
    if let Some(output) = overrun {
        verdict.error = f64::INFINITY;
        verdict.detail = format!("wrote outside output {output}");
    }
    Ok(verdict)
}

impl Program {
    /// Runs one step op by op, and holds each op's outputs against its f64 reference on the inputs the
    /// device really had. The first wrong op is the one at fault.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails.
    pub fn check(&self, gpu: &Gpu) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::new();
        for op in &self.schedule.ops {
            let node = &self.schedule.graph.nodes[op.node];
            let inputs: Result<Vec<_>> =
                node.inputs.iter().map(|v| self.read_value(gpu, *v)).collect();
            let inputs = inputs?;
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            self.encode_range(&mut pass, op.dispatches.clone());
            drop(pass);
            gpu.queue.submit([encoder.finish()]);
            let got: Result<Vec<_>> =
                node.outputs.iter().map(|v| self.read_value(gpu, *v)).collect();
            let references: Vec<_> = inputs.iter().collect();
            let wanted = op.problem.reference(&references);
            let tolerance = op.problem.tolerance();
            verdicts.push(compare(&op.label, &got?, &wanted, tolerance));
        }
        Ok(verdicts)
    }
}

/// NaN in f32, and for integers a value no kernel writes.
fn poison(dtype: DType) -> [u8; 4] {
    match dtype {
        DType::F32 => f32::NAN.to_le_bytes(),
        _ => 0xDEAD_BEEFu32.to_le_bytes(),
    }
}
