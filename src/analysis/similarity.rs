//! Which workloads are similar: each is the vector of its time shares by op type, and vectors that point
//! the same way are close.
//!
//! The distance is the cosine distance, 1 - cos. Average, single and complete linkage take the mean, least
//! and largest distance between the members of two clusters. Centroid linkage, which the paper uses, needs
//! points: here each vector scaled to length 1, because between such points the squared Euclidean distance
//! is 2 (1 - cos), so that geometry and cosine distance agree. A cluster is the mean of its points, not
//! rescaled, and a merge's height is half the squared distance of two means: for two workloads exactly
//! their cosine distance. A mean can be closer to a third point than its own parts were to each other: then
//! a merge is lower than an earlier one ([`Similarity::inverted`]), which the other linkages never do.

use std::collections::BTreeSet;

use crate::record::{Record, Run};
use crate::terms::{Mode, words};
use kodama::Method;

use super::{RunContext, profile, runs, share};

words! {
    /// How far apart two clusters are.
    Linkage {
        /// As their means: that of the paper.
        Centroid = "centroid",
        /// As their members on average.
        Average = "average",
        /// As their nearest members.
        Single = "single",
        /// As their furthest members.
        Complete = "complete",
    }
}

/// The workloads of one adapter, preset and mode.
#[derive(Debug, Clone, PartialEq)]
pub struct Similarity {
    /// Runs that have no place, since there is a newer one of the workload.
    pub older: usize,
    /// The run behind each workload.
    pub workloads: Vec<RunContext>,
    /// The op types: the coordinates of `shares`.
    pub types: Vec<String>,
    /// For each workload, the share of its time in each type.
    pub shares: Vec<Vec<f64>>,
    /// Cosine distance of each two: 0 for the same mix of types, 1 for no type in common.
    pub distances: Vec<Vec<f64>>,
    /// How `merges` came about.
    pub linkage: Linkage,
    /// One fewer than workloads, in the order they were made.
    pub merges: Vec<Merge>,
    /// The workloads' numbers in the order in which a dendrogram lists them without crossing lines.
    pub order: Vec<usize>,
    /// Whether a merge is lower than one it is made of.
    pub inverted: bool,
}

/// Two clusters become one.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// Below the number n of workloads one of these; n + k is the cluster of merge k.
    pub left: usize,
    /// As `left`.
    pub right: usize,
    /// Distance of the two.
    pub height: f64,
    /// Workloads in the new cluster.
    pub size: usize,
}

/// For each adapter, preset and fusion that has two workloads profiled in `mode`. Of several runs of a
/// workload the newest record's first counts.
pub fn similarity(records: &[Record], mode: Mode, linkage: Linkage) -> Vec<Similarity> {
    let mut groups: Vec<(Vec<(RunContext, &Run)>, usize)> = Vec::new();
    for (context, run) in runs(records) {
        let timed = run.ops.iter().any(|op| op.ns.as_ref().is_some_and(|ns| ns.median > 0.0));
        if context.mode != mode || !timed {
            continue;
        }
        let Some((group, older)) =
            groups.iter_mut().find(|(group, _)| group[0].0.is_comparable(&context))
        else {
            groups.push((vec![(context, run)], 0));
            continue;
        };
        match group.iter_mut().find(|(c, _)| c.workload == context.workload) {
            Some(known) if known.0.created < context.created => {
                *older += 1;
                *known = (context, run);
            }
            Some(_) => *older += 1,
            None => group.push((context, run)),
        }
    }
    groups.retain(|(group, _)| group.len() > 1);
    groups.into_iter().map(|(group, older)| of_group(group, older, linkage)).collect()
}

fn of_group(group: Vec<(RunContext, &Run)>, older: usize, linkage: Linkage) -> Similarity {
    let times = group.iter().flat_map(|(_, run)| profile::times(run));
    let types: BTreeSet<String> = times.map(|(name, _)| name.into()).collect();
    let types: Vec<String> = types.into_iter().collect();
    let shares: Vec<_> = group.iter().map(|(_, run)| vector(run, &types)).collect();
    let distance = |a: &Vec<f64>| shares.iter().map(|b| cosine_distance(a, b)).collect();
    let distances: Vec<Vec<f64>> = shares.iter().map(distance).collect();
    let merges = cluster(&distances, linkage);
    let n = group.len();
    let height = |c: usize| c.checked_sub(n).map_or(0.0, |k| merges[k].height);
    let inverted = merges.iter().any(|m| m.height < height(m.left).max(height(m.right)));
    Similarity {
        older,
        workloads: group.into_iter().map(|(context, _)| context).collect(),
        types,
        shares,
        distances,
        linkage,
        order: leaves(&merges, n),
        merges,
        inverted,
    }
}

fn vector(run: &Run, types: &[String]) -> Vec<f64> {
    let times = profile::times(run);
    let total: f64 = times.iter().map(|(_, ns)| ns).sum();
    let of = |name: &String| {
        let ns = times.iter().find(|(n, _)| n == name).map_or(0.0, |t| t.1);
        share(ns, total)
    };
    types.iter().map(of).collect()
}

/// 1 - cos of the angle between two vectors; 1 where one has no direction.
fn cosine_distance(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { (1.0 - dot(a, b) / lengths).clamp(0.0, 2.0) } else { 1.0 }
}

/// Agglomerative clustering of items with these pairwise cosine distances.
fn cluster(distances: &[Vec<f64>], linkage: Linkage) -> Vec<Merge> {
    let n = distances.len();
    let upper = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let method = match linkage {
        Linkage::Centroid => Method::Centroid,
        Linkage::Average => Method::Average,
        Linkage::Single => Method::Single,
        Linkage::Complete => Method::Complete,
    };
    let points = linkage == Linkage::Centroid;
    // For means kodama takes Euclidean distances, which it squares; see the head of this file.
    let mut condensed: Vec<f64> = upper
        .map(|(i, j)| distances[i][j])
        // Between unit vectors |a - b|^2 = 2 (1 - cos).
        .map(|d| if points { (2.0 * d).sqrt() } else { d })
        .collect();
    // The plain algorithm: eight workloads need no fast one, and it takes every linkage.
    let steps = kodama::primitive(&mut condensed, n, method);
    let merge = |step: &kodama::Step<f64>| Merge {
        left: step.cluster1,
        right: step.cluster2,
        // Of equal points rounding can leave the root of a number below 0.
        height: match step.dissimilarity {
            d if !d.is_finite() => 0.0,
            d if points => d * d / 2.0,
            d => d,
        },
        size: step.size,
    };
    steps.steps().iter().map(merge).collect()
}

/// The items from one side of the tree to the other.
fn leaves(merges: &[Merge], n: usize) -> Vec<usize> {
    let mut order = Vec::new();
    let mut open = vec![n + merges.len() - 1];
    while let Some(cluster) = open.pop() {
        match cluster.checked_sub(n) {
            None => order.push(cluster),
            Some(merge) => open.extend([merges[merge].right, merges[merge].left]),
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;

    #[test]
    fn planted_groups_are_found_by_every_linkage() {
        let record = synthetic::record(&[
            ("vgg", Mode::Train, &[("conv2d", 90.0), ("add", 10.0)]),
            ("speech", Mode::Train, &[("matmul", 80.0), ("ctc", 20.0)]),
            ("residual", Mode::Train, &[("conv2d", 80.0), ("add", 20.0)]),
            ("seq2seq", Mode::Train, &[("matmul", 85.0), ("ctc", 15.0)]),
            ("vgg", Mode::Infer, &[("matmul", 1.0)]),
        ]);
        for linkage in Linkage::ALL {
            let groups = similarity(std::slice::from_ref(&record), Mode::Train, linkage);
            let [group] = &groups[..] else { panic!("{groups:?}") };
            assert_eq!(group.types, ["add", "conv2d", "ctc", "matmul"]);
            assert_eq!(group.merges.len(), 3);
            let pairs: Vec<_> = group.merges[..2].iter().map(|m| (m.left, m.right)).collect();
            assert!(pairs.contains(&(0, 2)) && pairs.contains(&(1, 3)), "{pairs:?}");
            assert!(group.merges[0].height < 0.05 && group.merges[2].height > 0.8);
            assert_eq!(group.merges[2].size, 4);
            assert!(!group.inverted);
            let side: Vec<bool> = group.order.iter().map(|i| i % 2 == 0).collect();
            assert!(side[0] == side[1] && side[2] == side[3] && side[1] != side[2]);
        }
        assert!(similarity(&[record], Mode::Infer, Linkage::Average).is_empty());
    }

    #[test]
    fn cosine_distances_are_those_of_the_formula() {
        assert_eq!(cosine_distance(&[1.0, 0.0], &[0.0, 2.0]), 1.0);
        assert!(cosine_distance(&[0.2, 0.4], &[1.0, 2.0]).abs() < 1e-15);
        let d = cosine_distance(&[1.0, 0.0], &[1.0, 1.0]);
        assert!((d - (1.0 - 0.5_f64.sqrt())).abs() < 1e-15);
        assert_eq!(cosine_distance(&[0.0], &[1.0]), 1.0);
    }

    #[test]
    fn centroid_heights_are_those_of_means_on_the_unit_sphere() {
        // Unit vectors e1, e2, e3: any two merge at 1; their mean (1/2, 1/2, 0) lies at a squared
        // distance of 3/2 from the third: half of that is 3/4, below the first merge.
        let apart = vec![vec![0.0, 1.0, 1.0], vec![1.0, 0.0, 1.0], vec![1.0, 1.0, 0.0]];
        let merges = cluster(&apart, Linkage::Centroid);
        assert!((merges[0].height - 1.0).abs() < 1e-12);
        assert!((merges[1].height - 0.75).abs() < 1e-12);
        let average = cluster(&apart, Linkage::Average);
        assert!((average[1].height - 1.0).abs() < 1e-12);
        let record = synthetic::record(&[
            ("a", Mode::Train, &[("matmul", 1.0)]),
            ("b", Mode::Train, &[("conv2d", 1.0)]),
            ("c", Mode::Train, &[("add", 1.0)]),
        ]);
        assert!(similarity(&[record], Mode::Train, Linkage::Centroid)[0].inverted);
    }

    #[test]
    fn equal_workloads_merge_at_nothing() {
        let same = vec![vec![0.0; 3]; 3];
        for linkage in Linkage::ALL {
            assert!(cluster(&same, linkage).iter().all(|m| m.height == 0.0));
        }
    }

    #[test]
    fn the_newest_record_counts() {
        let old = synthetic::record(&[
            ("a", Mode::Train, &[("matmul", 1.0)]),
            ("b", Mode::Train, &[("matmul", 1.0)]),
        ]);
        let mut new = synthetic::record(&[("a", Mode::Train, &[("conv2d", 1.0)])]);
        new.created = "2027-01-01T00:00:00Z".into();
        let groups = similarity(&[new, old], Mode::Train, Linkage::Average);
        assert_eq!(groups[0].distances[0][1], 1.0);
    }
}
