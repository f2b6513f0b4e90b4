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
fn a_speed_up_is_what_compare_finds_either_way() {
    let (slow, fast) = (device("slow", 100.0), device("fast", 50.0));
    let files = files(&[slow, fast]);
    let speeds = |device: &str| -> serde_json::Value {
        let path = format!("against/{device}-");
        let file = files.iter().find(|file| file.path.starts_with(&path)).unwrap();
        let text = file.text.strip_prefix("against(\"").unwrap().strip_suffix(");\n").unwrap();
        let others: serde_json::Map<_, _> =
            serde_json::from_str(text.split_once(", ").unwrap().1).unwrap();
        assert_eq!(others.len(), 1);
        others.into_iter().next().unwrap().1
    };
    let near = |value: &serde_json::Value, expected: f64| {
        assert!((value.as_f64().unwrap() / expected - 1.0).abs() < 1e-4, "{value} {expected}");
    };
    let (of_fast, of_slow) = (speeds("slow"), speeds("fast"));
    near(&of_fast["whole"][0], 2.0);
    near(&of_slow["cells"]["vgg train"][0], 0.5);
    let low = of_fast["cells"]["vgg train"][1].as_f64().unwrap();
    near(&of_slow["cells"]["vgg train"][2], 1.0 / low);
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
    assert!(!front.contains("<b>,"), "a name became an element");
    let refused = files.iter().filter(|f| f.text.contains("model parameter hidden")).count();
    assert_eq!(refused, 3, "the two that can be compared refuse the third, and it both");
    // Of the unverified run there is no figure.
    let against = files.iter().find(|f| f.path.starts_with("against/bad-")).unwrap();
    assert!(!against.text.contains("speech train\":["), "{}", against.text);
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
