//! The page in a real browser, on SwiftShader: it measures what the program measures. Skipped, and said so, where there is
//! no Chromium or the page was not built (`./scripts/web --build`).

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fathom::compare::{Alike, Side, compare};
use fathom::gpu::shader;
use fathom::record::{Client, Clock, Doubt, Record, Status};
use fathom::report::section::compare::disagreements;
use fathom::terms::Restriction;
use fathom::workload::WORKLOADS;
use plans::of_plans;
use profile::Profile;
use program::{fathom, told_by};
use serde_json::Value;
use shared::Shared;
use tempfile::TempDir;

#[path = "common/plans.rs"]
mod plans;
#[path = "common/profile.rs"]
mod profile;
#[path = "common/program.rs"]
mod program;
#[path = "web/ratio.rs"]
mod ratio;
#[path = "../web/src/serve.rs"]
mod serve;
#[path = "common/shared.rs"]
mod shared;

/// Flags of a Chromium that offers SwiftShader to pages.
const SWIFTSHADER: &[&str] = &["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/// SwiftShader for the program.
const DRIVER: &str = "/usr/lib/chromium/vk_swiftshader_icd.json";

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

/// A browser that is ended with the test, whatever its outcome.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The page with the visitor's script beside it, served.
struct Site {
    address: String,
    folder: TempDir,
}

/// It; nothing where the page was not built.
fn site() -> Option<Arc<Site>> {
    static SITE: Shared<Site> = Shared::new();
    let built = std::env::var_os("FATHOM_PAGE").map(PathBuf::from);
    let built =
        built.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("page"));
    let start = || {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for file in std::fs::read_dir(&built).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
        write("reference.json", include_str!("../assets/reference-tiny.json"));
        write("visitor.js", include_str!("web/visitor.js"));
        let page = std::fs::read_to_string(at("index.html")).unwrap();
        let script = "<script src=\"blunt.js\"></script>\n<script type=\"module\"";
        write("blunt.html", &page.replacen("<script type=\"module\"", script, 1));
        write("blunt.js", include_str!("web/blunt.js"));
        write("blunt-worker.js", include_str!("web/blunt-worker.js"));
        write(
            "visitor.html",
            "<!doctype html><iframe style=\"height:900px;border:0\"></iframe><script type=\"module\" src=\"visitor.js\"></script>",
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = folder.path().to_path_buf();
        std::thread::spawn(move || serve::serve(listener, served));
        Site { address: format!("http://localhost:{port}"), folder }
    };
    built.join("fathom_web_bg.wasm").is_file().then(|| SITE.get(start))
}

/// What a visit saw; nothing where there can be none.
#[expect(clippy::print_stderr, reason = "a test that is skipped has to say so")]
fn visit(name: &str, flags: &[&str]) -> Option<Value> {
    let (Some(browser), Some(site)) = (chromium(), site()) else {
        eprintln!("SKIPPED: no Chromium here, or no page (./scripts/web --build)");
        return None;
    };
    let profile = Profile::new();
    let answers = TcpListener::bind("127.0.0.1:0").unwrap();
    answers.set_nonblocking(true).unwrap();
    let port = answers.local_addr().unwrap().port();
    let child = profile
        .hold(&mut Command::new(browser))
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--window-size=2000,1000",
        ])
        .args(flags)
        .arg(format!("{}/visitor.html#{port}-{name}", site.address))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut browser = Browser(child);
    // As long as it takes: a machine with much else to do is no fault of the page.
    while browser.0.try_wait().unwrap().is_none() {
        if let Ok((stream, _)) = answers.accept()
            && let Some(mut told) = posted(stream)
        {
            assert_eq!(told["error"], Value::Null, "{name}");
            return Some(told["seen"].take());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{name}: the browser ended before the visit did");
}

/// The JSON of a request.
fn posted(mut stream: TcpStream) -> Option<Value> {
    stream.set_nonblocking(false).ok()?;
    let mut text = Vec::new();
    let mut part = [0; 1 << 16];
    loop {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        text.extend(&part[..read]);
        let Some(at) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&text[..at]).to_lowercase();
        let length = head.split("content-length:").nth(1)?.lines().next()?.trim().parse::<usize>();
        if text.len() - at - 4 >= length.ok()? {
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            return serde_json::from_slice(&text[at + 4..]).ok();
        }
    }
}

/// The record that a report holds, and its text.
fn record(packed: &Value) -> (Record, String) {
    use base64::Engine;

    let packed =
        base64::engine::general_purpose::STANDARD.decode(packed.as_str().unwrap()).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    (Record::parse(&text, Path::new("page.json")).unwrap(), text)
}

/// A column of the rows.
fn column(rows: &Value, at: usize) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row[at].as_str().unwrap_or_default()).collect()
}

/// A list of words.
fn words(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn all_models_train_and_run_in_a_page_verified_and_as_they_do_natively() {
    let Some(seen) = visit("all", SWIFTSHADER) else { return };
    let verified = column(&seen["rows"], 7);
    assert_eq!(verified.len(), 2 * WORKLOADS.len(), "{}", seen["rows"]);
    let (page, text) = record(&seen["record"]);
    assert_eq!(page.notes, Vec::<String>::new(), "cut short or failed: {}", seen["rows"]);
    assert!(page.runs.iter().all(|run| run.verified.status == Status::Passed), "{verified:?}");
    let schema: Value = serde_json::from_str(include_str!("../assets/record.schema.json")).unwrap();
    jsonschema::validate(&schema, &serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(page.tool.client, Client::Browser);
    let browser = page.host.browser.as_ref().unwrap();
    assert!(browser.user_agent.contains("Chrome/") && browser.clock_resolution_ns > 0.0);
    assert_eq!(page.device.name, "google swiftshader", "the browser's own name of it");
    assert!(page.device.driver.starts_with("Chrom"), "{}", page.device.driver);
    let sections: BTreeSet<_> = words(&seen["sections"]).into_iter().collect();
    for section in ["summary", "profile", "stationarity", "similarity", "modes", "records"] {
        assert!(sections.contains(section), "no {section} in {sections:?}");
    }
    assert_eq!(seen["over"], serde_json::json!([]));

    // The same steps of the same seed by the program, on the same driver where it is installed.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("native.json");
    let quick = [
        "--preset",
        "tiny",
        "--time",
        "0.05",
        "--no-profile",
        "--checks",
        "on",
        "--without",
        "subgroups",
    ];
    let mut native = fathom(folder.path(), &["run"]);
    native.args(quick).arg("--save").arg(&file);
    if Path::new(DRIVER).exists() {
        native.env("VK_DRIVER_FILES", DRIVER);
    }
    told_by(&mut native, 0);
    let mut native = Record::load(&file).unwrap();
    // A page does not leave them out: it has none.
    native.config.restriction = Restriction::default();
    if Path::new(DRIVER).exists() {
        let programs = |record: &Record| -> Vec<_> {
            record.runs.iter().map(|run| (run.key(), run.program.clone())).collect()
        };
        assert_eq!(programs(&native), programs(&page), "the same kernels on the same driver");
    }
    let native = Side { name: "native".into(), records: vec![native] };
    let page = [Side { name: "page".into(), records: vec![page] }];
    let comparison = compare(&native, &page, Alike::AllButDevice).unwrap();
    assert_eq!((comparison.rows.len(), comparison.missing.len()), (16, 0));
    assert_eq!(disagreements(&comparison, &native, &page), Vec::<String>::new());
}

#[test]
fn a_lost_device_is_a_row_a_stop_is_at_once_and_a_page_measures_again() {
    let Some(seen) = visit("mishaps", SWIFTSHADER) else { return };
    let lost = &seen["lost"];
    assert!(column(&lost["rows"], 3)[0].contains("memnet infer batch"), "{lost}");
    assert_eq!(column(&lost["rows"], 7).len(), 2);
    let (after_loss, _) = record(&lost["record"]);
    assert_eq!(after_loss.runs.len(), 1, "the other went on");
    assert_eq!(after_loss.runs[0].workload, "autoenc");
    let failed = after_loss.notes.iter().filter(|note| note.starts_with("failed: "));
    let failed: Vec<_> = failed.collect();
    assert!(
        failed.len() == 1 && failed[0].contains("memnet infer"),
        "{failed:?}: of the ceilings, none"
    );
    assert!(after_loss.notes.iter().any(|note| note.starts_with("cut short: 1 of 2")));
    let stopped = &seen["stopped"];
    assert!(stopped["ms"].as_f64().unwrap() < 2000.0, "{stopped}");
    assert!(stopped["status"].as_str().unwrap().starts_with("Stopped"));
    assert!(column(&stopped["rows"], 3).contains(&"stopped"), "{stopped}");
    assert_eq!(stopped["focus"], "status", "who stopped it by the keyboard stays in his place");
    assert_eq!(column(&seen["late"]["rows"], 3)[1], "stopped", "{}", seen["late"]["rows"]);
    assert_eq!(record(&seen["late"]["record"]).0.runs.len(), 1, "what was measured is kept");
    let [mut first, mut second] = ["first", "second"].map(|name| record(&seen[name]["record"]).0);
    assert_eq!(first.notes, Vec::<String>::new());
    assert!(second.notes[0].contains("in the background"), "{:?}", second.notes);
    let runs = [first.runs.remove(0), second.runs.remove(0)];
    assert_eq!(runs[0].program, runs[1].program);
    assert_eq!(runs[0].outcome, runs[1].outcome, "the same bits twice");
    let markdown = seen["markdown"].as_str().unwrap();
    for part in
        ["google swiftshader", "memnet", "No score", "Measured 20", "Chrome/", "record jcs-sha256:"]
    {
        assert!(markdown.contains(part), "no {part} in {markdown}");
    }
    let refused = seen["refused"].as_str().unwrap();
    assert!(refused.starts_with("broken.json is not used: "), "{refused}");
    let beside = words(&seen["beside"]);
    assert!(beside[0].contains("swiftshader") && beside[1].contains("llvmpipe"), "{beside:?}");
    assert_eq!(seen["twin"], "twin.json is not used: it is here already");
    let endless = seen["endless"].as_str().unwrap();
    assert!(endless.contains("longer than 67108864 bytes"), "{endless}");
}

/// Bytes of the page's program at most: as it is, and by gzip.
const LARGEST: (usize, usize) = (3_000_000, 1_000_000);

#[test]
fn the_program_is_small_enough_to_be_waited_for() {
    let Some(site) = site() else { return };
    let program = std::fs::read(site.folder.path().join("fathom_web_bg.wasm")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&program).unwrap();
    let packed = packed.finish().unwrap().len();
    assert!(program.len() <= LARGEST.0 && packed <= LARGEST.1, "{} {packed}", program.len());
}

#[test]
fn without_a_clock_of_the_gpu_steps_are_timed_by_the_wall_clock_and_what_has_no_room_is_noted() {
    let Some(seen) = visit("blunt", SWIFTSHADER) else { return };
    assert!(seen["facts"].as_str().unwrap().contains("none: the wall clock is used"), "{seen}");
    let mut steps = column(&seen["rows"], 4);
    assert_eq!((steps.len(), steps.remove(2)), (4, ""), "autoenc's training has no room");
    assert_eq!(column(&seen["rows"], 3)[2], "does not fit: a buffer too many");
    assert!(steps.iter().all(|step| step.contains("(wall clock)")), "{steps:?}");
    let (page, _) = record(&seen["record"]);
    assert_eq!((page.runs.len(), page.device.limits.timestamp_resolution_ns), (3, None));
    let missed = "failed: autoenc train batch 8: a buffer too many";
    assert!(page.notes.iter().any(|note| note == missed), "{:?}", page.notes);
    for run in &page.runs {
        assert_eq!(run.verified.status, Status::Passed, "{}", run.key());
        assert_eq!(run.timing.as_ref().unwrap().clock, Clock::Wall, "{}", run.key());
        assert!(run.doubts.iter().any(|doubt| matches!(doubt, Doubt::WallClock { .. })));
        assert!(run.profile.is_none(), "{}: ops are told apart by that clock alone", run.key());
    }
}

#[test]
fn the_page_fits_a_phone_and_a_desk_in_the_light_and_in_the_dark() {
    let Some(seen) = visit("looks", SWIFTSHADER) else { return };
    for look in seen.as_array().unwrap() {
        assert_eq!(look["over"], serde_json::json!([]), "at {} pixels", look["width"]);
        assert_eq!(look["unnamed"], serde_json::json!([]));
        assert_ne!(look["themes"][0], look["themes"][1], "the theme did not change");
        assert_eq!(look["device"], "google swiftshader");
    }
}

#[test]
fn a_browser_without_webgpu_or_without_a_gpu_is_told_what_to_do() {
    // Not even a software adapter.
    let none = ["--use-webgpu-adapter=none"];
    let Some(seen) = visit("lacking", &none) else { return };
    let says = |what: &str, part: &str| {
        let text = seen[what].as_str().unwrap_or_default();
        assert!(text.contains(part), "{what}: {seen}");
    };
    says("problem", "about:support");
    assert_eq!(seen["form"], true, "nothing is offered that cannot be had");
    says("insecure", "https");
    says("blind", "Safari since 26");
    says("unable", "JavaScript Promise Integration");
    assert_eq!(seen["whole"], Value::Null);
}

#[test]
fn the_browsers_own_compiler_takes_every_kernel_that_a_page_would_run_without_a_word() {
    let Some(site) = site() else {
        // Said by `visit`.
        let none = visit("kernels", SWIFTSHADER);
        return assert_eq!(none, None);
    };
    let kernels = of_plans(|_, problem, variant, caps| {
        // A page has no subgroups.
        let lowered = caps.subgroup.is_none().then(|| problem.lower(variant, caps));
        let dispatches = lowered.into_iter().flat_map(|lowered| lowered.dispatches);
        dispatches.map(|dispatch| dispatch.kernel).collect()
    });
    let texts: Vec<(&str, String)> = kernels
        .iter()
        .map(|kernel| (kernel.shader.as_ref(), shader::assemble(kernel).unwrap()))
        .collect();
    let json = serde_json::to_string(&texts).unwrap();
    std::fs::write(site.folder.path().join("kernels.json"), json).unwrap();
    let Some(seen) = visit("kernels", SWIFTSHADER) else { return };
    assert_eq!(seen["read"], texts.len());
    assert!(texts.len() > 200, "few kernels: {}", texts.len());
    assert_eq!(seen["said"], serde_json::json!([]));
}
