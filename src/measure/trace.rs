//! The timeline of a step: verified, profiled, and each op with its place in time.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::pass::{OpInstance, Options};
use crate::record::trace::{Span, TracedStep};
use crate::session::Session;
use crate::terms::{Mode, Preset};
use crate::workload::{Samples, Split, Workload};

use super::profile::one_step;
use super::verify::{advice, verify};

/// Steps profiled; the one with the median span is kept.
const STEPS: usize = 9;

/// Which step of a model, and how it is built.
#[derive(Debug)]
pub struct Request {
    /// The model's size, for the title.
    pub preset: Preset,
    /// Training or inference.
    pub mode: Mode,
    /// Fusion and precision.
    pub options: Options,
    /// Of parameters and every random draw.
    pub seed: u64,
    /// Run each kernel variant against its reference first.
    pub verify: bool,
}

/// Traces a step of a model on its samples. `progress` is told the part and how much of it is done.
///
/// # Errors
/// [`Error::Device`] where there are no usable timestamps, [`Error::Verification`]; as [`Session::compile`].
pub fn trace(
    gpu: &Gpu,
    model: &dyn Workload,
    request: &Request,
    data: &mut dyn Samples,
    progress: &dyn Fn(&str, f64),
) -> Result<TracedStep> {
    let Request { preset, mode, options, .. } = request;
    let mut session = Session::new(gpu, request.seed);
    let program = session.compile(model, *mode, options)?;
    // What is checked at the step's own sizes is checked on its samples.
    session.feed(&program, &data.batch(Split::Train, 0)?.tensors())?;
    if request.verify {
        let verified = verify(gpu, &program, &|_, share| progress("verifying", share))?;
        if !verified.wrong().is_empty() {
            let wrong: Vec<_> = verified.wrong().iter().map(ToString::to_string).collect();
            let wrong = wrong.join("\n  ");
            let advice = advice();
            return Err(Error::Verification(format!(
                "the step was not timed:\n  {wrong}\n{advice}"
            )));
        }
        session.restart()?;
    }
    progress("profiling", 0.0);
    let places = one_step(gpu, &program, STEPS)?.ok_or_else(|| {
        Error::Device(format!(
            "{} has no usable timestamps, which a trace needs: choose another device with --device",
            gpu.summary
        ))
    })?;
    let ops = program.schedule.ops.iter().zip(places).map(|(op, place)| span(op, place));
    Ok(TracedStep {
        title: format!(
            "{} {mode} batch {}, preset {preset}, {}{}",
            model.info().name,
            model.batch(),
            options.precision,
            if options.fuse { "" } else { ", not fused" },
        ),
        device: gpu.summary.to_string(),
        tool: format!("fathom {} ({})", env!("CARGO_PKG_VERSION"), env!("FATHOM_COMMIT")),
        verified: request.verify,
        ops: ops.collect(),
    })
}

fn span(op: &OpInstance, (start_ns, end_ns): (f64, f64)) -> Span {
    let kind = op.op.kind();
    Span {
        label: op.label.clone(),
        op: kind.name.into(),
        variant: op.variant.to_string(),
        class: kind.class,
        phase: op.phase,
        dispatches: op.dispatches.len(),
        flops: op.cost.flops,
        bytes: op.cost.bytes,
        start_ns,
        end_ns,
    }
}
