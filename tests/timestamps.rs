//! Faulty timestamps, injected into every reading of a real device: each is seen, and a figure is either the
//! wall clock's or marked, never silently wrong.

use std::time::Duration;

use fathom::gpu::timestamp::Injected;
use fathom::gpu::{Checks, Gpu, Selector};
use fathom::measure::profile::{Profile, one_step, profile};
use fathom::measure::sample::{Budget, Samples, sample};
use fathom::pass::{Options, compile};
use fathom::program::{Program, State};
use fathom::record::Clock;
use fathom::stats::median;
use fathom::terms::{ClockFault, FaultCount, Mode, Preset};
use fathom::workload::{self, step};

/// Ticks in a tenth of a millisecond, should the device's tick be a nanosecond.
const COARSE: u64 = 100_000;

fn gpu(fault: Option<Injected>) -> Gpu {
    let selector = Selector { device: std::env::var("FATHOM_TEST_DEVICE").ok(), backend: None };
    let gpu = Gpu::open(&selector, Checks::Off).unwrap();
    assert!(gpu.caps.timestamps, "{} has no timestamps", gpu.summary);
    match fault {
        Some(fault) => gpu.with_fault(fault),
        None => gpu,
    }
}

fn program(gpu: &Gpu) -> Program {
    let model = (workload::find("autoenc").unwrap().configure)(Preset::Tiny, None);
    let nodes = step::nodes(model.as_ref(), Mode::Train, &gpu.caps, false).unwrap();
    let schedule = compile(nodes, &gpu.caps, &Options::default()).unwrap();
    Program::new(gpu, schedule, &mut State::new(1)).unwrap()
}

fn measured(gpu: &Gpu, program: &Program) -> (Samples, Profile) {
    let budget = Budget { time: Duration::from_millis(100), noise: 1.0, min_samples: 6 };
    let samples = sample(gpu, program, &budget, &|_| {}).unwrap();
    let taken = profile(gpu, program, Duration::from_millis(1), 5, &|_| {}).unwrap();
    (samples, taken.unwrap())
}

fn kinds(faults: &[FaultCount]) -> Vec<ClockFault> {
    faults.iter().map(|found| found.fault).collect()
}

#[test]
fn a_sound_clock_is_believed() {
    let gpu = gpu(None);
    let (samples, profile) = measured(&gpu, &program(&gpu));
    assert_eq!((samples.clock, kinds(&samples.faults)), (Clock::Timestamps, vec![]));
    assert!(profile.is_sound() && profile.faults.is_empty(), "{:?}", profile.faults);
    assert!(profile.op_ns.iter().flatten().any(|ns| *ns > 0.0));
}

#[test]
fn what_says_nothing_is_replaced_by_the_wall_clock() {
    for (fault, seen) in [
        (Injected::Zeros, ClockFault::Zero),
        (Injected::Reversed, ClockFault::Reversed),
        (Injected::Equal, ClockFault::Equal),
        (Injected::Wrapped, ClockFault::Reversed),
        (Injected::MissingLast, ClockFault::Reversed),
    ] {
        let gpu = gpu(Some(fault));
        let program = program(&gpu);
        let (samples, profile) = measured(&gpu, &program);
        assert_eq!(kinds(&samples.faults), [seen], "{fault:?}");
        assert_eq!(samples.clock, Clock::Wall, "{fault:?}");
        assert_eq!(samples.step_ns, samples.wall_ns, "{fault:?}");
        assert!(median(&samples.step_ns) > 0.0, "{fault:?}");
        if fault == Injected::Equal {
            // A pass may be too short for the clock; all of them are not.
            let longest = profile.op_ns.iter().flatten().fold(0.0f64, |m, ns| m.max(*ns));
            assert_eq!((longest, profile.is_sound()), (0.0, false));
        } else {
            assert!(!profile.is_sound(), "{fault:?}: {:?}", profile.faults);
        }
        let refused = one_step(&gpu, &program, 1).unwrap_err();
        assert!(refused.to_string().contains("timestamps"), "{fault:?}: {refused}");
    }
}

#[test]
fn a_rounded_clock_is_marked_or_too_fine_to_matter() {
    let gpu = gpu(Some(Injected::Rounded(COARSE)));
    let (samples, profile) = measured(&gpu, &program(&gpu));
    assert!(kinds(&profile.faults).contains(&ClockFault::Coarse), "{:?}", profile.faults);
    let apart = (median(&samples.step_ns) / median(&samples.wall_ns) - 1.0).abs();
    let marked =
        samples.clock == Clock::Wall && kinds(&samples.faults).contains(&ClockFault::Coarse);
    assert!(marked || apart < 0.5, "off by {apart} and not marked");
}
