//! A step of one of fathom's models in meganeura, through Vulkan: `peer.py` starts it.
//!
//! `fathom-peer-meganeura WORKLOAD MODE VALUES COMPUTED` reads parameters, inputs and draws from the safetensors file VALUES,
//! writes what one step gives to COMPUTED, and then times steps: see `turns.rs`.

use std::path::Path;
use std::time::{Duration, Instant};

use builder::{Builder, Data, Output};
use meganeura::{Mode, Session, SessionConfig, build};
use models::Rule;
use safetensors::tensor::{Dtype, TensorView};
use turns::{Result, Timed, serve};
use values::Values;

mod builder;
mod models;
#[path = "../../turns.rs"]
mod turns;
mod values;

/// A step of a model, over one batch that stays on the device.
struct Step {
    session: Session,
    outputs: Vec<Output>,
    /// Which output the largest of each row is taken of: meganeura has no op for it.
    decided: Option<usize>,
}

impl Step {
    fn run(&mut self) {
        self.session.step();
        if let Some(at) = self.decided {
            self.session.wait();
            std::hint::black_box(self.largest(at));
        }
    }

    fn read(&self, at: usize) -> Vec<f32> {
        let mut values = vec![0.0; self.outputs[at].shape.iter().product()];
        self.session.read_output_by_index(at, &mut values);
        values
    }

    /// The first of the largest of each row.
    fn largest(&self, at: usize) -> Vec<i32> {
        let row = |row: &[f32]| {
            let best = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            row.iter().position(|&value| value == best).map_or(-1, |at| at as i32)
        };
        self.read(at).chunks_exact(self.outputs[at].shape[1]).map(row).collect()
    }

    /// Writes `output/` and `grad/` of the last step.
    fn save(&self, path: &Path, values: &Values, train: bool) -> Result<()> {
        let mut stored = Vec::new();
        for (at, output) in self.outputs.iter().enumerate() {
            let shape = output.shape.clone();
            stored.push((
                format!("output/{}", output.name),
                Dtype::F32,
                shape,
                bytes(&self.read(at)),
            ));
        }
        if let Some(at) = self.decided {
            let decided = self.largest(at);
            let bytes = decided.iter().flat_map(|x| x.to_le_bytes()).collect();
            stored.push(("output/action".into(), Dtype::I32, vec![decided.len()], bytes));
        }
        for name in self.session.param_names().into_iter().filter(|_| train) {
            let shape = values.shape(&format!("param/{name}"));
            let mut gradient = vec![0.0; shape.iter().product()];
            self.session.read_param_grad(name, &mut gradient);
            stored.push((format!("grad/{name}"), Dtype::F32, shape, bytes(&gradient)));
        }
        let views = stored.iter().map(|(name, dtype, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        Ok(safetensors::serialize_to_file(views, None, path)?)
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

impl Timed for Step {
    fn span(&mut self, count: u32) -> Result<Duration> {
        let begun = Instant::now();
        for _ in 0..count {
            self.run();
        }
        self.session.wait();
        Ok(begun.elapsed())
    }
}

fn prepare(words: &[String]) -> Result<Step> {
    let [workload, mode, values, computed] = words else {
        return Err("expected WORKLOAD MODE VALUES COMPUTED".into());
    };
    let train = mode == "train";
    let model = models::of(workload, train)?;
    let values = Values::load(Path::new(values))?;
    let mut builder = Builder::new(&values, train);
    (model.forward)(&mut builder);
    let Builder { mut graph, data, outputs, decided, .. } = builder;
    graph.set_outputs(outputs.iter().map(|output| output.node).collect());

    let mode = if train { Mode::Training } else { Mode::Inference };
    let (session, _) = build(&graph, SessionConfig { mode, ..SessionConfig::default() });
    let mut step = Step { session, outputs, decided };
    for (name, data) in &data {
        match data {
            Data::Parameter(values) => step.session.set_parameter(name, values),
            Data::Input(values) => step.session.set_input(name, values),
            Data::Indices(values) => step.session.set_input_u32(name, values),
        }
    }
    // Not the first: in lavapipe of Mesa 22.3 that left zeros in three models of images, and no later one did.
    step.span(2)?;
    step.save(Path::new(computed), &values, train)?;
    // From here on the optimiser is a part of the step.
    match model.rule {
        Some(Rule::Adam { rate, beta1, beta2, epsilon }) => {
            step.session.set_adam(rate, beta1, beta2, epsilon);
        }
        Some(Rule::Sgd { rate, clip }) => {
            step.session.set_learning_rate(rate);
            step.session.set_grad_clip_norm(clip);
        }
        None => {}
    }
    step.span(2)?;
    Ok(step)
}

/// What computes, as the driver calls it.
fn about(session: &Session) -> serde_json::Value {
    let device = session.device_information();
    serde_json::json!({
        "name": device.device_name, "driver": format!("{} {}", device.driver_name, device.driver_info),
        "software": device.is_software_emulated,
    })
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let prepared = prepare(&words).map(|step| {
        let about = about(&step.session);
        (step, about)
    });
    serve(prepared)
}
