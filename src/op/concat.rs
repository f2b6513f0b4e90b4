//! Concatenation along an axis.

use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::graph::{Builder, Tensor};
use crate::kernel::{Caps, Lowered, Variant};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::copy_columns::{self, CopyColumns, Piece};

/// Storage bindings every WebGPU device has in a stage, less the output.
const MOST_INPUTS: usize = 7;

/// The inputs, which differ in length along `axis` at most, behind each other along it. Any 32-bit type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concat {
    /// The axis that grows.
    pub axis: usize,
}

impl Concat {
    fn copied(&self, inputs: &[TensorSpec]) -> CopyColumns {
        let (rows, each) = copy_columns::split(&inputs[0].shape, self.axis);
        let mut columns = 0;
        let piece = |spec: &TensorSpec| {
            let len = spec.dims()[self.axis] * each;
            columns += len;
            Piece { to: columns - len, len, from: 0, columns: len }
        };
        let pieces = inputs.iter().map(piece).collect();
        CopyColumns { rows, columns, pieces }
    }
}

impl OldOp for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        if inputs.is_empty() || inputs.len() > MOST_INPUTS {
            let n = inputs.len();
            return Err(format!("takes 1 to {MOST_INPUTS} inputs, not {n}"));
        }
        copy_columns::check(&inputs[0], self.axis)?;
        let mut length = 0;
        for spec in inputs {
            copy_columns::check(spec, self.axis)?;
            if copy_columns::resized(spec, self.axis, 1)
                != copy_columns::resized(&inputs[0], self.axis, 1)
            {
                return Err(format!("{} and {spec} differ beside axis {}", inputs[0], self.axis));
            }
            length += spec.dims()[self.axis];
        }
        Ok(vec![copy_columns::resized(&inputs[0], self.axis, length)])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(0, inputs, &self.output(inputs).unwrap_or_default())
    }

    fn variants(&self, inputs: &[TensorSpec], _caps: &Caps) -> Vec<Variant> {
        self.copied(inputs).variants()
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        self.copied(io.inputs).lower(variant, io.caps)
    }

    /// To each input its slice of dy.
    fn gradient<'g>(
        &self,
        x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        let Some(dy) = dy[0] else {
            return vec![None; x.len()];
        };
        let mut start = 0;
        let part = |x: &Tensor<'g>| {
            let len = x.spec().dims()[self.axis];
            start += len;
            Some(dy.slice(self.axis, start - len, len))
        };
        x.iter().map(part).collect()
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let specs: Vec<_> = inputs.iter().map(|a| a.spec.clone()).collect();
        let (rows, each) = copy_columns::split(&specs[0].shape, self.axis);
        let mut data = Vec::new();
        for row in 0..rows {
            for input in inputs {
                let len = input.dims()[self.axis] * each;
                data.extend(&input.data[row * len..(row + 1) * len]);
            }
        }
        let outputs = self.output(&specs).unwrap_or_default();
        outputs.into_iter().map(|spec| Array::new(spec, data.clone())).collect()
    }

    fn tolerance(&self, _inputs: &[TensorSpec]) -> Tolerance {
        Tolerance(0.0)
    }

    fn distributions(&self) -> &'static [Distribution] {
        // Words are moved whatever they hold.
        &[Distribution::Uniform]
    }
}

impl Builder {
    /// Tensors behind each other along `axis`; 1 to 7 of them.
    pub fn concat<'g>(&'g self, tensors: &[Tensor<'g>], axis: usize) -> Tensor<'g> {
        self.apply1(Concat { axis }, tensors)
    }
}

/// Cases of [`Concat`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn cases(&self) -> Vec<Case> {
        let case = |name: &str, axis, dims: &[&[usize]]| {
            let specs: Vec<_> = dims.iter().map(|d| TensorSpec::f32(*d)).collect();
            Case::new(name, Concat { axis }, specs)
        };
        let words = [[3, 5], [3, 2]].map(|d| TensorSpec::new(d, DType::U32));
        vec![
            case("single", 0, &[&[1]]),
            case("rows", 0, &[&[3, 5], &[1, 5], &[2, 5]]),
            case("columns", 1, &[&[7, 3], &[7, 1], &[7, 13]]),
            case("columns_vec4", 1, &[&[5, 8], &[5, 4], &[5, 12]]),
            case("middle", 1, &[&[2, 3, 5], &[2, 1, 5]]),
            case("six", 2, &[&[2, 2, 4][..]; 6]),
            case("many_workgroups", 1, &[&[70_000, 33], &[70_000, 31]]),
            Case::new("u32", Concat { axis: 1 }, words),
        ]
    }
}
