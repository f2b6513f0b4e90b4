//! The site of many devices' records, with twenty made-up ones: what is on it, what is left out, and whether a reader
//! can use it on a phone and on a desk. And the records of `results/`, which have to be fit to be on it.

use std::path::Path;
use std::sync::Arc;

use browser::{BEFORE, chromium};
use fathom::compare::{Alike, Side, compare};
use fathom::record::{Doubt, Record, Statistics, Status};
use fathom::stats::median;
use fathom::terms::{Backend, DeviceKind, Mode, Preset};
use fathom::workload::WORKLOADS;
use program::{fathom, told_by};
use shared::Shared;

#[path = "common/browser.rs"]
mod browser;
#[path = "common/program.rs"]
mod program;
#[path = "common/shared.rs"]
mod shared;

/// A record as it was measured, with fewer samples so that the tests are quick.
fn real() -> Record {
    let text = include_str!("../assets/reference-tiny.json");
    let mut record = Record::parse(text, Path::new("assets/reference-tiny.json")).unwrap();
    for run in &mut record.runs {
        let timing = run.timing.as_mut().unwrap();
        let median_ns = timing.step.median_ns;
        // In the middle of what was measured, so that the run stays as settled as it was.
        let mut near = timing.step_ns.clone();
        near.sort_by(|a, b| (a / median_ns - 1.0).abs().total_cmp(&(b / median_ns - 1.0).abs()));
        near.truncate(16);
        timing.step_ns = near;
        timing.wall_ns.truncate(16);
        // What lay between other samples, and was held against another median.
        timing.yardstick = None;
        run.profile.iter_mut().for_each(|profile| profile.over_timed = None);
        for op in &mut run.ops {
            op.ns.iter_mut().for_each(|ns| ns.samples.clear());
        }
    }
    // Of sixteen samples less is known than of all.
    record.config.max_noise = 0.02;
    scaled(&mut record, 1.0);
    record
}

/// Every step takes so many times as long, and what sums them up follows.
fn scaled(record: &mut Record, times: f64) {
    for timing in record.runs.iter_mut().filter_map(|run| run.timing.as_mut()) {
        timing.step_ns.iter_mut().chain(&mut timing.wall_ns).for_each(|ns| *ns *= times);
        timing.step = Statistics::of(&timing.step_ns);
        timing.wall_median_ns = median(&timing.wall_ns);
    }
}

const VENDORS: [(u32, &str); 5] = [
    (0x10de, "NVIDIA GeForce RTX"),
    (0x1002, "AMD Radeon RX"),
    (0x8086, "Intel Arc"),
    (0, "Apple M"),
    (0x5143, "Adreno (TM) with a name as long as drivers may give them, and longer still"),
];

/// Twenty devices of five makers: fourteen at preset tiny, of which two run on the CPU, and six at full.
fn twenty() -> Vec<Record> {
    let real = real();
    let one = |i: usize| {
        let mut record = real.clone();
        let (vendor, name) = VENDORS[i % 5];
        let device = &mut record.device;
        (device.vendor, device.name) = (vendor, format!("{name} {}", 100 + 10 * i));
        device.backend = [Backend::Vulkan, Backend::Metal, Backend::Dx12][i % 3];
        device.driver = format!("driver {}.{i}", 500 + i);
        (device.software, device.kind) = (i < 2, DeviceKind::Discrete);
        if i >= 14 {
            record.config.preset = Preset::Full;
            record.runs.iter_mut().for_each(|run| run.preset = Preset::Full);
        }
        scaled(&mut record, 0.5 + 0.07 * i as f64);
        record
    };
    (0..20).map(one).collect()
}

/// Keeps a record as somebody would add it: in the folder of its device.
fn add(folder: &Path, device: &str, name: &str, text: &str) {
    let folder = folder.join(device);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}

/// The text of any record: `to_json` refuses one that cannot be.
fn text_of(record: &Record) -> String {
    serde_json::to_string(&record.sealed().unwrap()).unwrap()
}

fn results(folder: &Path) {
    std::fs::write(folder.join("README.md"), "not a record").unwrap();
    for (i, record) in twenty().iter().enumerate() {
        add(folder, &format!("device-{i}"), "a.json", &record.to_json().unwrap());
    }
}

/// The site of the twenty devices, which takes a while to make.
fn site_of_twenty() -> Arc<(tempfile::TempDir, String, String)> {
    static SITE: Shared<(tempfile::TempDir, String, String)> = Shared::new();
    SITE.get(|| {
        let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        results(folder.path());
        let (front, messages) = made(folder.path(), out.path(), &[]);
        (out, front, messages)
    })
}

/// Makes the site, and gives the front page's text and what was said.
#[track_caller]
fn made(records: &Path, out: &Path, more: &[&str]) -> (String, String) {
    let (records, out_arg) = (records.to_str().unwrap(), out.to_str().unwrap());
    let arguments = [&["site", records, "-s", out_arg], more].concat();
    let (_, messages) = told_by(&mut fathom(out, &arguments), 0);
    (std::fs::read_to_string(out.join("index.html")).unwrap(), messages)
}

#[test]
fn twenty_devices_are_sound_and_each_has_a_row_a_report_and_speed_ups_to_the_others() {
    let folder = tempfile::tempdir().unwrap();
    results(folder.path());
    let records = folder.path().to_str().unwrap();
    told_by(&mut fathom(folder.path(), &["check", "--publish", records]), 0);
    let site = site_of_twenty();
    let (out, front, messages) = &*site;
    assert!(messages.contains("20 records") && !messages.contains("warning"), "{messages}");
    assert_eq!(front.matches("<tr data-slug").count(), 20);
    assert_eq!(
        front.matches("class=\"rank\"").count(),
        12,
        "two run on the CPU, six have no score"
    );
    for outside in ["http://", "https://", "src=", "@import"] {
        assert!(!front.contains(outside), "the page asks for {outside}");
    }
    let links = front.split("href=\"devices/").skip(1);
    let pages: Vec<&str> = links.map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(pages.len(), 20);
    for page in pages {
        let report = std::fs::read_to_string(out.path().join("devices").join(page)).unwrap();
        assert!(report.contains("../index.html") && report.contains("id=\"profile\""), "{page}");
    }
    for (preset, count) in [("tiny", 14), ("full", 6)] {
        let steps = front.split(&format!("id=\"steps-{preset}\">")).nth(1).unwrap();
        let steps = steps.split("</script>").next().unwrap();
        let steps: serde_json::Value = serde_json::from_str(steps).unwrap();
        assert_eq!(steps["devices"].as_object().unwrap().len(), count, "presets stand apart");
        assert_eq!(steps["unlike"], serde_json::json!([[null]]), "all of {preset} compare");
    }
}

#[test]
fn what_cannot_be_believed_is_left_out_and_what_is_unfinished_is_marked_and_refused_for_results() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let good = real();
    let text = good.to_json().unwrap();
    add(folder.path(), "good", "good.json", &text);
    add(folder.path(), "good", "twin.json", &text);
    add(folder.path(), "bad", "edited.json", &text.replace("llvmpipe", "A faster one"));
    add(folder.path(), "bad", "no-record.json", "{}");
    type Spoil = fn(&mut Record);
    let spoils: [(&str, Spoil); 6] = [
        ("another-program", |r| r.runs[0].verified.program = Some("sha256:another".into())),
        ("contradiction", |r| r.runs[0].flops += 1),
        ("cut-short", |r| {
            r.runs.truncate(9);
            r.notes.push("cut short: 9 of 16 runs were measured".into());
        }),
        ("unverified", |r| r.runs[3].verified = fathom::record::Verified::nothing()),
        ("failed", |r| {
            r.runs[3].verified.status = Status::Failed;
            r.runs[3].verified.passed -= 1;
            r.runs[3].timing = None;
        }),
        ("unsettled", |r| {
            let timing = r.runs[3].timing.as_mut().unwrap();
            let steps = timing.step_ns.iter_mut().enumerate();
            steps.for_each(|(i, ns)| *ns *= [1.0, 2.0][i % 2]);
            timing.step = Statistics::of(&timing.step_ns);
            timing.settled = false;
            let (interval, wanted) = (timing.step.noise(), Some(r.config.max_noise));
            r.runs[3].doubts.push(Doubt::Unsettled { interval, wanted });
        }),
    ];
    for (i, (name, spoil)) in spoils.into_iter().enumerate() {
        let mut record = good.clone();
        record.device.driver = format!("driver {i}");
        spoil(&mut record);
        add(folder.path(), "bad", &format!("{name}.json"), &text_of(&record));
    }
    let (front, messages) = made(folder.path(), out.path(), &[]);
    let left_out = front.split("id=\"left-out\"").nth(1).unwrap();
    for (name, why) in [
        ("edited", "EDITED"),
        ("no-record", "not a fathom record"),
        ("another-program", "the program that was timed is"),
        ("contradiction", "the sum over ops"),
        ("twin", "the same record"),
    ] {
        let line = left_out.split("<li>").find(|line| line.contains(&format!("{name}.json</b>")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {left_out}");
        assert!(messages.contains(&format!("{name}.json: ")), "{name}: {messages}");
    }
    assert_eq!(front.matches("<tr data-slug").count(), 5, "the good one and four unfinished");
    for word in ["cut short: 9 of 16", "UNVERIFIED", "WRONG", "not settled: known to"] {
        assert!(front.contains(word), "no {word}");
    }
    // Here the same have no place, each told with what it lacks.
    let records = folder.path().to_str().unwrap();
    let (table, messages) = told_by(&mut fathom(out.path(), &["check", "--publish", records]), 10);
    assert!(messages.contains("8 of 10 files are not fit to be published"), "{messages}");
    for word in ["EDITED", "INCOMPLETE", "cut short: 9 of 16", ": unverified", "not settled"] {
        assert!(table.contains(word), "no {word} in {table}");
    }
    told_by(&mut fathom(out.path(), &["check", &format!("{records}/good")]), 0);
}

#[test]
fn kernels_verified_of_another_program_are_refused_by_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let mut record = real();
    record.runs[2].verified.program = Some("sha256:another".into());
    add(folder.path(), ".", "r.json", &text_of(&record));
    add(folder.path(), ".", "good.json", &real().to_json().unwrap());
    let [bad, good] = ["r.json", "good.json"].map(|name| folder.path().join(name));
    let [bad, good] = [bad.to_str().unwrap(), good.to_str().unwrap()];
    let page = folder.path().join("r.html");
    let page = page.to_str().unwrap();
    for command in [
        &["show", bad][..],
        &["check", bad],
        &["score", bad],
        &["score", good, "--reference", bad],
        &["compare", good, bad],
        &["analyze", "modes", bad],
        &["report", bad, "--save", page],
    ] {
        let (data, messages) = told_by(&mut fathom(folder.path(), command), 10);
        let said = data + &messages;
        assert!(said.contains("runs[2].verified.program"), "{command:?}: {said}");
    }
    assert!(!Path::new(page).exists());
}

#[test]
fn the_page_that_runs_it_stands_beside_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let [records, page, out] = ["results", "dist", "out"].map(|name| folder.path().join(name));
    add(&records, "a", "a.json", &real().to_json().unwrap());
    add(&page, "pkg", "fathom.wasm", "bytes");
    let [out_arg, page_arg, records_arg] =
        [&out, &page, &records].map(|path| path.to_str().unwrap());
    let command = ["site", records_arg, "-s", out_arg, "--page", page_arg];
    let (_, messages) = told_by(&mut fathom(folder.path(), &command), 2);
    assert!(messages.contains("no index.html") && !out.exists(), "{messages}");
    std::fs::write(page.join("index.html"), "<p>run").unwrap();
    let (front, _) = made(&records, &out, &["--page", page_arg]);
    assert!(front.contains("href=\"run/index.html\""));
    assert_eq!(std::fs::read(out.join("run/pkg/fathom.wasm")).unwrap(), b"bytes");
    // And where there is nothing to show, nothing is written.
    let empty = folder.path().join("dist/pkg");
    let other = folder.path().join("other");
    let [empty, other_arg] = [&empty, &other].map(|path| path.to_str().unwrap());
    told_by(&mut fathom(folder.path(), &["site", empty, "-o", other_arg]), 10);
    told_by(&mut fathom(folder.path(), &["site", "/none", "--output", other_arg]), 2);
    assert!(!other.exists());
}

#[test]
fn the_records_of_this_repository_are_fit_to_be_on_the_site() {
    let kept = tempfile::tempdir().unwrap();
    let results = concat!(env!("CARGO_MANIFEST_DIR"), "/results");
    told_by(&mut fathom(kept.path(), &["check", "--publish", results]), 0);
    let readme = std::fs::read_to_string(Path::new(results).join("README.md")).unwrap();
    assert!(readme.contains("fathom check --publish results/"));
}

/// Uses the page as a reader would: compares with a device, filters, sorts, goes back.
const AFTER: &str = r##"<script>
(async () => {
const found = { width: innerWidth, over: [] };
const part = document.querySelector("section.preset#tiny");
const rows = () => [...part.querySelectorAll("tr[data-slug]")].filter((row) => !row.hidden);
const names = () => rows().map((row) => row.querySelector("a").textContent);
const change = (field, value) => { field.value = value; field.dispatchEvent(new Event("change", { bubbles: true })); };
const shown = (selector) => [...part.querySelectorAll(selector)].filter((one) => getComputedStyle(one).display !== "none").length;
found.filters = !document.getElementById("filters").hidden;
found.before = names();
found.step = part.querySelector("td.cell").textContent;
const doubted = () => part.querySelectorAll("tr:not(.base) > td.cell.doubted").length;
found.doubted = [doubted()];
const select = part.querySelector(".against select");
change(select, part.querySelector("tbody tr[data-slug]").dataset.slug);
for (let i = 0; i < 200 && !part.querySelector("tr.base"); i++) await new Promise((go) => setTimeout(go, 20));
found.speeds = rows().map((row) => [row.querySelector("td.whole").firstChild.data, row.querySelectorAll("td.cell small").length]);
const figures = (cell) => [cell.firstChild.data, cell.querySelector("small")?.textContent ?? ""];
found.compared = rows().map((row) => [row.querySelector("a").textContent, ...figures(row.querySelector("td.whole")), ...figures(row.querySelector("td.cell"))]);
found.doubted.push(doubted());
found.address = location.hash;
change(select, "");
found.doubted.push(doubted());
found.after = names();
found.again = part.querySelector("td.cell").textContent;
const form = document.getElementById("filters").elements;
change(form.vendor, "AMD");
found.vendor = names();
change(form.backend, "metal");
found.both = names();
change(form.vendor, ""); change(form.backend, "");
change(form.mode, "train");
found.columns = shown("thead th");
change(form.mode, "both");
found.wide = shown("thead th");
change(form.preset, "full");
found.parts = [...document.querySelectorAll("section.preset")].filter((one) => !one.hidden).map((one) => one.id);
change(form.preset, "");
form.software.click();
found.hardware = names().length;
form.software.click();
part.querySelector("th.whole button").click();
found.sorted = part.querySelector("th.whole").getAttribute("aria-sort");
const ground = () => getComputedStyle(document.body).backgroundColor;
const before = ground();
document.getElementById("theme").click();
found.themes = [before, ground()];
for (const one of document.querySelectorAll("body *")) {
  const right = one.getBoundingClientRect().right;
  if (right > innerWidth + 1 && !one.closest(".table, .drawing, #tip, .skip, option")) found.over.push(one.outerHTML.slice(0, 120));
}
found.scroll = document.documentElement.scrollWidth;
found.faults = window.faults;
parent.postMessage(JSON.stringify(found), "*");
})();
</script>"##;

/// Whether the page's speed-ups over its first device are those of `fathom compare --across`.
fn as_compare_has_it(compared: &serde_json::Value) {
    let records = twenty();
    let side = |name: &serde_json::Value| {
        let of = |record: &&Record| {
            record.config.preset == Preset::Tiny && record.device.name == name.as_str().unwrap()
        };
        Side { name: name.to_string(), records: vec![records.iter().find(of).unwrap().clone()] }
    };
    let rows = compared.as_array().unwrap();
    let base = side(&rows[0][0]);
    for row in &rows[1..] {
        let found = compare(&base, &[side(&row[0])], Alike::AllButDevice).unwrap();
        let (whole, cell) = (found.overall(0).unwrap(), found.rows[0].finding);
        for (shown, interval, ratio, ci95) in
            [(&row[1], &row[2], whole.ratio, whole.ci95), (&row[3], &row[4], cell.ratio, cell.ci95)]
        {
            let (shown, interval) = (shown.as_str().unwrap(), interval.as_str().unwrap());
            let (low, high) = interval.split_once(" to ").unwrap();
            // Of a ratio of times; and three digits are shown.
            let near = |text: &str, expected: f64, tolerance: f64| {
                let shown: f64 = text.trim_end_matches('x').parse().unwrap();
                assert!((shown * expected - 1.0).abs() < tolerance, "{row}: {text}, {expected}");
            };
            let width = ci95.1 / ci95.0 - 1.0;
            near(shown, ratio, 0.006);
            near(low, ci95.1, 0.006 + width / 3.0);
            near(high, ci95.0, 0.006 + width / 3.0);
        }
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped has to say so")]
fn a_reader_compares_filters_and_sorts_devices_on_a_phone_and_on_a_desk() {
    let Some(browser) = chromium() else {
        eprintln!("SKIPPED: there is no Chromium here that runs (apt install chromium)");
        return;
    };
    let site = site_of_twenty();
    let (out, front, _) = &*site;
    // A step of the first device is doubted, and with it whatever is held against it.
    let (before, tiny) = front.split_once("id=\"tiny\"").unwrap();
    let plain = "class=\"number cell\"";
    assert!(tiny.contains(plain));
    let tiny = tiny.replacen(plain, "class=\"number cell doubted\"", 1);
    let front = format!("{before}id=\"tiny\"{tiny}");
    let tested = front.replacen("<head>", &format!("<head>{BEFORE}"), 1).replacen(
        "</body>",
        &format!("{AFTER}</body>"),
        1,
    );
    let page = out.path().join("tested.html");
    std::fs::write(&page, tested).unwrap();
    for width in [390, 1280, 1920] {
        let frame = format!("src=\"file://{}\"", page.display());
        let found = browser::look(&browser, &frame, width);
        assert_eq!(found["width"], width);
        assert_eq!(found["faults"], serde_json::json!([]));
        assert_eq!(found["over"], serde_json::json!([]), "at {width} pixels");
        assert!(found["scroll"].as_u64().unwrap() <= u64::from(width), "{}", found["scroll"]);
        assert_eq!(found["filters"], true);
        let names = |of: &str| found[of].as_array().unwrap().len();
        assert_eq!((names("before"), names("vendor"), names("both")), (14, 3, 1), "{found}");
        assert_eq!(found["before"], found["after"], "the order is not as it was");
        assert_eq!(found["step"], found["again"], "a cell is not as it was");
        let speeds = found["speeds"].as_array().unwrap();
        assert_eq!(speeds[0], serde_json::json!(["1", 16]), "the base keeps its times: {found}");
        assert!(speeds[1..].iter().all(|row| row[0].as_str().unwrap().ends_with('x')), "{found}");
        assert!(speeds[1..].iter().all(|row| row[1] == 16), "an interval each: {found}");
        assert_eq!(found["compared"].as_array().unwrap().len(), 14);
        assert_eq!(found["doubted"], serde_json::json!([1, 13, 1]), "all over it: {found}");
        as_compare_has_it(&found["compared"]);
        assert!(found["address"].as_str().unwrap().contains("against-tiny="), "{found}");
        let counts = ["columns", "wide", "hardware"].map(|count| &found[count]);
        // The device and its score come first.
        let columns = [1, Mode::ALL.len()].map(|modes| 2 + modes * WORKLOADS.len());
        assert_eq!(
            counts,
            [columns[0], columns[1], 12],
            "of a mode, of both, without software: {found}"
        );
        assert_eq!(found["parts"], serde_json::json!(["full"]));
        assert_eq!(found["sorted"], "descending");
        assert_ne!(found["themes"][0], found["themes"][1]);
    }
}
