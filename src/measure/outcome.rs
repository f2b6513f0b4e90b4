//! What a run's first steps give: the same from the same seed on every device, but for rounding.

use crate::error::Result;
use crate::program::Program;
use crate::record::{Outcome, Sketch};
use crate::session::Session;
use crate::terms::Mode;
use crate::workload::step;

/// Steps of training from the seed: the second shows the first update, the third the optimiser's state.
const STEPS: usize = 3;

/// Runs what is left of the first steps, one of which was run, and sums up what they gave.
///
/// # Errors
/// [`crate::error::Error::Gpu`] where the device fails.
pub(super) fn outcome(session: &Session<'_>, program: &Program, mode: Mode) -> Result<Outcome> {
    let sketch = |name: &str, read: Result<crate::tensor::Array>| {
        read.map(|array| Sketch::of(name, &array.data))
    };
    if mode == Mode::Infer {
        let outputs = program.schedule.outputs().into_iter();
        let tensors = outputs.map(|(name, _)| sketch(name, session.output(program, name)));
        return Ok(Outcome { steps: 1, loss: None, tensors: tensors.collect::<Result<_>>()? });
    }
    session.run(program, STEPS - 1)?;
    let loss = session.output(program, step::LOSS)?.data[0];
    let members = program.schedule.graph.groups.iter().flat_map(|group| &group.members);
    let whole = members.filter(|member| member.begins());
    let tensors = whole.map(|member| sketch(&member.name, session.value(&member.name)));
    Ok(Outcome {
        steps: STEPS,
        loss: loss.is_finite().then_some(loss),
        tensors: tensors.collect::<Result<_>>()?,
    })
}
