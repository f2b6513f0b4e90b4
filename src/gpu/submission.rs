//! What a device is given to do: submitted, waited for, and given up where it does not end.

use std::sync::Arc;
#[cfg(target_arch = "wasm32")]
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
#[cfg(target_arch = "wasm32")]
use crate::host;

use super::Gpu;
use super::counter::Counter;

/// A submission that can be waited for.
pub(crate) struct Mark {
    index: wgpu::SubmissionIndex,
    #[cfg(target_arch = "wasm32")]
    done: std::pin::Pin<Box<dyn Future<Output = ()>>>,
}

/// What a device was given to do.
#[derive(Debug, Default)]
pub(super) struct Submissions {
    /// A test has the device lost before the one that fails.
    calls: Counter,
    /// A test has the one that fails never end.
    endless: Counter,
    /// Whether one did not end.
    hung: AtomicBool,
    /// Whether the device is gone for good.
    pub(super) gone: Arc<AtomicBool>,
}

/// What a device failed with at some time.
#[derive(Debug)]
pub(super) struct Failure {
    /// It had no room.
    pub(super) no_memory: bool,
    /// In its own words.
    pub(super) why: String,
}

impl Gpu {
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
