//! Transposition: another order of axes.

use crate::graph::Tensor;
use crate::graph::op::old::{Io, OldOp};
use crate::graph::op::{Cost, Distribution, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output, unnamed};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;

const WORKGROUP: usize = 64;
/// Side of the square that a workgroup turns in its own memory.
const TILE: usize = 32;
/// Most axes after merging.
const MOST_AXES: usize = 5;

/// Axis n of the output is axis `axes[n]` of the input, as in numpy. Any 32-bit type; up to 5 axes,
/// those of length 1 not counted and those that stay neighbours counted once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transpose {
    /// A permutation of the input's axes.
    pub axes: Vec<usize>,
}

/// One axis of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    len: usize,
    /// Words from an index to the next in the input.
    from: usize,
    /// The same in the output.
    to: usize,
}

fn steps(dims: &[usize]) -> Vec<usize> {
    let after = |axis: usize| dims[axis + 1..].iter().product();
    (0..dims.len()).map(after).collect()
}

impl Transpose {
    /// The permutation that undoes this one.
    fn inverse(&self) -> Vec<usize> {
        let place = |axis| self.axes.iter().position(|&a| a == axis);
        (0..self.axes.len()).filter_map(place).collect()
    }

    fn permuted(&self, dims: &[usize]) -> Vec<usize> {
        self.axes.iter().map(|&a| dims[a]).collect()
    }

    /// The output's axes, those of length 1 left out and neighbours in both tensors merged; at least one.
    fn merged(&self, dims: &[usize]) -> Vec<Axis> {
        let from = steps(dims);
        let to = steps(&self.permuted(dims));
        let mut merged: Vec<Axis> = Vec::new();
        for (&axis, &to) in self.axes.iter().zip(&to) {
            let (len, from) = (dims[axis], from[axis]);
            match merged.last_mut() {
                _ if len == 1 => {}
                Some(outer) if outer.from == from * len => {
                    let len = outer.len * len;
                    *outer = Axis { len, from, to };
                }
                _ => merged.push(Axis { len, from, to }),
            }
        }
        if merged.is_empty() {
            let (len, from, to) = (1, 1, 1);
            merged.push(Axis { len, from, to });
        }
        merged
    }

    fn lower_direct(axes: &[Axis], width: usize, io: &Io) -> Lowered {
        let (mut n, mut s) = ([1; MOST_AXES], [0; MOST_AXES]);
        let first = MOST_AXES - axes.len();
        for (i, axis) in axes.iter().enumerate() {
            n[first + i] = axis.len as u32;
            s[first + i] = (axis.from / width) as u32;
        }
        let last = MOST_AXES - 1;
        n[last] /= width as u32;
        if width > 1 {
            s[last] = 1;
        }
        let lengths = [("N1", n[1]), ("N2", n[2]), ("N3", n[3]), ("N4", n[4])];
        let names = ["S0", "S1", "S2", "S3", "S4"];
        let steps: Vec<_> = names.into_iter().zip(s).collect();
        let groups = io.inputs[0].len() / width;
        Lowered::one(Dispatch {
            kernel: Kernel::new("transpose/direct")
                .with_text("T", if width == 4 { "vec4<u32>" } else { "u32" })
                .with_consts(&lengths)
                .with_consts(&steps),
            bindings: vec![input(0), output(0)],
            params: unnamed(vec![groups as u32]),
            grid: grid(groups.div_ceil(WORKGROUP), io.caps),
        })
    }

    fn lower_tile(axes: &[Axis], io: &Io) -> Lowered {
        let none = Axis { len: 1, from: 0, to: 0 };
        let find = |wanted: &dyn Fn(&Axis) -> bool| axes.iter().copied().find(wanted);
        // The axis along the input's lines, and that along the output's.
        let a = find(&|x| x.from == 1).unwrap_or(none);
        let b = find(&|x| x.to == 1).unwrap_or(none);
        let rest = axes.iter().filter(|x| x.from != 1 && x.to != 1);
        let mut others = [none; MOST_AXES - 2];
        for (slot, axis) in others.iter_mut().zip(rest) {
            *slot = *axis;
        }
        let words = [a.len, b.len, b.from, a.to].into_iter();
        let words = words
            .chain(others.map(|o| o.len))
            .chain(others.map(|o| o.from))
            .chain(others.map(|o| o.to));
        let tiles = a.len.div_ceil(TILE) * b.len.div_ceil(TILE);
        let count: usize = others.iter().map(|o| o.len).product();
        Lowered::one(Dispatch {
            kernel: Kernel::new("transpose/tile"),
            bindings: vec![input(0), output(0)],
            params: unnamed(words.map(|w| w as u32).collect()),
            grid: grid(tiles * count, io.caps),
        })
    }
}

impl OldOp for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn class(&self) -> Class {
        Class::Movement
    }

    fn output(&self, inputs: &[TensorSpec]) -> Result<Vec<TensorSpec>, String> {
        let spec = &inputs[0];
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..spec.shape.rank()) {
            return Err(format!("{:?} is no order of the axes of {spec}", self.axes));
        }
        if spec.dtype.size() != 4 {
            return Err(format!("moves 32-bit elements, not {spec}"));
        }
        let axes = self.merged(spec.dims()).len();
        if axes > MOST_AXES {
            return Err(format!(
                "{:?} moves {axes} axes of {spec}; at most {MOST_AXES}",
                self.axes
            ));
        }
        let dims = self.permuted(spec.dims());
        Ok(vec![TensorSpec::new(dims, spec.dtype)])
    }

    fn cost(&self, inputs: &[TensorSpec]) -> Cost {
        Cost::new(0, inputs, inputs)
    }

    fn variants(&self, inputs: &[TensorSpec], caps: &Caps) -> Vec<Variant> {
        let direct = |width| Variant::new("direct", [("WIDTH", width)]);
        let axes = self.merged(inputs[0].dims());
        let last = axes[axes.len() - 1];
        if last.from == 1 {
            let whole = last.len.is_multiple_of(4);
            return [4, 1].into_iter().filter(|&w| w == 1 || whole).map(direct).collect();
        }
        // A tile that is mostly empty is slower than scattered reads.
        let along = axes.iter().find(|x| x.from == 1).map_or(1, |x| x.len);
        let tile = Variant::new("tile", []);
        if caps.software || along.min(last.len) < TILE / 4 {
            vec![direct(1), tile]
        } else {
            vec![tile, direct(1)]
        }
    }

    fn lower(&self, variant: &Variant, io: &Io) -> Lowered {
        let axes = self.merged(io.inputs[0].dims());
        match variant.name {
            "tile" => Self::lower_tile(&axes, io),
            _ => Self::lower_direct(&axes, variant.get("WIDTH") as usize, io),
        }
    }

    fn gradient<'g>(
        &self,
        _x: &[Tensor<'g>],
        _y: &[Tensor<'g>],
        dy: &[Option<Tensor<'g>>],
    ) -> Vec<Option<Tensor<'g>>> {
        vec![dy[0].map(|dy| dy.transpose(&self.inverse()))]
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let dims = inputs[0].dims();
        let own = steps(dims);
        let from: Vec<_> = self.axes.iter().map(|&a| own[a]).collect();
        let to = self.permuted(dims);
        let mut index = vec![0; to.len()];
        let mut data = Vec::with_capacity(inputs[0].data.len());
        for _ in 0..inputs[0].data.len() {
            let at: usize = index.iter().zip(&from).map(|(i, s)| i * s).sum();
            data.push(inputs[0].data[at]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < to[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        let spec = TensorSpec::new(to, inputs[0].spec.dtype);
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
    /// The same values with axis `axes[n]` as the n-th.
    pub fn transpose(self, axes: &[usize]) -> Tensor<'g> {
        let axes = axes.to_vec();
        self.graph().apply1(Transpose { axes }, &[self])
    }
}

/// Cases of [`Transpose`].
#[derive(Debug)]
pub struct Family;

impl super::Family for Family {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn cases(&self) -> Vec<Case> {
        let shapes: [(&[usize], &[usize]); 16] = [
            (&[1], &[0]),
            (&[7], &[0]),
            (&[5, 3], &[1, 0]),
            (&[33, 65], &[1, 0]),
            (&[64, 32], &[1, 0]),
            (&[1, 31, 1, 9], &[3, 2, 1, 0]),
            (&[3, 4, 5], &[1, 0, 2]),
            (&[3, 5, 8], &[1, 0, 2]),
            (&[3, 34, 37], &[0, 2, 1]),
            (&[4, 5, 6], &[2, 1, 0]),
            (&[2, 3, 4, 5], &[0, 3, 1, 2]),
            (&[2, 3, 4, 5], &[3, 0, 2, 1]),
            (&[2, 3, 2, 5, 3], &[4, 2, 0, 3, 1]),
            (&[2, 3, 2, 3, 8], &[3, 2, 1, 0, 4]),
            (&[66_000, 2, 9], &[0, 2, 1]),
            (&[2, 33_000, 64], &[1, 0, 2]),
        ];
        let text = |numbers: &[usize], dot: &str| {
            let each: Vec<_> = numbers.iter().map(ToString::to_string).collect();
            each.join(dot)
        };
        let case = |(dims, axes): (&[usize], &[usize]), dtype, suffix: &str| {
            let op = Transpose { axes: axes.to_vec() };
            let name = format!("{}_to_{}{suffix}", text(dims, "x"), text(axes, ""));
            Case::new(name, op, [TensorSpec::new(dims, dtype)])
        };
        let mut cases: Vec<_> = shapes.into_iter().map(|s| case(s, DType::F32, "")).collect();
        cases.push(case((&[6, 9], &[1, 0]), DType::U32, "_u32"));
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_stay_together_are_merged() {
        let lengths = |dims: &[usize], axes: &[usize]| -> Vec<usize> {
            let op = Transpose { axes: axes.to_vec() };
            op.merged(dims).iter().map(|a| a.len).collect()
        };
        assert_eq!(lengths(&[2, 3, 4], &[0, 1, 2]), [24]);
        assert_eq!(lengths(&[2, 3, 4, 5], &[0, 3, 1, 2]), [2, 5, 12]);
        assert_eq!(lengths(&[1, 3, 1, 4], &[3, 0, 1, 2]), [4, 3]);
        assert_eq!(lengths(&[1, 1], &[1, 0]), [1]);
    }
}
