//! Which workloads are similar: for each adapter the distances, and the clusters with their tree.

use crate::analysis::similarity::{self, Linkage, Similarity};
use crate::fields;
use crate::record::Record;
use crate::report::chart::{Chart, dendrogram, distances};
use crate::report::column::Quantity::Fixed;
use crate::report::column::{count, number, text};
use crate::report::field::Field;
use crate::report::table::Table;
use crate::terms::Mode;

use super::{Analysis, Options, Sample, Section, place, provenance, provenance_of};

/// Which workloads spend their time on the same types of op.
pub const ANALYSIS: Analysis = Analysis {
    name: "similarity",
    heading: "Which workloads are similar",
    charts: "Each workload is the vector of its time shares by op type; the distance is 1 minus the cosine of \
             the angle between two of them.",
    needs: "profiled runs of two workloads in that mode on one adapter, preset and fusion",
    sample: Sample::Profiled(1),
    sections,
};

fn sections(records: &[Record], options: &Options) -> Vec<Section> {
    let mut sections = Vec::new();
    for &mode in &options.modes {
        for group in similarity::similarity(records, mode, options.linkage) {
            sections.extend([matrix(&group, mode), clusters(&group, mode)]);
        }
    }
    sections
}

fn matrix(group: &Similarity, mode: Mode) -> Section {
    let head = [
        text("device").programs(),
        text("mode").programs(),
        text("precision").programs(),
        text("workload"),
    ];
    let others = group.order.iter().map(|&i| {
        let name = &group.workloads[i].workload;
        number(name, name, Fixed(3))
    });
    let mut table = Table::new(provenance().into_iter().chain(head).chain(others));
    for &i in &group.order {
        let context = &group.workloads[i];
        let head = fields![&context.device, mode, context.precision, &context.workload];
        let distances = group.order.iter().map(|&j| Field::from(group.distances[i][j]));
        table.row(provenance_of([context]).into_iter().chain(head).chain(distances));
    }
    let heading = format!(
        "Similarity in mode {mode}: {}; cosine distance of time by op type",
        place(&group.workloads[0])
    );
    Section::new("similarity", heading, table)
        .chart(Chart::new("Cosine distance", distances::svg(group)))
        .note_fusion(&group.workloads)
        .note_older(group.older)
}

fn clusters(group: &Similarity, mode: Mode) -> Section {
    let columns = [
        text("device").programs(),
        text("mode").programs(),
        text("precision").programs(),
        text("linkage").programs(),
        count("merge"),
        text("of"),
        text("with"),
        number("height", "height", Fixed(3)),
        count("size"),
    ];
    let mut table = Table::new(provenance().into_iter().chain(columns));
    let linkage = group.linkage;
    for (k, merge) in group.merges.iter().enumerate() {
        let fields = fields![
            &group.workloads[0].device,
            mode,
            group.workloads[0].precision,
            linkage,
            k + 1,
            name(group, merge.left),
            name(group, merge.right),
            merge.height,
            merge.size
        ];
        // All of them have a part in where each point lies.
        table.row(provenance_of(&group.workloads).into_iter().chain(fields));
    }
    let mut section = Section::new("merges", format!("Clusters by {linkage} linkage"), table)
        .chart(Chart::new("Dendrogram", dendrogram::svg(group)));
    section.drawing = dendrogram::text(group);
    if group.linkage == Linkage::Centroid {
        section = section.note(
            "heights: half the squared distance between the means of unit vectors; for two workloads, \
         their cosine distance",
        );
    }
    if group.inverted {
        section = section.note(format!(
            "a merge is lower than an earlier one, as {linkage} linkage allows; in text it is drawn just right of \
             that one"
        ));
    }
    section
}

/// A cluster by its workloads.
fn name(group: &Similarity, cluster: usize) -> String {
    match cluster.checked_sub(group.workloads.len()) {
        None => group.workloads[cluster].workload.clone(),
        Some(k) => {
            let merge = &group.merges[k];
            format!("{} + {}", name(group, merge.left), name(group, merge.right))
        }
    }
}
