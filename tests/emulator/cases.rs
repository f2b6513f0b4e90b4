//! The kernels of every op as jobs, held against the op's f64 reference.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fathom::gpu::shader;
use fathom::graph::op::{Distribution, Sampler};
use fathom::kernel::{Caps, Kernel, Lowered, Operand, Variant};
use fathom::op::{Case, LIST};
use fathom::program::check::compare;
use fathom::tensor::{Array, TensorSpec};

use super::compiler::{Compiler, Source};
use super::machine::{Buffer, Job, Launch, Outcome, Window, run};
use super::translate::Result;

/// Workgroups of a large case.
const MOST_WORKGROUPS: usize = 4000;

/// Workgroups in a line of the grid: few, so that grids are folded.
const LINE: u32 = 7;

/// Variants of one shader of an op, with every case that they run on.
#[derive(Default)]
pub(crate) struct Unit {
    /// `matmul/tile`.
    pub(crate) name: String,
    runs: Vec<Run>,
    /// Of these a variant takes one, if it has no other.
    left_out: Vec<Run>,
}

/// A variant on a case.
struct Run {
    case: Arc<Case>,
    variant: Variant,
    lowered: Lowered,
    subgroup: u32,
}

/// The devices whose variants are emulated: the least a GPU may be, a large one, and a CPU adapter.
fn devices() -> [Caps; 3] {
    let folded = Caps { max_workgroups: LINE, ..Caps::portable() };
    let large = Caps {
        subgroup: Some(32),
        max_binding: 2 << 30,
        max_bindings: 32,
        max_invocations: 1024,
        max_shared: 48 << 10,
        ..folded.clone()
    };
    let software = Caps { software: true, subgroup: Some(8), ..folded.clone() };
    [folded, large, software]
}

/// How the invocations of a kernel wait for each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wait {
    Never,
    /// In subgroups, which share no memory.
    InSubgroups,
    AtBarriers,
}

/// A kernel's file and hooks: its constants make no difference to how it waits.
type Text = (String, Vec<(&'static str, String)>);

/// How kernels wait, as far as asked.
#[derive(Default)]
struct Waits(HashMap<Text, Wait>);

impl Waits {
    fn of(&mut self, kernel: &Kernel) -> Result<Wait> {
        let key = (kernel.shader.clone(), kernel.hooks.clone());
        if let Some(wait) = self.0.get(&key) {
            return Ok(*wait);
        }
        let text = shader::assemble(kernel).map_err(|e| e.to_string())?;
        let wait = if text.contains("workgroupBarrier()") || text.contains("storageBarrier()") {
            Wait::AtBarriers
        } else if text.contains("subgroupBroadcast(") {
            Wait::InSubgroups
        } else {
            Wait::Never
        };
        self.0.insert(key, wait);
        Ok(wait)
    }
}

/// Every variant with a barrier of every op on every case that is not too large, and on one case the variants
/// that only wait in subgroups, and those whose cases are all large.
pub(crate) fn units() -> Result<Vec<Unit>> {
    let (mut units, mut waits) = (BTreeMap::<String, Unit>::new(), Waits::default());
    for family in LIST {
        for case in family.cases().into_iter().map(Arc::new) {
            for device in devices() {
                for variant in case.problem().variants(&device) {
                    let name = format!("{}/{}", family.name(), variant.name);
                    let unit = Unit { name: name.clone(), ..Unit::default() };
                    units.entry(name).or_insert(unit).add(&case, variant, &device, &mut waits)?;
                }
            }
        }
    }
    units.values_mut().for_each(Unit::leave_no_variant_out);
    Ok(units.into_values().filter(|unit| !unit.runs.is_empty()).collect())
}

impl Unit {
    fn add(
        &mut self,
        case: &Arc<Case>,
        variant: Variant,
        device: &Caps,
        waits: &mut Waits,
    ) -> Result<()> {
        let lowered = case.problem().lower(&variant, device);
        let mut wait = Wait::Never;
        for dispatch in &lowered.dispatches {
            wait = wait.max(waits.of(&dispatch.kernel)?);
        }
        let subgroup = device.subgroup.unwrap_or(32);
        let run = Run { case: Arc::clone(case), variant, lowered, subgroup };
        let in_full = wait == Wait::AtBarriers && run.workgroups() <= MOST_WORKGROUPS;
        let runs = if in_full { &mut self.runs } else { &mut self.left_out };
        if wait != Wait::Never && !runs.iter().any(|other| other.is(&run)) {
            runs.push(run);
        }
        Ok(())
    }

    /// Takes back one case of each variant that has no other.
    fn leave_no_variant_out(&mut self) {
        let mut left_out = std::mem::take(&mut self.left_out);
        left_out.sort_by_key(|run| run.workgroups().abs_diff(MOST_WORKGROUPS));
        for run in left_out {
            if !self.runs.iter().any(|other| other.variant == run.variant) {
                self.runs.push(run);
            }
        }
    }

    /// Compiles and runs it: a line for each fault and each result beyond its tolerance.
    pub(crate) fn emulate(&self, compiler: &Compiler) -> Result<()> {
        let mut kernels = Kernels::default();
        let mut jobs = Vec::new();
        let inputs: Vec<_> = self.runs.iter().map(Run::sample).collect();
        for (run, inputs) in self.runs.iter().zip(&inputs) {
            let numbers = run.lowered.dispatches.iter().map(|d| kernels.number(&d.kernel));
            let numbers = numbers.collect::<Result<Vec<_>>>()?;
            jobs.push(run.job(inputs, &numbers));
        }
        let program = compiler.build(&self.name.replace('/', "-"), &kernels.sources)?;
        let outcomes = run(&program, &kernels.sources, &jobs)?;
        let mut lines = Vec::new();
        for ((run, inputs), outcome) in self.runs.iter().zip(&inputs).zip(outcomes) {
            let place = format!("{} on {}", run.variant, run.case.name);
            let complaints = run.complaints(inputs, outcome);
            lines.extend(complaints.iter().map(|what| format!("{place}: {what}")));
        }
        if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
    }
}

/// Turns of all loops together that an invocation of a case's first variant on a device makes at most.
pub(crate) fn longest_walk(
    case: &Case,
    inputs: &[Array],
    device: &Caps,
    compiler: &Compiler,
) -> Result<u32> {
    let problem = case.problem();
    let variant = problem.variants(device).swap_remove(0);
    let lowered = problem.lower(&variant, device);
    let subgroup = device.subgroup.unwrap_or(32);
    let chosen = Run { case: Arc::new(case.clone()), variant, lowered, subgroup };
    let mut kernels = Kernels::default();
    let numbers = chosen.lowered.dispatches.iter().map(|d| kernels.number(&d.kernel));
    let numbers = numbers.collect::<Result<Vec<_>>>()?;
    let name = format!("walk-{}", chosen.lowered.dispatches[0].kernel.shader.replace('/', "-"));
    let name = format!("{name}-{}-{}", device.software, case.inputs[0].len());
    let program = compiler.build(&name, &kernels.sources)?;
    let outcome = run(&program, &kernels.sources, &[chosen.job(inputs, &numbers)])?.swap_remove(0);
    let walk = outcome.longest_walk;
    let complaints = chosen.complaints(inputs, outcome);
    if complaints.is_empty() { Ok(walk) } else { Err(complaints.join("\n")) }
}

/// The kernels of a program.
#[derive(Default)]
struct Kernels {
    sources: Vec<Source>,
    numbers: HashMap<Source, usize>,
}

impl Kernels {
    /// A kernel's place in the program.
    fn number(&mut self, kernel: &Kernel) -> Result<usize> {
        let wgsl = shader::assemble(kernel).map_err(|e| e.to_string())?;
        let source = Source { wgsl, entry: kernel.entry };
        Ok(*self.numbers.entry(source).or_insert_with_key(|source| {
            self.sources.push(source.clone());
            self.sources.len() - 1
        }))
    }
}

impl Run {
    /// Whether another run is this one, chosen on another device.
    fn is(&self, other: &Self) -> bool {
        let dispatches = |run: &Self| -> Vec<_> {
            let dispatches = run.lowered.dispatches.iter();
            dispatches.map(|d| (d.kernel.clone(), d.grid, d.words())).collect()
        };
        self.case.name == other.case.name
            && self.variant == other.variant
            && dispatches(self) == dispatches(other)
    }

    fn workgroups(&self) -> usize {
        let dispatches = self.lowered.dispatches.iter();
        dispatches.map(|dispatch| dispatch.grid.iter().product::<u32>() as usize).sum()
    }

    fn sample(&self) -> Vec<Array> {
        let mut sampler = Sampler::new(Distribution::Uniform, 0x5eed);
        self.case.problem().sample(&self.case.inputs, &mut sampler)
    }

    /// Inputs, then outputs of their own, then scratch.
    fn job(&self, inputs: &[Array], kernels: &[usize]) -> Job {
        let problem = self.case.problem();
        let mut buffers: Vec<_> = inputs.iter().map(|x| Buffer::Given(words(x))).collect();
        let mut places = Vec::new();
        for output in problem.outputs() {
            places.push(output.in_place.unwrap_or(buffers.len()));
            if output.in_place.is_none() {
                buffers.push(Buffer::Fresh(output.spec.bytes() as usize / 4));
            }
        }
        let first_scratch = buffers.len();
        let scratch = self.lowered.scratch.iter();
        buffers.extend(scratch.map(|spec| Buffer::Fresh(spec.bytes() as usize / 4)));
        let specs = problem.output_specs();
        let operand = |operand: Operand| -> (usize, &TensorSpec) {
            match operand {
                Operand::Input(n) => (n, &self.case.inputs[n]),
                Operand::Output(n) => (places[n], &specs[n]),
                Operand::Scratch(n) => (first_scratch + n, &self.lowered.scratch[n]),
            }
        };
        let launches = self.lowered.dispatches.iter().zip(kernels).map(|(dispatch, &kernel)| {
            let window = |binding: &fathom::kernel::Binding| {
                let (buffer, spec) = operand(binding.operand);
                let size = spec.dtype.size();
                let first = binding.offset * size;
                let rest = spec.bytes() as usize - first;
                let bytes = binding.len.map_or(rest, |len| (len * size).next_multiple_of(4));
                Window { buffer, first, bytes }
            };
            Launch {
                kernel,
                grid: dispatch.grid,
                subgroup: self.subgroup,
                params: dispatch.words(),
                bindings: dispatch.bindings.iter().map(window).collect(),
            }
        });
        Job { seed: 1, launches: launches.collect(), outputs: places.clone(), buffers }
    }

    /// What is wrong with an outcome.
    fn complaints(&self, inputs: &[Array], outcome: Outcome) -> Vec<String> {
        let problem = self.case.problem();
        let inputs: Vec<_> = inputs.iter().map(Array::rounded).collect();
        let wanted = problem.reference(&inputs.iter().collect::<Vec<_>>());
        let specs = problem.output_specs().into_iter();
        let got = specs.zip(outcome.outputs).map(|(spec, words)| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            Array::from_bytes(spec, &bytes)
        });
        let tolerances = problem.tolerances(&self.variant);
        let verdict = compare("", &got.collect::<Vec<_>>(), &wanted, &tolerances);
        let mut complaints = outcome.faults;
        if !verdict.passed() {
            complaints.push(format!("{} times the bound: {}", verdict.error, verdict.detail));
        }
        complaints
    }
}

fn words(array: &Array) -> Vec<u32> {
    let bytes = array.to_bytes();
    bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
}
