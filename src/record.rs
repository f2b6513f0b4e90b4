//! The result file, schema `fathom.record/1`: plain data with units in the keys, and nothing of the rest
//! of the crate, so that old files and other programs can be read with it.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

mod check;
#[cfg(test)]
pub(crate) mod example;
pub mod store;

/// The schema this crate writes.
pub const SCHEMA: &str = "fathom.record/1";

/// One run of the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// `fathom.record/1`.
    pub schema: String,
    /// `sha256:` over the record without this field.
    #[serde(default)]
    pub id: String,
    /// When it began, RFC 3339.
    pub created: String,
    /// What ran.
    pub tool: Tool,
    /// On what machine.
    pub host: Host,
    /// On which device.
    pub device: Device,
    /// Every resolved option.
    pub config: Config,
    /// The device's ceilings, measured in the same run.
    pub peaks: Peaks,
    /// A workload, mode and batch each.
    pub runs: Vec<Run>,
    /// Remarks for whoever reads it.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Of the crate.
    pub version: String,
    /// Commit it was built from.
    pub git: String,
    /// Whether the checkout had changes.
    pub dirty: bool,
    /// `release` or `debug`.
    pub profile: String,
    /// Version of wgpu.
    pub wgpu: String,
    /// The command line.
    pub argv: Vec<String>,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Name and version.
    pub os: String,
    /// Model.
    pub cpu: Option<String>,
    /// Logical cores.
    pub logical_cores: Option<usize>,
    /// Main memory.
    pub ram_bytes: Option<u64>,
    /// Threads a software adapter was told to run kernels on; nothing where the driver chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

/// The device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// The adapter's own name.
    pub name: String,
    /// `vulkan`, `metal`, `dx12`.
    pub backend: String,
    /// Driver and version.
    pub driver: String,
    /// `discrete`, `integrated`, `virtual`, `cpu`, `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Runs on the CPU.
    pub software: bool,
    /// PCI vendor number.
    pub vendor: u32,
    /// PCI device number.
    pub device: u32,
    /// What kernels may depend on.
    pub limits: Limits,
}

/// What kernels may depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Subgroup size, where there is a single one.
    pub subgroup: Option<u32>,
    /// Largest storage binding.
    pub max_binding_bytes: u64,
    /// Largest buffer.
    pub max_buffer_bytes: u64,
    /// Workgroup memory.
    pub max_shared_bytes: u32,
    /// Invocations of a workgroup.
    pub max_invocations: u32,
    /// Whether passes carry timestamps.
    pub timestamps: bool,
    /// Nanoseconds of a timestamp's tick.
    pub timestamp_period_ns: f64,
}

/// Every resolved option that holds for all cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Config {
    /// `full` or `tiny`.
    pub preset: String,
    /// `f32`.
    pub precision: String,
    /// Elementwise ops merged into their neighbours.
    pub fuse: bool,
    /// Shaders run with bounds checks: `on` or `off`.
    pub checks: String,
    /// Of parameters, data and draws.
    pub seed: u64,
    /// Real data, or nothing for the built-in.
    pub data: Option<String>,
    /// Most sampling time of a cell.
    pub time_s: f64,
    /// Wanted half-width of the interval.
    pub max_noise: f64,
    /// Samples at least.
    pub min_samples: usize,
}

/// The device's ceilings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Peaks {
    /// Multiply-adds in f32, two operations each.
    pub fma_f32_flop_per_s: f64,
    /// Bytes read and written by a copy.
    pub copy_bytes_per_s: f64,
    /// An empty dispatch.
    pub launch_ns: f64,
    /// An empty submission, until it is known to be done.
    pub submit_ns: f64,
    /// A small pipeline never seen before.
    pub pipeline_ns: f64,
}

/// A workload in one mode at one batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// `speech`.
    pub workload: String,
    /// `train` or `infer`.
    pub mode: String,
    /// `full` or `tiny`.
    pub preset: String,
    /// Samples in a batch.
    pub batch: usize,
    /// Every number of the model.
    pub model: serde_json::Map<String, serde_json::Value>,
    /// What the samples are.
    pub data: String,
    /// `sha256:` of the program: shaders, grids, parameters, bindings.
    pub program: String,
    /// Whether its kernels were verified.
    pub verified: Verified,
    /// `ok`, or what is to be doubted.
    pub validity: Vec<String>,
    /// Step times; nothing where verification failed.
    pub timing: Option<Timing>,
    /// Arithmetic of a step.
    pub flops: u64,
    /// Bytes of a step, each operand of an op once.
    pub bytes: u64,
    /// Values in the model's parameters.
    pub parameters: u64,
    /// Dispatches of a step.
    pub dispatches: usize,
    /// Loss after the timed steps, in training.
    pub loss: Option<f64>,
    /// Memory on the device.
    pub memory: Memory,
    /// From the graph to the first dispatch.
    pub build_ns: f64,
    /// Pipelines made for this run.
    pub pipelines: usize,
    /// Of that, making pipelines.
    pub pipelines_ns: f64,
    /// Making a batch on the host.
    pub data_ns: f64,
    /// Handing a batch to the device.
    pub upload_ns: f64,
    /// Where samples come from playing, in training: what the other parts of it take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playing: Option<Playing>,
    /// The profiled pass.
    pub profile: Option<Profile>,
    /// The ops, in order of execution.
    pub ops: Vec<Op>,
}

/// What playing takes beside the updates, which are the timed steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Playing {
    /// A step of the game: four frames, drawing, preprocessing.
    pub environment_ns: f64,
    /// Choosing actions for a batch of states: upload, inference, reading back.
    pub action_ns: f64,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// `passed`, `failed` or `unverified`.
    pub status: String,
    /// Kernels checked.
    pub checked: usize,
    /// Kernels within their bounds.
    pub passed: usize,
    /// Kernels checked at smaller sizes.
    pub reduced: usize,
    /// The kernel nearest to its bound, or furthest beyond.
    pub worst: Option<Worst>,
}

/// The worst of a verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Worst {
    /// The op.
    pub label: String,
    /// Its error as a share of the bound; nothing where it is not finite.
    pub error: Option<f64>,
}

/// Step times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// `timestamps` or `wall`.
    pub source: String,
    /// Steps in a submission.
    pub steps_per_submit: usize,
    /// A step, one value a submission.
    pub step_ns: Vec<f64>,
    /// The same by the wall clock.
    pub wall_ns: Vec<f64>,
    /// Statistics of `step_ns`.
    pub step: Statistics,
    /// Median of `wall_ns`.
    pub wall_median_ns: f64,
    /// Encoding a step on the host.
    pub encode_ns: f64,
    /// Whether the wanted precision was reached.
    pub settled: bool,
}

/// Statistics of samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Statistics {
    /// Number of samples.
    pub n: usize,
    /// Middle.
    pub median_ns: f64,
    /// 95 % interval of the median.
    pub ci95_ns: (f64, f64),
    /// Least.
    pub min_ns: f64,
    /// Standard deviation over mean; nothing for a single sample.
    pub cv: Option<f64>,
    /// How many lie far from the rest.
    pub outliers: usize,
    /// Later half over earlier half, minus 1; nothing for a single sample.
    pub drift: Option<f64>,
}

/// Memory on the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// All buffers of the plan.
    pub planned_bytes: u64,
    /// Slots that temporary values share.
    pub slots_bytes: u64,
    /// What no plan could go below for them.
    pub slots_bound_bytes: u64,
}

/// The profiled pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// Steps profiled.
    pub steps: usize,
    /// First op's start to last op's end.
    pub span_ns: f64,
    /// What of it lies between ops.
    pub gaps_ns: f64,
}

/// One op of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Op {
    /// `dense1.matmul/tile[BM=64,BN=64,BK=16]`.
    pub label: String,
    /// Type: `matmul`.
    pub op: String,
    /// A to G.
    pub class: char,
    /// `forward`, `backward`, `update`.
    pub phase: String,
    /// Dispatches it takes.
    pub dispatches: usize,
    /// Arithmetic.
    pub flops: u64,
    /// Operands, once each.
    pub bytes: u64,
    /// Types inside, where several ops are fused.
    pub types: Vec<String>,
    /// Its time; nothing without a profile.
    pub ns: Option<OpTime>,
}

/// An op's time over the profiled steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpTime {
    /// Middle.
    pub median: f64,
    /// Twentieth part.
    pub p05: f64,
    /// Nineteen twentieth parts.
    pub p95: f64,
    /// How steady it was; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steadiness: Option<Steadiness>,
    /// Each step.
    #[serde(default)]
    pub samples: Vec<f64>,
}

/// How steady an op's time was over the profiled steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Steadiness {
    /// Steps it was timed in.
    pub steps: usize,
    /// Standard deviation over mean; nothing for a single step or a clock too coarse to see the op.
    pub cv: Option<f64>,
    /// Median of the later half over that of the earlier half, minus 1; nothing as for `cv`.
    pub drift: Option<f64>,
    /// Whether the 95 % intervals of the two halves' medians lie apart.
    pub drift_significant: bool,
}

impl Record {
    /// The JSON text, the id set to the hash of the rest.
    ///
    /// # Errors
    /// [`Error::Internal`] for a figure that JSON has no form for.
    pub fn to_json(&self) -> Result<String> {
        let text = |record: &Self| {
            serde_json::to_string_pretty(record)
                .map_err(|e| Error::Internal(format!("a record as JSON: {e}")))
        };
        if let Some(place) = not_a_number(&self.runs) {
            return Err(Error::Internal(format!("{place}: a time is not a number")));
        }
        let mut record = self.clone();
        record.id = String::new();
        let hash = Sha256::digest(text(&record)?.as_bytes());
        let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
        record.id = format!("sha256:{hex}");
        Ok(text(&record)? + "\n")
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] with line and column where it is no record of this schema, and with the
    /// field's path where a time is none.
    pub fn load(path: &Path) -> Result<Self> {
        let text = crate::host::read_text(path)?;
        Self::parse(&text, path)
    }

    /// Reads a record from a text that came from `path`.
    ///
    /// # Errors
    /// As [`Record::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let bad = |e: serde_json::Error| {
            let place = format!("line {} column {}", e.line(), e.column());
            Error::data(path, place, format!("not a {SCHEMA} record: {e}"))
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(bad)?;
        check::schema(value["schema"].as_str()).map_err(|why| Error::data(path, "schema", why))?;
        let record: Self = serde_json::from_str(text).map_err(bad)?;
        match check::bad_time(&record.runs) {
            Some((place, why)) => Err(Error::data(path, place, why)),
            None => Ok(record),
        }
    }
}

/// The first figure that is no number, by its path: JSON would turn it into a null that no reader takes.
fn not_a_number(runs: &[Run]) -> Option<String> {
    runs.iter().find_map(|run| {
        let step =
            run.timing.as_ref().map(|t| [t.step.median_ns, t.step.ci95_ns.0, t.step.ci95_ns.1]);
        let all = step
            .into_iter()
            .flatten()
            .chain([run.build_ns, run.data_ns, run.upload_ns])
            .chain(run.playing.iter().flat_map(|p| [p.environment_ns, p.action_ns]));
        let bad = all.into_iter().any(|x| !x.is_finite());
        bad.then(|| format!("{} {} batch {}", run.workload, run.mode, run.batch))
    })
}

#[cfg(test)]
mod tests;
