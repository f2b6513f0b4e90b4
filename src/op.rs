//! What the rest of the program may know about an op, and the list of all of them.
//!
//! An op is one Rust file here (problem, shape rule, cost, variants, lowering, gradient, f64 reference,
//! awkward cases), one folder of the same name under `shaders/`, and one line in [`LIST`]. Tests,
//! benches, verification and the tables all follow from that line.

use std::sync::Arc;

use crate::graph::op::{Op, Problem};
use crate::tensor::TensorSpec;

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
pub mod gather;
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
pub mod shift;
pub mod slice;
pub mod softmax;
pub mod sparse;
pub mod transpose;
pub mod window;

/// Every op family there is.
pub const LIST: &[&dyn Family] = &[
    &matmul::Family,
    &conv2d::Family,
    &batch_norm::Family,
    &max_pool::Family,
    &lrn::Family,
    &map::Family,
    &reduce::Family,
    &argmax::Family,
    &cross_entropy::Family,
    &bernoulli_cross_entropy::Family,
    &random::Family,
    &ctc_decode::Family,
    &optimizer::Family,
    &clip::Family,
    &ema::Family,
    &softmax::Family,
    &advance_step::Family,
    &recurrent::Family,
    &shift::Family,
    &transpose::Family,
    &concat::Family,
    &gather::Family,
    &slice::Family,
    &pad::Family,
    &window::Family,
    &ctc::Family,
    &embedding_bag::Family,
    &memory_hops::Family,
    &lstm::Family,
    &attention::Family,
    &decoder::Family,
    &embedding::Family,
    &sparse::Family,
    &ids::Family,
    &log_uniform::Family,
    &sampled_softmax::Family,
];

/// An op family: what only testing needs.
pub trait Family: Sync {
    /// Name of its module: `matmul`.
    fn name(&self) -> &'static str;

    /// Named problems: tiny, prime-sized, non-square, just over a tile, more than 65,535 workgroups.
    fn cases(&self) -> Vec<Case>;

    /// Problems worth timing: the cases that move or compute the most.
    fn benches(&self) -> Vec<Case> {
        let mut cases = self.cases();
        let work = |case: &Case| {
            let cost = case.problem().cost();
            cost.flops + cost.bytes
        };
        cases.sort_by_key(|case| std::cmp::Reverse(work(case)));
        cases.truncate(3);
        cases
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
}

impl Case {
    /// A case.
    pub fn new(name: impl Into<String>, op: impl Op, inputs: impl Into<Vec<TensorSpec>>) -> Self {
        Self { name: name.into(), op: Arc::new(op), inputs: inputs.into() }
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
