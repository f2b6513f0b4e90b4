//! The runs of a record: models in their modes on one device, how they are measured, and their steps.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::Caps;
use crate::pass::{Options, Schedule};
use crate::session::schedule;
use crate::terms::{Mode, each_once};
use crate::workload::Workload;

use super::estimate::{Estimate, Rates, estimates};
use super::kernels::near;
use super::peak::Ceilings;
use super::run::Plan;

/// A model and the mode in which it is run.
pub type Chosen = (Box<dyn Workload>, Mode);

/// All that is run, on which device, and how.
#[derive(Debug)]
pub struct Suite {
    /// The device.
    pub gpu: Gpu,
    /// What is run, in this order.
    pub chosen: Vec<Chosen>,
    /// How each is measured.
    pub plan: Plan,
    schedules: Vec<Schedule>,
}

impl Suite {
    /// A suite with the steps of what is chosen, made by [`schedules`] as `plan` says.
    pub fn new(gpu: Gpu, chosen: Vec<Chosen>, plan: Plan, schedules: Vec<Schedule>) -> Self {
        Self { gpu, chosen, plan, schedules }
    }

    /// The steps of what is chosen, in the same order.
    pub fn schedules(&self) -> &[Schedule] {
        &self.schedules
    }

    /// How long each run will take.
    pub fn estimates(&self, rates: &Rates) -> Vec<Estimate> {
        estimates(&self.schedules, &self.plan, rates)
    }

    /// Makes the steps anew after what kernels are chosen by has changed.
    ///
    /// # Errors
    /// As [`schedules`].
    pub fn plan_again(&mut self) -> Result<()> {
        self.schedules = schedules(&self.chosen, &self.gpu.caps, &self.plan.options)?;
        Ok(())
    }

    /// Goes on with the device opened anew, treated as the one that was lost.
    ///
    /// # Errors
    /// As [`Ceilings::rule`].
    pub fn revive(&mut self, mut gpu: Gpu, ceilings: &Ceilings) -> Result<()> {
        gpu.caps.speeds = self.gpu.caps.speeds;
        gpu.set_pace(self.gpu.pace);
        self.plan.rule = Some(Arc::new(ceilings.rule(&gpu)?));
        self.gpu = gpu;
        Ok(())
    }
}

/// The steps of models in their modes.
///
/// # Errors
/// [`Error::Usage`] with a forced variant of an op that none of them has, which would change nothing; as [`schedule`].
pub fn schedules(chosen: &[Chosen], caps: &Caps, options: &Options) -> Result<Vec<Schedule>> {
    let steps = chosen.iter().map(|(model, mode)| schedule(model.as_ref(), *mode, caps, options));
    let steps = steps.collect::<Result<Vec<_>>>()?;
    let ops = || steps.iter().flat_map(|step| &step.ops);
    let is_there = |label: &&String| {
        let op = label.split_once('/').map_or("", |(op, _)| op);
        ops().any(|one| one.op.kind().name == op)
    };
    match options.choice.forced.iter().find(|label| !is_there(label)) {
        None => Ok(steps),
        Some(label) => {
            let labels = ops().flat_map(|op| {
                let label = |variant| format!("{}/{variant}", op.op.kind().name);
                op.problem.variants(caps).into_iter().map(label)
            });
            Err(Error::Usage(format!(
                "--variant {label}: no step that is run has such an op and variant{}; a label is of a type and a variant, as in \
                 matmul/register; `fathom list kernels` lists them",
                near(label, &each_once(labels))
            )))
        }
    }
}
