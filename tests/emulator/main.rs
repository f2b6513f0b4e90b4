//! GPU kernels without a GPU: every kernel in which invocations wait for each other runs on a machine that
//! knows what a GPU may do. It finds races, barriers that not all invocations reach, workgroup memory
//! read before it is written and elements out of bounds, and holds results against the f64 reference.
//!
//! A C++ compiler is all that it takes; where there is none, the tests say so and are skipped.
//! `cargo test --test emulator matmul` filters by name. With `FATHOM_FAST_MATHS=1` arithmetic is as loose as
//! Metal's may be: what then fails depends on the order of its operations, on NaN or on infinity.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

use cases::units;
use compiler::compiler;
use planted::PLANTED;

mod cases;
mod compiler;
#[path = "../common/emulated.rs"]
mod emulated;
mod machine;
mod planted;
mod translate;
mod walks;

fn planted_faults() -> Vec<Trial> {
    let outcomes = Arc::new(OnceLock::new());
    let trial = |(at, planted): (usize, &'static planted::Planted)| {
        let outcomes = Arc::clone(&outcomes);
        Trial::test(planted.name, move || {
            let outcomes = outcomes.get_or_init(|| planted::outcomes(compiler()?));
            let outcomes = outcomes.as_ref().map_err(Failed::from)?;
            planted.check(&outcomes[at]).map_err(Failed::from)
        })
    };
    PLANTED.iter().enumerate().map(trial).collect()
}

fn kernels() -> Vec<Trial> {
    let units = match units() {
        Ok(units) => units,
        Err(why) => return vec![Trial::test("kernels", move || Err(why.into()))],
    };
    let trial = |unit: cases::Unit| {
        Trial::test(unit.name.clone(), move || unit.emulate(compiler()?).map_err(Failed::from))
    };
    units.into_iter().map(trial).collect()
}

/// Models whose steps go by ids.
const WITH_IDS: [&str; 2] = ["memnet", "seq2seq"];

fn walks_over_ids() -> Vec<Trial> {
    let trial = |model: &'static str| {
        let name = format!("no_invocation_of_{model}_walks_far_over_ids");
        Trial::test(name, move || walks::check(model, compiler()?).map_err(Failed::from))
    };
    WITH_IDS.map(trial).into()
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = planted_faults();
    trials.extend(kernels());
    trials.extend(walks_over_ids());
    if let Err(why) = compiler() {
        let _ = writeln!(std::io::stderr(), "SKIPPED, for want of a C++ compiler: {why}");
        trials = trials.into_iter().map(|trial| trial.with_ignored_flag(true)).collect();
    }
    libtest_mimic::run(&arguments, trials).exit();
}
