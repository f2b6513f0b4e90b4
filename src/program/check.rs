//! Checks what the device computed against the f64 references.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::op::{Distribution, Op, Sampler, Tolerance, ValueAt};
use crate::kernel::{Caps, Variant};
use crate::pass::plan::Role;
use crate::pass::{OpInstance, compile_op};
use crate::random::Rng;
use crate::tensor::{Array, HostTensor, TensorSpec};

use super::{Program, State};

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
        // The size of a typical value: sums that cancel to nearly 0 are not held to their own size.
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

/// The same of single values, each held to its own size and that of its terms.
fn compare_at(
    label: &str,
    places: &[usize],
    got: &[f64],
    wanted: &[ValueAt],
    tolerance: Tolerance,
) -> Verdict {
    let mut verdict = Verdict { label: label.to_string(), error: 0.0, detail: String::new() };
    for ((place, &got), wanted) in places.iter().zip(got).zip(wanted) {
        let ValueAt { value, scale } = *wanted;
        let bound = tolerance.0 * value.abs().max(scale) + 4.0 * f64::from(f32::MIN_POSITIVE);
        let same = got == value || (got.is_nan() && value.is_nan());
        let error = match (got - value).abs() / bound {
            _ if same => 0.0,
            error if error.is_finite() => error,
            _ => f64::INFINITY,
        };
        if error > verdict.error {
            verdict.error = error;
            verdict.detail =
                format!("at its real shape output 0[{place}] is {got:e}, reference {value:e}");
        }
    }
    verdict
}

/// Values of an output that are held against the reference where the whole is too much.
const SAMPLED: usize = 64;

/// Values of all inputs up to which they are read back for it: a GiB in f64.
const MOST_READ: usize = 1 << 27;

/// Places in an output of `length` values: the first, the last, and others all over it.
fn sampled_places(length: usize) -> Vec<usize> {
    let mut rng = Rng::new(0x9a3b);
    let inner = (2..SAMPLED).map(|_| rng.below(length));
    let mut places: Vec<usize> = [0, length - 1].into_iter().chain(inner).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Runs one variant of one op on inputs drawn from each distribution, as a guarded program of the kind that is
/// timed, and compares it with the reference: a verdict each.
///
/// # Errors
/// [`crate::error::Error::Gpu`], [`crate::error::Error::Internal`] where it cannot run at all.
pub fn check_variant(
    gpu: &Gpu,
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    variant: &Variant,
    distributions: &[Distribution],
) -> Result<Vec<Verdict>> {
    check_variant_for(gpu, &gpu.caps, op, inputs, variant, distributions)
}

/// The same, as it would be on another device: grids, kernels and dispatches are those of `caps`.
///
/// # Errors
/// As [`check_variant`].
pub fn check_variant_for(
    gpu: &Gpu,
    caps: &Caps,
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    variant: &Variant,
    distributions: &[Distribution],
) -> Result<Vec<Verdict>> {
    let schedule = compile_op(op, inputs, variant, caps, true)?;
    let program = Program::new(gpu, schedule, &mut State::new(0), &|_| Ok(()))?;
    let problem = &program.schedule.ops[0].problem;
    let mut verdicts = Vec::new();
    for &distribution in distributions {
        let samples = problem.sample(inputs, &mut Sampler::new(distribution, 0x5eed));
        for (i, sample) in samples.into_iter().enumerate() {
            program.write(gpu, &format!("input{i}"), &HostTensor::from(&sample))?;
        }
        verdicts.append(&mut program.check(gpu)?);
    }
    Ok(verdicts)
}

/// What outputs and scratch hold before they are written, and what lies behind them: NaN in f32, and in integers
/// a value that no kernel writes.
const POISON: [u8; 4] = 0xFFFF_DEAD_u32.to_le_bytes();

impl Program {
    /// Runs one step op by op, and holds each op's outputs against its f64 reference on the inputs the
    /// device really had. The first wrong op is the one at fault. Of a guarded program it also sees what was
    /// left unwritten, read before it was written, or written outside its place.
    ///
    /// # Errors
    /// [`crate::error::Error::Gpu`] where the device fails.
    pub(crate) fn check(&self, gpu: &Gpu) -> Result<Vec<Verdict>> {
        self.poison(gpu);
        self.schedule.ops.iter().map(|op| self.check_op(gpu, op)).collect()
    }

    /// Runs one step op by op, and holds some values of those that are named by their place in the schedule against
    /// their references, at their real shapes and on the inputs that the device really had: a verdict for each that has
    /// such a reference, and whose inputs can be read back.
    ///
    /// # Errors
    /// [`crate::error::Error::Gpu`] where the device fails.
    pub(crate) fn check_sampled(&self, gpu: &Gpu, ops: &[usize]) -> Result<Vec<(usize, Verdict)>> {
        let mut verdicts = Vec::new();
        // Nothing behind the last of them needs to run.
        let behind = ops.iter().max().map_or(0, |last| last + 1);
        for (at, op) in self.schedule.ops[..behind].iter().enumerate() {
            let checked = ops.contains(&at) && op.problem.reference_at(&[], &[]).is_some();
            match checked.then(|| self.check_op_sampled(gpu, op)).transpose()?.flatten() {
                Some(verdict) => verdicts.push((at, verdict)),
                None => self.run_op(gpu, op)?,
            }
        }
        Ok(verdicts)
    }

    /// Runs an op and checks some of its values; nothing, and it was not run, where its inputs are too much to read.
    fn check_op_sampled(&self, gpu: &Gpu, op: &OpInstance) -> Result<Option<Verdict>> {
        let node = &self.schedule.graph.nodes[op.node];
        if op.inputs.iter().map(TensorSpec::len).sum::<usize>() > MOST_READ {
            return Ok(None);
        }
        let inputs = match self.read_values(gpu, &node.inputs) {
            Err(Error::OutOfMemory(_)) => return Ok(None),
            read => read?,
        };
        self.run_op(gpu, op)?;
        let places = sampled_places(op.outputs[0].len());
        let got = self.read_places(gpu, node.outputs[0], &places)?;
        let wanted = op.problem.reference_at(&inputs.iter().collect::<Vec<_>>(), &places);
        let tolerance = op.problem.tolerance(&op.variant);
        Ok(wanted.map(|wanted| compare_at(&op.label, &places, &got, &wanted, tolerance)))
    }

    fn check_op(&self, gpu: &Gpu, op: &OpInstance) -> Result<Verdict> {
        let node = &self.schedule.graph.nodes[op.node];
        let inputs = self.read_values(gpu, &node.inputs)?;
        self.run_op(gpu, op)?;
        let outputs = self.read_values(gpu, &node.outputs)?;
        // From the inputs that the device had, so that the errors of ops before this one do not add to its own.
        let wanted = op.problem.reference(&inputs.iter().collect::<Vec<_>>());
        let tolerance = op.problem.tolerance(&op.variant);
        let mut verdict = compare(&op.label, &outputs, &wanted, tolerance);
        if let Some(place) = self.overrun(gpu, op)? {
            verdict.error = f64::INFINITY;
            verdict.detail = format!("wrote past the end of {place}");
        }
        Ok(verdict)
    }

    /// Poisons what ops are to write and the words behind all values; nothing where they have no guard words.
    fn poison(&self, gpu: &Gpu) {
        let memory = &self.schedule.memory;
        for (i, (planned, buffer)) in memory.buffers.iter().zip(&self.buffers).enumerate() {
            let first = match planned.role {
                Role::Slot | Role::Output => 0,
                _ => planned.bytes - memory.guard(i),
            };
            if memory.guard(i) > 0 {
                gpu.write(buffer, first, &POISON.repeat((planned.bytes - first) as usize / 4));
            }
        }
    }

    /// The output or scratch tensor behind which an op wrote: `output 1`.
    fn overrun(&self, gpu: &Gpu, op: &OpInstance) -> Result<Option<String>> {
        let memory = &self.schedule.memory;
        let outputs = self.schedule.graph.nodes[op.node].outputs.iter().enumerate();
        let outputs = outputs.filter_map(|(i, value)| {
            memory.locations[value.0].map(|at| (format!("output {i}"), at.buffer))
        });
        let scratch = memory.scratch[op.node].iter().enumerate();
        let scratch = scratch.map(|(i, at)| (format!("scratch {i}"), at.buffer));
        let guarded: Vec<_> =
            outputs.chain(scratch).filter(|(_, buffer)| memory.guard(*buffer) > 0).collect();
        let guard = |&(_, at): &(String, usize)| {
            let guard = memory.guard(at);
            (&self.buffers[at], memory.buffers[at].bytes - guard, guard)
        };
        if guarded.is_empty() {
            return Ok(None);
        }
        let words = gpu.read_ranges(&guarded.iter().map(guard).collect::<Vec<_>>())?;
        let damaged = |words: &Vec<u8>| words.chunks_exact(4).any(|word| word != POISON);
        let mut places = guarded.into_iter().zip(&words);
        Ok(places.find(|(_, words)| damaged(words)).map(|((place, _), _)| place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampled_value_is_held_to_the_size_of_its_terms() {
        let terms = [1.0, -1.0, 0.5, -0.5];
        let wanted = [ValueAt::sum(terms)];
        let of = |got: f64| compare_at("m", &[7], &[got], &wanted, Tolerance::sum(4)).error;
        assert_eq!((wanted[0].value, of(0.0)), (0.0, 0.0));
        assert!(of(1e-7) < 1.0, "what rounding leaves of a sum that cancels: {}", of(1e-7));
        assert!(of(0.5) > 1e4, "a term is missing: {}", of(0.5));
        assert_eq!((of(f64::NAN), of(f64::INFINITY)), (f64::INFINITY, f64::INFINITY));
        let verdict = compare_at("m", &[7], &[0.5], &wanted, Tolerance::sum(4));
        assert!(
            verdict.detail.contains("output 0[7] is 5e-1, reference 0e0"),
            "{}",
            verdict.detail
        );
    }

    #[test]
    fn places_reach_from_the_first_value_to_the_last() {
        for length in [1, 2, 65, 1 << 28] {
            let places = sampled_places(length);
            assert_eq!((places[0], *places.last().unwrap()), (0, length - 1));
            assert!(places.is_sorted() && places.len() <= SAMPLED);
        }
        assert_eq!(sampled_places(1 << 28).len(), SAMPLED);
    }
}
