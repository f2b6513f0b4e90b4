//! Small kernels with a fault each, and what must be said of them.

use super::compiler::{Compiler, Source};
use super::machine::{Buffer, Job, Launch, Outcome, Window, run};
use super::translate::Result;

/// Words of `x`, which is given, and of `y`, which is not.
const WORDS: usize = 64;

/// Eight invocations, a workgroup variable, an input, an output.
const HEAD: &str = "\
struct Params { n: u32 }
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;
var<workgroup> tile: array<u32, 8>;
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = wid.x * 8u + lid;
";

/// A kernel with a fault.
pub(crate) struct Planted {
    /// What its test promises.
    pub(crate) name: &'static str,
    /// The body of `main`.
    body: &'static str,
    /// How the report begins, and what it names; `None` where nothing is wrong.
    report: Option<(&'static str, &'static str)>,
}

const fn planted(
    name: &'static str,
    report: (&'static str, &'static str),
    body: &'static str,
) -> Planted {
    Planted { name, body, report: Some(report) }
}

pub(crate) const PLANTED: [Planted; 16] = [
    Planted {
        name: "a_kernel_that_keeps_the_rules_is_left_alone",
        report: None,
        body: "tile[lid] = x[i];
            workgroupBarrier();
            y[i] = tile[7u - lid] + params.n;",
    },
    planted(
        "a_missing_barrier_is_a_race",
        ("race", "tile"),
        "tile[lid] = x[i];
        y[i] = tile[7u - lid];",
    ),
    planted(
        "a_read_that_a_later_write_overtakes_is_a_race",
        ("race", "tile"),
        "tile[lid] = x[i];
        workgroupBarrier();
        let other = tile[7u - lid];
        tile[lid] = other;
        y[i] = other;",
    ),
    planted(
        "two_writes_of_one_word_are_a_race_even_of_the_same_value",
        ("race", "tile"),
        "tile[lid / 2u] = 1u;
        workgroupBarrier();
        y[i] = tile[lid / 2u];",
    ),
    planted(
        "a_barrier_for_workgroup_memory_does_not_order_storage",
        ("race", "y"),
        "y[i] = x[i];
        workgroupBarrier();
        if lid < 4u { y[i] += y[i + 4u]; }",
    ),
    planted(
        "a_storage_barrier_does_not_order_workgroup_memory",
        ("race", "tile"),
        "tile[lid] = x[i];
        storageBarrier();
        y[i] = tile[7u - lid];",
    ),
    planted(
        "workgroups_that_share_a_word_race_whatever_the_barriers",
        ("race", "y"),
        "y[i] = x[i];
        storageBarrier();
        if lid == 0u && wid.x == 1u { y[8] = y[3]; }",
    ),
    planted(
        "a_barrier_that_some_never_reach_is_non_uniform",
        ("non-uniform", "workgroupBarrier"),
        "y[i] = x[i];
        if lid < params.n { workgroupBarrier(); }",
    ),
    planted(
        "a_return_before_a_barrier_is_non_uniform",
        ("non-uniform", "workgroupBarrier"),
        "if i >= params.n { return; }
        tile[lid] = x[i];
        workgroupBarrier();
        y[i] = tile[lid];",
    ),
    planted(
        "different_barriers_at_once_are_non_uniform",
        ("non-uniform", "workgroupBarrier"),
        "y[i] = x[i];
        if lid < params.n { workgroupBarrier(); } else { workgroupBarrier(); }",
    ),
    planted(
        "loops_with_barriers_of_different_lengths_are_non_uniform",
        ("non-uniform", "workgroupBarrier"),
        "tile[lid] = x[i];
        for (var k = 0u; k < lid; k++) { workgroupBarrier(); }
        y[i] = tile[lid];",
    ),
    planted(
        "workgroup_memory_begins_unwritten_in_every_workgroup",
        ("uninitialised", "tile"),
        "if wid.x == 0u { tile[lid] = x[i]; }
        workgroupBarrier();
        y[i] = tile[lid];",
    ),
    planted(
        "storage_that_nothing_has_written_is_not_read",
        ("uninitialised", "y"),
        "y[i] += x[i];",
    ),
    planted(
        "a_subgroup_operation_without_some_lanes_is_non_uniform",
        ("non-uniform", "subgroupBroadcast"),
        "y[i] = x[i];
        if lid < params.n { y[i] = subgroupBroadcast(x[i], 0u); }",
    ),
    planted(
        "an_element_behind_a_buffer_is_out_of_bounds",
        ("out of bounds", "x"),
        "y[i] = x[i + params.n * 20u];",
    ),
    planted(
        "an_element_behind_a_workgroup_array_is_out_of_bounds",
        ("out of bounds", "tile"),
        "tile[lid] = x[i];
        workgroupBarrier();
        y[i] = tile[lid + params.n - 4u];",
    ),
];

impl Planted {
    fn source(&self) -> Source {
        Source { wgsl: format!("{HEAD}{}\n}}\n", self.body), entry: "main" }
    }

    fn job(&self, kernel: usize) -> Job {
        let bindings = (0..2).map(|buffer| Window { buffer, first: 0, bytes: 4 * WORDS }).collect();
        let launch = Launch { kernel, grid: [8, 1, 1], subgroup: 8, params: vec![5], bindings };
        let x = (0..WORDS as u32).map(|i| i * i).collect();
        let buffers = vec![Buffer::Given(x), Buffer::Fresh(WORDS)];
        Job { seed: 7, buffers, launches: vec![launch], outputs: vec![1] }
    }

    /// Whether the machine says what it must.
    pub(crate) fn check(&self, outcome: &Outcome) -> Result<()> {
        let Some((kind, name)) = self.report else {
            let right = (0..WORDS).all(|i| {
                let other = (i / 8 * 8 + 7 - i % 8) as u32;
                outcome.outputs[0][i] == other * other + 5
            });
            return if right && outcome.faults.is_empty() {
                Ok(())
            } else {
                Err(format!("{:?}, {:?}", outcome.faults, outcome.outputs))
            };
        };
        let said = |fault: &String| fault.starts_with(kind) && fault.contains(name);
        if outcome.faults.iter().any(said) {
            Ok(())
        } else {
            Err(format!("not {kind} of {name}: {:?}", outcome.faults))
        }
    }
}

/// What the machine says of all of them, in order.
pub(crate) fn outcomes(compiler: &Compiler) -> Result<Vec<Outcome>> {
    let kernels: Vec<_> = PLANTED.iter().map(Planted::source).collect();
    let jobs: Vec<_> = (0..).zip(&PLANTED).map(|(at, planted)| planted.job(at)).collect();
    run(&compiler.build("planted", &kernels)?, &kernels, &jobs)
}
