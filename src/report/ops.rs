//! A run's ops gathered by type.

use crate::record::Run;

/// All ops of one type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TypeRow {
    /// `matmul`, or `others`.
    pub(super) name: String,
    /// A to G; a dash for gathered types.
    pub(super) class: char,
    /// Ops in a step.
    pub(super) calls: usize,
    /// Sum of the ops' median times.
    pub(super) ns: f64,
    /// Share of all ops' time.
    pub(super) share: f64,
    /// Arithmetic.
    pub(super) flops: u64,
    /// Operands.
    pub(super) bytes: u64,
}

/// Types below this share are gathered.
const GATHERED: f64 = 0.01;

/// The types by time, the longest first; those under 1 % as one row.
pub(super) fn by_type(run: &Run) -> Vec<TypeRow> {
    let mut rows: Vec<TypeRow> = Vec::new();
    let mut add = |name: &str, class: char, calls, ns, flops, bytes| match rows
        .iter_mut()
        .find(|r| r.name == name)
    {
        Some(row) => {
            row.calls += calls;
            row.ns += ns;
            row.flops += flops;
            row.bytes += bytes;
        }
        None => {
            rows.push(TypeRow { name: name.into(), class, calls, ns, share: 0.0, flops, bytes })
        }
    };
    let total: f64 = run.ops.iter().filter_map(|o| o.ns.as_ref()).map(|ns| ns.median).sum();
    for op in &run.ops {
        let ns = op.ns.as_ref().map_or(0.0, |ns| ns.median);
        add(&op.op, op.class.letter(), 1, ns, op.flops, op.bytes);
    }
    for row in &mut rows {
        row.share = row.ns / total;
    }
    let (mut shown, small): (Vec<_>, Vec<_>) = rows.into_iter().partition(|r| r.share >= GATHERED);
    shown.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    if !small.is_empty() {
        let sum = |f: &dyn Fn(&TypeRow) -> f64| small.iter().map(f).sum::<f64>();
        shown.push(TypeRow {
            name: format!("{} others under 1 %", small.len()),
            class: '-',
            calls: small.iter().map(|r| r.calls).sum(),
            ns: sum(&|r| r.ns),
            share: sum(&|r| r.share),
            flops: small.iter().map(|r| r.flops).sum(),
            bytes: small.iter().map(|r| r.bytes).sum(),
        });
    }
    shown
}
