//! Faulty timestamps, injected into every reading of a real device: each is seen, and a figure is either the
//! wall clock's or marked, never silently wrong.

use std::time::{Duration, Instant};

use fathom::gpu::timestamp::Injected;
use fathom::gpu::{AdapterSummary, Gpu, Selector};
use fathom::measure::peak;
use fathom::measure::profile::{Profiled, one_step, profile};
use fathom::measure::restart::Restart;
use fathom::measure::sample::{Budget, Sampled, sample};
use fathom::pass::Options;
use fathom::program::Program;
use fathom::record::{Clock, Doubt};
use fathom::session::Session;
use fathom::terms::Checks;
use fathom::terms::{ClockFault, Mode, Preset};
use fathom::workload;

/// Ticks in a tenth of a millisecond, should the device's tick be a nanosecond.
const COARSE: u64 = 100_000;

fn gpu(fault: Option<Injected>) -> Gpu {
    let selector =
        Selector { device: std::env::var("FATHOM_TEST_DEVICE").ok(), ..Selector::default() };
    let gpu = Gpu::open(&selector, Checks::Off).unwrap();
    assert!(gpu.caps.timestamps, "{} has no timestamps", gpu.summary);
    match fault {
        Some(fault) => gpu.with_fault(fault),
        None => gpu,
    }
}

fn program(gpu: &Gpu) -> Program {
    let model = (workload::find("autoenc").unwrap().configure)(Preset::Tiny, None);
    let mut session = Session::new(gpu, 1);
    session.compile(model.as_ref(), Mode::Train, &Options::default()).unwrap()
}

fn measured(gpu: &Gpu, program: &Program) -> (Sampled, Profiled) {
    let budget = Budget { time: Duration::from_millis(100), noise: 1.0, min_samples: 6 };
    let never = Restart::never();
    let samples = sample(gpu, program, &budget, None, &never, &|_| {}).unwrap();
    let taken = profile(gpu, program, Duration::from_millis(1), 5, None, &never, &|_| {}).unwrap();
    (samples, taken.unwrap())
}

/// The kinds of fault that doubts name, of the steps' clock and of the profile's.
fn kinds(doubts: &[Doubt]) -> Vec<ClockFault> {
    let faults = doubts.iter().flat_map(|doubt| match doubt {
        Doubt::WallClock { faults }
        | Doubt::NoProfile { faults }
        | Doubt::RoundedProfile { faults } => faults.as_slice(),
        _ => &[],
    });
    faults.map(|found| found.fault).collect()
}

#[test]
fn a_sound_clock_is_believed() {
    let gpu = gpu(None);
    let (sampled, profiled) = measured(&gpu, &program(&gpu));
    assert_eq!((sampled.timing.clock, kinds(&sampled.doubts)), (Clock::Timestamps, vec![]));
    assert!(profiled.profile.is_some());
    assert_eq!(kinds(&profiled.doubts), []);
    assert!(profiled.ops.iter().flat_map(|op| &op.samples).any(|ns| *ns > 0.0));
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
        let (sampled, profiled) = measured(&gpu, &program);
        let timing = &sampled.timing;
        assert_eq!(kinds(&sampled.doubts), [seen], "{fault:?}");
        assert_eq!(timing.clock, Clock::Wall, "{fault:?}");
        assert_eq!(timing.step_ns, timing.wall_ns, "{fault:?}");
        assert!(timing.step.median_ns > 0.0, "{fault:?}");
        // A pass may be too short for the clock; all of them are not. Times that mean nothing are not kept.
        assert!(profiled.profile.is_none() && profiled.ops.is_empty(), "{fault:?}");
        assert!(kinds(&profiled.doubts).contains(&seen), "{fault:?}: {:?}", profiled.doubts);
        let refused = one_step(&gpu, &program, 1).unwrap_err();
        assert!(refused.to_string().contains("timestamps"), "{fault:?}: {refused}");
    }
}

/// Spans of nothing do not vary: sampling must go by the clock that the figure is made of.
#[test]
fn steps_by_the_wall_clock_are_settled_by_it() {
    for fault in [Injected::Zeros, Injected::Reversed, Injected::Equal] {
        let gpu = gpu(Some(fault));
        let program = program(&gpu);
        let budget = Budget { time: Duration::from_millis(60), noise: 1e-9, min_samples: 6 };
        let sampled = sample(&gpu, &program, &budget, None, &Restart::never(), &|_| {}).unwrap();
        assert!(!sampled.timing.settled, "{fault:?}: {:?}", sampled.timing.step);
        let unsettled = |doubt: &Doubt| matches!(doubt, Doubt::Unsettled { .. });
        assert!(sampled.doubts.iter().any(unsettled), "{fault:?}: {:?}", sampled.doubts);
    }
}

#[test]
fn a_rounded_clock_is_marked_or_too_fine_to_matter() {
    let gpu = gpu(Some(Injected::Rounded(COARSE)));
    let (sampled, profiled) = measured(&gpu, &program(&gpu));
    let timing = &sampled.timing;
    assert!(kinds(&profiled.doubts).contains(&ClockFault::Coarse), "{:?}", profiled.doubts);
    let apart = (timing.step.median_ns / timing.wall_median_ns - 1.0).abs();
    let marked =
        timing.clock == Clock::Wall && kinds(&sampled.doubts).contains(&ClockFault::Coarse);
    assert!(marked || apart < 0.5, "off by {apart} and not marked");
}

#[test]
fn what_a_clock_is_rounded_to_is_found_and_submissions_are_long_enough_for_it() {
    let mut sound = gpu(None);
    sound.find_resolution().unwrap();
    assert_eq!(sound.timestamp_resolution, None, "this clock is not rounded");
    let mut gpu = gpu(Some(Injected::Rounded(COARSE)));
    gpu.find_resolution().unwrap();
    let step = COARSE as f64 * gpu.timestamp_period;
    assert_eq!(gpu.timestamp_resolution, Some(step));
    // The driver compiles kernels when they are first dispatched: that is no step's time.
    let program = program(&gpu);
    measured(&gpu, &program);
    let (sampled, _) = measured(&gpu, &program);
    let timing = &sampled.timing;
    assert_eq!((timing.clock, kinds(&sampled.doubts)), (Clock::Timestamps, vec![]));
    let submission = timing.step.min_ns * timing.steps_per_submit as f64;
    assert!(submission >= 100.0 * step, "{submission} ns on a clock of {step} ns");
}

/// As a GPU, whose clocks are taken to be low as long as known work is slower than it was.
#[test]
fn a_gpu_is_kept_at_work_until_its_clocks_have_risen() {
    let processor = gpu(None);
    let mut ceilings = peak::measure(&processor, Duration::from_millis(50), &|_| {}).unwrap();
    let summary = AdapterSummary { software: false, ..processor.summary.clone() };
    let gpu = processor.described(summary);
    let program = program(&gpu);
    let budget = Budget { time: Duration::from_millis(50), noise: 1.0, min_samples: 1 };
    let mut took = |factor: f64| {
        ceilings.peaks.fma_f32_flop_per_s *= factor;
        let rule = ceilings.rule(&gpu).unwrap();
        let begun = Instant::now();
        sample(&gpu, &program, &budget, Some(&rule), &Restart::never(), &|_| {}).unwrap();
        begun.elapsed()
    };
    let asleep = took(2.0);
    let awake = took(0.05);
    assert!(asleep >= Duration::from_secs(2), "{asleep:?}");
    assert!(awake < asleep, "{awake:?}, and {asleep:?} where its clocks never rose");
}
