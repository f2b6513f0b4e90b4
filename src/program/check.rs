//! Checks what the device computed against the f64 references.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::op::{Distribution, Op, Sampler, Tolerance};
use crate::host::parallel::*;
use crate::kernel::{Caps, Variant};
use crate::pass::plan::Role;
use crate::pass::{OpInstance, Schedule, compile_op};
use crate::tensor::{Array, DType, HostTensor, TensorSpec};

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

    /// The same with the op's shapes, where it failed.
    pub(super) fn of_shapes(mut self, op: &OpInstance) -> Self {
        if !self.passed() {
            let [inputs, outputs] = [&op.inputs, &op.outputs]
                .map(|specs| specs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
            self.detail += &format!("; {inputs} -> {outputs}");
        }
        self
    }
}

/// Compares outputs element by element: the error's bound is the output's tolerance times the larger of the
/// reference value and the root mean square of its tensor. NaN never passes unless the reference is NaN.
pub fn compare(label: &str, got: &[Array], wanted: &[Array], tolerances: &[Tolerance]) -> Verdict {
    let mut verdict = Verdict { label: label.to_string(), error: 0.0, detail: String::new() };
    for (output, ((got, wanted), tolerance)) in got.iter().zip(wanted).zip(tolerances).enumerate() {
        // The size of a typical value: sums that cancel to nearly 0 are not held to their own size.
        let rms = root_mean_square(&wanted.data);
        let (dtype, exact) = (got.spec.dtype, !wanted.spec.dtype.is_float());
        let bound = |w: f64| tolerance.0 * w.abs().max(rms) + stored_within(dtype, w);
        let error = |i: usize| {
            let (g, w) = (got.data[i], wanted.data[i]);
            if g == w || (g.is_nan() && w.is_nan()) || g == dtype.rounded(w) {
                0.0
            } else if exact || !w.is_finite() || !g.is_finite() {
                f64::INFINITY
            } else {
                (g - w).abs() / bound(w)
            }
        };
        let worst = |places: Range<usize>| {
            // The first of several, and how many lie beyond their bounds.
            places.fold((0.0, 0, 0), |(most, at, wrong), i| {
                let error = error(i);
                let wrong = wrong + usize::from(error > 1.0);
                if error > most { (error, i, wrong) } else { (most, at, wrong) }
            })
        };
        let length = got.data.len().min(wanted.data.len());
        let found: Vec<_> = parts(length).into_par_iter().map(worst).collect();
        let wrong: usize = found.iter().map(|(.., wrong)| wrong).sum();
        for (error, i, _) in found {
            if error > verdict.error {
                let (g, w) = (got.data[i], wanted.data[i]);
                let exact = exact || tolerance.0 == 0.0;
                verdict.error = error;
                verdict.detail = format!(
                    "output {output}[{i}] is {}; {wrong} of {length} values are wrong",
                    beside(g, w, (!exact).then(|| bound(w)))
                );
            }
        }
    }
    verdict
}

/// A value beside its reference, and how far it may lie from it; without a bound it has to be the same.
pub(super) fn beside(got: f64, wanted: f64, bound: Option<f64>) -> String {
    // Integers in full, and of what f32 holds all digits.
    let shown = |x: f64| match format!("{x:.8e}").parse::<f64>() {
        Ok(rounded) if x.trunc() != x => format!("{rounded:e}"),
        _ if x.abs() < 1e10 => format!("{x}"),
        _ => format!("{x:e}"),
    };
    let bound = bound.map_or("exactly".into(), |bound| format!("± {bound:.2e}"));
    format!("{}, reference {} {bound}", shown(got), shown(wanted))
}

/// How far from a value that is right may lie what is stored of it.
pub(super) fn stored_within(dtype: DType, value: f64) -> f64 {
    // Values that f32 holds only as denormals may be flushed to 0, and so may those of f16. A device rounds to f16 up
    // or down.
    let least = 4.0 * f64::from(f32::MIN_POSITIVE);
    let scale = f64::from(dtype.scale());
    match dtype.is_half() {
        true => 2_f64.powi(-10) * value.abs() + 2_f64.powi(-14) / scale + least,
        false => least,
    }
}

/// Of what is finite of them.
fn root_mean_square(values: &[f64]) -> f64 {
    let sum = |places: Range<usize>| {
        let finite = values[places].iter().filter(|x| x.is_finite());
        finite.fold((0.0, 0), |(squares, count), x| (squares + x * x, count + 1))
    };
    let sums = parts(values.len()).into_par_iter().map(sum).collect::<Vec<(f64, usize)>>();
    let squares: f64 = sums.iter().map(|(squares, _)| squares).sum();
    let count: usize = sums.iter().map(|(_, count)| count).sum();
    (squares / count.max(1) as f64).sqrt()
}

/// `length` places in parts that a thread each goes through.
fn parts(length: usize) -> Vec<Range<usize>> {
    const PART: usize = 1 << 16;
    (0..length).step_by(PART).map(|first| first..(first + PART).min(length)).collect()
}

/// Runs one variant of one op on inputs drawn from each distribution, as a guarded program of the kind that is
/// timed, and compares it with the reference: a verdict each. `stored` as [`compile_op`] has it; kernels and grids are
/// those of `caps`, which may be another device's.
///
/// # Errors
/// [`crate::error::Error::Gpu`], [`crate::error::Error::Internal`] where it cannot run at all.
pub fn check_variant(
    gpu: &Gpu,
    caps: &Caps,
    op: &Arc<dyn Op>,
    inputs: &[TensorSpec],
    stored: &[DType],
    variant: &Variant,
    distributions: &[Distribution],
) -> Result<Vec<Verdict>> {
    check_alone(gpu, compile_op(op, inputs, stored, variant, caps, true)?, distributions)
}

/// The same of an op that is compiled already, as [`compile_op`] and [`OpInstance::alone`] do it.
///
/// # Errors
/// As [`check_variant`].
pub fn check_alone(
    gpu: &Gpu,
    schedule: Schedule,
    distributions: &[Distribution],
) -> Result<Vec<Verdict>> {
    let program = Program::new(gpu, schedule, &mut State::new(0), &|_| Ok(()))?;
    let OpInstance { problem, inputs, .. } = &program.schedule.ops[0];
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

    fn check_op(&self, gpu: &Gpu, op: &OpInstance) -> Result<Verdict> {
        let node = &self.schedule.graph.nodes[op.node];
        let inputs = self.read_values(gpu, &node.inputs)?;
        self.run_op(gpu, op)?;
        let outputs = self.read_values(gpu, &node.outputs)?;
        // From the inputs that the device had, so that the errors of ops before this one do not add to its own.
        let wanted = op.problem.reference(&inputs.iter().collect::<Vec<_>>());
        let tolerances = op.problem.tolerances(&op.variant);
        let mut verdict = compare(&op.label, &outputs, &wanted, &tolerances);
        if let Some(place) = self.overrun(gpu, op)? {
            verdict.error = f64::INFINITY;
            verdict.detail = format!("wrote past the end of {place}");
        }
        Ok(verdict.of_shapes(op))
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

    fn told(got: &[f64], wanted: &[f64], dtype: DType, tolerance: f64) -> String {
        let of = |data: &[f64]| Array {
            spec: TensorSpec::new([data.len()], dtype),
            data: data.to_vec(),
        };
        compare("", &[of(got)], &[of(wanted)], &[Tolerance(tolerance)]).detail
    }

    #[test]
    fn a_failure_tells_value_reference_bound_and_how_many_are_wrong() {
        assert_eq!(
            told(&[1.0, 2.5, 3.5, 4.0], &[1.0, 2.0, 2.5, 4.0], DType::F32, 0.01),
            "output 0[2] is 3.5e0, reference 2.5e0 ± 2.61e-2; 2 of 4 values are wrong"
        );
        let told_exact = "output 0[1] is 7, reference 9 exactly; 1 of 2 values are wrong";
        for dtype in [DType::U32, DType::F32] {
            assert_eq!(told(&[1.0, 7.0], &[1.0, 9.0], dtype, 0.0), told_exact);
        }
    }
}
