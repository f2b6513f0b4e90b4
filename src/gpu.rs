//! The GPU: which adapter, what it can do, its device, its pipelines and its clock.
//!
//! `wgpu` is used here and in [`crate::program`] only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::host;
use crate::kernel::Caps;

pub mod adapter;
pub mod buffer;
mod counter;
pub mod driver;
pub mod pipeline;
pub mod shader;
pub mod timestamp;

use crate::terms::{Checks, Feature, LimitSet, Restriction, Speeds};
pub use adapter::{AdapterSummary, Selector};
use counter::Counter;
use pipeline::Pipelines;

/// An open device with its caches.
#[derive(Debug)]
pub struct Gpu {
    /// The adapter's name, driver, backend and type.
    pub summary: AdapterSummary,
    /// What it can do.
    pub caps: Caps,
    /// What of it is not used.
    pub restriction: Restriction,
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

/// A submission that can be waited for.
pub(crate) struct Mark {
    index: wgpu::SubmissionIndex,
    #[cfg(target_arch = "wasm32")]
    done: std::pin::Pin<Box<dyn Future<Output = ()>>>,
}

/// A quarter of what Windows allows before it resets a device.
const LONGEST_SUBMISSION: Duration = Duration::from_millis(500);

/// Longest wait for a GPU, whose submissions are cut to a fraction of a second each, and for software, which may
/// compile a kernel for minutes when it is first dispatched.
const WAIT_LIMIT: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(3600));

fn wait_limit(software: bool) -> Duration {
    if software { WAIT_LIMIT.1 } else { WAIT_LIMIT.0 }
}

/// What steps are cut by until the device's speeds are measured.
fn pace(software: bool) -> Speeds {
    if software { Speeds::SOFTWARE } else { Speeds::SLOWEST_GPU }
}

/// What a device was given to do.
#[derive(Debug, Default)]
struct Submissions {
    /// A test has the device lost before the one that fails.
    calls: Counter,
    /// A test has the one that fails never end.
    endless: Counter,
    /// Whether one did not end.
    hung: AtomicBool,
    /// Whether the device is gone for good.
    gone: Arc<AtomicBool>,
}

/// What a device failed with at some time.
#[derive(Debug)]
struct Failure {
    /// It had no room.
    no_memory: bool,
    /// In its own words.
    why: String,
}

/// The optional features that are asked for.
fn wanted(restriction: &Restriction) -> wgpu::Features {
    let all = [
        (Feature::Timestamps, wgpu::Features::TIMESTAMP_QUERY),
        (Feature::TimestampsInsidePasses, wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES),
        (Feature::Subgroups, wgpu::Features::SUBGROUP),
    ];
    let used = all.into_iter().filter(|(feature, _)| !restriction.lacks(*feature));
    used.fold(wgpu::Features::empty(), |features, (_, feature)| features | feature)
}

impl Gpu {
    /// The same device with faulty timestamps: tests show by it that no figure is silently wrong.
    pub fn with_fault(self, fault: timestamp::Injected) -> Self {
        let injected = Some(fault);
        Self { injected, ..self }
    }

    /// The same device, given a step in parts of at most so long.
    pub fn with_longest_submission(self, time: Duration) -> Self {
        Self { longest_submission: Some(time), ..self }
    }

    /// Has steps be cut into submissions by what was measured of the device, in place of the slowest there is.
    pub fn set_pace(&mut self, measured: Speeds) {
        self.pace = measured;
    }

    /// The same device, called hung where it does not end what it was given within so long.
    pub fn with_wait_limit(self, time: Duration) -> Self {
        Self { wait_limit: time, ..self }
    }

    /// The same device under another summary: a page knows more of its adapter than wgpu passes on.
    pub fn described(self, summary: AdapterSummary) -> Self {
        let software = summary.software;
        let speeds = if software { Speeds::SOFTWARE } else { Speeds::GPU };
        let caps = Caps { software, speeds, ..self.caps };
        let longest_submission = (!software).then_some(LONGEST_SUBMISSION);
        let (pace, wait_limit) = (pace(software), wait_limit(software));
        Self { summary, caps, longest_submission, pace, wait_limit, ..self }
    }

    /// Opens the adapter that `selector` names, or the best there is.
    ///
    /// # Errors
    /// [`Error::Device`] where none or several fit, or the driver refuses.
    pub fn open(selector: &Selector, checks: Checks) -> Result<Self> {
        let adapter = adapter::choose(selector)?;
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
        let features = adapter.features() & wanted(restriction);
        let limits = match restriction.limits {
            // Not the defaults: those end at 128 MiB a binding, and a weight of vgg takes 392 MiB.
            LimitSet::Device => adapter.limits(),
            LimitSet::WebGpu => wgpu::Limits::default(),
        };
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("fathom"),
                required_features: features,
                required_limits: limits.clone(),
                memory_hints: wgpu::MemoryHints::Performance,
                ..Default::default()
            })
            .await
            .map_err(|e| {
                Error::Device(format!(
                    "cannot open {}: {e}\nupdate its driver, or choose another device with --device; \
                     `fathom list devices` lists them",
                    summary.name
                ))
            })?;
        let lost = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&lost);
        let submissions = Submissions::default();
        let gone = Arc::clone(&submissions.gone);
        device.set_device_lost_callback(move |_, why| {
            gone.store(true, Ordering::Release);
            if let Ok(mut slot) = seen.lock() {
                // The first report is the cause, those after it are its effects.
                let why = if why.is_empty() { "the device was lost".into() } else { why };
                slot.get_or_insert(Failure { no_memory: false, why });
            }
        });
        let seen = Arc::clone(&lost);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            if let Ok(mut slot) = seen.lock() {
                let no_memory = matches!(error, wgpu::Error::OutOfMemory { .. });
                slot.get_or_insert(Failure { no_memory, why: error.to_string() });
            }
        }));
        let info = adapter.get_info();
        // A kernel is laid out for one subgroup size: where a driver may choose another, there is none to rely on.
        let one_size = info.subgroup_min_size == info.subgroup_max_size;
        let software = summary.software;
        let caps = Caps {
            software,
            subgroup: (one_size && features.contains(wgpu::Features::SUBGROUP))
                .then_some(info.subgroup_min_size),
            max_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            max_bindings: limits.max_storage_buffers_per_shader_stage,
            max_workgroups: limits.max_compute_workgroups_per_dimension,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_shared: limits.max_compute_workgroup_storage_size,
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            speeds: if software { Speeds::SOFTWARE } else { Speeds::GPU },
        };
        Ok(Self {
            summary,
            caps,
            restriction: restriction.clone(),
            timestamp_period: f64::from(queue.get_timestamp_period()),
            timestamp_resolution: None,
            timestamps_in_passes: features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES),
            injected: None,
            allocations: buffer::Allocations::default(),
            longest_submission: (!software).then_some(LONGEST_SUBMISSION),
            pace: pace(software),
            wait_limit: wait_limit(software),
            submissions,
            pipelines: Mutex::new(Pipelines::new(checks)),
            device,
            queue,
            lost,
        })
    }

    /// How many pipelines have been made, and the time it took.
    pub fn pipelines_made(&self) -> (usize, Duration) {
        self.pipelines.lock().map(|p| p.made()).unwrap_or_default()
    }

    /// Gives the device something to do.
    pub(crate) fn submit(&self, commands: impl IntoIterator<Item = wgpu::CommandBuffer>) {
        self.submitted(commands);
    }

    /// The same, to be waited for by itself.
    pub(crate) fn submit_marked(
        &self,
        commands: impl IntoIterator<Item = wgpu::CommandBuffer>,
    ) -> Mark {
        Mark {
            index: self.submitted(commands),
            #[cfg(target_arch = "wasm32")]
            done: Box::pin(self.done()),
        }
    }

    fn submitted(
        &self,
        commands: impl IntoIterator<Item = wgpu::CommandBuffer>,
    ) -> wgpu::SubmissionIndex {
        if self.submissions.calls.next_fails() {
            self.device.destroy();
        }
        if self.submissions.endless.next_fails() {
            self.submissions.hung.store(true, Ordering::Release);
        }
        self.queue.submit(commands)
    }

    /// Has the device lost before the `nth` submission from now on, counted from 1, as when its driver resets it: tests
    /// show by it what is kept.
    pub fn lose_device(&self, nth: u64) {
        self.submissions.calls.fail(nth);
    }

    /// Has the `nth` submission from now on never end, counted from 1, as when a driver hangs: tests show by it what is
    /// kept.
    pub fn hang(&self, nth: u64) {
        self.submissions.endless.fail(nth);
    }

    /// How much the device was given to do so far.
    pub fn submitted_so_far(&self) -> u64 {
        self.submissions.calls.so_far()
    }

    /// Whether the device is gone for good: nothing runs on it any more, and it has to be opened anew.
    pub fn is_lost(&self) -> bool {
        self.submissions.gone.load(Ordering::Acquire)
    }

    /// Waits until all submitted work is done.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device was lost or an earlier call failed, [`Error::Hung`] where the work does not end.
    pub fn wait(&self) -> Result<()> {
        let polled = self.polled(None);
        // A page has nothing to poll: the browser says when the work is done, and maps buffers before that.
        #[cfg(target_arch = "wasm32")]
        if polled.is_ok() {
            host::block_on(self.done());
        }
        self.waited(polled)
    }

    /// Waits until one submission and those before it are done.
    ///
    /// # Errors
    /// As [`Gpu::wait`].
    pub(crate) fn wait_for(&self, mark: Mark) -> Result<()> {
        let polled = match self.polled(Some(mark.index)) {
            // A device that is lost took nothing: only waiting for all of it tells that.
            Err(wgpu::PollError::WrongSubmissionIndex(..)) => self.polled(None),
            polled => polled,
        };
        #[cfg(target_arch = "wasm32")]
        if polled.is_ok() {
            host::block_on(mark.done);
        }
        self.waited(polled)
    }

    fn waited(&self, polled: std::result::Result<wgpu::PollStatus, wgpu::PollError>) -> Result<()> {
        if matches!(polled, Err(wgpu::PollError::Timeout)) {
            return Err(self.given_up());
        }
        self.check()?;
        polled.map(|_| ()).map_err(|e| {
            Error::Gpu(format!("{}: waiting for the device failed: {e}", self.summary.name))
        })
    }

    /// Waits as long as the limit says, for one submission or all; not at all for what is known never to end.
    fn polled(
        &self,
        submission_index: Option<wgpu::SubmissionIndex>,
    ) -> std::result::Result<wgpu::PollStatus, wgpu::PollError> {
        if self.submissions.hung.load(Ordering::Acquire) {
            return Err(wgpu::PollError::Timeout);
        }
        let timeout = Some(self.wait_limit);
        self.device.poll(wgpu::PollType::Wait { submission_index, timeout })
    }

    /// What is said of a device that does not end its work. From here on nothing waits for it, not even its end, which
    /// would wait for its work.
    fn given_up(&self) -> Error {
        self.submissions.hung.store(true, Ordering::Release);
        self.submissions.gone.store(true, Ordering::Release);
        std::mem::forget((self.device.clone(), self.queue.clone()));
        Error::Hung(format!(
            "{} did not end its work within {:?}: it or its driver hangs, so nothing more is asked of it\n\
             update its driver, or restart the machine if it stays so; if it is only slow, give it longer with \
             --wait-limit",
            self.summary.name, self.wait_limit
        ))
    }

    /// Has the device do all that it was asked for and give back what nothing needs any more: what was written and not
    /// yet followed by a submission holds its buffers.
    ///
    /// # Errors
    /// As [`Gpu::wait`].
    pub fn settle(&self) -> Result<()> {
        self.submit([]);
        self.wait()
    }

    /// Ends when the browser has done all work submitted so far.
    #[cfg(target_arch = "wasm32")]
    fn done(&self) -> impl Future<Output = ()> + use<> {
        use std::sync::PoisonError;
        use std::task::{Poll, Waker};

        // Whether it is done, and who waits for it.
        let state = Arc::new(Mutex::new((false, None::<Waker>)));
        let seen = Arc::clone(&state);
        self.queue.on_submitted_work_done(move || {
            let mut state = seen.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 = true;
            state.1.take().into_iter().for_each(Waker::wake);
        });
        std::future::poll_fn(move |context| {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.1 = Some(context.waker().clone());
            if state.0 { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    /// Fails where the device was lost or any call on it failed.
    pub fn check(&self) -> Result<()> {
        let lost = self.lost.lock().ok().and_then(|mut slot| slot.take());
        match lost {
            None => Ok(()),
            Some(Failure { no_memory: true, why }) => {
                Err(Error::OutOfMemory(format!("{}: {why}", self.summary.name)))
            }
            Some(Failure { why, .. }) => Err(Error::Gpu(format!(
                "{}: {why}\nif it ran out of memory, choose a smaller --batch; if the driver reset it, \
                 a watchdog or another program may be the cause",
                self.summary.name
            ))),
        }
    }
}
