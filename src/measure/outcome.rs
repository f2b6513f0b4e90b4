//! What a run's first steps give: the same from the same seed on every device, but for rounding.

use crate::error::{Error, Result};
use crate::program::Program;
use crate::record::{Outcome, Sketch};
use crate::session::Session;
use crate::terms::Mode;
use crate::workload::step;

/// Steps of training from the seed: the second shows the first update, the third the optimiser's state.
const STEPS: usize = 3;

/// How much a loss may grow in them: a loss that diverges amplifies rounding as much, and no two devices agree.
const GROWTH: f64 = 100.0;

/// Runs what is left of the first steps, one of which was run, and sums up what they gave; what the first alone gave where
/// they diverge, as those of vgg on one batch do.
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
    let loss = || Ok::<f64, Error>(session.output(program, step::LOSS)?.data[0]);
    let first = loss()?;
    session.run(program, STEPS - 1)?;
    let (steps, loss) = match loss()? {
        last if diverges(first, last) => {
            session.restart()?;
            session.run(program, 1)?;
            (1, loss()?)
        }
        last => (STEPS, last),
    };
    let members = program.schedule.graph.groups.iter().flat_map(|group| &group.members);
    let whole = members.filter(|member| member.begins());
    let tensors = whole.map(|member| sketch(&member.name, session.value(&member.name)));
    Ok(Outcome {
        steps,
        loss: loss.is_finite().then_some(loss),
        tensors: tensors.collect::<Result<_>>()?,
    })
}

/// Whether a loss that was `first` has diverged.
fn diverges(first: f64, last: f64) -> bool {
    !last.is_finite() || last.abs() > GROWTH * first.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_diverges_is_told_from_one_that_grows() {
        assert!(!diverges(6.9, 6.8) && !diverges(6.9, 300.0) && !diverges(1e-3, 90.0));
        assert!(diverges(6.9, 2.7e7) && diverges(6.9, f64::NAN) && diverges(6.9, f64::INFINITY));
        // A loss that was never a number is not told apart from one that became so.
        assert!(diverges(f64::NAN, f64::NAN));
    }
}
