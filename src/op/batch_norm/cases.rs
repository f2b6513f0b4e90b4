//! Awkward batches for the tests.

use crate::graph::chain::{Chain, Function};
use crate::op::Case;
use crate::op::rows::size;
use crate::tensor::TensorSpec;

use super::{BatchNorm, BatchNormGrad};

/// Awkward cases of [`BatchNorm`] and [`BatchNormGrad`].
pub(in crate::op) fn cases() -> Vec<Case> {
    let sizes: [&[usize]; 13] = [
        &[1, 1, 1, 1],
        &[1, 1, 1, 64],
        &[2, 1, 1, 8],
        &[3, 5],
        &[2, 3, 5, 7],
        &[4, 4, 4, 16],
        &[4, 8, 8, 8],
        &[2, 19, 23, 20],
        &[2, 39, 41, 20],
        &[3, 37, 41, 18],
        &[3, 37, 41, 20],
        &[5, 17, 19, 33],
        &[2, 56, 56, 64],
    ];
    let epsilon = 1e-5;
    let mut cases = Vec::new();
    let plain = BatchNorm { epsilon, epilogue: None };
    for dims in sizes {
        let (x, c) = (TensorSpec::f32(dims), TensorSpec::f32([dims[dims.len() - 1]]));
        let grad = BatchNormGrad { epsilon };
        let operands = [x.clone(), c.clone(), c.clone(), c.clone(), x.clone()];
        cases.push(Case::new(format!("{}_dx", size(dims)), grad, operands));
        cases.push(Case::new(size(dims), plain.clone(), [x, c.clone(), c]));
    }
    let add_relu = Chain::one(Function::Relu).after(&Chain::one(Function::Add), 0);
    for dims in [[2, 5, 3, 8], [2, 3, 4, 5]] {
        let (x, c) = (TensorSpec::f32(dims), TensorSpec::f32([dims[3]]));
        let fused = BatchNorm { epilogue: Some(add_relu.clone()), ..plain.clone() };
        let operands = [x.clone(), c.clone(), c, x];
        cases.push(Case::new(format!("{}_add_relu", size(&dims)), fused, operands));
    }
    cases
}
