//! The reference against every path written out, and the gradient rule through a graph: the op's
//! second output has no gradient, so the general test of rules cannot check it against differences.

use crate::graph::Builder;
use crate::graph::reference::finite_differences;

use super::*;

fn problem(
    steps: usize,
    classes: usize,
    labels: &[usize],
    seed: u64,
) -> (Box<dyn Problem>, Vec<Array>) {
    let specs = input_specs(1, steps, classes, labels.len().max(1));
    let problem = Ctc.problem(&specs).unwrap();
    let mut inputs = problem.sample(&specs, &mut Sampler::new(Distribution::Uniform, seed));
    inputs[1].data[0] = steps as f64;
    inputs[2].data[..labels.len()]
        .copy_from_slice(&labels.iter().map(|&l| l as f64).collect::<Vec<_>>());
    inputs[3].data[0] = labels.len() as f64;
    (problem, inputs)
}

/// -ln of the sum over all paths that collapse to `labels`.
fn enumerated(log_probs: &[f64], steps: usize, classes: usize, labels: &[usize]) -> f64 {
    let mut p = 0.0;
    for path in 0..classes.pow(steps as u32) {
        let class = |t: usize| path / classes.pow(t as u32) % classes;
        let kept =
            (0..steps).filter(|&t| class(t) != classes - 1 && (t == 0 || class(t) != class(t - 1)));
        if kept.map(class).eq(labels.iter().copied()) {
            let log: f64 = (0..steps).map(|t| log_probs[t * classes + class(t)]).sum();
            p += log.exp();
        }
    }
    -f64::ln(p)
}

#[test]
fn reference_is_the_sum_over_all_paths() {
    let labellings: [&[usize]; 7] =
        [&[], &[0], &[1, 0], &[1, 1], &[0, 0, 0], &[0, 1, 0], &[1, 1, 0]];
    for steps in 1..=5 {
        for classes in [3, 4] {
            for labels in labellings {
                let (problem, inputs) = problem(steps, classes, labels, 5);
                let got = problem.reference(&inputs.iter().collect::<Vec<_>>());
                let wanted = enumerated(&inputs[0].data, steps, classes, labels);
                let same = got[0].data[0] == wanted
                    || (got[0].data[0] - wanted).abs() < 1e-12 * wanted.abs();
                assert!(
                    same,
                    "T {steps}, C {classes}, {labels:?}: {} and {wanted}",
                    got[0].data[0]
                );
                let sums = got[1].data.chunks(classes).map(|row| row.iter().sum::<f64>());
                let sum = if wanted.is_finite() { -1.0 } else { 0.0 };
                assert!(sums.into_iter().all(|s| (s - sum).abs() < 1e-12));
            }
        }
    }
}

#[test]
fn gradient_rule_agrees_with_finite_differences() {
    let specs = input_specs(3, 7, 4, 3);
    let problem = Ctc.problem(&specs).unwrap();
    let mut inputs = problem.sample(&specs, &mut Sampler::new(Distribution::Uniform, 3));
    inputs[1].data = vec![7.0, 5.0, 0.0];
    inputs[2].data = vec![0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 2.0, 2.0, 2.0];
    inputs[3].data = vec![3.0, 1.0, 0.0];
    let weights = Array::f32([3], vec![0.5, -2.0, 1.5]);

    let graph = Builder::new();
    let leaf = |i: usize| graph.input(&format!("x{i}"), specs[i].shape.clone(), specs[i].dtype);
    let x = leaf(0);
    let loss = x.ctc_loss(leaf(1), leaf(2), leaf(3));
    let weighted = (loss * graph.input("weights", [3], DType::F32)).sum_all();
    graph.output("gradient", graph.gradients(weighted, &[x])[0]);
    let nodes = graph.finish().unwrap();
    let feed = |name: &str| match name {
        "weights" => weights.clone(),
        _ => inputs[name[1..].parse::<usize>().unwrap()].clone(),
    };
    let values = nodes.evaluate(&feed);
    let got = values[nodes.outputs[0].1.0].clone().unwrap();

    let unweighted = Array::zeros(specs[0].clone());
    let wanted = finite_differences(problem.as_ref(), &inputs, &[weights, unweighted], 0);
    for (got, wanted) in got.data.iter().zip(&wanted) {
        assert!((got - wanted).abs() < 1e-8, "{got} and {wanted}");
    }
}
