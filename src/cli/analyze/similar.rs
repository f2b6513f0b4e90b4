//! Which workloads are alike, as tables and a tree.

use crate::analysis::similarity::{self, Linkage, Similarity};
use crate::record::Record;
use crate::report::number::digits;
use crate::terms::Mode;

use super::super::table::sections::Section;
use super::super::table::{Cell as Field, Table};
use super::{dendrogram, fused_note, place};

/// For each adapter the matrix and the merges with their tree.
pub(super) fn sections(records: &[Record], mode: Mode, linkage: Linkage) -> Vec<Section> {
    let found = similarity::similarity(records, mode, linkage);
    let both = found.iter().flat_map(|one| [matrix(one, mode), merges(one, mode)]);
    both.collect()
}

fn distance(value: f64) -> Field {
    Field::maybe(Some(value), |d| format!("{d:.3}"))
}

fn matrix(one: &Similarity, mode: Mode) -> Section {
    let headings: Vec<String> = ["~device", "~mode", "workload"]
        .map(String::from)
        .into_iter()
        .chain(one.order.iter().map(|&i| format!(">{}", one.workloads[i].workload)))
        .collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new(&headings);
    for &i in &one.order {
        let cell = &one.workloads[i];
        let context = [&cell.device, mode.name(), &cell.workload].map(Field::from);
        let distances = one.order.iter().map(|&j| distance(one.distances[i][j]));
        table.row(context.into_iter().chain(distances));
    }
    let title = format!(
        "Similarity in mode {mode}: {}; cosine distance of time by op type",
        place(&one.workloads[0])
    );
    fused_note(Section::new("similarity", title, table), &one.workloads)
}

fn merges(one: &Similarity, mode: Mode) -> Section {
    let mut table =
        Table::new(&["~device", "~mode", "~linkage", ">merge", "of", "with", ">height", ">size"]);
    let linkage = match one.linkage {
        Linkage::Centroid => "centroid",
        Linkage::Average => "average",
        Linkage::Single => "single",
        Linkage::Complete => "complete",
    };
    for (k, merge) in one.merges.iter().enumerate() {
        table.row([
            one.workloads[0].device.as_str().into(),
            mode.name().into(),
            linkage.into(),
            Field::count(k + 1),
            name(one, merge.left).into(),
            name(one, merge.right).into(),
            Field::maybe(Some(merge.height), |h| format!("{h:.3}")),
            Field::count(merge.size),
        ]);
    }
    let mut section = Section::new("merges", format!("Clusters by {linkage} linkage"), table);
    section.figure = dendrogram::draw(one);
    if one.linkage == Linkage::Centroid {
        section = section.note(
            "heights: half the squared distance between the means of unit vectors, for two workloads their cosine \
             distance",
        );
    }
    if one.inverted {
        section = section.note(format!(
            "a merge is lower than one before it, as {linkage} linkage allows; it is drawn just right of that one"
        ));
    }
    section
}

/// A cluster by its workloads.
fn name(one: &Similarity, cluster: usize) -> String {
    let n = one.workloads.len();
    match cluster.checked_sub(n) {
        None => one.workloads[cluster].workload.clone(),
        Some(k) => {
            let merge = &one.merges[k];
            format!("{} + {}", name(one, merge.left), name(one, merge.right))
        }
    }
}

/// A scale's end.
pub(super) fn end(height: f64) -> String {
    digits(height)
}
