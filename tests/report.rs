//! The report in a real browser: it renders without an error, sorts, changes its theme, and nothing is wider
//! than a phone or a desk. Skipped, and said so, where there is no Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use fathom::record::Record;
use fathom::report::html::{NamedRecord, page};

/// Runs before anything of the page: errors of any kind are collected.
const BEFORE: &str = "<script>
window.faults = [];
addEventListener('error', (e) => window.faults.push(String(e.message || (e.target && e.target.outerHTML))), true);
addEventListener('unhandledrejection', (e) => window.faults.push(String(e.reason)));
for (const level of ['error', 'warn']) {
  const before = console[level];
  console[level] = (...words) => { window.faults.push(words.join(' ')); before(...words); };
}
</script>";

/// Uses the page as a reader would, and leaves what it found in the document around it.
const AFTER: &str = r##"<script>
const found = { width: innerWidth, over: [], sorted: [] };
for (const one of document.querySelectorAll("details")) one.open = true;
const table = document.querySelector("#summary table");
const column = [...table.tHead.rows[0].cells].findIndex((th) => th.textContent.trim() === "step");
const values = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.sort));
for (let i = 0; i < 2; i++) {
  table.tHead.rows[0].cells[column].querySelector("button").click();
  found.sorted.push({ says: table.tHead.rows[0].cells[column].getAttribute("aria-sort"), values: values() });
}
const ground = () => getComputedStyle(document.body).backgroundColor;
const before = ground();
document.getElementById("theme").click();
found.themes = [before, ground()];
const mark = document.querySelector("[data-tip]");
mark.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 5, clientY: 5 }));
found.tip = [mark.dataset.tip, document.getElementById("tip").textContent];
// What scrolls within itself may be wider inside.
for (const one of document.querySelectorAll("body *")) {
  const right = one.getBoundingClientRect().right;
  if (right > innerWidth + 1 && !one.closest(".table, #tip, .skip")) found.over.push(one.outerHTML.slice(0, 120));
}
found.scroll = document.documentElement.scrollWidth;
found.unnamed = [...document.querySelectorAll("svg:not([aria-hidden])")].filter((svg) => !svg.getAttribute("aria-label")).length;
found.faults = window.faults;
parent.document.getElementById("found").textContent = JSON.stringify(found);
</script>"##;

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

/// Two devices with training and inference of two workloads, over two batches: every part of the page.
fn sources() -> Vec<NamedRecord> {
    let text = include_str!("../assets/reference-tiny.json");
    let first: Record = Record::parse(text, Path::new("assets/reference-tiny.json")).unwrap();
    let mut second = first.clone();
    second.device.name = "another device with quite a long name, as drivers give them".into();
    for run in &mut second.runs {
        if let Some(timing) = &mut run.timing {
            timing.step.median_ns *= 1.5;
            timing.step.ci95_ns = (timing.step.ci95_ns.0 * 1.5, timing.step.ci95_ns.1 * 1.5);
        }
    }
    let mut larger = first.clone();
    for run in &mut larger.runs {
        run.batch *= 2;
    }
    let named = |(i, record): (usize, Record)| NamedRecord {
        name: format!("{i}.json"),
        text: record.to_json().unwrap(),
        record,
    };
    [first, second, larger].into_iter().enumerate().map(named).collect()
}

/// The document that a browser makes of a file.
fn dom(browser: &Path, file: &Path) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--hide-scrollbars", "--window-size=1600,1000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
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
    dom(browser, &file).0.contains("it works")
}

/// Shows the page in a frame, since a browser's window has a least width that is wider than a phone.
fn look(browser: &Path, page: &str, width: u32) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frame.html");
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    let frame = format!(
        "<!doctype html><body><script type=\"application/json\" id=\"found\"></script>\
         <iframe style=\"width:{width}px;height:900px;border:0\" srcdoc=\"{page}\"></iframe></body>"
    );
    std::fs::write(&file, frame).unwrap();
    let (dom, messages) = dom(browser, &file);
    let found = dom.split("id=\"found\">").nth(1);
    let found =
        found.and_then(|rest| rest.split("</script>").next()).filter(|found| !found.is_empty());
    let found = found.unwrap_or_else(|| panic!("the page's test did not end: {messages}"));
    serde_json::from_str(found).unwrap()
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped has to say so")]
fn a_reader_can_use_the_report_on_a_phone_and_on_a_desk() {
    let Some(browser) = chromium().filter(|browser| works(browser)) else {
        eprintln!("SKIPPED: there is no Chromium here that runs (apt install chromium)");
        return;
    };
    let whole = page(&sources()).unwrap();
    assert!(whole.contains("id=\"scaling\"") && whole.contains("id=\"similarity\""));
    let tested = whole.replacen("<head>", &format!("<head>{BEFORE}"), 1).replacen(
        "</body>",
        &format!("{AFTER}</body>"),
        1,
    );
    for width in [390, 1440] {
        let found = look(&browser, &tested, width);
        assert_eq!(found["width"], width);
        assert_eq!(found["faults"], serde_json::json!([]));
        assert_eq!(found["over"], serde_json::json!([]), "at {width} pixels");
        assert!(
            found["scroll"].as_u64().unwrap() <= u64::from(width),
            "scrolls sideways: {}",
            found["scroll"]
        );
        assert_eq!(found["unnamed"], 0, "pictures without words");
        let themes = &found["themes"];
        assert_ne!(themes[0], themes[1], "the theme did not change");
        assert_eq!(found["tip"][0], found["tip"][1], "the exact figure is not shown");
        let column = |i: usize| -> Vec<f64> {
            let values = found["sorted"][i]["values"].as_array().unwrap();
            values.iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let (down, up) = (column(0), column(1));
        assert!(down.len() >= 4 && down.is_sorted_by(|a, b| a >= b), "{down:?}");
        assert!(up.is_sorted_by(|a, b| a <= b), "{up:?}");
        assert_eq!(found["sorted"][0]["says"], "descending");
        assert_eq!(found["sorted"][1]["says"], "ascending");
    }
}
