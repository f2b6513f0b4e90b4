//! The one door to the machine outside: what it is, its clock, its threads, its files, its signals, and waiting for the device.
//!
//! All of it works natively and in a web page, except files and signals, which a page does not have. The code above is plain,
//! not async: waiting for the device happens in `block_on`, and nowhere else. A page cannot block, but it can
//! suspend its WebAssembly stack there until the browser has made progress (JavaScript Promise Integration). So
//! only this function differs, where `async` would spread through every measurement and training loop.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

mod machine;
/// What is written as parallel, on the one thread that a page has.
#[cfg(target_arch = "wasm32")]
pub mod parallel;
#[cfg(feature = "cli")]
mod signals;

pub use machine::{Machine, machine};
/// Parallel iterators over the machine's threads.
#[cfg(not(target_arch = "wasm32"))]
pub use rayon::prelude as parallel;
#[cfg(feature = "cli")]
pub use signals::{exit_now, on_signal};
/// A moment on the machine's steady clock.
#[cfg(not(target_arch = "wasm32"))]
pub use std::time::Instant;
/// A moment on the page's steady clock.
#[cfg(target_arch = "wasm32")]
pub use web_time::Instant;

/// Whether there are files. Where this is asked before a file is read, a page's program leaves out what reads it.
pub const HAS_FILES: bool = !cfg!(target_arch = "wasm32");

/// Waits for what the device or its driver has promised.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn block_on<F: Future>(promise: F) -> F::Output {
    pollster::block_on(promise)
}

/// Waits for what the browser has promised, letting it go on in between.
#[cfg(target_arch = "wasm32")]
pub(crate) fn block_on<F: Future>(promise: F) -> F::Output {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake};

    #[allow(unsafe_code, reason = "declaring imports is unsafe; these take and return nothing")]
    #[link(wasm_import_module = "./outside.js")]
    unsafe extern "C" {
        /// The page's `new WebAssembly.Suspending(...)`: suspends this stack until `wake` is called, or was since the
        /// last time.
        safe fn suspend();
        /// Has the suspended stack go on.
        safe fn wake();
    }

    /// The one stack that waits.
    struct Page;
    impl Wake for Page {
        fn wake(self: Arc<Self>) {
            wake();
        }
    }

    let waker = Arc::new(Page).into();
    let mut promise = std::pin::pin!(promise);
    loop {
        if let Poll::Ready(kept) = promise.as_mut().poll(&mut Context::from_waker(&waker)) {
            return kept;
        }
        suspend();
    }
}

/// A number that no other process has now; a page has none.
pub fn process_id() -> u32 {
    if cfg!(target_arch = "wasm32") { 0 } else { std::process::id() }
}

/// How wide a terminal that does not say is taken to be.
#[cfg(feature = "cli")]
const USUAL_WIDTH: usize = 80;

/// Characters in a line of the terminal that standard output goes to; nothing where it goes elsewhere.
pub fn terminal_width() -> Option<usize> {
    #[cfg(feature = "cli")]
    return std::io::IsTerminal::is_terminal(&std::io::stdout()).then(columns);
    #[cfg(not(feature = "cli"))]
    None
}

/// The same of what messages go to.
#[cfg(feature = "cli")]
pub fn message_width() -> Option<usize> {
    std::io::IsTerminal::is_terminal(&std::io::stderr()).then(columns)
}

/// Of whichever stream goes to a terminal: it is the same one.
#[cfg(feature = "cli")]
fn columns() -> usize {
    // Some terminals, serial lines and containers' among them, report 0 by 0.
    terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0))
}

/// Threads of other programs that want a processor now, where the system tells.
pub fn other_threads() -> Option<u32> {
    let statistics = fs::read_to_string("/proc/stat").ok()?;
    let running = statistics.lines().find_map(|line| line.strip_prefix("procs_running "))?;
    // The one that asks runs as well.
    running.trim().parse::<u32>().ok().map(|running| running.saturating_sub(1))
}

/// How long all threads of this program have computed so far, where the system tells.
pub fn cpu_time() -> Option<std::time::Duration> {
    #[cfg(all(unix, feature = "cli"))]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        std::time::Duration::try_from(time).ok()
    }
    #[cfg(not(all(unix, feature = "cli")))]
    None
}

/// Processors that threads of this program may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Starts the threads that [`parallel`] work is divided among, once, before they are wanted: where the system has none to
/// give, that is told in words.
///
/// # Errors
/// [`Error::Usage`] with what to change.
#[cfg(feature = "cli")]
pub fn start_threads() -> Result<()> {
    rayon::ThreadPoolBuilder::new().build_global().map_err(|error| {
        let threads = cores();
        Error::Usage(format!(
            "{threads} threads, one for each processor, cannot be started: {error}: raise the limit on processes \
             (`ulimit -u`, or that of the container), or ask for fewer threads with RAYON_NUM_THREADS=4"
        ))
    })
}

/// What another thread makes, where there are any; a page makes it at once.
#[derive(Debug)]
pub struct Aside<T>(
    #[cfg(not(target_arch = "wasm32"))] std::sync::mpsc::Receiver<T>,
    #[cfg(target_arch = "wasm32")] T,
);

#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + 'static> Aside<T> {
    /// Begins it.
    pub fn begin(make: impl FnOnce() -> T + Send + 'static) -> Self {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        // Nobody waits any more where sending fails.
        rayon::spawn(move || drop(send.send(make())));
        Self(receive)
    }

    /// Waits for it; nothing where the thread ended early.
    pub fn take(self) -> Option<T> {
        self.0.recv().ok()
    }
}

#[cfg(target_arch = "wasm32")]
impl<T> Aside<T> {
    /// Makes it.
    pub fn begin(make: impl FnOnce() -> T) -> Self {
        Self(make())
    }

    /// What was made.
    pub fn take(self) -> Option<T> {
        Some(self.0)
    }
}

/// The time of day, RFC 3339 in UTC.
#[cfg(not(target_arch = "wasm32"))]
pub fn now() -> String {
    // A clock that was never set may be beyond what can be written.
    let time = jiff::Timestamp::try_from(std::time::SystemTime::now());
    time.unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The time of day, RFC 3339 in UTC.
#[cfg(target_arch = "wasm32")]
pub fn now() -> String {
    js_sys::Date::new_0().to_iso_string().into()
}

/// Whether a text is a date and time of RFC 3339.
#[cfg(not(target_arch = "wasm32"))]
pub fn is_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

/// Whether a date and time lies more than a day ahead, which no zone and no wrong minute explains.
#[cfg(not(target_arch = "wasm32"))]
pub fn is_yet_to_come(text: &str) -> bool {
    let tomorrow = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400);
    let tomorrow = jiff::Timestamp::try_from(tomorrow).unwrap_or(jiff::Timestamp::MAX);
    text.parse::<jiff::Timestamp>().is_ok_and(|time| time > tomorrow)
}

/// The same.
#[cfg(target_arch = "wasm32")]
pub fn is_yet_to_come(text: &str) -> bool {
    js_sys::Date::parse(text) > js_sys::Date::now() + 86_400_000.0
}

/// Whether a text is a date and time of RFC 3339: the browser reads others as well, without a time or a zone.
#[cfg(target_arch = "wasm32")]
pub fn is_time(text: &str) -> bool {
    let zone =
        text.ends_with(['Z', 'z']) || text.get(19..).is_some_and(|zone| zone.contains(['+', '-']));
    zone && text.get(10..11).is_some_and(|t| t.eq_ignore_ascii_case("t"))
        && !js_sys::Date::parse(text).is_nan()
}

/// Refuses what is not a file: its end may never come, nor whoever writes to it.
///
/// # Errors
/// [`Error::Data`]; [`Error::Io`] where there is nothing.
pub fn check_file(path: &Path) -> Result<()> {
    match fs::metadata(path).map_err(Error::io("read", path))?.is_file() {
        true => Ok(()),
        false => Err(Error::data(path, "path", "not a file")),
    }
}

/// Reads a whole file.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] for what is not a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    check_file(path)?;
    fs::read(path).map_err(Error::io("read", path))
}

/// Bytes of a text at most: a record of all runs has some hundred kB.
const LONGEST_TEXT: u64 = 1 << 28;

/// Reads a whole text in UTF-8, from a pipe too.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] for a longer one than any that is read here.
pub fn read_text(path: &Path) -> Result<String> {
    read_up_to(path, LONGEST_TEXT)
}

fn read_up_to(path: &Path, most: u64) -> Result<String> {
    let failed = || Error::io("read", path);
    let mut text = String::new();
    let file = fs::File::open(path).map_err(failed())?;
    // What has no end is no text either; a file may be longer than its length on record.
    let read = file.take(most + 1).read_to_string(&mut text);
    if read.map_err(failed())? as u64 > most {
        return Err(Error::data(path, "length", format!("longer than {most} bytes")));
    }
    // The mark that some editors and shells put before a text.
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

/// Makes a folder and those above it, where they are missing.
///
/// # Errors
/// [`Error::Io`].
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::io("create", path))
}

/// Removes a file.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(Error::io("remove", path))
}

/// What lies in a folder, by name.
///
/// # Errors
/// [`Error::Io`].
pub fn list_folder(path: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(path).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let entries = entries.map_err(Error::io("read", path))?;
    let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    Ok(paths)
}

/// Whether a path is something to write into that is no file, such as a pipe or a device.
pub fn is_stream(path: &Path) -> bool {
    path.exists() && !path.is_file() && !path.is_dir()
}

/// Whether a file can be made here.
///
/// # Errors
/// Why not, in words.
#[cfg(feature = "cli")]
pub fn writable(path: &Path) -> std::result::Result<(), String> {
    if path.is_dir() {
        return Err("it is a folder: name a file".into());
    }
    if is_stream(path) {
        return Ok(());
    }
    // Where it will be, if the path is a link.
    let path = &target(path);
    if let Err(why) = path.symlink_metadata()
        && why.kind() == ErrorKind::InvalidFilename
    {
        return Err(format!("no file can be called so: {why}"));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(format!("no such folder: {}", folder.display()));
    }
    // Rights, read-only systems and quotas are known by trying.
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(why) => Err(format!("cannot create a file in {}: {why}", folder.display())),
    }
}

/// Links that are followed, one after the other.
const MOST_LINKS: usize = 40;

/// The file that a path leads to through links, whether or not it is there yet.
pub(crate) fn target(path: &Path) -> PathBuf {
    if let Ok(target) = fs::canonicalize(path) {
        return target;
    }
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&target) else { break };
        target = target.parent().unwrap_or(Path::new("")).join(next);
    }
    target
}

/// Temporary files whose names are tried: others of the same number may be left by a process that was killed, as where all
/// of them have the same one in a container.
const MOST_NAMES: usize = 100;

/// Letters of a file's name in that of its temporary one, which then is not too long where the first is not.
const LETTERS: usize = 40;

/// A new file beside one.
fn temporary(target: &Path) -> std::io::Result<(fs::File, PathBuf)> {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().take(LETTERS).collect();
    let mut tried = 0;
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = target.with_file_name(format!(".{name}.{}-{serial}", process_id()));
        tried += 1;
        match fs::File::create_new(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && tried < MOST_NAMES => {}
            made => return Ok((made?, path)),
        }
    }
}

/// Writes a whole file or nothing: into a temporary file beside it, then renamed. A link is followed;
/// what is no regular file, such as a pipe or `/dev/stdout`, is written straight.
///
/// # Errors
/// [`Error::Io`]; the old file is untouched then.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = Error::io("write", path);
    let target = target(path);
    // A file under /dev or /proc is somebody's open stream, whatever it leads to.
    let stream = path.starts_with("/dev") || path.starts_with("/proc");
    if stream || target.file_name().is_none() || (target.exists() && !target.is_file()) {
        let file = fs::OpenOptions::new().write(true).open(path);
        return file.and_then(|mut f| f.write_all(bytes)).map_err(failed);
    }
    // In the same folder, since renaming stays within a file system.
    let (mut file, temporary) = match temporary(&target) {
        Ok(made) => made,
        Err(error) => return Err(failed(error)),
    };
    let mut write = || -> std::io::Result<()> {
        file.write_all(bytes)?;
        // On the disk before its name is, so that a power cut leaves the old file or the new one.
        file.sync_all()?;
        fs::rename(&temporary, &target)
    };
    write().map_err(|error| {
        // What was begun is no use; where it cannot be removed the first error is still the one to tell.
        let _left = fs::remove_file(&temporary);
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_of_the_same_number_left_is_in_nobody_s_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r".repeat(250) + ".json");
        // Its temporary file, had it been killed in the midst: with the numbers that come next.
        let (_, left) = temporary(&path).unwrap();
        let name = left.file_name().unwrap().to_str().unwrap().to_string();
        let (stem, serial) = name.rsplit_once('-').unwrap();
        let serial: u32 = serial.parse().unwrap();
        for next in serial + 1..serial + 20 {
            fs::write(left.with_file_name(format!("{stem}-{next}")), "half").unwrap();
        }
        write_atomically(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(write_atomically(&folder.path().join("r".repeat(256)), b"x").is_err());
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_followed_to_what_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        std::os::unix::fs::symlink("second.json", at("first.json")).unwrap();
        std::os::unix::fs::symlink("far/r.json", at("second.json")).unwrap();
        for text in ["new", "again"] {
            write_atomically(&at("first.json"), text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(at("far/r.json")).unwrap(), text);
        }
        assert!(at("first.json").is_symlink() && at("second.json").is_symlink());
    }

    #[test]
    fn a_text_without_end_costs_no_more_than_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_up_to(&path, 5).unwrap(), "12345");
        let error = read_up_to(&path, 4).unwrap_err().to_string();
        assert!(error.ends_with("r.json: length: longer than 4 bytes"), "{error}");
        #[cfg(unix)]
        {
            let endless = Path::new("/dev/zero");
            assert!(read_up_to(endless, 1 << 20).unwrap_err().to_string().contains("longer than"));
            assert!(read(endless).unwrap_err().to_string().contains("not a file"));
        }
    }
}
