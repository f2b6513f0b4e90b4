//! Rearranges ids: what sequences of words need besides their embeddings.

use crate::graph::Tensor;
use crate::graph::op::{Cost, Distribution, Facts, Kind, Op, Output, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
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
}

impl Op for Ids {
    fn kind(&self) -> Kind {
        let name = match self {
            Self::Reversed => "ids_reversed",
            Self::Next => "ids_next",
            Self::Joined => "ids_joined",
        };
        Kind::new(name, Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        if let Some(other) = inputs.iter().find(|s| s.dtype != DType::U32) {
            return Err(format!("takes u32 ids, not {other}"));
        }
        let first = &inputs[0];
        let (total, length, output) = match *self {
            Self::Reversed | Self::Next => {
                (first.len(), first.shape.last(), Output::new(first.clone()))
            }
            Self::Joined => {
                let total = first.len() + inputs[1].len();
                (total, 1, Output::new(TensorSpec::u32([total])))
            }
        };
        let cost = Cost::new(0, inputs, std::slice::from_ref(&output.spec));
        let facts =
            Facts::new([output], cost, Tolerance::EXACT).drawn_from(&[Distribution::Uniform]);
        let (ids, joined_at) = (*self, first.len());
        Ok(Box::new(Arranged { ids, total, length, joined_at, facts }))
    }
}

#[derive(Debug)]
struct Arranged {
    ids: Ids,
    /// Ids that are written.
    total: usize,
    /// Ids of a row.
    length: usize,
    /// Ids of the first input.
    joined_at: usize,
    facts: Facts,
}

impl Problem for Arranged {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("arrange", [])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let (kind, second, split) = match self.ids {
            Ids::Reversed => (0, input(0), 0),
            Ids::Next => (1, input(0), 0),
            Ids::Joined => (2, input(1), self.joined_at),
        };
        let kernel = Kernel::of("ids", variant).with_consts(&[("KIND", kind)]);
        Lowered::one(
            Dispatch::new(kernel, grid(self.total.div_ceil(64), caps))
                .bind("a", input(0))
                .bind("b", second)
                .bind("y", output(0))
                .param("total", self.total)
                .param("length", self.length)
                .param("split", split),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let first = &inputs[0].data;
        let rows = || first.chunks(self.length);
        let data = match self.ids {
            Ids::Reversed => rows().flat_map(|row| row.iter().rev()).copied().collect(),
            Ids::Next => rows().flat_map(|row| row[1..].iter().copied().chain([0.0])).collect(),
            Ids::Joined => [&first[..], &inputs[1].data].concat(),
        };
        self.facts.result(data)
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sampler.arrays(inputs, 40_000)
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
}

/// Awkward cases of [`Ids`].
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (rows, length) in [(1, 1), (3, 5), (64, 40), (1000, 67)] {
        let ids = TensorSpec::u32([rows, length]);
        let column = TensorSpec::u32([rows]);
        let name = |what: &str| format!("{what}_{rows}x{length}");
        cases.push(Case::new(name("reversed"), Ids::Reversed, [ids.clone()]));
        cases.push(Case::new(name("next"), Ids::Next, [ids.clone()]));
        cases.push(Case::new(name("joined"), Ids::Joined, [ids, column]));
    }
    cases
}
