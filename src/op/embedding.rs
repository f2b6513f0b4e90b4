//! Rows of a table by their ids: word embeddings.

use crate::graph::Tensor;
use crate::graph::by_rows::ByRows;
use crate::graph::op::{Cost, Facts, Kind, Op, Problem, Sampler, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, vector};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::widths;

/// Table [V, H] and ids u32 [..] to rows [.., H]; an id past the table takes its last row. The table's
/// gradient is not made here: a training step differentiates by the rows and updates those alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedding;

impl Op for Embedding {
    fn kind(&self) -> Kind {
        Kind::new("embedding", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let (table, ids) = (&inputs[0], &inputs[1]);
        match (table.dims(), table.dtype, ids.dtype) {
            (&[rows, width], DType::F32, DType::U32) => {
                let y = TensorSpec::f32([ids.dims(), &[width]].concat());
                // Rows that are not taken need not be read.
                let cost = Cost { flops: 0, bytes: ids.bytes() + 2 * y.bytes() };
                let facts = Facts::new([y], cost, Tolerance::EXACT);
                Ok(Box::new(Lookup { rows, width, facts }))
            }
            _ => Err(format!("takes f32 [V, H] and u32 ids, not {table} and {ids}")),
        }
    }

    fn by_rows(&self, inputs: &[TensorSpec]) -> Option<ByRows> {
        Some(ByRows { inputs: vec![false, true], ..ByRows::all(&inputs[1..], 1)? })
    }
}

/// A table of `rows` x `width`.
#[derive(Debug)]
struct Lookup {
    rows: usize,
    width: usize,
    facts: Facts,
}

impl Problem for Lookup {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, _caps: &Caps) -> Vec<Variant> {
        widths("embedding", self.width)
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let total = self.facts.spec().len() / width;
        let kernel = Kernel::new("embedding/embedding").with_text("T", vector(width));
        Lowered::one(
            Dispatch::new(kernel, grid(total.div_ceil(64), caps))
                .bind("table", input(0))
                .bind("ids", input(1))
                .bind("y", output(0))
                .param("total", total)
                .param("length", self.width / width)
                .param("rows", self.rows),
        )
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (table, ids) = (inputs[0], inputs[1]);
        let row =
            |id: &f64| &table.data[(*id as usize).min(self.rows - 1) * self.width..][..self.width];
        let data = ids.data.iter().flat_map(row).copied().collect();
        self.facts.result(data)
    }

    fn sample(&self, inputs: &[TensorSpec], sampler: &mut Sampler) -> Vec<Array> {
        // Some ids lie past the table.
        sampler.arrays(inputs, self.rows + 1)
    }
}

impl<'g> Tensor<'g> {
    /// The rows of the table `self` [V, H] that `ids` u32 [..] name, [.., H].
    pub fn embedding(self, ids: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(Embedding, &[self, ids])
    }
}

/// Awkward cases of [`Embedding`].
pub(super) fn cases() -> Vec<Case> {
    let cases: [(usize, usize, &[usize]); 5] = [
        (1, 1, &[1]),
        (7, 3, &[2, 5]),
        (200, 32, &[4, 10]),
        (1009, 64, &[333]),
        (40_000, 256, &[64, 3]),
    ];
    let case = |(v, h, ids): (usize, usize, &[usize])| {
        let name = format!("v{v}_h{h}_{}", super::rows::size(ids));
        Case::new(name, Embedding, [TensorSpec::f32([v, h]), TensorSpec::u32(ids)])
    };
    cases.map(case).into()
}
