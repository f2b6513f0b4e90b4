//! What the sums of rows do to their table: its update, and its gradient with every row.

use crate::graph::op::{Cost, Distribution, Facts, Kind, Op, Output, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, vector};
use crate::op::rows::widths;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{firsts, rows, sample};

/// The rows that a table's update needs: scale [], ids `[N]`, order `[N]`, sums [N, H] and the table [V, H],
/// which becomes table - rate scale sums at these rows, in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SparseSgd {
    /// Learning rate.
    pub rate: f32,
}

impl Op for SparseSgd {
    fn kind(&self) -> Kind {
        Kind::new("sparse_sgd", Class::Optimisation)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (sums, table) = (&inputs[3], &inputs[4]);
        let (count, width) = rows(&inputs[1], &inputs[2], sums)?;
        match *table.dims() {
            [rows, _]
                if *table == TensorSpec::f32([rows, width]) && inputs[0] == TensorSpec::f32([]) =>
            {
                // Of the table only the rows there are, read and written.
                let touched = [sums.clone(), sums.clone()];
                let cost = Cost::new(3 * sums.len() as u64, &inputs[..4], &touched);
                let outputs = [Output::in_place(table.clone(), 4)];
                let facts = Facts::new(outputs, cost, Tolerance::sum(16))
                    .drawn_from(Distribution::WITHOUT_TINY);
                Ok(Box::new(Update { rate: self.rate, count, width, rows, facts }))
            }
            _ => Err(format!("{table} has no rows like those of {sums}")),
        }
    }
}

#[derive(Debug)]
struct Update {
    rate: f32,
    count: usize,
    width: usize,
    rows: usize,
    facts: Facts,
}

impl Problem for Update {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        widths("update", self.width)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let total = self.count * self.width / width;
        let kernel = Kernel::new("sparse/update").with_text("T", vector(width));
        Lowered::one(
            Dispatch::new(kernel, grid(total.div_ceil(64), caps))
                .bind("scale", input(0))
                .bind("ids", input(1))
                .bind("order", input(2))
                .bind("sums", input(3))
                .bind("table", output(0))
                .param("total", total)
                .param("length", self.width / width)
                .param("rows", self.rows)
                .param("rate", self.rate),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (scale, sums) = (inputs[0].data[0], inputs[3]);
        let mut table = inputs[4].clone();
        for (first, id) in firsts(inputs[1], inputs[2]) {
            if id < self.rows {
                for n in 0..self.width {
                    let step = f64::from(self.rate) * scale * sums.data[first * self.width + n];
                    table.data[id * self.width + n] -= step;
                }
            }
        }
        vec![table]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample(inputs, [1, 2], self.rows, sampler)
    }
}

/// ids `[N]`, order `[N]` and sums [N, H] to the dense gradient [V, H], for snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenseRows {
    /// V.
    pub rows: usize,
}

impl Op for DenseRows {
    fn kind(&self) -> Kind {
        Kind::new("dense_rows", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (count, width) = rows(&inputs[0], &inputs[1], &inputs[2])?;
        let dense = TensorSpec::f32([self.rows, width]);
        let facts = Facts::moving(0, inputs, [dense], Tolerance::EXACT);
        Ok(Box::new(Dense { rows: self.rows, count, width, facts }))
    }
}

#[derive(Debug)]
struct Dense {
    rows: usize,
    count: usize,
    width: usize,
    facts: Facts,
}

impl Problem for Dense {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        vec![Variant::new("dense", [])]
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let total = self.rows * self.width;
        let kernel = Kernel::of("sparse", variant).with_consts(&[("COUNT", self.count as u32)]);
        Lowered::one(
            Dispatch::new(kernel, grid(total.div_ceil(64), caps))
                .bind("ids", input(0))
                .bind("order", input(1))
                .bind("sums", input(2))
                .bind("dense", output(0))
                .param("total", total)
                .param("length", self.width),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [mut dense] = self.facts.zeros();
        for (first, id) in firsts(inputs[0], inputs[1]) {
            if id < self.rows {
                let row = &inputs[2].data[first * self.width..][..self.width];
                dense.data[id * self.width..][..self.width].copy_from_slice(row);
            }
        }
        vec![dense]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample(inputs, [0, 1], self.rows, sampler)
    }
}
