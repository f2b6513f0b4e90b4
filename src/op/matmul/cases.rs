//! Awkward products for the tests.

use crate::graph::chain::{Chain, Function};
use crate::op::Case;
use crate::tensor::TensorSpec;

use super::MatMul;

const NN: (bool, bool) = (false, false);
const TN: (bool, bool) = (true, false);
const NT: (bool, bool) = (false, true);
const TT: (bool, bool) = (true, true);

/// [batch, m, n, k] and storage. A's and B's storage are read by code of their own and alike in every
/// kernel, so that all four are needed at one size only.
const SIZES: [([usize; 4], (bool, bool)); 17] = [
    ([1, 1, 1, 1], TN),
    ([1, 3, 5, 7], NN),
    ([1, 3, 5, 7], TN),
    ([1, 3, 5, 7], NT),
    ([1, 3, 5, 7], TT),
    // In a batch.
    ([3, 9, 12, 20], TT),
    // Whole tiles of every variant; just over a tile with vec4s and without.
    ([1, 128, 128, 32], NT),
    ([1, 132, 68, 36], TN),
    ([1, 65, 129, 17], NN),
    // A long k, to be split: ragged and whole.
    ([2, 20, 36, 1001], TN),
    ([1, 64, 64, 1024], TN),
    // Few vectors: rows and columns, one and several.
    ([1, 1, 300, 260], NN),
    ([1, 300, 1, 260], NN),
    ([2, 2, 131, 129], TT),
    ([1, 8, 300, 64], NT),
    ([1, 66, 7, 33], TN),
    // More than 65,535 workgroups.
    ([66_000, 1, 2, 3], NN),
];

fn case([batch, m, n, k]: [usize; 4], (ta, tb): (bool, bool)) -> Case {
    let spec = |r: usize, c: usize, turned: bool| {
        let (r, c) = if turned { (c, r) } else { (r, c) };
        if batch == 1 { TensorSpec::f32([r, c]) } else { TensorSpec::f32([batch, r, c]) }
    };
    let op = MatMul { transpose_a: ta, transpose_b: tb, ..MatMul::default() };
    let letter = |t: bool| if t { 't' } else { 'n' };
    let name = format!("g{batch}_m{m}_n{n}_k{k}_{}{}", letter(ta), letter(tb));
    Case::new(name, op, [spec(m, k, ta), spec(k, n, tb)])
}

/// A [m, k] B [k, n] with an epilogue whose further inputs have these specs.
fn fused(name: &str, [m, n, k]: [usize; 3], chain: Chain, extras: &[TensorSpec]) -> Case {
    let op = MatMul { epilogue: Some(chain), ..MatMul::default() };
    let operands = [TensorSpec::f32([m, k]), TensorSpec::f32([k, n])];
    let inputs: Vec<_> = operands.into_iter().chain(extras.iter().cloned()).collect();
    Case::new(format!("{name}_m{m}_n{n}_k{k}"), op, inputs)
}

/// Awkward cases of [`MatMul`].
pub(in crate::op) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = SIZES.iter().map(|&(sizes, storage)| case(sizes, storage)).collect();
    let bias_relu = Chain::one(Function::Relu).after(&Chain::one(Function::Add), 0);
    let bias = |n: usize| TensorSpec::f32([n]);
    cases.push(fused("bias_relu", [9, 20, 8], bias_relu.clone(), &[bias(20)]));
    cases.push(fused("bias_relu", [33, 70, 20], bias_relu, &[bias(70)]));
    // With draws, which are made behind the product or as its parts are added.
    let dropout = Chain::one(Function::Dropout { rate: 0.5, stream: 9 });
    let dropped =
        Chain::one(Function::Relu).after(&dropout, 0).after(&Chain::one(Function::Add), 0);
    for sizes in [[9, 20, 8], [33, 70, 20], [64, 64, 1024], [2, 36, 256]] {
        let extras = [bias(sizes[1]), TensorSpec::u32([4])];
        cases.push(fused("dropout", sizes, dropped.clone(), &extras));
    }
    let add = Chain::one(Function::Add);
    let whole = TensorSpec::f32([20, 36]);
    cases.push(fused("residual", [20, 36, 256], add, &[whole]));
    let summed = [
        ([1, 3, 5, 7], TN),
        ([3, 9, 12, 20], TT),
        ([1, 132, 68, 36], TN),
        ([1, 65, 129, 17], NN),
        ([2, 20, 36, 1001], TN),
    ];
    cases.extend(summed.map(|(sizes, storage)| {
        let Case { name, op, .. } = case(sizes, storage);
        let (name, op) = (format!("sums_{name}"), op.with_column_sums().unwrap_or(op));
        Case { name, op, ..case(sizes, storage) }
    }));
    for (name, batch) in [("rows_2x5_n6_k7", [2, 5]), ("rows_4x64_n64_k64", [4, 64])] {
        let k = if batch[1] == 5 { 7 } else { 64 };
        let inputs = [TensorSpec::f32([batch[0], batch[1], k]), TensorSpec::f32([k, batch[1] + 1])];
        cases.push(Case::new(name, MatMul::default(), inputs));
    }
    cases
}

/// Square products to be timed: what vendors' libraries are compared at.
pub(in crate::op) fn benches() -> Vec<Case> {
    [1024, 2048, 4096].into_iter().map(|n| case([1, n, n, n], NN)).collect()
}
