//! Gradients of tables as only the rows that a step touched: sorted by id, summed, and applied to the table. No
//! atomics, so the same step always gives the same bits.

use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::Case;

mod sums;
mod table;

pub use sums::SumRows;
pub use table::{DenseRows, SparseSgd};

/// Most turns of a loop over ids: where there are more, invocations share them.
const WALK: usize = 256;

/// Most invocations that count for one id.
const MOST_SLICES: usize = 16;

/// Places that an invocation asks for at once: a GPU's memory takes hundreds of cycles for each turn of a loop.
fn together(caps: &Caps) -> (&'static str, u32) {
    ("TOGETHER", if caps.software { 1 } else { 8 })
}

/// ids u32 `[N]` to their positions sorted by (id, position), u32 `[N]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortIds;

fn rows(ids: &TensorSpec, order: &TensorSpec, rows: &TensorSpec) -> Result<(usize, usize), String> {
    match *rows.dims() {
        [n, width]
            if *rows == TensorSpec::f32([n, width])
                && *ids == TensorSpec::u32([n])
                && order == ids =>
        {
            Ok((n, width))
        }
        _ => Err(format!("rows {rows} do not fit ids {ids} in order {order}")),
    }
}

/// The positions of ids sorted by (id, position).
fn sorted(ids: &[f64]) -> Vec<usize> {
    let mut order: Vec<_> = (0..ids.len()).collect();
    order.sort_by(|&a, &b| ids[a].total_cmp(&ids[b]).then(a.cmp(&b)));
    order
}

/// For each id in order its first sorted place.
fn firsts(ids: &Array, order: &Array) -> Vec<(usize, usize)> {
    let id = |p: usize| ids.data[order.data[p] as usize] as usize;
    let first = |&p: &usize| p == 0 || id(p - 1) != id(p);
    (0..order.data.len()).filter(first).map(|p| (p, id(p))).collect()
}

/// Ids below `limit` and their order, which is as the ops before leave it.
fn sample(
    inputs: &[TensorSpec],
    [ids, order]: [usize; 2],
    limit: usize,
    sampler: &mut Sampler,
) -> Vec<Array> {
    let mut arrays = sampler.arrays(inputs, limit);
    // As padding does: one id in the middle has nearly half of all places.
    let often = (limit / 2) as f64;
    arrays[ids].data.iter_mut().step_by(3).for_each(|id| *id = often);
    arrays[ids].data.iter_mut().step_by(7).for_each(|id| *id = often);
    let places = sorted(&arrays[ids].data);
    arrays[order].data = places.into_iter().map(|p| p as f64).collect();
    arrays
}

impl Op for SortIds {
    fn kind(&self) -> Kind {
        Kind::new("sort_ids", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let ids = &inputs[0];
        match *ids == TensorSpec::u32([ids.len()]) {
            true => {
                // Ids have no distribution of values.
                let facts = Facts::moving(0, inputs, [ids.clone()], Tolerance::EXACT)
                    .drawn_from(&[Distribution::Uniform]);
                Ok(Box::new(Sorting { count: ids.len(), facts }))
            }
            false => Err(format!("takes ids u32 [N], not {ids}")),
        }
    }
}

#[derive(Debug)]
struct Sorting {
    count: usize,
    facts: Facts,
}

impl Problem for Sorting {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("order", [together(caps)])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let slices = self.count.div_ceil(WALK).next_power_of_two().min(MOST_SLICES);
        let kernel =
            Kernel::of("sparse", variant).with_consts(&[("COUNT", self.count), ("SLICES", slices)]);
        Lowered::one(
            Dispatch::new(kernel, grid(self.count.div_ceil(64 / slices), caps))
                .bind("ids", input(0))
                .bind("order", output(0)),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let order = sorted(&inputs[0].data).into_iter().map(|p| p as f64);
        vec![Array::new(inputs[0].spec.clone(), order.collect())]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        vec![sampler.array(&inputs[0], self.count / 2 + 1)]
    }
}

/// The gradient of a table: ids `[N]`, their order, and the sum of each id's rows at its first place.
#[derive(Debug, Clone, Copy)]
pub struct Touched<'g> {
    /// Ids.
    pub ids: Tensor<'g>,
    /// Their positions, sorted.
    pub order: Tensor<'g>,
    /// [N, H].
    pub sums: Tensor<'g>,
}

impl<'g> Touched<'g> {
    /// The dense gradient of a table of `rows` rows.
    pub fn dense(self, rows: usize) -> Tensor<'g> {
        let inputs = [self.ids, self.order, self.sums];
        self.ids.graph().apply1(DenseRows { rows }, &inputs)
    }
}

impl Builder {
    /// The sums of the rows [N, H] of each of `ids` u32 `[N]`, whose sorted positions are `order`.
    pub fn touched<'g>(
        &'g self,
        ids: Tensor<'g>,
        order: Tensor<'g>,
        rows: Tensor<'g>,
    ) -> Touched<'g> {
        let sums = self.apply1(SumRows, &[ids, order, rows]);
        Touched { ids, order, sums }
    }

    /// Descends by `rate` along `scale` times a table's gradient, in place and at its rows alone.
    pub fn sparse_sgd<'g>(
        &'g self,
        table: Tensor<'g>,
        touched: Touched<'g>,
        scale: Tensor<'g>,
        rate: f32,
    ) -> Tensor<'g> {
        let Touched { ids, order, sums } = touched;
        self.apply1(SparseSgd { rate }, &[scale, ids, order, sums, table])
    }
}

impl<'g> Tensor<'g> {
    /// The positions of ids u32 `[N]` sorted by (id, position).
    pub fn sort_ids(self) -> Tensor<'g> {
        self.graph().apply1(SortIds, &[self])
    }
}

/// Awkward cases of the sparse ops.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (n, width, table) in [
        (1, 1, 1),
        (5, 3, 4),
        (64, 4, 7),
        (72, 32, 200),
        (333, 1, 97),
        (1025, 20, 2000),
        (3712, 64, 40_000),
    ] {
        let ids = TensorSpec::u32([n]);
        let rows = TensorSpec::f32([n, width]);
        let name = |what: &str| format!("{what}_n{n}_h{width}_v{table}");
        cases.push(Case::new(name("sort"), SortIds, [ids.clone()]));
        let inputs = [ids.clone(), ids.clone(), rows.clone()];
        cases.push(Case::new(name("sum"), SumRows, inputs.clone()));
        cases.push(Case::new(name("dense"), DenseRows { rows: table }, inputs));
        let table = TensorSpec::f32([table, width]);
        let inputs = [TensorSpec::f32([]), ids.clone(), ids, rows, table];
        cases.push(Case::new(name("update"), SparseSgd { rate: 0.5 }, inputs));
    }
    cases
}
