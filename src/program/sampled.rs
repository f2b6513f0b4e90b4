//! Checks ops at their real shapes, where their whole references would take too long: at some values, or in some rows.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::by_rows::{ByRows, Joined};
use crate::graph::op::{Problem, Tolerance, ValueAt};
use crate::pass::OpInstance;
use crate::random::Rng;
use crate::tensor::{DType, TensorSpec};

use super::Program;
use super::check::{Verdict, beside, compare, stored_within};

/// An output of which single values are compared.
struct Sampled<'a> {
    /// Of the op.
    label: &'a str,
    /// Which of its outputs.
    output: usize,
    dtype: DType,
    tolerance: Tolerance,
    /// Whether its values are made of the same products as others.
    shared: bool,
}

/// Compares single values, each held to its own size and that of its terms; to a typical value's as well where they are
/// made of the same products as others.
fn compare_at(of: &Sampled<'_>, places: &[usize], got: &[f64], wanted: &[ValueAt]) -> Verdict {
    let Sampled { label, output, dtype, tolerance, shared } = *of;
    let mut verdict = Verdict { label: label.to_string(), error: 0.0, detail: String::new() };
    let squares = wanted.iter().map(|at| at.scale * at.scale).filter(|square| square.is_finite());
    let typical = (squares.sum::<f64>() / wanted.len().max(1) as f64).sqrt();
    let least = if shared { typical } else { 0.0 };
    let mut wrong = 0;
    for ((place, &got), wanted) in places.iter().zip(got).zip(wanted) {
        let ValueAt { value, scale } = *wanted;
        let bound = tolerance.0 * value.abs().max(scale).max(least) + stored_within(dtype, value);
        let same = got == value || (got.is_nan() && value.is_nan()) || got == dtype.rounded(value);
        let error = match (got - value).abs() / bound {
            _ if same => 0.0,
            error if error.is_finite() => error,
            _ => f64::INFINITY,
        };
        if error > verdict.error {
            let bound = (tolerance.0 > 0.0).then_some(bound);
            verdict.error = error;
            verdict.detail = format!(
                "at its real shape output {output}[{place}] is {}",
                beside(got, value, bound)
            );
        }
        wrong += usize::from(error > 1.0);
    }
    if wrong > 0 {
        verdict.detail += &format!("; {wrong} of {} values looked at are wrong", places.len());
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

/// Values of the largest tensor in the rows that are held against their reference at a time.
const ROWS_READ: usize = 1 << 16;

/// Operations of these rows' reference up to which it takes well under a second.
const ROWS_WORK: u64 = 1 << 27;

/// Rows that are held against their reference in full: the first, some in the middle and the last.
struct SampledRows {
    inputs: Vec<bool>,
    parts: [(Range<usize>, Box<dyn Problem>); 3],
}

impl SampledRows {
    /// Those of an op that makes its outputs row by row; `None` where it does not, or a row alone takes too long.
    fn of(op: &OpInstance) -> Option<Self> {
        let ByRows { rows, inputs, outputs } = op.op.by_rows(&op.inputs)?;
        let cut = op.inputs.iter().zip(&inputs).filter(|(_, cut)| **cut).map(|(spec, _)| spec);
        let words = cut.chain(&op.outputs);
        let words = words.clone().all(|spec| spec.len() / rows * spec.dtype.size() % 4 == 0);
        if !words || outputs.contains(&Joined::Sum) || op.problem.in_place().next().is_some() {
            return None;
        }
        let cut = op.inputs.iter().zip(&inputs).filter(|(_, cut)| **cut).map(|(spec, _)| spec);
        let longest = cut.chain(&op.outputs).map(TensorSpec::len).max()?;
        let count = (ROWS_READ / (longest / rows).max(1)).clamp(1, rows);
        let part = |first: usize| {
            let range = first..first + count;
            let specs = op.inputs.iter().zip(&inputs);
            let specs =
                specs.map(|(spec, cut)| if *cut { spec.with_rows(count) } else { spec.clone() });
            let specs: Vec<_> = specs.collect();
            let part = op.op.over_rows(&op.inputs, range.clone());
            let problem = part.as_ref().unwrap_or(&op.op).problem(&specs).ok()?;
            (problem.cost().flops <= ROWS_WORK).then_some((range, problem))
        };
        let parts = [part(0)?, part((rows - count) / 2)?, part(rows - count)?];
        Some(Self { inputs, parts })
    }
}

impl Program {
    /// Runs one step op by op, and holds some values of those that are named by their place in the schedule against
    /// their references, at their real shapes and on the inputs that the device really had: a verdict for each that has
    /// a reference for single values or some rows, and whose inputs can be read back. `watch` is told of each op before
    /// it runs.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails, and those of `watch`, which end it.
    pub(crate) fn check_sampled(
        &self,
        gpu: &Gpu,
        ops: &[usize],
        watch: &dyn Fn(&str) -> Result<()>,
    ) -> Result<Vec<(usize, Verdict)>> {
        let mut verdicts = Vec::new();
        // Nothing behind the last of them needs to run.
        let behind = ops.iter().max().map_or(0, |last| last + 1);
        for (at, op) in self.schedule.ops[..behind].iter().enumerate() {
            let checked = ops.contains(&at);
            watch(&op.label)?;
            match checked.then(|| self.check_op_sampled(gpu, op)).transpose()?.flatten() {
                Some(verdict) => verdicts.push((at, verdict)),
                None => self.run_op(gpu, op)?,
            }
        }
        Ok(verdicts)
    }

    /// Runs an op and checks some of its values; nothing, and it was not run, where its inputs are too much to read.
    fn check_op_sampled(&self, gpu: &Gpu, op: &OpInstance) -> Result<Option<Verdict>> {
        if op.problem.reference_at(0, &[], &[]).is_none() {
            return self.check_op_rows(gpu, op);
        }
        let node = &self.schedule.graph.nodes[op.node];
        if op.inputs.iter().map(TensorSpec::len).sum::<usize>() > MOST_READ {
            return Ok(None);
        }
        let inputs = match self.read_values(gpu, &node.inputs) {
            Err(Error::OutOfMemory(_)) => return Ok(None),
            read => read?,
        };
        self.run_op(gpu, op)?;
        let inputs: Vec<_> = inputs.iter().collect();
        let mut verdicts = Vec::new();
        for (output, spec) in op.outputs.iter().enumerate() {
            let places = sampled_places(spec.len());
            let Some(wanted) = op.problem.reference_at(output, &inputs, &places) else { continue };
            let got = self.read_places(gpu, node.outputs[output], &places)?;
            let sampled = Sampled {
                label: &op.label,
                output,
                dtype: spec.dtype,
                tolerance: op.problem.tolerance(&op.variant, output),
                shared: op.problem.shares_products(&op.variant),
            };
            verdicts.push(compare_at(&sampled, &places, &got, &wanted));
        }
        let worst = verdicts.into_iter().max_by(|a, b| a.error.total_cmp(&b.error));
        Ok(worst.map(|verdict| verdict.of_shapes(op)))
    }

    /// Runs an op and checks some of its rows; nothing, and it was not run, where it has none or they are too much.
    fn check_op_rows(&self, gpu: &Gpu, op: &OpInstance) -> Result<Option<Verdict>> {
        let node = &self.schedule.graph.nodes[op.node];
        let Some(SampledRows { inputs: cut, parts }) = SampledRows::of(op) else { return Ok(None) };
        let whole = op.inputs.iter().zip(&cut).filter(|(_, cut)| !**cut);
        if whole.map(|(spec, _)| spec.len()).sum::<usize>() > MOST_READ {
            return Ok(None);
        }
        let mut inputs = Vec::new();
        for (range, _) in &parts {
            let of_rows = |cut: &bool| cut.then(|| range.clone());
            let ranges: Vec<_> = cut.iter().map(of_rows).collect();
            inputs.push(self.read_rows(gpu, &node.inputs, &ranges)?);
        }
        self.run_op(gpu, op)?;
        let tolerances = op.problem.tolerances(&op.variant);
        let mut worst = Verdict { label: op.label.clone(), error: 0.0, detail: String::new() };
        for ((range, problem), inputs) in parts.iter().zip(inputs) {
            let ranges = vec![Some(range.clone()); node.outputs.len()];
            let got = self.read_rows(gpu, &node.outputs, &ranges)?;
            let wanted = problem.reference(&inputs.iter().collect::<Vec<_>>());
            let verdict = compare(&op.label, &got, &wanted, &tolerances);
            if verdict.error > worst.error {
                let Range { start, end } = range;
                let detail =
                    format!("in rows {start} to {end} of its real shape {}", verdict.detail);
                worst = Verdict { detail, ..verdict };
            }
        }
        Ok(Some(worst.of_shapes(op)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampled_value_is_held_to_the_size_of_its_terms() {
        let terms = [1.0, -1.0, 0.5, -0.5];
        let wanted = [ValueAt::sum(terms)];
        let compare = |got: &[f64], wanted: &[ValueAt], shared: bool| {
            let places: Vec<usize> = (7..7 + got.len()).collect();
            let (dtype, tolerance) = (DType::F32, Tolerance::sum(4));
            let sampled = Sampled { label: "m", output: 0, dtype, tolerance, shared };
            compare_at(&sampled, &places, got, wanted)
        };
        let of = |got: f64| compare(&[got], &wanted, false).error;
        assert_eq!((wanted[0].value, of(0.0)), (0.0, 0.0));
        assert!(of(1e-7) < 1.0, "what rounding leaves of a sum that cancels: {}", of(1e-7));
        assert!(of(0.5) > 1e4, "a term is missing: {}", of(0.5));
        assert_eq!((of(f64::NAN), of(f64::INFINITY)), (f64::INFINITY, f64::INFINITY));
        // Beside others of the same products a value is no better known than these, even one whose terms are all 0.
        let pair = [wanted[0], ValueAt::sum([0.0, 0.0])];
        assert!(compare(&[0.0, 1e-7], &pair, true).passed());
        assert!(!compare(&[0.0, 1e-7], &pair, false).passed());
        assert!(!compare(&[0.0, 1e-4], &pair, true).passed());
        let verdict = compare(&[0.5], &wanted, false);
        assert!(
            verdict.detail.contains("output 0[7] is 5e-1, reference 0 ± "),
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
