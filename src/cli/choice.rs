//! Which kernels a command takes that looks at a single step.

use clap::Args;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::measure::suite::Chosen;
use crate::measure::tune::suite::recall;
use crate::pass::Options;
use crate::pass::choose::Choice;
use crate::terms::Effort;

use super::{PrecisionArgs, VoiceArgs, output};

/// Which kernel each op of a single step has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How")]
pub struct ChoiceArgs {
    /// Don't fuse elementwise ops into their neighbours
    #[arg(long)]
    no_fuse: bool,

    /// Take this variant of an op, as in `matmul/register`
    ///
    /// May be repeated. With constants, as in `matmul/register[TM=4,TN=4]`, it names exactly one; `fathom bench --workload`
    /// lists them all. It is an error if the step cannot run it.
    #[arg(long, value_name = "LABEL")]
    variant: Vec<String>,

    /// Choose kernels as a run with this does: off, quick, full
    ///
    /// What earlier runs have tuned on this device is used; nothing is tuned. off goes by the estimates alone.
    #[arg(long, value_name = "EFFORT", hide_possible_values = true, env = "FATHOM_TUNE")]
    tune: Option<Effort>,

    #[command(flatten)]
    precision: PrecisionArgs,
}

impl ChoiceArgs {
    /// How a step is planned, on a device as its runs plan it, which is said where they were tuned.
    ///
    /// # Errors
    /// As [`recall`].
    pub(super) fn options(
        &self,
        voice: &VoiceArgs,
        gpu: Option<&mut Gpu>,
        step: &[Chosen],
    ) -> Result<Options> {
        let choice = Choice { forced: self.variant.clone(), ..Choice::default() };
        let precision = self.precision.precision;
        let mut options = Options { fuse: !self.no_fuse, choice, precision, ..Options::default() };
        let tuned = gpu.filter(|_| self.tune != Some(Effort::Off));
        let changed = tuned.map(|gpu| recall(gpu, step, &mut options)).transpose()?.flatten();
        if let Some(changed) = changed {
            let text = format!(
                "as tuned on this device; ops with another kernel than estimated: {changed}"
            );
            output::note(voice, &text);
        }
        Ok(options)
    }
}
