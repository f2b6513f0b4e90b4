//! The result file, schema `fathom.record/1`: plain data with units in the keys, independent of the rest
//! of the crate, so that old files and other programs can be read with it.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::terms::{Backend, Checks, DeviceKind, Precision, Preset, Restriction, device_id, words};

mod check;
pub mod conditions;
pub mod consistency;
pub mod doubt;
#[cfg(test)]
pub(crate) mod example;
pub mod id;
mod missing;
mod outcome;
mod run;
pub mod schema;
pub mod store;
pub mod trace;
mod tuning;
pub mod yardstick;

pub use doubt::{Doubt, YardstickPart};
pub use id::Integrity;
pub use outcome::{Outcome, Sketch};
pub use run::{
    Clock, Memory, Method, Op, OpTime, Playing, Profile, Run, RunKey, Statistics, Status, StaysF32,
    Steadiness, Timing, Verified, Worst,
};
pub use tuning::Tuning;
pub use yardstick::{Reading, Sensors, Yardstick};

/// The schema this crate writes.
pub const SCHEMA: &str = "fathom.record/1";

/// Memory that the values of a record take at most, as [`memory`] has it.
const MOST_MEMORY: usize = 1 << 30;

/// One run of the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// `fathom.record/1`.
    pub schema: String,
    /// `jcs-sha256:` and the SHA-256 of the record without this field, as [`id`] says.
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
    /// How kernels were chosen; nothing in older records, whose kernels were the estimates' first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
    /// A workload, mode and batch each.
    pub runs: Vec<Run>,
    /// Remarks for whoever reads it.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Whether the file it was read from is as fathom wrote it.
    #[serde(skip)]
    pub integrity: Integrity,
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
    /// How it was built.
    pub profile: BuildProfile,
    /// Version of wgpu.
    pub wgpu: String,
    /// The command line.
    pub argv: Vec<String>,
    /// The framework that was measured instead of fathom's own kernels; nothing where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Peer>,
    /// As what it ran.
    #[serde(default, skip_serializing_if = "Client::is_native")]
    pub client: Client,
}

/// Another framework that ran the same model: what of a record describes fathom's kernels (dispatches, bytes, memory
/// that it does not tell, ceilings) is then 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Peer {
    /// `PyTorch`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How it ran the model: `eager, 1 thread`.
    pub how: String,
}

words! {
    /// As what the program ran.
    #[derive(Default)]
    Client {
        /// By itself.
        #[default]
        Native = "native",
        /// As a page in a browser.
        Browser = "browser",
    }
}

impl Client {
    /// Whether it ran by itself, as where nothing is said.
    pub fn is_native(&self) -> bool {
        *self == Self::Native
    }
}

words! {
    /// How the program was built.
    BuildProfile {
        /// Optimised.
        Release = "release",
        /// Not optimised: times of the host mean nothing.
        Debug = "debug",
    }
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
    /// Of these, what the program was allowed to use; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usable_cores: Option<usize>,
    /// Main memory.
    pub ram_bytes: Option<u64>,
    /// Workers a software adapter was told to have, 0 where the thread that submits computes; nothing where the driver chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// The browser that ran it as a page; nothing where fathom ran by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<Browser>,
}

/// The browser in which a page ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Browser {
    /// What it calls itself to servers.
    pub user_agent: String,
    /// What its clock for pages is rounded to, in nanoseconds.
    pub clock_resolution_ns: f64,
}

/// The device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// The adapter's own name.
    pub name: String,
    /// The interface it answers on.
    pub backend: Backend,
    /// Driver and version.
    pub driver: String,
    /// A card, a part of the CPU, or the CPU itself.
    #[serde(rename = "type")]
    pub kind: DeviceKind,
    /// Runs on the CPU.
    pub software: bool,
    /// PCI vendor number.
    pub vendor: u32,
    /// PCI device number.
    pub device: u32,
    /// Place on the PCI bus, `0000:01:00.0`; nothing where the driver does not tell, as for all below, and in older
    /// records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pci: Option<String>,
    /// Place among the devices of that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Its memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// What kernels may depend on.
    pub limits: Limits,
}

/// What kernels may depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Subgroup size, where there is a single one.
    pub subgroup: Option<u32>,
    /// Smallest subgroup; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subgroup_min: Option<u32>,
    /// Largest subgroup; nothing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subgroup_max: Option<u32>,
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
    /// Nanoseconds that timestamps are rounded to, where they are, as by a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_resolution_ns: Option<f64>,
}

/// Every resolved option that holds for all runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Config {
    /// The models' size.
    pub preset: Preset,
    /// Of every value that a kernel reads or writes.
    pub precision: Precision,
    /// Elementwise ops merged into their neighbours.
    pub fuse: bool,
    /// Whether shaders run with bounds checks.
    pub checks: Checks,
    /// What of the device was not used; nothing where all of it was, and in older records.
    #[serde(default, skip_serializing_if = "Restriction::is_none")]
    pub restriction: Restriction,
    /// Which kernels ran; those of the program where nothing is said, and in older records.
    #[serde(default, skip_serializing_if = "ShaderSource::is_built_in")]
    pub shaders: ShaderSource,
    /// Of parameters, data and draws.
    pub seed: u64,
    /// Real data, or nothing for the built-in.
    pub data: Option<String>,
    /// Most sampling time of a run.
    pub time_s: f64,
    /// Wanted half-width of the interval.
    pub max_noise: f64,
    /// Samples at least.
    pub min_samples: usize,
}

words! {
    /// Where the kernels' text came from.
    #[derive(Default)]
    ShaderSource {
        /// Compiled into the program: its commit says which.
        #[default]
        BuiltIn = "built in",
        /// A folder that `FATHOM_SHADERS` named, whose content no commit vouches for.
        Folder = "from FATHOM_SHADERS",
    }
}

impl ShaderSource {
    /// Whether the commit says what ran.
    pub fn is_built_in(&self) -> bool {
        *self == Self::BuiltIn
    }
}

/// The device's ceilings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Bytes read from memory, hardly any written; nothing in older records, as for all below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes_per_s: Option<f64>,
    /// Bytes read in workgroup memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_bytes_per_s: Option<f64>,
    /// Bytes from the host to the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_bytes_per_s: Option<f64>,
    /// Bytes from the device to the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_bytes_per_s: Option<f64>,
    /// What a dispatch costs the host to encode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encode_ns: Option<f64>,
    /// The multiply-adds each time they were measured, at the beginning and at the end of a run: the best counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fma: Vec<Reading>,
    /// The copy, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copy: Vec<Reading>,
    /// A model's kernel that was faster than the multiply-adds of the probe: its rate is the ceiling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_by: Option<String>,
}

impl Peaks {
    /// A rate as a share of the ceiling of arithmetic; nothing where that was not measured, as of a peer.
    pub fn share(&self, flop_per_s: f64) -> Option<f64> {
        Some(flop_per_s / self.fma_f32_flop_per_s).filter(|share| share.is_finite())
    }

    /// By how much the ceilings moved between the beginning and the end of the run, as a share: the larger of the
    /// two. Nothing where they were measured once.
    pub fn moved(&self) -> Option<f64> {
        let moved = |readings: &[Reading]| {
            let rates = || readings.iter().map(|reading| reading.rate);
            (readings.len() > 1)
                .then(|| rates().fold(0.0, f64::max) / rates().fold(f64::MAX, f64::min) - 1.0)
        };
        moved(&self.fma).into_iter().chain(moved(&self.copy)).reduce(f64::max)
    }
}

impl Tool {
    /// What was measured: fathom, or a peer with how it ran.
    pub fn measured(&self) -> String {
        match &self.peer {
            Some(peer) => format!("{} {} ({})", peer.name, peer.version, peer.how),
            None => format!("fathom {}", self.version),
        }
    }

    /// The commit it was built from, marked where the checkout had changes.
    pub fn commit(&self) -> String {
        if self.dirty { format!("{}-dirty", self.git) } else { self.git.clone() }
    }
}

impl Host {
    /// Cores that the program could use, as far as the record tells.
    pub fn cores(&self) -> Option<usize> {
        self.usable_cores.or(self.logical_cores)
    }
}

impl Device {
    /// By what it is known across runs: its place on the bus, else its numbers.
    pub fn id(&self) -> String {
        device_id(self.pci.as_deref(), self.vendor, self.device)
    }
}

impl Record {
    /// What its device is called beside its figures: by a name of its own where the record was edited, so that they are
    /// never taken for the device's.
    pub fn device_name(&self) -> String {
        self.integrity.mark(&self.device.name)
    }

    /// Whether both were kept of one run of the program, which goes on from record to record: it began in the same
    /// nanosecond, by the same command on the same device.
    pub fn is_of_same_run(&self, other: &Self) -> bool {
        (&self.created, &self.tool, &self.device) == (&other.created, &other.tool, &other.device)
    }

    /// The JSON text of the record as [`Self::sealed`], so that nothing edited is given a good id by being written
    /// again.
    ///
    /// # Errors
    /// [`Error::Internal`] for a figure that cannot be: what is not a number is a null in JSON, and nobody could read
    /// the record again.
    pub fn to_json(&self) -> Result<String> {
        if let Some((place, why)) = check::impossible(self) {
            return Err(Error::Internal(format!("{place}: {why}")));
        }
        Ok(serde_json::to_string_pretty(&self.sealed()?).map_err(not_json)? + "\n")
    }

    /// The record with the id that its content gives; one that was not intact when it was read keeps what it had.
    ///
    /// # Errors
    /// [`Error::Internal`] where it has no form in JSON.
    pub fn sealed(&self) -> Result<Self> {
        let mut record = self.clone();
        if self.integrity == Integrity::Intact {
            // Of the text, as whoever checks it: nothing else turns records into values.
            let text = serde_json::to_string_pretty(self).map_err(not_json)?;
            record.id = id::content_id(&serde_json::from_str(&text).map_err(not_json)?);
        }
        Ok(record)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] with line and column where it is not a record of this schema, and with the
    /// field's path for a figure that cannot be.
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
        if memory(text) > MOST_MEMORY {
            return Err(Error::data(path, "content", "more values than a record has"));
        }
        let value: serde_json::Value = serde_json::from_str(text).map_err(bad)?;
        check::schema(value["schema"].as_str()).map_err(|why| Error::data(path, "schema", why))?;
        let mut record: Self = serde_json::from_str(text).map_err(bad)?;
        record.integrity = Integrity::of(&value);
        match check::impossible(&record) {
            Some((place, why)) => Err(Error::data(path, place, why)),
            None => Ok(record),
        }
    }
}

/// Bytes that the values of a JSON text take at most, roughly: far more than the text where it is made for that.
fn memory(text: &str) -> usize {
    let of = |byte| match byte {
        // A tree for the fields of an object, a name and a value for each, and lists that grow to twice their length.
        b'{' => 512,
        b':' => 128,
        b'[' | b',' => 64,
        b'"' => 16,
        _ => 0,
    };
    text.bytes().map(of).sum()
}

fn not_json(error: serde_json::Error) -> Error {
    Error::Internal(format!("a record as JSON: {error}"))
}

#[cfg(test)]
mod tests;
