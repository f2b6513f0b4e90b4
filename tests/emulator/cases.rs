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
use super::emulated::{MOST_WORKGROUPS, Wait, Waits, devices, on_every_case, workgroups};
use super::machine::{Buffer, Job, Launch, Outcome, Window, run};
use super::translate::Result;

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
        let wait = waits.of(&lowered)?;
        let subgroup = device.subgroup.unwrap_or(32);
        let run = Run { case: Arc::clone(case), variant, lowered, subgroup };
        let in_full = on_every_case(wait, &run.lowered);
        let runs = if in_full { &mut self.runs } else { &mut self.left_out };
        if wait != Wait::Never && !runs.iter().any(|other| other.is(&run)) {
            runs.push(run);
        }
        Ok(())
    }

    /// Takes back one case of each variant that has no other.
    fn leave_no_variant_out(&mut self) {
        let mut left_out = std::mem::take(&mut self.left_out);
        left_out.sort_by_key(|run| workgroups(&run.lowered).abs_diff(MOST_WORKGROUPS));
        for run in left_out {
            if !self.runs.iter().any(|other| other.variant == run.variant) {
                self.runs.push(run);
            }
        }
    }

    /// Compiles and runs it: a line for each fault and each result beyond its tolerance.
    pub(crate) fn emulate(&self, compiler: &Compiler) -> Result<()> {
        let mut kernels = Kernels::of(rolled);
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
    // What is counted is the turns of the loops that a GPU walks through.
    let mut kernels = Kernels::of(unrolled);
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

/// A kernel's text with its loops as they are written: it does what the unrolled one does, and is a third as long for a C++
/// compiler. A broadcast's lane has to be a constant, a shuffle's may be a loop's variable.
fn rolled(kernel: &Kernel) -> Result<String> {
    let text = shader::assemble_rolled(kernel).map_err(|e| e.to_string())?;
    Ok(text.replace("subgroupBroadcast(", "subgroupShuffle("))
}

fn unrolled(kernel: &Kernel) -> Result<String> {
    shader::assemble(kernel).map_err(|e| e.to_string())
}

/// The kernels of a program.
struct Kernels {
    text: fn(&Kernel) -> Result<String>,
    sources: Vec<Source>,
    numbers: HashMap<Source, usize>,
}

impl Kernels {
    fn of(text: fn(&Kernel) -> Result<String>) -> Self {
        Self { text, sources: Vec::new(), numbers: HashMap::new() }
    }

    /// A kernel's place in the program.
    fn number(&mut self, kernel: &Kernel) -> Result<usize> {
        let wgsl = (self.text)(kernel)?;
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
