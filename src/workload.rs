//! The workloads of the Fathom suite (IISWC 2016): what each is, how it is built and fed.
//!
//! A model file reads like its paper: [`Model::build`] declares inputs, layers, outputs and the loss.
//! The rest of a training step (gradients, clipping, update, clock) is the same for all: [`step`].

use crate::data::speech::decode::edit_distance;
use crate::error::{Error, Result};

pub mod alexnet;
pub mod autoenc;
mod classic;
mod curriculum;
pub mod deepq;
mod images;
mod info;
pub mod memnet;
mod model;
pub mod opened;
pub mod residual;
mod samples;
mod score;
pub mod seq2seq;
pub mod speech;
pub mod step;
pub mod vgg;

pub use crate::data::Split;
pub use crate::op::optimizer::Rule;
pub use curriculum::Curriculum;
pub use info::{Workload, WorkloadInfo};
pub use model::{LARGEST, Model, Optimizer, SizeRange};
pub use opened::Opened;
pub use samples::{Batch, DataSource, Feed, Samples};
pub use score::{Metric, Outputs, Ratio, Score};

/// The suite.
pub const WORKLOADS: &[WorkloadInfo] = &[
    seq2seq::INFO,
    memnet::INFO,
    speech::INFO,
    autoenc::INFO,
    residual::INFO,
    vgg::INFO,
    alexnet::INFO,
    deepq::INFO,
];

/// Finds a workload.
///
/// # Errors
/// [`Error::Usage`] for an unknown name, with the nearest known one.
pub fn find(name: &str) -> Result<&'static WorkloadInfo> {
    WORKLOADS.iter().find(|w| w.name == name).ok_or_else(|| {
        let known: Vec<_> = WORKLOADS.iter().map(|w| w.name).collect();
        Error::Usage(format!(
            "unknown workload '{name}'{}\n`fathom list workloads` describes them all: {}",
            nearest(name, &known).map_or(String::new(), |n| format!(": did you mean '{n}'?")),
            known.join(", ")
        ))
    })
}

/// The known name closest to a mistyped one, if it is close.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |other: &str| edit_distance(name.as_bytes(), other.as_bytes());
    let best = known.iter().min_by_key(|k| distance(k))?;
    (distance(best) <= 2 + name.len() / 4).then_some(*best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Caps;
    use crate::pass::{Options, compile};
    use crate::terms::{Mode, Preset};

    #[test]
    fn every_batch_becomes_the_inputs_that_its_model_declares() {
        for info in WORKLOADS {
            let model = (info.configure)(Preset::Tiny, Some(3));
            assert_eq!(model.info().name, info.name);
            let mut samples = model.samples(&DataSource::default()).unwrap();
            for split in [Split::Train, Split::Test] {
                let tensors = samples.batch(split, 0).unwrap().tensors();
                for mode in Mode::ALL {
                    let caps = Caps::portable();
                    let graph = step::graph(model.as_ref(), mode, &caps, false).unwrap();
                    let schedule = compile(graph, &caps, &Options::default()).unwrap();
                    for (name, spec) in schedule.inputs() {
                        let given = tensors.iter().find(|(known, _)| *known == name);
                        let given = given.map(|(_, tensor)| &tensor.spec);
                        assert_eq!(given, Some(spec), "{} {mode}: {name}", info.name);
                    }
                }
            }
        }
    }

    #[test]
    fn a_mistyped_name_is_answered_with_the_nearest() {
        let error = find("memnett").unwrap_err().to_string();
        assert!(error.contains("did you mean 'memnet'?"), "{error}");
    }
}
