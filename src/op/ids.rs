//! Ids put in another place: what sequences of words need besides their embeddings.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

/// What becomes of u32 tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// [.., T], each row turned round.
    Reversed,
    /// [.., T], each row moved one place to the front; the last is 0.
    Next,
    /// Two tensors, one behind the other, as `[N]`.
    Joined,
    /// ids `[B]` and a tensor [B, T], whose column they become, in place.
    Column(usize),
}

impl OldOp for Ids {
    fn name(&self) -> &'static str {
        match self {
            Self::Reversed => "ids_reversed",
            Self::Next => "ids_next",
            Self::Joined => "ids_joined",
            Self::Column(_) => "ids_column",
        }
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        if let Some(other) = inputs.iter().find(|s| s.dtype != DType::U32) {
            return Err(format!("takes u32 ids, not {other}"));
        }
        match self {
            Self::Reversed | Self::Next => Ok(vec![inputs[0].clone()]),
            Self::Joined => Ok(vec![TensorSpec::u32([inputs[0].len() + inputs[1].len()])]),
            Self::Column(at) => match (inputs[0].dims(), inputs[1].dims()) {
                (&[batch], &[rows, length]) if batch == rows && *at < length => {
                    Ok(vec![inputs[1].clone()])
                }
                _ => Err(format!("{} are no column {at} of {}", inputs[0], inputs[1])),
            },
        }
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        match self {
            Self::Column(_) => Cost::new(0, &inputs[..1], &inputs[..1]),
            _ => Cost::new(0, inputs, &self.output(inputs).unwrap_or_default()),
        }
    }

    fn variants(&self, _inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("arrange", [])]
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let (kind, total, length, split) = match *self {
            Self::Reversed => (0, io.inputs[0].len(), io.inputs[0].shape.last(), 0),
            Self::Next => (1, io.inputs[0].len(), io.inputs[0].shape.last(), 0),
            Self::Joined => (2, io.outputs[0].len(), 1, io.inputs[0].len()),
            Self::Column(at) => (3, io.inputs[0].len(), io.inputs[1].shape.last(), at),
        };
        let second = if *self == Self::Joined { input(1) } else { input(0) };
        Lowered::one(Dispatch {
            kernel: Kernel::of("ids", variant).with_consts(&[("KIND", kind)]),
            bindings: vec![input(0), second, output(0)],
            params: unnamed([total, length, split].map(|n| n as u32).to_vec()),
            grid: grid(total.div_ceil(64), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let rows = || inputs[0].data.chunks(inputs[0].spec.shape.last());
        let data = match *self {
            Self::Reversed => rows().flat_map(|row| row.iter().rev()).copied().collect(),
            Self::Next => rows().flat_map(|row| row[1..].iter().copied().chain([0.0])).collect(),
            Self::Joined => [&inputs[0].data[..], &inputs[1].data].concat(),
            Self::Column(at) => {
                let mut all = inputs[1].data.clone();
                let rows = all.chunks_mut(inputs[1].spec.shape.last());
                rows.zip(&inputs[0].data).for_each(|(row, id)| row[at] = *id);
                all
            }
        };
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let made = self.output(&specs).unwrap_or_default();
        made.into_iter().map(|spec| Array::new(spec, data.clone())).collect()
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        match self {
            Self::Column(_) => vec![(0, 1)],
            _ => Vec::new(),
        }
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        i.iter().map(|spec| distribution.array(spec, 40_000, rng)).collect()
    }

    fn distributions(&self) -> &'static [Distribution] {
        &[Distribution::Uniform]
    }
}

impl<'g> Tensor<'g> {
    /// Each row of ids u32 [.., T] turned round.
    pub fn reversed(self) -> Tensor<'g> {
        self.graph().apply1(Ids::Reversed, &[self])
    }

    /// The id behind each of u32 [.., T]; 0 behind the last.
    pub fn next(self) -> Tensor<'g> {
        self.graph().apply1(Ids::Next, &[self])
    }

    /// The ids of `self`, then those of `other`, as `[N]`.
    pub fn joined(self, other: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(Ids::Joined, &[self, other])
    }

    /// Ids `[B]` as column `at` of `rows` [B, T], in place.
    pub fn as_column(self, rows: Tensor<'g>, at: usize) -> Tensor<'g> {
        self.graph().apply1(Ids::Column(at), &[self, rows])
    }
}

/// Cases of [`Ids`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "ids"
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (rows, length) in [(1, 1), (3, 5), (64, 40), (1000, 67)] {
            let ids = TensorSpec::u32([rows, length]);
            let column = TensorSpec::u32([rows]);
            let name = |what: &str| format!("{what}_{rows}x{length}");
            cases.push(Case::new(name("reversed"), Ids::Reversed, [ids.clone()]));
            cases.push(Case::new(name("next"), Ids::Next, [ids.clone()]));
            cases.push(Case::new(name("joined"), Ids::Joined, [ids.clone(), column.clone()]));
            cases.push(Case::new(name("column"), Ids::Column(length / 2), [column, ids]));
        }
        cases
    }
}
