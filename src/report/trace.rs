//! A step as a trace in the Trace Event Format, which Perfetto and chrome://tracing open.
//!
//! Two tracks of complete events: phases, and ops with the gaps between them; nothing overlaps
//! within a track. Times are microseconds, as the format has them.

use serde_json::{Value, json};

use crate::record::trace::{Span, TracedStep};

const PHASES: u32 = 1;
const OPS: u32 = 2;

/// The JSON text.
pub fn json(step: &TracedStep) -> String {
    let mut events = vec![
        metadata("process_name", None, &step.device),
        metadata("thread_name", Some(PHASES), "phases"),
        metadata("thread_name", Some(OPS), "ops"),
    ];
    events.extend(phases(&step.ops));
    events.extend(ops(&step.ops));
    let text = json!({
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {
            "step": step.title,
            "device": step.device,
            "tool": step.tool,
            "verified": step.verified,
        },
    });
    format!("{text:#}\n")
}

fn metadata(kind: &str, track: Option<u32>, name: &str) -> Value {
    let mut event = json!({ "name": kind, "ph": "M", "pid": 1, "args": { "name": name } });
    if let Some(track) = track {
        event["tid"] = track.into();
    }
    event
}

fn complete(name: &str, category: &str, track: u32, from_to: (f64, f64), args: Value) -> Value {
    let (from, to) = from_to;
    json!({
        "name": name,
        "cat": category,
        "ph": "X",
        "pid": 1,
        "tid": track,
        "ts": from / 1000.0,
        "dur": (to - from) / 1000.0,
        "args": args,
    })
}

/// An event for each stretch of ops of one phase.
fn phases(ops: &[Span]) -> Vec<Value> {
    let stretches = ops.chunk_by(|a, b| a.phase == b.phase);
    let event = |ops: &[Span]| {
        let times = (ops[0].start_ns, ops[ops.len() - 1].end_ns);
        let args = json!({ "ops": ops.len() });
        complete(ops[0].phase.name(), "phase", PHASES, times, args)
    };
    stretches.map(event).collect()
}

/// Ops, and between them the gaps: together the whole span.
fn ops(ops: &[Span]) -> Vec<Value> {
    let mut events = Vec::new();
    let mut end = ops.first().map_or(0.0, |op| op.start_ns);
    for op in ops {
        if op.start_ns > end {
            let times = (end, op.start_ns);
            events.push(complete("gap", "gap", OPS, times, json!({})));
        }
        let args = json!({
            "op": op.op,
            "variant": op.variant,
            "class": op.class,
            "phase": op.phase,
            "dispatches": op.dispatches,
            "flops": op.flops,
            "bytes": op.bytes,
        });
        let times = (op.start_ns, op.end_ns);
        events.push(complete(&op.label, &op.op, OPS, times, args));
        end = op.end_ns;
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{Class, Phase};

    fn span(label: &str, phase: Phase, start_ns: f64, end_ns: f64) -> Span {
        Span {
            label: label.into(),
            op: "matmul".into(),
            variant: "tile".into(),
            class: Class::Matrix,
            phase,
            dispatches: 1,
            flops: 10,
            bytes: 20,
            start_ns,
            end_ns,
        }
    }

    fn trace() -> Value {
        let text = json(&TracedStep {
            title: "speech train".into(),
            device: "Made-up GPU".into(),
            tool: "fathom".into(),
            verified: true,
            ops: vec![
                span("a", Phase::Forward, 0.0, 1000.0),
                span("b", Phase::Forward, 1000.0, 2500.0),
                span("c", Phase::Backward, 3000.0, 4000.0),
                span("empty", Phase::Update, 4000.0, 4000.0),
                span("d", Phase::Update, 4250.0, 5000.0),
            ],
        });
        serde_json::from_str(&text).unwrap()
    }

    /// What the format document asks of each event, and what a track must be for viewers to nest nothing.
    #[test]
    fn every_event_is_whole_sorted_and_apart() {
        let trace = trace();
        let events = trace["traceEvents"].as_array().unwrap();
        for event in events {
            assert!(event["name"].is_string() && event["pid"].is_u64(), "{event}");
            match event["ph"].as_str().unwrap() {
                "M" => assert!(event["args"]["name"].is_string(), "{event}"),
                "X" => {
                    assert!(event["cat"].is_string() && event["tid"].is_u64(), "{event}");
                    assert!(event["ts"].as_f64().unwrap() >= 0.0, "{event}");
                    assert!(event["dur"].as_f64().unwrap() >= 0.0, "{event}");
                    assert!(event["args"].is_object(), "{event}");
                }
                other => panic!("phase {other}"),
            }
        }
        for track in [PHASES, OPS] {
            let named = |e: &&Value| e["ph"] == "M" && e["tid"] == track;
            assert_eq!(events.iter().filter(named).count(), 1);
            let on_it = |e: &&Value| e["ph"] == "X" && e["tid"] == track;
            let mut end = 0.0;
            for event in events.iter().filter(on_it) {
                let start = event["ts"].as_f64().unwrap();
                assert!(start >= end, "{event}");
                end = start + event["dur"].as_f64().unwrap();
            }
            assert_eq!(end, 5.0);
        }
    }

    #[test]
    fn ops_and_gaps_sum_to_the_span_and_carry_their_work() {
        let trace = trace();
        let events = trace["traceEvents"].as_array().unwrap();
        let ops: Vec<_> = events.iter().filter(|e| e["tid"] == OPS && e["ph"] == "X").collect();
        let sum: f64 = ops.iter().map(|e| e["dur"].as_f64().unwrap()).sum();
        assert_eq!(sum, 5.0);
        let gaps = ops.iter().filter(|e| e["cat"] == "gap");
        let gaps: f64 = gaps.map(|e| e["dur"].as_f64().unwrap()).sum();
        assert_eq!(gaps, 0.75);
        let args = &ops[0]["args"];
        assert_eq!(
            (&args["class"], &args["variant"], &args["flops"], &args["bytes"]),
            (&json!("A"), &json!("tile"), &json!(10), &json!(20))
        );
        let phases = events.iter().filter(|e| e["cat"] == "phase");
        let names: Vec<_> = phases.map(|e| e["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["forward", "backward", "update"]);
    }
}
