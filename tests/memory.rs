//! The device's memory: what there is no room for is told, and nothing is left over.

use std::sync::Mutex;

use fathom::error::Error;
use fathom::gpu::{Gpu, Selector};
use fathom::measure::largest_batch::TooLarge;
use fathom::measure::run::measure;
use fathom::pass::Options;
use fathom::session::{Session, schedule};
use fathom::terms::{Checks, Mode, Preset};
use fathom::workload::{self, DataSource, Split, Workload};

#[path = "common/hasty.rs"]
mod hasty;

/// The process's memory is looked at: one test after the other.
static ALONE: Mutex<()> = Mutex::new(());

fn device() -> Gpu {
    let device = std::env::var("FATHOM_TEST_DEVICE").ok();
    Gpu::open(&Selector { device, ..Selector::default() }, Checks::Off).unwrap()
}

fn memnet(batch: usize) -> Box<dyn Workload> {
    (workload::find("memnet").unwrap().configure)(Preset::Tiny, Some(batch))
}

/// Each allocation of a run is refused in turn. Every time it ends with the bytes, what they were for and a batch that
/// fits, and the device has as much room afterwards as before.
#[test]
fn whichever_allocation_fails_is_told_and_leaves_nothing_behind() {
    let _alone = ALONE.lock();
    let gpu = device();
    let (model, plan) = (memnet(4), hasty::plan(true));
    let mut data = model.samples(&DataSource { seed: 1, ..DataSource::default() }).unwrap();
    let mut run = || measure(&gpu, model.as_ref(), Mode::Infer, &plan, data.as_mut(), &|_, _| {});
    run().unwrap();
    gpu.settle().unwrap();
    let (in_use, mut refused) = (gpu.live_bytes(), 0);
    loop {
        let before = gpu.allocated().0;
        gpu.refuse_allocation(refused + 1);
        let outcome = run();
        if gpu.allocated().0 - before <= refused {
            outcome.unwrap();
            break;
        }
        refused += 1;
        let step = TooLarge::new(&gpu.caps, Some(&gpu), Mode::Infer, &plan.options, model.batch());
        let error = step.advise(outcome, &|batch| Ok(memnet(batch))).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory(_)), "allocation {refused}: {error}");
        assert_eq!(error.exit_code(), 6);
        let text = error.to_string();
        for part in
            ["cannot allocate", " bytes) for '", "the largest batch that fits is 3: --batch 3"]
        {
            assert!(text.contains(part), "allocation {refused}: no '{part}' in {text}");
        }
        gpu.settle().unwrap();
        assert_eq!(gpu.live_bytes(), in_use, "after allocation {refused} was refused");
    }
    // Buffers, parameters, batch, outputs, all that verification and the profile read back.
    assert!(refused > 30, "{refused} allocations");
}

#[test]
fn a_device_that_is_lost_meanwhile_says_nothing_of_batches() {
    let gpu = device();
    let options = Options::default();
    let step = TooLarge::new(&gpu.caps, Some(&gpu), Mode::Infer, &options, 4);
    let advised = || {
        let outcome: Result<(), _> = Err(Error::OutOfMemory("no room".into()));
        step.advise(outcome, &|batch| Ok(memnet(batch))).unwrap_err().to_string()
    };
    assert!(advised().contains("the largest batch that fits is 3"), "{}", advised());
    gpu.lose_device(1);
    assert_eq!(advised(), "out of memory: no room");
}

#[test]
fn a_thousand_runs_in_one_process_do_not_grow() {
    let _alone = ALONE.lock();
    let gpu = device();
    let model = memnet(4);
    let batch = model.samples(&DataSource { seed: 1, ..DataSource::default() }).unwrap();
    let batch = { batch }.batch(Split::Train, 0).unwrap().tensors();
    let step = schedule(model.as_ref(), Mode::Infer, &gpu.caps, &Options::default()).unwrap();
    let mut bits = Vec::new();
    let mut runs = |count: usize| {
        for _ in 0..count {
            let mut session = Session::new(&gpu, 1);
            let program = session.build(step.clone()).unwrap();
            session.feed(&program, &batch).unwrap();
            session.run(&program, 1).unwrap();
            bits.push(session.output(&program, "logits").unwrap().to_bytes());
        }
        gpu.settle().unwrap();
        (gpu.live_bytes(), resident_bytes())
    };
    let (in_use, resident) = runs(100);
    let (in_use_later, resident_later) = runs(900);
    assert_eq!(in_use, in_use_later, "bytes of the device");
    if let (Some(before), Some(after)) = (resident, resident_later) {
        assert!(after < before + (8 << 20), "the process grew from {before} to {after} bytes");
    }
    assert!(bits.iter().all(|logits| *logits == bits[0]));
}

/// Bytes of the process that lie in memory, where the system tells.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(4096 * text.split_whitespace().nth(1)?.parse::<u64>().ok()?)
}
