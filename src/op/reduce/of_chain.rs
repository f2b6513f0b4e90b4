//! A reduction of what an elementwise chain makes, which is computed as it is read and never stored.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use crate::graph::by_rows::ByRows;
use crate::graph::chain::{Chain, Function, operand_name};
use crate::graph::op::{Cost, Facts, Kind, Op, Problem, Sampler, Storage, Tolerance};
use crate::kernel::{Caps, Lowered, Variant};
use crate::op::Case;
use crate::op::map::ChainProblem;
use crate::tensor::{Array, TensorSpec};

use super::pass::{self, Load};
use super::{Axes, Reduce, ReduceProblem, Reduction};

/// The reduction of a chain's result. Its axes are the last ones: whole rows are folded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReduceOf {
    pub(super) reduce: Reduce,
    pub(super) chain: Chain,
}

impl Op for ReduceOf {
    fn kind(&self) -> Kind {
        self.reduce.kind()
    }

    fn kinds(&self) -> Vec<Kind> {
        self.chain.kinds().into_iter().chain([self.kind()]).collect()
    }

    fn storage(&self) -> Storage {
        Storage::F16Read
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let chain = ChainProblem::new(&self.chain, inputs)?;
        let fold = self.reduce.sized(std::slice::from_ref(chain.facts().spec()))?;
        if fold.extents.inner != 1 {
            return Err(format!("folds rows, not columns, of {}", chain.facts().spec()));
        }
        let result = fold.facts.spec().clone();
        // Every term may be off by the chain's own bound, and all the same way.
        let tolerance = fold.facts.tolerance.0 + chain.facts().tolerance.0;
        let flops = chain.facts().cost.flops + fold.facts.cost.flops;
        let bytes = chain.facts().cost.bytes - fold.x.bytes() + result.bytes();
        let facts = Facts::new([result], Cost { flops, bytes }, Tolerance(tolerance))
            .drawn_from(chain.facts().distributions);
        Ok(Box::new(ReduceOfProblem { chain, fold, facts }))
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        let chain = self.chain.by_rows(inputs)?;
        let x = TensorSpec::f32(self.chain.shape(inputs).ok()?);
        Some(ByRows { inputs: chain.inputs, ..self.reduce.by_rows(&[x])? })
    }

    fn over_rows(&self, inputs: &[TensorSpec], rows: Range<usize>) -> Option<Arc<dyn Op>> {
        let chain = self.chain.over_rows(inputs, rows)?;
        let chain = (chain.as_ref() as &dyn Any).downcast_ref::<Chain>()?.clone();
        Some(Arc::new(Self { chain, ..self.clone() }))
    }
}

/// [`ReduceOf`] at given sizes.
#[derive(Debug)]
struct ReduceOfProblem {
    chain: ChainProblem,
    fold: ReduceProblem,
    facts: Facts,
}

impl Problem for ReduceOfProblem {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let mut variants = self.fold.variants(caps);
        for (name, value) in variants.iter_mut().flat_map(|variant| &mut variant.consts) {
            if *name == "WIDTH" && !self.chain.allows_vec4() {
                *value = 1;
            }
        }
        variants.dedup();
        variants
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let text = self.chain.text("load", 1, variant.get("WIDTH") as usize);
        let operands: Vec<_> = (0..self.chain.inputs.len()).map(operand_name).collect();
        let load = Load { text: &text, operands: &operands };
        pass::lower(self.fold.extents, self.fold.fold(Some(load)), variant, caps)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![self.fold.in_f64(&self.chain.reference(inputs)[0])]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        self.chain.sample(inputs, sampler)
    }
}

/// Awkward cases.
pub(super) fn cases() -> Vec<Case> {
    let f = |dims: &[usize]| TensorSpec::f32(dims);
    let mut cases = Vec::new();
    let mut case = |name: &str, reduction, axes: Axes, chain: &Chain, inputs: Vec<TensorSpec>| {
        let op = ReduceOf { reduce: Reduce { reduction, axes }, chain: chain.clone() };
        cases.push(Case::new(format!("of_chain_{name}"), op, inputs));
    };
    let huber = Chain::one(Function::Huber).after(&Chain::one(Function::Sub), 0);
    case("one", Reduction::Mean, 0.into(), &huber, vec![f(&[1]), f(&[1])]);
    case("mean_101", Reduction::Mean, 0.into(), &huber, vec![f(&[101]), f(&[])]);
    case("mean_7x300", Reduction::Mean, 1.into(), &huber, vec![f(&[7, 300]), f(&[300])]);
    case("sum_split", Reduction::Sum, (0..2).into(), &huber, vec![f(&[1031, 257]), f(&[1031, 1])]);
    case("max_33x62", Reduction::Max, 1.into(), &huber, vec![f(&[33, 62]), f(&[33, 62])]);
    // A Q-network's loss.
    let difference = Chain::one(Function::Sub).after(&Chain::one(Function::Gather(3)), 1);
    let loss =
        Chain::one(Function::Huber).after(&difference.after(&Chain::one(Function::Max(3)), 0), 0);
    let inputs = vec![f(&[32, 3]), f(&[32, 3]), TensorSpec::u32([32])];
    case("difference_of_rows", Reduction::Mean, 0.into(), &loss, inputs);
    cases
}
