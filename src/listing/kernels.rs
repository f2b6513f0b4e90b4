//! Kernels: the list of them, and their results.

use std::collections::BTreeSet;

use crate::kernel::Caps;
use crate::measure::kernels::{Checked, Fate, Kernel, Timed};
use crate::measure::tune::{
    self,
    table::{Candidate, Entry},
};
use crate::op::{Case, LIST};
use crate::record::Peaks;
use crate::report::column::Quantity::{Duration, Fixed, Giga, Percent};
use crate::report::column::{count, number, text};
use crate::report::field::Field;
use crate::report::table::{ColumnOf, Table};
use crate::terms::each_once;
use crate::{columns, fields};

/// Every op family with the types that other tables call its ops by, and its variants on a GPU and on a CPU adapter.
pub fn ops() -> Table {
    let (class, cases) = (text("class").spare(2), count("cases").spare(3));
    let columns = [text("op"), class, cases, text("types"), text("variants")];
    let mut table = Table::new(columns);
    for family in LIST {
        let cases = family.cases();
        let caps = [Caps::portable(), Caps::portable_software()];
        let of_case = |case: &Case| caps.each_ref().map(|caps| case.problem().variants(caps));
        let variants = cases.iter().flat_map(of_case).flatten();
        let variants = each_once(variants.map(|variant| variant.to_string()));
        // An elementwise kernel also copies and drops out, which analyses count as what they are.
        let classes: BTreeSet<_> = cases.iter().map(|case| case.op.kind().class.letter()).collect();
        let classes: Vec<_> = classes.into_iter().map(String::from).collect();
        let types = family.types().join(" ");
        let classes = classes.join(", ");
        table.row(fields![family.name(), classes, cases.len(), types, variants.join(" ")]);
    }
    table
}

/// A row for each step: how many of its problems are to be tuned, and the kernels there are for them.
pub fn to_tune(steps: &[tune::suite::Planned]) -> Table {
    let columns: [ColumnOf<&tune::suite::Planned>; 5] = columns![step:
        text("workload") => &step.key.workload,
        text("mode") => step.key.mode,
        count("batch") => step.key.batch,
        count("ops") => step.problems,
        count("kernels") => step.kernels,
    ];
    Table::of(columns, steps)
}

/// A row for each problem of a tuning table: the estimates' choice, the fastest, and what it saves.
pub fn tuned(tuned: &tune::Table) -> Table {
    let columns: [ColumnOf<&Entry>; 6] = columns![entry:
        text("op") => &entry.op,
        text("inputs") => entry.inputs.join(" "),
        text("estimated") => entry.candidates.first().map(|first| first.variant.as_str()),
        text("fastest") => &entry.chosen,
        number("of its time", "ratio", Percent)
            => entry.candidates.iter().find(|known| known.variant == entry.chosen).map(Candidate::ratio),
        count("measured") => entry.candidates.len(),
    ];
    Table::of(columns, tuned.entries.values())
}

/// A row for each kernel that was verified, with the place where it is most wrong.
pub fn verification(kernels: &[Checked]) -> Table {
    let columns: [ColumnOf<&Checked>; 5] = columns![kernel:
        text("kernel") => &kernel.label,
        count("checks") => kernel.checks,
        count("passed") => kernel.checks - kernel.failed.len(),
        number("worst error / bound", "worst", Fixed(3)) => kernel.worst,
        text("where") => kernel.furthest().map_or("", |worst| worst.detail.as_str()),
    ];
    Table::of(columns, kernels)
}

/// For a row of each of these kernels, as [`timing`] makes it, with its share of the ceilings.
pub fn timings(kernels: &[Kernel]) -> Table {
    let longest = |text: fn(&Kernel) -> &str| {
        kernels.iter().map(|kernel| text(kernel).len()).max().unwrap_or(0)
    };
    Table::new([
        text("kernel").width(longest(|kernel| &kernel.label)),
        text("case").width(longest(|kernel| &kernel.case.name)),
        text("check").width(5),
        number("time", "time_ns", Duration).width(8),
        number("GFLOP/s", "flop_per_s", Giga).width(7),
        number("of peak", "of_peak", Percent).width(7),
        number("GB/s", "bytes_per_s", Giga).width(7).spare(2),
        number("of copy", "of_copy", Percent).width(7).spare(1),
    ])
}

/// A kernel's time on a case, as a row of [`timings`]: none of one that is wrong or was left out.
pub fn timing(kernel: &Timed, peaks: &Peaks) -> [Field; 8] {
    let (check, ns) = match &kernel.fate {
        Fate::Time { ns, checked } => (checked.name(), Some(*ns)),
        Fate::Wrong(_) => ("wrong", None),
        Fate::LeftOut(_) => ("none", None),
    };
    let rate = |work: u64| ns.map(|ns| work as f64 / ns * 1e9);
    let [flops, bytes] = [kernel.cost.flops, kernel.cost.bytes].map(rate);
    fields![
        &kernel.label,
        &kernel.case,
        check,
        ns,
        flops,
        flops.map(|rate| rate / peaks.fma_f32_flop_per_s),
        bytes,
        bytes.map(|rate| rate / peaks.copy_bytes_per_s)
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Format;

    #[test]
    fn a_kernel_is_of_every_class_that_it_computes() {
        let text = ops().render(Format::Csv).unwrap();
        let class = |op: &str| {
            let row = text.lines().find(|line| line.starts_with(&format!("{op},"))).unwrap();
            row.split(&format!("{op},")).nth(1).unwrap().to_string()
        };
        assert!(class("map").starts_with("\"C, "), "{}", class("map"));
        assert!(class("conv2d").starts_with("B,"), "{}", class("conv2d"));
    }

    #[test]
    fn each_type_that_other_tables_have_is_found_in_the_list() {
        let text = ops().render(Format::Csv).unwrap();
        for (family, kind) in [("optimizer", "sgd"), ("reduce", "mean"), ("random", "random_mask")]
        {
            let row = text.lines().find(|line| line.starts_with(&format!("{family},"))).unwrap();
            assert!(row.contains(kind), "{row}");
        }
    }
}
