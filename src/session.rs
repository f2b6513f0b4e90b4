//! The one road from a model to a step: compile, feed, run, read.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::Graph;
use crate::kernel::Caps;
use crate::pass::{self, Options, Schedule};
use crate::program::check::Verdict;
use crate::program::{Program, State};
use crate::tensor::{Array, HostTensor};
use crate::terms::Mode;
use crate::workload::{Model, step};

/// A model's step as a schedule: all that can be known of it without a device.
///
/// # Errors
/// As [`step::graph`] and [`pass::compile`].
pub fn schedule(model: &dyn Model, mode: Mode, caps: &Caps, options: &Options) -> Result<Schedule> {
    pass::compile(step::graph(model, mode, caps, false)?, caps, options)
}

/// Programs on one device over one set of state: parameters, optimiser state, clocks.
#[derive(Debug)]
pub struct Session<'a> {
    gpu: &'a Gpu,
    state: State,
}

impl<'a> Session<'a> {
    /// A session without state yet; what its programs bring starts from `seed`.
    pub fn new(gpu: &'a Gpu, seed: u64) -> Self {
        Self { gpu, state: State::new(seed) }
    }

    /// A model's step on the device.
    ///
    /// # Errors
    /// As [`schedule`] and [`Session::build`].
    pub fn compile(&mut self, model: &dyn Model, mode: Mode, options: &Options) -> Result<Program> {
        self.build(schedule(model, mode, &self.gpu.caps, options)?)
    }

    /// The same of any graph.
    ///
    /// # Errors
    /// As [`pass::compile`] and [`Session::build`].
    pub fn compile_graph(&mut self, graph: Graph, options: &Options) -> Result<Program> {
        self.build(pass::compile(graph, &self.gpu.caps, options)?)
    }

    /// The same of what is compiled already. State that no earlier program brought is made here.
    ///
    /// # Errors
    /// [`Error::Gpu`] where memory runs out, [`Error::Internal`] for a shader that is not valid.
    pub fn build(&mut self, schedule: Schedule) -> Result<Program> {
        self.build_watched(schedule, &|_| Ok(()))
    }

    /// The same, with `watch` told the share that is built.
    ///
    /// # Errors
    /// As [`Session::build`], and those of `watch`, which end it.
    pub fn build_watched(
        &mut self,
        schedule: Schedule,
        watch: &dyn Fn(f64) -> Result<()>,
    ) -> Result<Program> {
        Program::new(self.gpu, schedule, &mut self.state, watch)
    }

    /// Writes every input of a program; what it has no input for stays on the host, for the metric.
    ///
    /// # Errors
    /// [`Error::Internal`] for an input that `batch` lacks or has in another shape.
    pub fn feed(&self, program: &Program, batch: &[(&str, HostTensor)]) -> Result<()> {
        for (name, _) in program.schedule.inputs() {
            match batch.iter().find(|(n, _)| *n == name) {
                Some((_, value)) => program.write(self.gpu, name, value)?,
                None => return Err(Error::Internal(format!("the batch has no '{name}'"))),
            }
        }
        Ok(())
    }

    /// Runs `steps` steps in one submission, and does not wait for them.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails.
    pub fn run(&self, program: &Program, steps: usize) -> Result<()> {
        program.run(self.gpu, steps)
    }

    /// Reads an output of a program's last step.
    ///
    /// # Errors
    /// [`Error::Internal`] for an unknown name, [`Error::Gpu`] for a lost device.
    pub fn output(&self, program: &Program, name: &str) -> Result<Array> {
        program.read(self.gpu, name)
    }

    /// Reads state by name: a parameter, a moment, a clock.
    ///
    /// # Errors
    /// As [`Session::output`].
    pub fn value(&self, name: &str) -> Result<Array> {
        self.state.read(self.gpu, name)
    }

    /// Sets all state to its start, and waits until the device has it.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails.
    pub fn restart(&self) -> Result<()> {
        self.state.restart(self.gpu);
        self.gpu.settle()
    }

    /// The state that its programs brought.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Runs one step op by op, each held against its reference.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails.
    pub fn check(&self, program: &Program) -> Result<Vec<Verdict>> {
        program.check(self.gpu)
    }
}
