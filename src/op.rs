//! What the rest of the program may know about an op, and the list of all of them.
//!
//! An op is one Rust file here (problem, shape rule, cost, variants, lowering, gradient, f64 reference,
//! awkward cases), one folder of the same name under `shaders/` unless another op's kernels do, and one line in
//! [`LIST`]. Tests, benches, verification and the tables all follow from that line.

use std::sync::Arc;

use crate::graph::op::{Op, Problem};
use crate::tensor::{DType, TensorSpec};
use crate::terms::each_once;

pub mod advance_step;
pub mod argmax;
pub mod attention;
pub mod batch_norm;
pub mod bernoulli_cross_entropy;
pub mod clip;
pub mod concat;
pub mod conv2d;
mod copy_columns;
pub mod cross_entropy;
pub mod ctc;
pub mod ctc_decode;
pub mod decoder;
pub mod ema;
pub mod embedding;
pub mod embedding_bag;
pub mod ids;
pub mod log_uniform;
pub mod lrn;
pub mod lstm;
pub mod map;
pub mod matmul;
pub mod max_pool;
pub mod memory_hops;
pub mod optimizer;
pub mod pad;
pub mod random;
pub mod recurrent;
pub mod reduce;
mod rows;
pub mod sampled_softmax;
pub mod scatter;
pub mod shift;
pub mod slice;
pub mod softmax;
pub mod sparse;
pub mod transpose;
pub mod window;

/// Every op family there is.
pub const LIST: &[Family] = &[
    Family::new("matmul", matmul::cases).with_benches(matmul::benches),
    Family::new("conv2d", conv2d::cases).with_benches(conv2d::benches),
    Family::new("batch_norm", batch_norm::cases),
    Family::new("max_pool", max_pool::cases),
    Family::new("lrn", lrn::cases),
    Family::new("map", map::cases),
    Family::new("reduce", reduce::cases),
    Family::new("argmax", argmax::cases),
    Family::new("cross_entropy", cross_entropy::cases),
    Family::new("bernoulli_cross_entropy", bernoulli_cross_entropy::cases),
    Family::new("random", random::cases),
    Family::new("ctc_decode", ctc_decode::cases),
    Family::new("optimizer", optimizer::cases),
    Family::new("clip", clip::cases),
    Family::new("ema", ema::cases),
    Family::new("softmax", softmax::cases),
    Family::new("advance_step", advance_step::cases),
    Family::new("recurrent", recurrent::cases),
    Family::new("shift", shift::cases),
    Family::new("transpose", transpose::cases),
    Family::new("concat", concat::cases),
    Family::new("scatter", scatter::cases),
    Family::new("slice", slice::cases),
    Family::new("pad", pad::cases),
    Family::new("window", window::cases),
    Family::new("ctc", ctc::cases),
    Family::new("embedding_bag", embedding_bag::cases),
    Family::new("memory_hops", memory_hops::cases),
    Family::new("lstm", lstm::cases),
    Family::new("attention", attention::cases),
    Family::new("decoder", decoder::cases),
    Family::new("embedding", embedding::cases),
    Family::new("sparse", sparse::cases),
    Family::new("ids", ids::cases),
    Family::new("log_uniform", log_uniform::cases),
    Family::new("sampled_softmax", sampled_softmax::cases),
];

/// An op family: what only testing needs.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    name: &'static str,
    cases: fn() -> Vec<Case>,
    benches: Option<fn() -> Vec<Case>>,
}

impl Family {
    const fn new(name: &'static str, cases: fn() -> Vec<Case>) -> Self {
        Self { name, cases, benches: None }
    }

    const fn with_benches(self, benches: fn() -> Vec<Case>) -> Self {
        Self { benches: Some(benches), ..self }
    }

    /// Name of its module: `matmul`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Named problems: tiny, prime-sized, non-square, just over a tile, more than 65,535 workgroups.
    pub fn cases(&self) -> Vec<Case> {
        (self.cases)()
    }

    /// Types of the ops that it computes, as tables have them: `sgd`, `momentum`, .. of `optimizer`.
    pub fn types(&self) -> Vec<&'static str> {
        each_once(self.cases().iter().map(|case| case.op.kind().name))
    }

    /// Problems worth timing of those that are meant: its own, or the cases that move or compute the most.
    pub fn benches(&self, is_meant: impl Fn(&Case) -> bool) -> Vec<Case> {
        let own = self.benches.map_or_else(Vec::new, |benches| benches());
        let own: Vec<_> = own.into_iter().filter(&is_meant).collect();
        if !own.is_empty() {
            return own;
        }
        let mut cases = self.cases();
        let work = |case: &Case| {
            let cost = case.problem().cost();
            cost.flops + cost.bytes
        };
        cases.sort_by_key(|case| std::cmp::Reverse(work(case)));
        cases.into_iter().filter(is_meant).take(3).collect()
    }
}

/// One problem of a family.
#[derive(Debug, Clone)]
pub struct Case {
    /// `m3_n5_k7`.
    pub name: String,
    /// The op.
    pub op: Arc<dyn Op>,
    /// Its inputs.
    pub inputs: Vec<TensorSpec>,
    /// What its outputs are stored as; where it ends, as the op has them.
    pub stored: Vec<DType>,
}

impl Case {
    /// A case.
    pub fn new(name: impl Into<String>, op: impl Op, inputs: impl Into<Vec<TensorSpec>>) -> Self {
        Self { name: name.into(), op: Arc::new(op), inputs: inputs.into(), stored: Vec::new() }
    }

    /// The op at the case's inputs.
    ///
    /// # Panics
    /// If the op refuses them: a fault in the family's list.
    pub fn problem(&self) -> Box<dyn Problem> {
        match self.op.problem(&self.inputs) {
            Ok(problem) => problem,
            Err(why) => panic!("{} {}: {why}", self.op.kind().name, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::op::{Distribution, Sampler};

    /// Inputs of other lengths are refused, or are a problem of other sizes: then it reads no more of them than there is.
    #[test]
    fn inputs_that_do_not_fit_each_other_are_refused() {
        const MOST_ELEMENTS: usize = 1000;
        let small =
            |case: &Case| case.inputs.iter().map(TensorSpec::len).sum::<usize>() < MOST_ELEMENTS;
        for case in LIST.iter().flat_map(Family::cases).filter(small) {
            for (at, spec) in case.inputs.iter().enumerate() {
                let axes = (0..spec.shape.rank()).flat_map(|axis| [(axis, 1), (axis, -1)]);
                for (axis, more) in axes {
                    let mut dims = spec.dims().to_vec();
                    dims[axis] = dims[axis].saturating_add_signed(more);
                    if dims[axis] == 0 {
                        continue;
                    }
                    let mut inputs = case.inputs.clone();
                    inputs[at] = TensorSpec::new(dims, spec.dtype);
                    let Ok(problem) = case.op.problem(&inputs) else { continue };
                    let arrays =
                        problem.sample(&inputs, &mut Sampler::new(Distribution::Uniform, 1));
                    let made = problem.reference(&arrays.iter().collect::<Vec<_>>());
                    let made: Vec<_> = made.iter().map(|array| &array.spec).collect();
                    let specs = problem.output_specs();
                    assert_eq!(made, specs.iter().collect::<Vec<_>>(), "{} {inputs:?}", case.name);
                }
            }
        }
    }

    /// A binding reads what it is told to: other types are refused. Images may be bytes, and what only moves words moves any.
    #[test]
    fn inputs_of_other_types_are_refused() {
        const MOVES: [&str; 5] = ["concat", "pad", "slice", "transpose", "window"];
        let takes = |name: &str, dtype: DType| match dtype {
            DType::U8 => name.starts_with("conv2d"),
            DType::F32 => name.starts_with("conv2d") || MOVES.contains(&name),
            _ => MOVES.contains(&name),
        };
        for case in LIST.iter().flat_map(Family::cases) {
            let name = case.op.kind().name;
            for (at, spec) in case.inputs.iter().enumerate() {
                for dtype in [DType::F32, DType::U32, DType::I32, DType::U8] {
                    let mut inputs = case.inputs.clone();
                    inputs[at].dtype = dtype;
                    let refused = case.op.problem(&inputs).is_err();
                    let right = dtype == spec.dtype || takes(name, dtype);
                    assert!(refused || right, "{name} {}: {inputs:?}", case.name);
                }
            }
        }
    }
}
