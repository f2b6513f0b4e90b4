//! Kernels: the list of them, and their results.

use std::collections::BTreeSet;

use crate::fields;
use crate::kernel::Caps;
use crate::measure::kernels::{Checked, Kernel, Timed};
use crate::measure::tune;
use crate::op::{Case, LIST};
use crate::record::Peaks;
use crate::report::column::Quantity::{Duration, Fixed, Giga, Percent};
use crate::report::column::{count, number, text};
use crate::report::field::Field;
use crate::report::table::Table;
use crate::terms::each_once;

/// Every op with its variants, on a GPU and on a CPU adapter.
pub fn ops() -> Table {
    let mut table = Table::new([text("op"), text("class"), count("cases"), text("variants")]);
    for family in LIST {
        let cases = family.cases();
        let caps = [Caps::portable(), Caps::portable_software()];
        let of_case = |case: &Case| caps.each_ref().map(|caps| case.problem().variants(caps));
        let variants = cases.iter().flat_map(of_case).flatten();
        let variants = each_once(variants.map(|variant| variant.to_string()));
        // An elementwise kernel also copies and drops out, which analyses count as what they are.
        let classes: BTreeSet<_> = cases.iter().map(|case| case.op.kind().class.letter()).collect();
        let classes: Vec<_> = classes.into_iter().map(String::from).collect();
        table.row(fields![family.name(), classes.join(", "), cases.len(), variants.join(" ")]);
    }
    table
}

/// A row for each step: how many of its problems are to be tuned, and the kernels there are for them.
pub fn to_tune(steps: &[tune::suite::Planned]) -> Table {
    let columns = [text("workload"), text("mode"), count("batch"), count("ops"), count("kernels")];
    let mut table = Table::new(columns);
    for tune::suite::Planned { key, problems, kernels } in steps {
        table.row(fields![&key.workload, key.mode, key.batch, *problems, *kernels]);
    }
    table
}

/// A row for each problem of a tuning table: the estimates' choice, the fastest, and what it saves.
pub fn tuned(tuned: &tune::Table) -> Table {
    let mut table = Table::new([
        text("op"),
        text("inputs"),
        text("estimated"),
        text("fastest"),
        number("of its time", "ratio", Percent),
        count("measured"),
    ]);
    for entry in tuned.entries.values() {
        let known = |label: &str| entry.candidates.iter().find(|known| known.variant == label);
        let ratio = known(&entry.chosen).map(tune::table::Candidate::ratio);
        let first = entry.candidates.first().map(|first| first.variant.as_str());
        table.row(fields![
            &entry.op,
            entry.inputs.join(" "),
            first,
            &entry.chosen,
            ratio,
            entry.candidates.len()
        ]);
    }
    table
}

/// A row for each kernel that was verified, with the place where it is wrong.
pub fn verification(kernels: &[Checked]) -> Table {
    let mut table = Table::new([
        text("kernel"),
        count("checks"),
        count("passed"),
        number("worst error / bound", "worst", Fixed(3)),
        text("where"),
    ]);
    for kernel in kernels {
        let place = if kernel.failed > 0 { kernel.worst.detail.as_str() } else { "" };
        let passed = kernel.checks - kernel.failed;
        table.row(fields![&kernel.label, kernel.checks, passed, kernel.worst.error, place]);
    }
    table
}

/// For a row of each of these kernels, as [`timing`] makes it, with its share of the ceilings.
pub fn timings(kernels: &[Kernel]) -> Table {
    let longest = |text: fn(&Kernel) -> &str| {
        kernels.iter().map(|kernel| text(kernel).len()).max().unwrap_or(0)
    };
    Table::new([
        text("kernel").width(longest(|kernel| &kernel.label)),
        text("case").width(longest(|kernel| &kernel.case.name)),
        number("time", "time_ns", Duration).width(8),
        number("GFLOP/s", "flop_per_s", Giga).width(7),
        number("of peak", "of_peak", Percent).width(7),
        number("GB/s", "bytes_per_s", Giga).width(7).spare(2),
        number("of copy", "of_copy", Percent).width(7).spare(1),
    ])
}

/// A kernel's time on a case, as a row of [`timings`].
pub fn timing(kernel: &Timed, peaks: &Peaks) -> [Field; 7] {
    let [flops, bytes] =
        [kernel.cost.flops, kernel.cost.bytes].map(|work| work as f64 / kernel.ns * 1e9);
    fields![
        &kernel.label,
        &kernel.case,
        kernel.ns,
        flops,
        flops / peaks.fma_f32_flop_per_s,
        bytes,
        bytes / peaks.copy_bytes_per_s
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
}
