//! Zeros around a tensor along an axis: the gradient of a slice.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Lowered, Variant};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::copy_columns::{self, CopyColumns, Piece};

/// `before` zeros, the input, `after` zeros along `axis`. Any 32-bit type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pad {
    /// The axis that grows.
    pub axis: usize,
    /// Zeros in front.
    pub before: usize,
    /// Zeros behind.
    pub after: usize,
}

impl Pad {
    fn length(&self, input: &TensorSpec) -> usize {
        self.before + input.dims()[self.axis] + self.after
    }

    fn copied(&self, input: &TensorSpec) -> CopyColumns {
        let (rows, each) = copy_columns::split(&input.shape, self.axis);
        let len = input.dims()[self.axis] * each;
        let piece = Piece { to: self.before * each, len, from: 0, columns: len };
        CopyColumns { rows, columns: self.length(input) * each, pieces: vec![piece] }
    }
}

impl OldOp for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        copy_columns::check(&inputs[0], self.axis)?;
        let length = self.length(&inputs[0]);
        Ok(vec![copy_columns::resized(&inputs[0], self.axis, length)])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(0, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        self.copied(&inputs[0]).variants()
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        self.copied(&io.inputs[0]).lower(variant, io.caps)
    }

    /// dy without what lies over the zeros.
    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let len = x[0].spec().dims()[self.axis];
        vec![dy[0].map(|dy| dy.slice(self.axis, self.before, len))]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let input = inputs[0];
        let (rows, each) = copy_columns::split(&input.spec.shape, self.axis);
        let len = input.dims()[self.axis] * each;
        let mut data = Vec::new();
        for row in 0..rows {
            data.resize(data.len() + self.before * each, 0.0);
            data.extend(&input.data[row * len..(row + 1) * len]);
            data.resize(data.len() + self.after * each, 0.0);
        }
        let spec = copy_columns::resized(&input.spec, self.axis, self.length(&input.spec));
        vec![Array::new(spec, data)]
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Words are moved whatever they hold.
        &[Distribution::Uniform]
    }
}

impl<'g> Tensor<'g> {
    /// `before` zeros, these values, `after` zeros along `axis`.
    pub fn pad(self, axis: usize, before: usize, after: usize) -> Tensor<'g> {
        if before + after == 0 {
            return self;
        }
        let op = Pad { axis, before, after };
        self.graph().apply1(op, &[self])
    }
}

/// Cases of [`Pad`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn cases(&self) -> Vec<Case> {
        let pad = |axis, before, after| Pad { axis, before, after };
        let case = |name: &str, dims: &[usize], op| Case::new(name, op, [TensorSpec::f32(dims)]);
        let words = TensorSpec::new([4, 3], DType::U32);
        vec![
            case("one", &[1], pad(0, 1, 1)),
            case("before", &[3, 5], pad(1, 2, 0)),
            case("after", &[3, 5], pad(0, 0, 4)),
            case("both_vec4", &[3, 4, 8], pad(1, 3, 2)),
            case("misaligned", &[5, 12], pad(1, 1, 3)),
            case("many_workgroups", &[70_000, 33], pad(1, 30, 1)),
            Case::new("u32", pad(1, 2, 1), [words]),
        ]
    }
}
