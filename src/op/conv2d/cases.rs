//! Awkward convolutions for the tests, and real layers for the benches.

use crate::graph::chain::{Chain, Function};
use crate::op::Case;
use crate::tensor::TensorSpec;

use super::{Conv, Conv2d, Conv2dGrads, Pass};

const PLAIN: Conv = Conv { stride: 1, pad: 0, groups: 1 };

const fn conv(stride: usize, pad: usize, groups: usize) -> Conv {
    Conv { stride, pad, groups }
}

type Sizes = ([usize; 4], [usize; 3], Conv);

/// x [B, H, W, C]; R, S, N; settings.
const SIZES: [Sizes; 27] = [
    ([1, 1, 1, 1], [1, 1, 1], PLAIN),
    ([1, 5, 4, 3], [3, 2, 5], PLAIN),
    ([2, 7, 6, 4], [3, 3, 8], conv(1, 1, 1)),
    // Padding wider than the filter's half; more than the image.
    ([1, 3, 3, 2], [5, 5, 3], conv(1, 4, 1)),
    // More of a filter that Winograd's kernels take; no padding, and rows of no whole vec4s.
    ([1, 1, 1, 6], [3, 3, 5], conv(1, 3, 1)),
    ([2, 5, 4, 6], [3, 3, 5], PLAIN),
    // Strides with and without a rest, filters smaller than the stride.
    ([2, 9, 8, 8], [3, 3, 12], conv(2, 1, 1)),
    ([1, 8, 9, 4], [1, 1, 8], conv(2, 0, 1)),
    ([1, 13, 11, 5], [2, 4, 6], conv(3, 2, 1)),
    // Groups of whole vec4s and others.
    ([2, 6, 5, 8], [3, 3, 16], conv(1, 1, 2)),
    ([1, 5, 7, 6], [3, 3, 9], conv(2, 1, 3)),
    // First layers.
    ([1, 23, 23, 3], [11, 11, 12], conv(4, 2, 1)),
    ([2, 15, 14, 3], [7, 7, 8], conv(2, 3, 1)),
    // Tiles of every kernel, whole and ragged.
    ([1, 16, 16, 32], [3, 3, 64], conv(1, 1, 1)),
    ([3, 9, 11, 20], [3, 3, 36], conv(1, 1, 1)),
    // More of Winograd's tiles: cut in either direction, images within one, groups of whole vec4s and others.
    ([2, 3, 7, 6], [3, 3, 10], conv(1, 2, 2)),
    ([1, 6, 1, 15], [3, 3, 24], conv(1, 1, 3)),
    ([3, 2, 3, 8], [3, 3, 8], conv(1, 1, 1)),
    ([1, 4, 9, 1], [3, 3, 3], PLAIN),
    // Of those with filters of 5 x 5: groups of whole vec4s and others, several images, no padding, more than the filter.
    ([2, 9, 7, 8], [5, 5, 16], conv(1, 2, 2)),
    ([1, 5, 11, 6], [5, 5, 10], conv(1, 2, 2)),
    ([3, 2, 5, 20], [5, 5, 36], conv(1, 2, 1)),
    ([2, 6, 9, 3], [5, 5, 5], PLAIN),
    ([1, 1, 1, 6], [5, 5, 5], conv(1, 5, 1)),
    // Of those that gather the pixels of a step: with a rest, of whole vec4s and others, whole filters, 5 taps of a pixel.
    ([2, 10, 13, 4], [5, 5, 8], conv(2, 2, 1)),
    ([3, 7, 5, 1], [6, 6, 3], conv(2, 1, 1)),
    ([1, 17, 24, 2], [9, 9, 5], conv(2, 0, 1)),
];

/// First layers whose rows are whole vec4s, forward: strips cut short, several tiles of channels, the last of them cut; windows
/// that begin anywhere in a vec4; more padding than the filter.
const FIRST: [Sizes; 5] = [
    ([2, 9, 12, 3], [3, 3, 8], conv(1, 1, 1)),
    ([1, 13, 8, 3], [7, 7, 20], conv(2, 3, 1)),
    ([3, 11, 20, 1], [5, 4, 4], PLAIN),
    ([1, 7, 10, 6], [4, 4, 36], conv(3, 5, 1)),
    ([2, 3, 4, 2], [1, 1, 12], conv(2, 0, 1)),
];

/// Layers of the models at their real size.
const LAYERS: [(&str, Sizes); 5] = [
    ("vgg_conv3", ([8, 56, 56, 256], [3, 3, 256], conv(1, 1, 1))),
    ("vgg_conv4", ([8, 28, 28, 512], [3, 3, 512], conv(1, 1, 1))),
    ("alexnet_conv1", ([64, 224, 224, 3], [11, 11, 96], conv(4, 2, 1))),
    ("alexnet_conv2", ([64, 27, 27, 96], [5, 5, 256], conv(1, 2, 2))),
    ("conv_64_64_56", ([8, 56, 56, 64], [3, 3, 64], conv(1, 1, 1))),
];

/// The three passes of a problem.
fn passes(name: &str, ([b, h, w, c], [r, s, n], conv): Sizes) -> [Case; 3] {
    let room = [h + 2 * conv.pad - r, w + 2 * conv.pad - s];
    let [p, q] = room.map(|length| length / conv.stride + 1);
    let rest = room.map(|length| length % conv.stride);
    let x = TensorSpec::f32([b, h, w, c]);
    let filter = TensorSpec::f32([r, s, c / conv.groups, n]);
    let y = TensorSpec::f32([b, p, q, n]);
    let case = |suffix: &str, pass, inputs: [&TensorSpec; 2]| {
        let inputs = inputs.map(Clone::clone);
        Case::new(format!("{name}{suffix}"), Conv2d::new(conv, pass), inputs)
    };
    [
        case("", Pass::Forward, [&x, &filter]),
        case("_dx", Pass::Input { rest }, [&y, &filter]),
        case("_dw", Pass::Weight { filter: [r, s] }, [&x, &y]),
    ]
}

/// Both gradients of a problem, that in x with an epilogue `chain` whose other inputs are like it, that in w with the sums of dy
/// if they are asked for.
fn grads(
    name: &str,
    ([b, h, w, c], [r, s, n], conv): Sizes,
    chain: Option<&Chain>,
    sums: bool,
) -> Option<Case> {
    let room = [h + 2 * conv.pad - r, w + 2 * conv.pad - s];
    let [p, q] = room.map(|length| length / conv.stride + 1);
    let input = Pass::Input { rest: room.map(|length| length % conv.stride) };
    let input = Conv2d { epilogue: chain.cloned(), ..Conv2d::new(conv, input) };
    let weight = Conv2d { sums, ..Conv2d::new(conv, Pass::Weight { filter: [r, s] }) };
    let x = TensorSpec::f32([b, h, w, c]);
    let mut inputs =
        vec![TensorSpec::f32([b, p, q, n]), TensorSpec::f32([r, s, c / conv.groups, n])];
    inputs.extend(vec![x.clone(); chain.map_or(1, |chain| chain.inputs)]);
    Some(Case::new(format!("grads_{name}"), Conv2dGrads::of(&input, &weight)?, inputs))
}

fn name(([b, h, w, c], [r, s, n], conv): Sizes) -> String {
    let Conv { stride, pad, groups } = conv;
    format!("b{b}_h{h}_w{w}_c{c}_r{r}_s{s}_n{n}_stride{stride}_pad{pad}_groups{groups}")
}

/// A convolution of the given pass with an epilogue whose further inputs have these specs.
fn fused(case: Case, name: &str, chain: &Chain, extras: &[TensorSpec]) -> Option<Case> {
    let op = case.op.with_epilogue(chain)?;
    let inputs = case.inputs.into_iter().chain(extras.iter().cloned());
    Some(Case { name: format!("{name}_{}", case.name), op, inputs: inputs.collect(), ..case })
}

/// Awkward cases of [`Conv2d`].
pub(in crate::op) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = SIZES.into_iter().flat_map(|s| passes(&name(s), s)).collect();
    // Bias, activation and residual, as layers have them.
    let sizes = ([1, 6, 5, 8], [3, 3, 12], conv(1, 1, 1));
    let [forward, input, _] = passes("b1_h6_w5_c8_n12", sizes);
    let relu = Chain::one(Function::Relu);
    let bias_relu = relu.after(&Chain::one(Function::Add), 0);
    let bias_add_relu =
        relu.after(&Chain::one(Function::Add), 0).after(&Chain::one(Function::Add), 0);
    let (bias, residual) = (TensorSpec::f32([12]), TensorSpec::f32([1, 6, 5, 12]));
    let [again, ..] = passes("b1_h6_w5_c8_n12", sizes);
    cases.extend(fused(forward, "bias_relu", &bias_relu, std::slice::from_ref(&bias)));
    cases.extend(fused(again, "bias_residual_relu", &bias_add_relu, &[bias, residual]));
    for sizes in FIRST {
        let [forward, ..] = passes(&name(sizes), sizes);
        let [plain, ..] = passes(&name(sizes), sizes);
        let (_, [.., n], _) = sizes;
        cases.extend(fused(forward, "bias_relu", &bias_relu, &[TensorSpec::f32([n])]));
        cases.push(plain);
    }
    let add = Chain::one(Function::Add);
    cases.extend(fused(input, "add", &add, &[TensorSpec::f32([1, 6, 5, 8])]));
    // With the gradient of the bias.
    for at in [1, 5, 6, 9, 10, 11, 12, 14, 15, 19, 20, 21, 24] {
        let sizes = SIZES[at];
        let [_, _, case] = passes(&name(sizes), sizes);
        let summed = case.op.with_column_sums().map(|op| Case {
            name: format!("sums_{}", case.name),
            op,
            ..case
        });
        cases.extend(summed);
    }
    // Both gradients: groups of whole vec4s and others, images within a tile, a bias, what a shortcut adds before an activation.
    let activation = Chain::one(Function::ReluGrad).after(&add, 1).with_first(1);
    for (at, chain, sums) in [
        (2, None, false),
        (9, None, true),
        (13, Some(&activation), true),
        (14, None, false),
        (16, Some(&add), false),
        (17, None, true),
        (19, None, false),
        (21, Some(&add), true),
        // Not of the size of its image: apart.
        (5, Some(&add), true),
        (6, None, false),
    ] {
        cases.extend(grads(&name(SIZES[at]), SIZES[at], chain, sums));
    }
    // Frames of bytes.
    let [first, ..] = passes("bytes_b2_h9_w12_c3", FIRST[0]);
    let [forward, _, weight] =
        passes("bytes_b2_h12_w12_c4", ([2, 12, 12, 4], [4, 4, 8], conv(2, 0, 1)));
    for mut case in [forward, weight, first] {
        case.inputs[0] = TensorSpec::new(case.inputs[0].shape.clone(), crate::tensor::DType::U8);
        cases.push(case);
    }
    cases
}

/// Layers of the models at their real size, to be timed.
pub(in crate::op) fn benches() -> Vec<Case> {
    let each = LAYERS.into_iter().flat_map(|(name, sizes)| passes(name, sizes));
    // Those that are made together in a step: of windows side by side.
    let side_by_side = LAYERS.into_iter().filter(|(_, (_, _, conv))| conv.stride == 1);
    let both = side_by_side.filter_map(|(name, sizes)| grads(name, sizes, None, false));
    each.chain(both).collect()
}
