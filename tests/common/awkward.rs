//! Products and convolutions on which whatever a tile may do happens: more than two tiles a side, none of them
//! whole, sums long enough to be split, in vec4s and not.

use fathom::op::Case;
use fathom::op::conv2d::{Conv, Conv2d, Conv2dGrads, Pass};
use fathom::op::matmul::MatMul;
use fathom::tensor::TensorSpec;

fn product(m: usize, n: usize, k: usize, transpose_a: bool, transpose_b: bool) -> Case {
    let stored = |rows: usize, columns: usize, turned: bool| {
        TensorSpec::f32(if turned { [columns, rows] } else { [rows, columns] })
    };
    let op = MatMul { transpose_a, transpose_b, ..MatMul::default() };
    let inputs = [stored(m, k, transpose_a), stored(k, n, transpose_b)];
    Case::new(format!("awkward_m{m}_n{n}_k{k}"), op, inputs)
}

/// The three passes over images [b, h, w, c] with n filters of `side` x `side`, and both gradients together.
fn convolutions([b, h, w, c]: [usize; 4], [side, n]: [usize; 2], conv: Conv) -> [Case; 4] {
    let room = [h, w].map(|length| length + 2 * conv.pad - side);
    let [p, q] = room.map(|length| length / conv.stride + 1);
    let rest = room.map(|length| length % conv.stride);
    let x = TensorSpec::f32([b, h, w, c]);
    let filter = TensorSpec::f32([side, side, c / conv.groups, n]);
    let y = TensorSpec::f32([b, p, q, n]);
    let name = format!("awkward_b{b}_h{h}_w{w}_c{c}_r{side}_n{n}_stride{}", conv.stride);
    let op = |pass: Pass| Conv2d { conv, pass, epilogue: None, sums: false };
    let case = |pass: Pass, inputs: [&TensorSpec; 2]| {
        Case::new(name.clone(), op(pass), inputs.map(Clone::clone))
    };
    let [input, weight] = [Pass::Input { rest }, Pass::Weight { filter: [side, side] }];
    let both = Conv2dGrads::of(&op(input), &op(weight)).unwrap();
    let both = Case::new(name.clone(), both, [&y, &filter, &x].map(Clone::clone));
    [case(Pass::Forward, [&x, &filter]), case(input, [&y, &filter]), case(weight, [&x, &y]), both]
}

pub(crate) fn cases() -> Vec<Case> {
    let plain = Conv { stride: 1, pad: 1, groups: 1 };
    let strided = Conv { stride: 2, pad: 1, groups: 1 };
    let mut cases =
        vec![product(300, 268, 1100, true, false), product(261, 263, 1031, false, true)];
    cases.extend(convolutions([2, 13, 12, 132], [3, 268], plain));
    cases.extend(convolutions([3, 19, 21, 67], [3, 131], strided));
    // As alexnet's second layer and its first.
    cases.extend(convolutions([2, 9, 10, 72], [5, 136], Conv { stride: 1, pad: 2, groups: 2 }));
    cases.extend(convolutions([2, 29, 35, 5], [11, 68], Conv { stride: 4, pad: 2, groups: 1 }));
    let summed = |case: &Case| {
        let op = case.op.with_column_sums()?;
        Some(Case { name: format!("sums_{}", case.name), op, ..case.clone() })
    };
    let summed: Vec<_> = cases.iter().filter_map(summed).collect();
    cases.extend(summed);
    cases
}
