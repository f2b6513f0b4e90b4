//! The GPU: which adapter, what it can do, its device, its pipelines and its clock.
//!
//! `wgpu` is used here and in [`crate::program`] only.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::host;
use crate::kernel::{Caps, SUBGROUPS};

pub mod adapter;
pub mod buffer;
mod counter;
pub mod driver;
pub mod pipeline;
mod selector;
pub mod shader;
mod submission;
pub mod timestamp;

use crate::terms::{Checks, Feature, LimitSet, Restriction, Speeds};
pub use adapter::AdapterSummary;
use pipeline::Pipelines;
pub use selector::Selector;
use submission::{Failure, Submissions};

/// An open device with its caches.
#[derive(Debug)]
pub struct Gpu {
    /// The adapter's name, driver, backend and type.
    pub summary: AdapterSummary,
    /// What it can do.
    pub caps: Caps,
    /// What of it is not used.
    pub restriction: Restriction,
    /// Whether shaders run with bounds checks.
    pub checks: Checks,
    /// Nanoseconds a timestamp tick takes.
    pub timestamp_period: f64,
    /// Nanoseconds that timestamps are rounded to, where that is known: see [`Gpu::find_resolution`].
    pub timestamp_resolution: Option<f64>,
    /// Whether timestamps may stand inside a pass, not only at its ends.
    pub timestamps_in_passes: bool,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) pipelines: Mutex<Pipelines>,
    lost: Arc<Mutex<Option<Failure>>>,
    allocations: buffer::Allocations,
    /// How long the device may work on one submission; nothing where it may take its time, as software does.
    pub(crate) longest_submission: Option<Duration>,
    /// What a step is cut into submissions by: measured, else that of the slowest of its kind.
    pub(crate) pace: Speeds,
    /// How long it may take to end what it was given before it counts as hung.
    wait_limit: Duration,
    submissions: Submissions,
    injected: Option<timestamp::Injected>,
}

/// How a device is treated by its kind, until it is measured or a test says otherwise.
struct Treatment {
    /// What kernels are chosen by.
    speeds: Speeds,
    /// What steps are cut by.
    pace: Speeds,
    longest_submission: Option<Duration>,
    wait_limit: Duration,
}

/// Submissions of a quarter of what Windows allows before it resets a device; a wait of many of them.
const GPU: Treatment = Treatment {
    speeds: Speeds::GPU,
    pace: Speeds::SLOWEST_GPU,
    longest_submission: Some(Duration::from_millis(500)),
    wait_limit: Duration::from_secs(120),
};

/// Software may compile a kernel for minutes when it is first dispatched.
const SOFTWARE: Treatment = Treatment {
    speeds: Speeds::SOFTWARE,
    pace: Speeds::SOFTWARE,
    longest_submission: None,
    wait_limit: Duration::from_secs(3600),
};

impl Treatment {
    fn of(adapter: &AdapterSummary) -> Self {
        if adapter.software { SOFTWARE } else { GPU }
    }
}

/// The optional features that are asked for.
fn wanted(restriction: &Restriction) -> wgpu::Features {
    let optional = [
        (Feature::Timestamps, wgpu::Features::TIMESTAMP_QUERY),
        (Feature::TimestampsInsidePasses, wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES),
        (Feature::Subgroups, wgpu::Features::SUBGROUP),
        (Feature::F16, wgpu::Features::SHADER_F16),
    ];
    let used = optional.into_iter().filter(|(feature, _)| !restriction.lacks(*feature));
    used.fold(wgpu::Features::empty(), |features, (_, feature)| features | feature)
}

/// Leave for features that wgpu calls experimental, of which cooperative matrices alone are asked for.
#[allow(unsafe_code, reason = "wgpu has it confirmed that such a feature may be unsound")]
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: kernels with matrices are checked like all others: bounds by the sizes they are made for, results against
    // f64 references.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

async fn request(
    adapter: &wgpu::Adapter,
    features: wgpu::Features,
    limits: &wgpu::Limits,
) -> std::result::Result<(wgpu::Device, wgpu::Queue), wgpu::RequestDeviceError> {
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("fathom"),
        required_features: features,
        required_limits: limits.clone(),
        memory_hints: wgpu::MemoryHints::Performance,
        experimental_features: experimental(),
        ..Default::default()
    };
    adapter.request_device(&descriptor).await
}

/// What a device with these limits and features can do, without subgroups and matrices.
fn caps(limits: &wgpu::Limits, features: wgpu::Features) -> Caps {
    Caps {
        software: false,
        llvmpipe: false,
        subgroup: None,
        max_binding: limits.max_storage_buffer_binding_size,
        max_buffer: limits.max_buffer_size,
        max_bindings: limits.max_storage_buffers_per_shader_stage,
        max_workgroups: limits.max_compute_workgroups_per_dimension,
        max_invocations: limits.max_compute_invocations_per_workgroup,
        max_shared: limits.max_compute_workgroup_storage_size,
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        f16: features.contains(wgpu::Features::SHADER_F16),
        matrices: None,
        int64: features.contains(wgpu::Features::SHADER_INT64),
        speeds: Speeds::GPU,
    }
}

/// Rows and columns of the largest square matrices of f16 whose products a subgroup adds up in f32.
fn matrices(adapter: &wgpu::Adapter) -> Option<u32> {
    let sides = adapter.cooperative_matrix_properties().into_iter().filter_map(|of| {
        let square = of.m_size == of.n_size && of.n_size == of.k_size;
        let types = (of.ab_type, of.cr_type);
        let halves = types == (wgpu::CooperativeScalarType::F16, wgpu::CooperativeScalarType::F32);
        (square && halves).then_some(of.k_size)
    });
    sides.max()
}

/// Where the device's first failure will stand: those after it are its effects.
fn first_failure(device: &wgpu::Device, submissions: &Submissions) -> Arc<Mutex<Option<Failure>>> {
    let failure = Arc::new(Mutex::new(None));
    let (slot, gone) = (Arc::clone(&failure), Arc::clone(&submissions.gone));
    device.set_device_lost_callback(move |_, why| {
        gone.store(true, Ordering::Release);
        if let Ok(mut slot) = slot.lock() {
            let why = if why.is_empty() { "the device was lost".into() } else { why };
            slot.get_or_insert(Failure { no_memory: false, why });
        }
    });
    let slot = Arc::clone(&failure);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        if let Ok(mut slot) = slot.lock() {
            let no_memory = matches!(error, wgpu::Error::OutOfMemory { .. });
            slot.get_or_insert(Failure { no_memory, why: error.to_string() });
        }
    }));
    failure
}

impl Gpu {
    /// The same device with faulty timestamps: tests show by it that no figure is silently wrong.
    pub fn with_fault(self, fault: timestamp::Injected) -> Self {
        let injected = Some(fault);
        Self { injected, ..self }
    }

    /// The same device, given a step in parts that take at most `time` each.
    pub fn with_longest_submission(self, time: Duration) -> Self {
        Self { longest_submission: Some(time), ..self }
    }

    /// Has steps be cut into submissions by what was measured of the device, in place of the slowest there is.
    pub fn set_pace(&mut self, measured: Speeds) {
        self.pace = measured;
    }

    /// The same device, considered hung where it does not finish its work within `time`.
    pub fn with_wait_limit(self, time: Duration) -> Self {
        Self { wait_limit: time, ..self }
    }

    /// The same device under another summary: a page knows more of its adapter than wgpu passes on.
    pub fn described(self, summary: AdapterSummary) -> Self {
        let Treatment { speeds, pace, longest_submission, wait_limit } = Treatment::of(&summary);
        let caps = Caps { software: summary.software, speeds, ..self.caps };
        Self { summary, caps, longest_submission, pace, wait_limit, ..self }
    }

    /// Opens the adapter that `selector` names, or the best there is.
    ///
    /// # Errors
    /// [`Error::Device`] where none or several fit, or the driver refuses.
    pub fn open(selector: &Selector, checks: Checks) -> Result<Self> {
        let adapter = selector::choose(selector)?;
        host::block_on(Self::open_adapter(adapter, checks, &selector.restriction))
    }

    /// Opens one adapter with all the limits it has and the optional features kernels can use, except for what
    /// `restriction` leaves unused.
    pub(crate) async fn open_adapter(
        (index, adapter): (usize, wgpu::Adapter),
        checks: Checks,
        restriction: &Restriction,
    ) -> Result<Self> {
        let summary = AdapterSummary::of(index, &adapter, restriction);
        let info = adapter.get_info();
        // A kernel is laid out for one subgroup size: where a driver may choose another, there is none to rely on.
        let one_size = SUBGROUPS && info.subgroup_min_size == info.subgroup_max_size;
        let mut features = adapter.features() & wanted(restriction);
        let needed = wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16;
        let matrices = matrices(&adapter).filter(|_| one_size && features.contains(needed));
        if matrices.is_some() {
            features |= wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        }
        if summary.is_llvmpipe() && !restriction.lacks(Feature::Int64) {
            features |= adapter.features() & wgpu::Features::SHADER_INT64;
        }
        let limits = match restriction.limits {
            // Not the defaults: those end at 128 MiB a binding, and a weight of vgg takes 392 MiB.
            LimitSet::Device => adapter.limits(),
            LimitSet::WebGpu => wgpu::Limits::default(),
        };
        let (device, queue) = request(&adapter, features, &limits).await.map_err(|e| {
            Error::Device(format!(
                "cannot open {}: {e}\nupdate its driver, or choose another device with --device; `fathom list devices` \
                 lists them",
                summary.name
            ))
        })?;
        let submissions = Submissions::default();
        let lost = first_failure(&device, &submissions);
        let Treatment { speeds, pace, longest_submission, wait_limit } = Treatment::of(&summary);
        let subgroup = (one_size && features.contains(wgpu::Features::SUBGROUP))
            .then_some(info.subgroup_min_size);
        let capable = caps(&limits, features);
        let (software, llvmpipe) = (summary.software, summary.is_llvmpipe());
        let caps = Caps { software, llvmpipe, subgroup, matrices, speeds, ..capable };
        Ok(Self {
            summary,
            caps,
            restriction: restriction.clone(),
            checks,
            timestamp_period: f64::from(queue.get_timestamp_period()),
            timestamp_resolution: None,
            timestamps_in_passes: features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES),
            injected: None,
            allocations: buffer::Allocations::default(),
            longest_submission,
            pace,
            wait_limit,
            submissions,
            pipelines: Mutex::default(),
            device,
            queue,
            lost,
        })
    }

    /// How many pipelines have been made, and the time it took.
    pub fn pipelines_made(&self) -> (usize, Duration) {
        self.pipelines.lock().map(|p| p.made()).unwrap_or_default()
    }
}
