//! Groups of arguments shared by several commands.

use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::analysis::similarity::Linkage;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Selector};
use crate::kernel::Caps;
use crate::measure::largest_batch::TooLarge;
use crate::pass::Options;
use crate::report::Format;
use crate::terms::{
    Checks, Effort, Feature, LimitSet, Mode, OnFailure, Precision, Preset, Restriction,
};
use crate::workload::{self, LARGEST, Workload, WorkloadInfo};

/// Enums of the crate as argument values, by name.
macro_rules! value_enum {
    ($($words:ty),*) => {$(
        impl ValueEnum for $words {
            fn value_variants<'a>() -> &'a [Self] {
                &Self::ALL
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(PossibleValue::new(self.name()))
            }
        }
    )*};
}

value_enum!(Checks, Effort, Mode, OnFailure, Precision, Preset, Format, Linkage, LimitSet, Feature);

/// How values are stored.
#[derive(Debug, Clone, Args)]
pub struct PrecisionArgs {
    /// Store the values between ops as: f32, f16
    ///
    /// f16 halves the memory traffic, and products of f16 values use the device's matrix units where it has any. Sums,
    /// states, losses and parameters stay f32; gradients are stored at 1,024 times their size.
    #[arg(
        long,
        value_name = "TYPE",
        default_value = "f32",
        hide_possible_values = true,
        help_heading = "How"
    )]
    pub precision: Precision,
}

/// Which device.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where")]
pub struct DeviceArgs {
    /// Device: index, part of the name, `vulkan:rtx`, PCI address
    ///
    /// A PCI address is written `pci:0000:01:00.0`; `fathom list devices` shows them.
    #[arg(short, long, value_name = "SEL", env = "FATHOM_DEVICE")]
    pub device: Option<String>,

    /// Use only this backend: vulkan, metal, dx12
    #[arg(long, value_name = "NAME", env = "FATHOM_BACKEND")]
    pub backend: Option<String>,

    /// Fail rather than run on the CPU: gpu
    #[arg(long, value_name = "WHAT", value_parser = ["gpu"], hide_possible_values = true, env = "FATHOM_REQUIRE")]
    require: Option<String>,

    /// Admit devices whose drivers do not conform to their standard, such as NVK or WSL2's dozen
    #[arg(long)]
    pub allow_noncompliant: bool,

    /// Run shaders with bounds checks and loop bounds, as a browser does
    #[arg(long, value_name = "ON|OFF", default_value = "off", hide_possible_values = true)]
    pub checks: Checks,

    /// Consider the device hung after waiting this long for one submission
    ///
    /// [default: 120; 3600 for an adapter that runs on the CPU, which may compile a kernel for minutes]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub wait_limit: Option<f64>,

    /// Keep to these limits: device, webgpu
    ///
    /// webgpu is what every WebGPU device promises: bindings of 128 MiB, buffers of 256 MiB, 8 of them in a kernel, 256
    /// invocations and 16 KiB of memory in a workgroup, no subgroups.
    #[arg(long, value_name = "NAME", default_value = "device", hide_possible_values = true)]
    limits: LimitSet,

    /// Leave features unused: subgroups, f16, int64, timestamps, timestamps-inside-passes, pipeline-cache
    ///
    /// 64-bit integers are used on Mesa's llvmpipe alone, which loads vectors faster as such. Pipelines are never cached on
    /// disk, so the last has no effect.
    #[arg(long, value_name = "FEATURE,..", value_delimiter = ',', hide_possible_values = true)]
    without: Vec<Feature>,
}

impl DeviceArgs {
    /// Opens the device.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub fn open(&self) -> Result<Gpu> {
        let mut gpu = Gpu::open(&self.selector(), self.checks)?;
        if let Some(limit) = self.wait_limit {
            gpu = gpu.with_wait_limit(Duration::from_secs_f64(limit));
        }
        #[cfg(debug_assertions)]
        provoke(&gpu);
        Ok(gpu)
    }

    fn selector(&self) -> Selector {
        Selector {
            device: self.device.clone(),
            backend: self.backend.clone(),
            gpu_only: self.require.is_some(),
            noncompliant: self.allow_noncompliant,
            restriction: self.restriction(),
        }
    }

    /// What of it is not used.
    pub fn restriction(&self) -> Restriction {
        Restriction::new(self.limits, &self.without)
    }

    /// Opens the device that is named, or any there is: what is only planned needs none.
    ///
    /// # Errors
    /// As [`Gpu::open`] for one that is named.
    pub fn open_if_any(&self) -> Result<Option<Gpu>> {
        let is_named = self.device.is_some() || self.backend.is_some() || self.require.is_some();
        if is_named { self.open().map(Some) } else { Ok(self.open().ok()) }
    }

    /// What an open device can do; without one, what every device can.
    pub fn caps(&self, gpu: Option<&Gpu>) -> Caps {
        let portable = || Caps::portable().restricted(&self.restriction());
        gpu.map_or_else(portable, |gpu| gpu.caps.clone())
    }
}

/// At which size.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What")]
pub struct SizeArgs {
    /// Model size: full, tiny
    ///
    /// [default: full; tiny on a software adapter]
    #[arg(long, value_name = "NAME", hide_possible_values = true, env = "FATHOM_PRESET")]
    pub preset: Option<Preset>,

    /// Samples per batch [default: the preset's]
    #[arg(short, long, value_name = "N", value_parser = whole::<usize>(1, 65_536))]
    pub batch: Option<usize>,

    /// Override a size of the model, as in `hidden=128`
    ///
    /// May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, usize)>,
}

impl SizeArgs {
    /// A workload's model at this size.
    ///
    /// # Errors
    /// [`Error::Usage`] for a size it does not have.
    pub fn configure(
        &self,
        workload: &WorkloadInfo,
        gpu: Option<&Gpu>,
    ) -> Result<(Preset, Box<dyn Workload>)> {
        let preset = preset_or_default(self.preset, gpu);
        Ok((preset, workload.sized(preset, self.batch, &self.set)?))
    }
}

/// Which model, at which size.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What")]
pub struct ModelArgs {
    /// Workload; see `fathom list workloads`
    #[arg(short, long, value_name = "NAME", env = "FATHOM_WORKLOAD")]
    pub workload: String,

    #[command(flatten)]
    pub(super) size: SizeArgs,

    /// Seed of the parameters, the data and every random draw
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seed, env = "FATHOM_SEED")]
    pub seed: u64,

    /// Sentence lengths of seq2seq: 0, 1, 2, 3 or mixed
    ///
    /// [default: the preset's]
    #[arg(long, value_name = "N|mixed", value_parser = bucket_or_mixed)]
    pub bucket: Option<usize>,
}

/// A bucket's number.
pub(super) fn bucket(text: &str) -> std::result::Result<usize, String> {
    let buckets = buckets();
    let known = text.parse().ok().filter(|bucket| *bucket < buckets);
    known.ok_or_else(|| format!("expected a bucket from 0 to {}", buckets.saturating_sub(1)))
}

/// The same, or `mixed`, whose number is the one after the last.
fn bucket_or_mixed(text: &str) -> std::result::Result<usize, String> {
    if text == "mixed" { Ok(buckets()) } else { bucket(text).map_err(|why| why + ", or mixed") }
}

/// How many buckets there are.
fn buckets() -> usize {
    workload::WORKLOADS.iter().map(|info| info.buckets).max().unwrap_or(0)
}

/// The settings, with the bucket's added.
pub(super) fn with_bucket(set: &[(String, usize)], bucket: Option<usize>) -> Vec<(String, usize)> {
    let bucket = bucket.map(|bucket| ("bucket".to_string(), bucket));
    set.iter().cloned().chain(bucket).collect()
}

pub(super) fn setting(text: &str) -> std::result::Result<(String, usize), String> {
    let parsed = text.split_once('=').and_then(|(key, value)| Some((key, value.parse().ok()?)));
    match parsed {
        Some((key, value)) if value <= LARGEST => Ok((key.to_string(), value)),
        _ => Err(format!(
            "expected a name and a whole number up to {LARGEST}, as in hidden=128; an unknown name, as in --set help=1, \
             lists the known ones"
        )),
    }
}

/// The modes asked for; both where none is.
pub(super) fn modes(asked: &[Mode]) -> &[Mode] {
    if asked.is_empty() { &Mode::ALL } else { asked }
}

/// Lets a test see a whole process without memory; release builds do not have it.
#[cfg(debug_assertions)]
fn provoke(gpu: &Gpu) {
    if let Some(nth) = std::env::var("FATHOM_REFUSE_ALLOCATION").ok().and_then(|n| n.parse().ok()) {
        gpu.refuse_allocation(nth);
    }
}

/// What a whole number from `low` to `high` is read by.
pub(super) fn whole<T: TryFrom<u64>>(
    low: u64,
    high: u64,
) -> impl Fn(&str) -> std::result::Result<T, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| (low..=high).contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
            let high = if high == u64::MAX { "2^64 - 1".into() } else { high.to_string() };
            format!("expected a whole number from {low} to {high}")
        })
    }
}

/// A seed is any number that has 64 bits.
pub(super) fn seed(text: &str) -> std::result::Result<u64, String> {
    whole(0, u64::MAX)(text)
}

/// Steps: a thousand million take days on any device.
pub(super) fn step_count(text: &str) -> std::result::Result<u64, String> {
    whole(1, 1_000_000_000)(text)
}

/// What a number of `unit`, within bounds, is read by.
pub(super) fn number_in(
    low: f64,
    high: f64,
    unit: &'static str,
) -> impl Fn(&str) -> std::result::Result<f64, String> + Clone {
    move |text| match text.parse::<f64>() {
        Ok(value) if value >= low && value <= high => Ok(value),
        _ => Err(format!("expected a number of {unit} from {low} to {high}")),
    }
}

/// A time: a day at most.
pub(super) fn seconds(text: &str) -> std::result::Result<f64, String> {
    number_in(0.001, 86_400.0, "seconds")(text)
}

pub(super) fn percent(text: &str) -> std::result::Result<f64, String> {
    number_in(0.001, 100.0, "percent")(text)
}

impl ModelArgs {
    /// The model with its sizes settled.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown workload, or what it does not have.
    pub fn configure(&self, gpu: Option<&Gpu>) -> Result<(Preset, Box<dyn Workload>)> {
        let workload = workload::find(&self.workload)?;
        check_bucket(workload, self.bucket)?;
        let set = with_bucket(&self.size.set, self.bucket);
        SizeArgs { set, ..self.size.clone() }.configure(workload, gpu)
    }
}

/// The preset asked for; else `tiny` on a software adapter, `full` elsewhere.
pub fn preset_or_default(asked: Option<Preset>, gpu: Option<&Gpu>) -> Preset {
    match (asked, gpu) {
        (Some(preset), _) => preset,
        (None, Some(gpu)) if gpu.caps.software => Preset::Tiny,
        (None, _) => Preset::Full,
    }
}

/// Refuses a bucket of what has none.
///
/// # Errors
/// [`Error::Usage`], which names the workload.
pub(super) fn check_bucket(workload: &WorkloadInfo, bucket: Option<usize>) -> Result<()> {
    if bucket.is_none() || workload.buckets > 0 {
        return Ok(());
    }
    let able = able(|workload| workload.buckets > 0);
    let name = workload.name;
    Err(Error::Usage(format!("--bucket: {name} has no sentence-length buckets; {able} has")))
}

/// Refuses all buckets at once where one step is wanted.
///
/// # Errors
/// [`Error::Usage`], which tells the buckets there are.
pub(super) fn check_one_program(model: &dyn Workload) -> Result<()> {
    let Some(last) = model.buckets().len().checked_sub(1) else { return Ok(()) };
    Err(Error::Usage(format!(
        "each bucket is a program of its own, and only train takes all of them: choose one from 0 to {last}"
    )))
}

/// The workloads that can do something.
pub(super) fn able(can: fn(&WorkloadInfo) -> bool) -> String {
    let able: Vec<_> = workload::WORKLOADS.iter().filter(|w| can(w)).map(|w| w.name).collect();
    able.join(" and ")
}

/// Whether a `--workload` list names workloads one by one.
pub(super) fn is_named(names: &[String]) -> bool {
    !names.is_empty() && !names.iter().any(|name| name == "all")
}

/// Adds the largest batch that fits to an out-of-memory error.
pub(super) fn advise<T>(
    outcome: Result<T>,
    args: &ModelArgs,
    mode: Mode,
    options: &Options,
    gpu: &Gpu,
) -> Result<T> {
    let batch = args.configure(Some(gpu))?.1.batch();
    let step = TooLarge::new(&gpu.caps, Some(gpu), mode, options, batch);
    step.advise(outcome, &|batch| {
        let size = SizeArgs { batch: Some(batch), ..args.size.clone() };
        let args = ModelArgs { size, ..args.clone() };
        Ok(args.configure(Some(gpu))?.1)
    })
}

/// The workloads that a `--workload` list names; `all` or an empty list names all of them.
///
/// # Errors
/// [`Error::Usage`] for an unknown name, [`Error::NothingSelected`] for an empty list.
pub(super) fn workloads(names: &[String]) -> Result<Vec<&'static WorkloadInfo>> {
    if !is_named(names) {
        return Ok(workload::WORKLOADS.iter().collect());
    }
    let chosen: Result<Vec<_>> =
        names.iter().filter(|n| !n.is_empty()).map(|n| workload::find(n)).collect();
    match chosen {
        Ok(list) if list.is_empty() => Err(Error::NothingSelected(
            "no workload selected; `fathom list workloads` lists them".into(),
        )),
        other => other,
    }
}
