//! Pages in a real browser, in a frame as wide as is asked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use profile::Profile;

#[path = "profile.rs"]
mod profile;

/// Runs before anything of a page: errors of any kind are collected.
pub(crate) const BEFORE: &str = "<script>
window.faults = [];
addEventListener('error', (e) => window.faults.push(String(e.message || (e.target && e.target.outerHTML))), true);
addEventListener('unhandledrejection', (e) => window.faults.push(String(e.reason)));
for (const level of ['error', 'warn']) {
  const before = console[level];
  console[level] = (...words) => { window.faults.push(words.join(' ')); before(...words); };
}
</script>";

/// A Chromium that runs here: a machine may lack it, or what it needs.
pub(crate) fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
        .filter(|browser| works(browser))
}

/// Milliseconds that a page believes to have, one after the other where they were not enough: its clock goes on while
/// other threads still unpack, and on a busy machine these come late.
const BUDGETS: [u32; 3] = [20_000, 200_000, 2_000_000];

/// The document that a browser makes of a file.
fn dom(browser: &Path, file: &Path, budget: u32) -> (String, String) {
    let profile = Profile::new();
    let output = profile
        .hold(&mut Command::new(browser))
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--hide-scrollbars", "--window-size=2000,1000", "--dump-dom"])
        // Unpacking goes on after the page has been loaded.
        .arg(format!("--virtual-time-budget={budget}"))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Whether it runs at all: a machine may lack what it needs.
fn works(browser: &Path) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blank.html");
    std::fs::write(&file, "<!doctype html><p>it works</p>").unwrap();
    dom(browser, &file, BUDGETS[0]).0.contains("it works")
}

/// What a page says of itself, as JSON, to the document around it: by a message, or into the element `found`. In a
/// frame, since a browser's window has a least width that is wider than a phone.
pub(crate) fn look(browser: &Path, frame: &str, width: u32) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frame.html");
    let frame = format!(
        "<!doctype html><body><script type=\"application/json\" id=\"found\"></script>\
         <script>setInterval(() => {{}}, 1); /* each millisecond takes a turn */</script>\
         <script>addEventListener('message', (e) => {{ \
         document.getElementById('found').textContent = e.data; }});</script>\
         <iframe style=\"width:{width}px;height:900px;border:0\" {frame}></iframe></body>"
    );
    std::fs::write(&file, frame).unwrap();
    let mut messages = String::new();
    for budget in BUDGETS {
        let (dom, said) = dom(browser, &file, budget);
        let found =
            dom.split("id=\"found\">").nth(1).and_then(|rest| rest.split("</script>").next());
        if let Some(found) = found.filter(|found| !found.is_empty()) {
            return serde_json::from_str(found).unwrap();
        }
        messages = said;
    }
    panic!("the page's test did not end: {messages}")
}
