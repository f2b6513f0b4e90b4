//! The rows of each id, summed.

use crate::graph::op::{Distribution, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, vector};
use crate::op::rows::widths;
use crate::tensor::{Array, TensorSpec};
use crate::terms::Class;

use super::{WALK, firsts, rows, sample, together};

/// Places of a table's sum in which it is made in parts, where there are more than [`WALK`].
const PART: usize = 64;

/// ids `[N]`, order `[N]` and rows [N, H] to [N, H]: at the first sorted place of each id the sum of its rows,
/// 0 elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumRows;

impl Op for SumRows {
    fn kind(&self) -> Kind {
        Kind::new("sum_rows", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (count, width) = rows(&inputs[0], &inputs[1], &inputs[2])?;
        let (flops, sums) = ((count * width) as u64, inputs[2].clone());
        // An id may have every row.
        let facts = Facts::moving(flops, inputs, [sums], Tolerance::sum(count.max(16)))
            .drawn_from(Distribution::WITHOUT_TINY);
        Ok(Box::new(Sums { count, width, facts }))
    }
}

#[derive(Debug)]
struct Sums {
    count: usize,
    width: usize,
    facts: Facts,
}

impl Problem for Sums {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let mut variants = widths("sums", self.width);
        variants.iter_mut().for_each(|variant| variant.consts.push(together(caps)));
        variants
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let length = self.width / width;
        let part = if self.count > WALK { PART } else { self.count };
        let kernel = Kernel::new("sparse/sums").with_text("T", vector(width)).with_consts(&[
            ("COUNT", self.count),
            ("PART", part),
            ("TOGETHER", variant.get("TOGETHER") as usize),
        ]);
        let over = |rows: usize, kernel| {
            Dispatch::new(kernel, grid((rows * length).div_ceil(64), caps))
                .bind("ids", input(0))
                .bind("order", input(1))
                .bind("rows", input(2))
                .bind("sums", output(0))
                .param("length", length)
        };
        let mut dispatches = vec![over(self.count, kernel.clone())];
        if part < self.count {
            dispatches.push(over((self.count - 1) / part, kernel.entry("join")));
        }
        Lowered { dispatches, scratch: Vec::new() }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [ids, order, rows] = [inputs[0], inputs[1], inputs[2]];
        let mut sums = Array::zeros(rows.spec.clone());
        let starts = firsts(ids, order);
        let ends = starts.iter().skip(1).map(|(p, _)| *p).chain([self.count]);
        for (&(first, _), end) in starts.iter().zip(ends) {
            for &at in &order.data[first..end] {
                for n in 0..self.width {
                    sums.data[first * self.width + n] += rows.data[at as usize * self.width + n];
                }
            }
        }
        vec![sums]
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        sample(inputs, [0, 1], self.count / 2 + 1, sampler)
    }
}
