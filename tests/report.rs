//! The report in a real browser: it renders without an error, sorts, changes its theme, and nothing is wider
//! than a phone or a desk. Skipped, and said so, where there is no Chromium.

use std::path::Path;

use browser::{BEFORE, chromium};
use fathom::record::Record;
use fathom::report::html::{NamedRecord, page};

#[path = "common/browser.rs"]
mod browser;

/// Shows the page's text.
fn look(browser: &Path, page: &str, width: u32) -> serde_json::Value {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    browser::look(browser, &format!("srcdoc=\"{page}\""), width)
}

/// Uses the page as a reader would, and leaves what it found in the document around it.
const AFTER: &str = r##"<script>
(async () => {
const found = { width: innerWidth, over: [], hidden: [], small: [], sorted: [] };
await unfoldAll();
const hasSteps = (table) => [...table.tHead.rows[0].cells].some((th) => th.textContent.trim() === "step");
const table = [...document.querySelectorAll("#summary table")].find(hasSteps);
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
  if (right > innerWidth + 1 && !one.closest(".table, .drawing, #tip, .skip")) found.over.push(one.outerHTML.slice(0, 120));
}
for (const one of document.querySelectorAll(".table")) {
  if (one.scrollWidth > one.clientWidth + 1) found.hidden.push(`${one.scrollWidth} in ${one.clientWidth}: ${one.ariaLabel}`);
}
for (const one of document.querySelectorAll("svg text")) {
  const { width } = one.ownerSVGElement.getBoundingClientRect();
  const size = parseFloat(getComputedStyle(one).fontSize) * width / one.ownerSVGElement.viewBox.baseVal.width;
  if (size < 9) found.small.push(`${size} pixels: ${one.textContent}`);
}
found.packed = document.querySelectorAll("script.packed").length;
found.record = (await (await unpack(document.getElementById("record-0"))).text()).length;
found.scroll = document.documentElement.scrollWidth;
found.unnamed = [...document.querySelectorAll("svg:not([aria-hidden])")].filter((svg) => !svg.getAttribute("aria-label")).length;
found.faults = window.faults;
parent.document.getElementById("found").textContent = JSON.stringify(found);
})();
</script>"##;

/// A record of the whole suite.
fn tiny() -> Record {
    let text = include_str!("../assets/reference-tiny.json");
    Record::parse(text, Path::new("assets/reference-tiny.json")).unwrap()
}

fn named(i: usize, record: Record) -> NamedRecord {
    NamedRecord { name: format!("{i}.json"), text: record.to_json().unwrap(), record }
}

/// Two devices with training and inference of two workloads, over two batches: every part of the page.
fn sources() -> Vec<NamedRecord> {
    let first = tiny();
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
    [first, second, larger].into_iter().enumerate().map(|(i, record)| named(i, record)).collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped has to say so")]
fn a_reader_can_use_the_report_on_a_phone_and_on_a_desk() {
    let Some(browser) = chromium() else {
        eprintln!("SKIPPED: there is no Chromium here that runs (apt install chromium)");
        return;
    };
    let whole = page(&sources(), None).unwrap();
    assert!(whole.contains("id=\"scaling\"") && whole.contains("id=\"similarity\""));
    let tested = whole.replacen("<head>", &format!("<head>{BEFORE}"), 1).replacen(
        "</body>",
        &format!("{AFTER}</body>"),
        1,
    );
    for width in [390, 1280, 1920] {
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
        assert_eq!(found["small"], serde_json::json!([]), "at {width} pixels");
        assert_eq!(found["packed"], 0, "details that did not open");
        assert!(found["record"].as_u64().unwrap() > 100_000, "{}", found["record"]);
        if width >= 1280 {
            assert_eq!(
                found["hidden"],
                serde_json::json!([]),
                "columns out of sight at {width} pixels"
            );
        }
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

/// Looks at the page as it would be on paper.
const ON_PAPER: &str = r##"<script>
const shown = (one) => getComputedStyle(one).display !== "none";
const found = {
  headings: [...document.querySelectorAll("thead th")].filter((th) => !shown(th.firstElementChild)).length,
  tools: [...document.querySelectorAll("nav, .tools, .copy, .download")].filter(shown).length,
  ground: getComputedStyle(document.body).backgroundColor,
};
parent.document.getElementById("found").textContent = JSON.stringify(found);
</script>"##;

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped has to say so")]
fn on_paper_headings_stay_and_what_needs_a_screen_goes() {
    let Some(browser) = chromium() else {
        eprintln!("SKIPPED: there is no Chromium here that runs (apt install chromium)");
        return;
    };
    let page = page(&sources(), None).unwrap();
    let printed = page.replacen("@media print", "@media all", 1).replacen(
        "</body>",
        &format!("{ON_PAPER}</body>"),
        1,
    );
    let dark = printed.replacen("<html", "<html data-theme=\"dark\"", 1);
    for page in [printed, dark] {
        let found = look(&browser, &page, 1280);
        assert_eq!((&found["headings"], &found["tools"]), (&0.into(), &0.into()));
        assert_eq!(found["ground"], "rgb(255, 255, 255)");
    }
}

#[test]
fn eight_records_of_the_whole_suite_take_less_than_5_megabytes() {
    let mut record = tiny();
    // It was taken for four times as long as a run takes unless it is told to, and has as many more samples.
    for run in &mut record.runs {
        let timing = run.timing.as_mut().unwrap();
        timing.step_ns.truncate(timing.step_ns.len() / 4);
        timing.wall_ns.truncate(timing.step_ns.len());
        for op in &mut run.ops {
            op.ns.iter_mut().for_each(|ns| ns.samples.truncate(ns.samples.len() / 4));
        }
    }
    let source = |i: usize| {
        let mut record = record.clone();
        record.device.name = format!("device {i}");
        named(i, record)
    };
    let page = page(&(0..8).map(source).collect::<Vec<_>>(), None).unwrap();
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(page.find("Verified and doubted") < page.find("class=\"cards\""));
    assert!(page.contains("class=\"device-5\""), "a colour a device");
}
