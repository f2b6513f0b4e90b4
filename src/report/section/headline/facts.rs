//! A run's facts as sentences.

use crate::record::{Playing, Run, StaysF32};
use crate::report::number::{digits, duration_ns, flops, grouped};
use crate::terms::{by_key, counted};

/// What a run is, in a line, and what its host does in another; of a player its parts in a third.
pub(super) fn facts(run: &Run) -> String {
    let pipelines = counted(run.pipelines, "pipeline");
    let first = run.first_step_ns.map_or(String::new(), |ns| {
        format!(" and {} for the first step, where drivers compile", duration_ns(ns))
    });
    let mut text = format!(
        "{} parameters, {} per step, {} ops in {} dispatches; built in {}, of which {} for {pipelines}{first}\n",
        grouped(run.parameters),
        flops(run.flops as f64),
        run.ops.len(),
        run.dispatches,
        duration_ns(run.build_ns),
        duration_ns(run.pipelines_ns),
    );
    text += &stays_f32(run);
    let Some(timing) = &run.timing else { return text };
    if let Some(overlapped) = timing.overlapped_ns {
        let encode = duration_ns(timing.encode_ns);
        text +=
            &format!("encoding a step takes the host {encode}, which the step's time leaves out; ");
        text += &match (timing.queue_depth, timing.latency_ns) {
            (Some(depth), Some(latency)) => in_flight(run, depth, overlapped, latency),
            _ => format!(
                "overlapped with the device's work, encoding included, a step takes {}",
                duration_ns(overlapped)
            ),
        };
        text += "\n";
    }
    if let Some(playing) = &run.playing {
        text += &play(playing, timing.step.median_ns);
        text += "\n";
    }
    text
}

/// Which ops' values stay f32 where others are f16, a line for each reason.
fn stays_f32(run: &Run) -> String {
    let reasons = run.stays_f32.iter().map(|StaysF32 { op, why }| (why, op.as_str()));
    let line = |(why, ops): (&String, Vec<&str>)| {
        format!("f32 all the same: {} ({why})\n", ops.join(", "))
    };
    by_key(reasons).into_iter().map(line).collect()
}

/// Throughput beside latency, of steps that upload samples of their own.
fn in_flight(run: &Run, depth: usize, overlapped: f64, latency: f64) -> String {
    format!(
        "with samples uploaded for each, a step takes {} with up to {depth} in flight ({} samples/s), and {} by itself, \
         waited for",
        duration_ns(overlapped),
        digits(run.throughput().unwrap_or_default()),
        duration_ns(latency),
    )
}

/// What playing takes beside an update, which is the timed step.
pub(in crate::report) fn play(playing: &Playing, step_ns: f64) -> String {
    format!(
        "a step of the game takes {}, choosing the actions of a batch {}, an update {}",
        duration_ns(playing.environment_ns),
        duration_ns(playing.action_ns),
        duration_ns(step_ns),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use crate::terms::Mode;

    #[test]
    fn throughput_stands_beside_latency_where_steps_had_samples_of_their_own() {
        let mut run = example::run("memnet", Mode::Train, &[1e6, 1e6, 1e6]);
        run.batch = 32;
        let timing = run.timing.as_mut().unwrap();
        timing.overlapped_ns = Some(2e6);
        assert!(
            facts(&run).contains("encoding included, a step takes 2.000 ms"),
            "an older record"
        );
        assert_eq!(run.throughput(), None);
        let timing = run.timing.as_mut().unwrap();
        (timing.queue_depth, timing.latency_ns) = (Some(4), Some(5e6));
        let told = "a step takes 2.000 ms with up to 4 in flight (16000 samples/s), and 5.000 ms by itself";
        assert!(facts(&run).contains(told), "{}", facts(&run));
    }
}
