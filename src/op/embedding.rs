//! Rows of a table by their ids: word embeddings.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::random::Rng;
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

/// Table [V, H] and ids u32 [..] to rows [.., H]; an id past the table takes its last row. The table's
/// gradient is not made here: a training step differentiates by the rows and updates those alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedding;

impl OldOp for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        match (inputs[0].dims(), inputs[0].dtype, inputs[1].dtype) {
            (&[_, width], DType::F32, DType::U32) => {
                let dims = [inputs[1].dims(), &[width]].concat();
                Ok(vec![TensorSpec::f32(dims)])
            }
            _ => Err(format!("takes f32 [V, H] and u32 ids, not {} and {}", inputs[0], inputs[1])),
        }
    }

    /// Rows that are not taken need not be read.
    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        let outputs = self.output(inputs).unwrap_or_default();
        let rows: u64 = outputs.iter().map(TensorSpec::bytes).sum();
        Cost { flops: 0, bytes: inputs[1].bytes() + 2 * rows }
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        super::sparse::widths("embedding", inputs[0].shape.last())
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let width = variant.get("WIDTH") as usize;
        let (total, length) = (io.outputs[0].len() / width, io.inputs[0].shape.last() / width);
        Lowered::one(Dispatch {
            kernel: Kernel::new("embedding/embedding")
                .with_text("T", super::sparse::element(width)),
            bindings: vec![input(0), input(1), output(0)],
            params: unnamed(vec![total as u32, length as u32, io.inputs[0].dims()[0] as u32]),
            grid: grid(total.div_ceil(64), io.caps),
        })
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (table, ids) = (inputs[0], inputs[1]);
        let &[rows, width] = table.dims() else {
            return vec![];
        };
        let row = |id: &f64| &table.data[(*id as usize).min(rows - 1) * width..][..width];
        let data = ids.data.iter().flat_map(row).copied().collect();
        vec![Array::f32([ids.dims(), &[width]].concat(), data)]
    }

    /// Nothing is computed.
    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn sample(&self, i: &[TensorSpec], distribution: Distribution, rng: &mut Rng) -> Vec<Array> {
        // Some ids lie past the table.
        let limit = i[0].dims()[0] + 1;
        i.iter().map(|spec| distribution.array(spec, limit, rng)).collect()
    }
}

impl<'g> Tensor<'g> {
    /// The rows of the table `self` [V, H] that `ids` u32 [..] name, [.., H].
    pub fn embedding(self, ids: Tensor<'g>) -> Tensor<'g> {
        self.graph().apply1(Embedding, &[self, ids])
    }
}

/// Cases of [`Embedding`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cases(&self) -> Vec<Case> {
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
}
