//! Transposition: another order of axes.

use crate::graph::Tensor;
use crate::graph::op::{Backward, Distribution, Facts, Kind, Op, Problem, Tolerance};
use crate::kernel::{Caps, Dispatch, Kernel, Lowered, Variant, grid, input, output};
use crate::tensor::{Array, DType, TensorSpec};
use crate::terms::Class;

use super::Case;
use super::rows::widths;

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

/// In place of an axis that there is not.
const NO_AXIS: Axis = Axis { len: 1, from: 0, to: 0 };

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
}

impl Op for Transpose {
    fn kind(&self) -> Kind {
        Kind::new("transpose", Class::Movement)
    }

    fn problem(&self, inputs: &[TensorSpec]) -> Result<Box<dyn Problem>, String> {
        let spec = &inputs[0];
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..spec.shape.rank()) {
            return Err(format!("{:?} is not a permutation of the axes of {spec}", self.axes));
        }
        if spec.dtype.size() != 4 {
            return Err(format!("moves 32-bit elements, not {spec}"));
        }
        let merged = self.merged(spec.dims());
        if merged.len() > MOST_AXES {
            let (axes, count) = (&self.axes, merged.len());
            return Err(format!("{axes:?} moves {count} axes of {spec}; at most {MOST_AXES}"));
        }
        let from = steps(spec.dims());
        let from = self.axes.iter().map(|&axis| from[axis]).collect();
        let y = TensorSpec::new(self.permuted(spec.dims()), spec.dtype);
        // Words are moved whatever they hold.
        let facts =
            Facts::moving(0, inputs, [y], Tolerance::EXACT).drawn_from(&[Distribution::Uniform]);
        Ok(Box::new(Permuted { merged, from, facts }))
    }

    fn gradient<'g>(&self, Backward { dy, .. }: Backward<'_, 'g>) -> Vec<Option<Tensor<'g>>> {
        vec![dy[0].map(|dy| dy.transpose(&self.inverse()))]
    }
}

#[derive(Debug)]
struct Permuted {
    merged: Vec<Axis>,
    /// For each axis of the output the words from an index to the next in the input.
    from: Vec<usize>,
    facts: Facts,
}

impl Permuted {
    fn len(&self) -> usize {
        self.facts.spec().len()
    }

    fn lower_direct(&self, width: usize, caps: &Caps) -> Lowered {
        let (mut n, mut s) = ([1; MOST_AXES], [0; MOST_AXES]);
        let first = MOST_AXES - self.merged.len();
        for (i, axis) in self.merged.iter().enumerate() {
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
        let groups = self.len() / width;
        let kernel = Kernel::new("transpose/direct")
            .with_text("T", if width == 4 { "vec4<u32>" } else { "u32" })
            .with_consts(&lengths)
            .with_consts(&steps);
        Lowered::one(
            Dispatch::new(kernel, grid(groups.div_ceil(WORKGROUP), caps))
                .bind("x", input(0))
                .bind("y", output(0))
                .param("groups", groups),
        )
    }

    /// The axis along the input's lines, and that along the output's.
    fn lines(&self) -> [Axis; 2] {
        let find = |is: fn(&Axis) -> bool| self.merged.iter().copied().find(is).unwrap_or(NO_AXIS);
        [find(|axis| axis.from == 1), find(|axis| axis.to == 1)]
    }

    /// The axes along no lines.
    fn others(&self) -> [Axis; MOST_AXES - 2] {
        let mut others = [NO_AXIS; MOST_AXES - 2];
        let rest = self.merged.iter().filter(|axis| axis.from != 1 && axis.to != 1);
        others.iter_mut().zip(rest).for_each(|(slot, axis)| *slot = *axis);
        others
    }

    /// Where lines are whole vec4s on both sides, every other step is a multiple of four, too.
    fn lower_blocks(&self, caps: &Caps) -> Lowered {
        let ([a, b], [first, second, third]) = (self.lines(), self.others());
        let blocks = self.len() / 16;
        let kernel = Kernel::new("transpose/blocks")
            .with_consts(&[
                ("A", a.len / 4),
                ("B", b.len / 4),
                ("N1", second.len),
                ("N2", third.len),
            ])
            .with_consts(&[("A_STEP", a.to / 4), ("B_STEP", b.from / 4)])
            .with_consts(&[
                ("IN0", first.from / 4),
                ("IN1", second.from / 4),
                ("IN2", third.from / 4),
            ])
            .with_consts(&[
                ("OUT0", first.to / 4),
                ("OUT1", second.to / 4),
                ("OUT2", third.to / 4),
            ]);
        Lowered::one(
            Dispatch::new(kernel, grid(blocks.div_ceil(WORKGROUP), caps))
                .bind("x", input(0))
                .bind("y", output(0))
                .param("blocks", blocks),
        )
    }

    fn lower_tile(&self, caps: &Caps) -> Lowered {
        let ([a, b], others) = (self.lines(), self.others());
        let tiles = a.len.div_ceil(TILE) * b.len.div_ceil(TILE);
        let count: usize = others.iter().map(|o| o.len).product();
        Lowered::one(
            Dispatch::new(Kernel::new("transpose/tile"), grid(tiles * count, caps))
                .bind("x", input(0))
                .bind("y", output(0))
                .param("A", a.len)
                .param("B", b.len)
                .param("b_step", b.from)
                .param("a_step", a.to)
                .param("N0", others[0].len)
                .param("N1", others[1].len)
                .param("N2", others[2].len)
                .param("in0", others[0].from)
                .param("in1", others[1].from)
                .param("in2", others[2].from)
                .param("out0", others[0].to)
                .param("out1", others[1].to)
                .param("out2", others[2].to),
        )
    }
}

impl Problem for Permuted {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn variants(&self, caps: &Caps) -> Vec<Variant> {
        let [a, b] = self.lines();
        if b.from == 1 {
            return widths("direct", b.len);
        }
        let direct = Variant::new("direct", [("WIDTH", 1)]);
        // A tile that is mostly empty is slower than scattered reads.
        let tile = Variant::new("tile", []);
        if caps.software {
            let whole = a.len.is_multiple_of(4) && b.len.is_multiple_of(4);
            let blocks = whole.then(|| Variant::new("blocks", []));
            blocks.into_iter().chain([direct, tile]).collect()
        } else if a.len.min(b.len) < TILE / 4 {
            vec![direct, tile]
        } else {
            vec![tile, direct]
        }
    }

    fn lower(&self, variant: &Variant, caps: &Caps) -> Lowered {
        match variant.name {
            "tile" => self.lower_tile(caps),
            "blocks" => self.lower_blocks(caps),
            _ => self.lower_direct(variant.get("WIDTH") as usize, caps),
        }
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let spec = self.facts.spec();
        let mut index = vec![0; self.from.len()];
        let mut data = Vec::with_capacity(self.len());
        for _ in 0..self.len() {
            let at: usize = index.iter().zip(&self.from).map(|(i, s)| i * s).sum();
            data.push(inputs[0].data[at]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < spec.dims()[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        vec![Array::new(spec.clone(), data)]
    }
}

impl<'g> Tensor<'g> {
    /// The same values with axis `axes[n]` as the n-th.
    pub fn transpose(self, axes: &[usize]) -> Tensor<'g> {
        let axes = axes.to_vec();
        self.graph().apply1(Transpose { axes }, &[self])
    }
}

/// Awkward cases of [`Transpose`].
pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&[usize], &[usize]); 18] = [
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
        (&[8, 2, 3, 12], &[3, 1, 2, 0]),
        (&[2, 3, 36, 20], &[3, 1, 0, 2]),
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
