//! A step of one of fathom's models in burn, through wgpu: `peer.py` starts it.
//!
//! `fathom-peer-burn WORKLOAD MODE VALUES COMPUTED DEVICE` reads parameters, inputs and draws from the safetensors file
//! VALUES, writes what one step gives to COMPUTED, and then times steps for as many seconds as each line of its standard
//! input says, answering each with a line of JSON.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::{Device, DeviceKind};
use models::Outputs;
use optim::Optimizer;
use turns::{Result, Timed, serve};
use values::Values;

mod models;
mod optim;
#[path = "../../turns.rs"]
mod turns;
mod values;

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
}

impl Timed for Step {
    fn span(&mut self, count: u32) -> Result<Duration> {
        let begun = Instant::now();
        for _ in 0..count {
            self.run();
        }
        self.device.sync().map_err(|e| format!("{e:?}"))?;
        Ok(begun.elapsed())
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
    serve(prepare(&words).map(|step| (step, serde_json::json!({}))))
}
