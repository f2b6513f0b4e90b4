use super::*;
use crate::record::{Record, Status, example};
use crate::terms::Mode;

fn named(name: &str, record: &Record) -> NamedRecord {
    NamedRecord {
        name: name.into(),
        text: record.to_json().unwrap(),
        record: record.sealed().unwrap(),
    }
}

/// A device that runs two workloads in `ns` nanoseconds.
fn device(name: &str, ns: f64) -> Record {
    let steps: Vec<f64> = (0..12).map(|i| ns * (1.0 + 0.001 * f64::from(i % 3))).collect();
    let run = |workload| example::run(workload, Mode::Train, &steps);
    let mut record = example::record(&[run("speech"), run("vgg")]);
    record.device.name = name.into();
    record.created = "2026-11-01T10:00:00Z".into();
    record
}

fn files(records: &[Record]) -> Vec<File> {
    let sources = records.iter().map(|record| named("r.json", record)).collect();
    let content = Content { sources, workloads: vec!["speech", "vgg"], ..Content::default() };
    site(content).unwrap()
}

fn front(files: &[File]) -> &str {
    &files.iter().find(|file| file.path == "index.html").unwrap().text
}

#[test]
fn drivers_and_versions_stand_apart_and_what_was_repeated_stands_together() {
    let first = device("a", 100.0);
    let mut again = device("a", 102.0);
    again.created = "2026-11-02T10:00:00Z".into();
    let mut driver = device("a", 90.0);
    driver.device.driver = "another".into();
    let mut version = device("a", 80.0);
    version.tool.git = "another".into();
    let files = files(&[first, again, driver, version]);
    let pages = files.iter().filter(|file| file.path.starts_with("devices/")).count();
    assert_eq!(pages, 3);
    let front = front(&files);
    assert_eq!(front.matches("<tr data-slug").count(), 3);
    assert_eq!(front.matches("2 records").count(), 1);
    assert!(front.contains("101.1 ns"), "the middle of two runs");
}

#[test]
fn a_device_s_name_without_end_has_a_page_with_a_name_that_files_can_have() {
    let files = files(&[device(&"x".repeat(5000), 100.0), device(&"x".repeat(5000), 90.0)]);
    let page = files.iter().find(|file| file.path.starts_with("devices/")).unwrap();
    assert!(page.path.len() < 200, "{}", page.path);
}

/// What the page computes speed-ups from.
fn steps(files: &[File]) -> serde_json::Value {
    let text = front(files).split("id=\"steps-full\">").nth(1).unwrap();
    serde_json::from_str(text.split("</script>").next().unwrap()).unwrap()
}

fn of_device<'a>(steps: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let devices = steps["devices"].as_object().unwrap();
    devices.iter().find(|(slug, _)| slug.starts_with(&format!("{name}-"))).unwrap().1
}

#[test]
fn the_page_has_each_step_with_its_interval_once() {
    let steps = steps(&files(&[device("slow", 100.0), device("fast", 50.0)]));
    let [slow, fast] = ["slow", "fast"].map(|name| of_device(&steps, name));
    for cell in 0..2 {
        let ns = |device: &serde_json::Value, at: usize| {
            device["cells"][cell]["ns"][at].as_f64().unwrap()
        };
        assert!((ns(slow, 0) / ns(fast, 0) / 2.0 - 1.0).abs() < 1e-4);
        assert!(ns(slow, 1) <= ns(slow, 0) && ns(slow, 0) <= ns(slow, 2));
        assert!(slow["cells"][cell]["variance"].is_number());
    }
    assert_eq!((&slow["kind"], &fast["kind"]), (&0.into(), &0.into()));
    assert_eq!(steps["unlike"], serde_json::json!([[null]]));
}

#[test]
fn a_site_of_twice_the_devices_is_twice_as_large() {
    let size = |count: usize| {
        let devices: Vec<_> =
            (0..count).map(|i| device(&format!("device {i:02}"), 100.0 + i as f64)).collect();
        let files = files(&devices);
        assert_eq!(files.len(), count + 1, "a page each, and the front page");
        front(&files).len()
    };
    let [few, many, more] = [10, 20, 30].map(size);
    let (grown, again) = (many - few, more - many);
    assert!(again.abs_diff(grown) * 20 < grown, "{few}, {many} and {more} bytes");
    assert!(grown < 10 * 20_000, "{grown} bytes for ten devices");
}

#[test]
fn what_is_no_measurement_is_a_word_and_what_is_unlike_says_why() {
    let mut bad = device("bad", 100.0);
    bad.runs[0].verified.status = Status::Unverified;
    bad.notes.push("cut short: 2 of 16 runs were measured".into());
    let mut other = device("other", 100.0);
    other.runs[1].model.insert("hidden".into(), 7.into());
    let files = files(&[bad, other, device("</script><b>", 100.0)]);
    let front = front(&files);
    assert!(front.contains("UNVERIFIED") && front.contains("cut short: 2 of 16"), "{front}");
    assert!(
        front.contains("speech train: unverified"),
        "it was measured, and its kernels unchecked: {front}"
    );
    assert!(!front.contains("<b>,"), "a name became an element");
    let steps = steps(&files);
    let kind = |name: &str| of_device(&steps, name)["kind"].as_u64().unwrap() as usize;
    let refusal = |a: &str, b: &str| steps["unlike"][kind(a)][kind(b)].as_str();
    for (a, b) in [("bad", "other"), ("other", "bad"), ("script-b", "other")] {
        let why = refusal(a, b).unwrap();
        assert!(why.contains("model parameter hidden"), "{why}");
        assert!(why.contains("in the chosen one") && why.contains("in this one"), "{why}");
    }
    assert_eq!(refusal("bad", "script-b"), None);
    // Of the unverified run there is no figure.
    let cells = of_device(&steps, "bad")["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 1, "{cells:?}");
    assert_eq!(cells[0]["cell"], "vgg train");
}

#[test]
fn a_page_holds_no_more_records_than_it_has_room_for() {
    let again = |i: u32| {
        let mut record = device("a", 100.0);
        record.created = format!("2026-11-{:02}T10:00:00Z", i + 1);
        record
    };
    let files = files(&(0..10).map(again).collect::<Vec<_>>());
    let page = files.iter().find(|file| file.path.starts_with("devices/")).unwrap();
    assert_eq!(page.text.matches("class=\"record\"").count(), 8);
    assert!(page.text.contains("2026-11-10T10") && !page.text.contains("2026-11-02T10"));
    assert!(front(&files).contains("10 records, the newest 8 on its page"));
}

#[test]
fn software_has_no_rank_and_comes_last() {
    let mut software = device("aa", 1.0);
    software.device.software = true;
    let files = files(&[software, device("bb", 100.0)]);
    let front = front(&files);
    let (first, last) = (front.find(">bb</a>").unwrap(), front.find(">aa</a>").unwrap());
    assert!(first < last && front.contains("runs on the CPU"));
    let divider = front.find("Software adapters:").unwrap();
    assert!((first..last).contains(&divider));
}
