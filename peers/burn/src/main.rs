//! A step of one of fathom's models in burn, through wgpu: `peer.py` starts it.
//!
//! `fathom-peer-burn WORKLOAD MODE VALUES COMPUTED DEVICE` reads parameters, inputs and draws from the safetensors file
//! VALUES, writes what one step gives to COMPUTED, and then times steps for as many seconds as each line of its standard
//! input says, answering each with a line of JSON.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::{Device, DeviceKind};
use cpu_time::ProcessTime;
use models::Outputs;
use optim::Optimizer;
use values::Values;

mod models;
mod optim;
mod values;

/// Steps that are timed together take at least this long, and are no more than these: as in `serve.py`.
const CHUNK: Duration = Duration::from_millis(20);
const MOST_STEPS: u32 = 256;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A step of a model, over one batch that stays on the device.
struct Step {
    values: Values,
    forward: models::Forward,
    optimizer: Option<Optimizer>,
    device: Device,
}

impl Step {
    fn forward(&self) -> Outputs {
        (self.forward)(&self.values)
    }

    fn run(&mut self) {
        let outputs = self.forward();
        let Some(optimizer) = &mut self.optimizer else { return };
        let gradients = self.values.gradients(&outputs);
        optimizer.update(&mut self.values, gradients);
        self.values.follow(outputs.after);
    }

    /// Runs `count` steps to their end.
    fn span(&mut self, count: u32) -> Result<Duration> {
        let begun = Instant::now();
        for _ in 0..count {
            self.run();
        }
        self.device.sync().map_err(|e| format!("{e:?}"))?;
        Ok(begun.elapsed())
    }

    /// Steps for about that long, after a tenth of it unmeasured: `turn` of `serve.py`.
    fn turn(&mut self, seconds: f64) -> Result<serde_json::Value> {
        let begun = Instant::now();
        let mut least = self.span(1)?;
        while begun.elapsed().as_secs_f64() < seconds / 10.0 {
            least = least.min(self.span(1)?);
        }
        let count =
            (CHUNK.as_secs_f64() / least.as_secs_f64()).round().clamp(1.0, MOST_STEPS.into());
        let (begun, computed) = (Instant::now(), ProcessTime::now());
        let mut took = Vec::new();
        while took.is_empty() || begun.elapsed().as_secs_f64() < seconds {
            took.push(self.span(count as u32)?.as_secs_f64() * 1e9 / count);
        }
        let computed = computed.elapsed().as_secs_f64() * 1e9 / count / took.len() as f64;
        Ok(serde_json::json!({
            "time_s": seconds, "steps_per_submit": count as u32, "step_ns": took, "wall_ns": took, "cpu_ns": computed,
        }))
    }
}

fn prepare(words: &[String]) -> Result<Step> {
    let [workload, mode, values, computed, device] = words else {
        return Err("expected WORKLOAD MODE VALUES COMPUTED DEVICE".into());
    };
    let kind = match device.as_str() {
        "best" => DeviceKind::DefaultDevice,
        "cpu" => DeviceKind::Cpu,
        other => return Err(format!("no device '{other}': best, cpu").into()),
    };
    let (device, train) = (Device::wgpu(kind), mode == "train");
    let model =
        models::of(workload).ok_or_else(|| format!("{workload} is not written in burn yet"))?;
    let values = Values::load(Path::new(values), &device, train)?;
    let optimizer = train.then(|| (model.optimizer)(&values));
    let mut step = Step { values, forward: model.forward, optimizer, device };

    let outputs = step.forward();
    let gradients = if train { step.values.gradients(&outputs) } else { Vec::new() };
    step.values.save(Path::new(computed), outputs, gradients)?;
    // A timed step draws its own dropout and noise, and has been run before.
    step.values.forget_draws();
    step.span(2)?;
    Ok(step)
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut step = prepare(&words)?;
    let answer = |value: serde_json::Value| {
        println!("{value}");
        std::io::stdout().flush()
    };
    answer(serde_json::json!({}))?;
    for line in std::io::stdin().lines() {
        answer(step.turn(line?.trim().parse()?)?)?;
    }
    Ok(())
}
