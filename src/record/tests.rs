use crate::host::write_atomically;

use super::*;

#[test]
fn the_published_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/record.schema.json");
    let text = serde_json::to_string_pretty(&schema::schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(published, text, "run the tests once with UPDATE_SCHEMA=1 and commit the change");
}

#[test]
fn what_is_not_a_record_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    for (text, expected) in [
        ("", "line 1"),
        ("{\"schema\": \"fathom.record/1\",", "line 1"),
        ("{}", "not a fathom record"),
        ("{\"schema\": \"fathom.record/9\"}", "another version"),
        ("{\"schema\": \"fathom.record/1\"}", "missing field"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Record::load(&path).unwrap_err();
        assert_eq!(error.exit_code(), 10);
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let mut record = example::record(&[example::run("w", crate::terms::Mode::Train, &[1.0; 6])]);
    record.to_json().unwrap();
    record.runs[0].timing.as_mut().unwrap().cpu_ns = Some(f64::NAN);
    let error = record.to_json().unwrap_err().to_string();
    assert!(error.contains("runs[0].timing.cpu_ns: NaN is not a valid time"), "{error}");
}

#[test]
fn a_record_of_very_many_values_is_refused_before_they_are_read() {
    let of = |count: usize| {
        format!("{{\"schema\":\"fathom.record/9\",\"runs\":[{}0]}}", "{\"\":0},".repeat(count))
    };
    let fault = |count| Record::parse(&of(count), Path::new("r.json")).unwrap_err().to_string();
    assert!(fault(1000).contains("another version"), "{}", fault(1000));
    assert_eq!(fault(2_000_000), "r.json: content: more values than a record has");
    // The largest that is kept here is far from it.
    let reference = include_str!("../../assets/reference-tiny.json");
    assert!(memory(reference) < MOST_MEMORY / 20, "{}", memory(reference));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_clear_error() {
    let error = write_atomically(Path::new("/dev/full"), b"x").unwrap_err();
    assert!(error.to_string().contains("cannot write /dev/full"), "{error}");
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    write_atomically(&path, b"old").unwrap();
    write_atomically(&path, b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(write_atomically(&folder.path().join("none/r.json"), b"x").is_err());
}

#[test]
fn what_was_passed_over_is_kept_and_older_records_have_nothing_of_it() {
    use crate::terms::{Listed, Mode, PassedOver, Reason};
    let mut run = example::run("speech", Mode::Train, &[1.0; 6]);
    let json = serde_json::to_string(&run).unwrap();
    assert!(!json.contains("listed") && run.listed.is_none());
    let passed_over = vec![PassedOver { reason: Reason::HalfBlank, count: 2 }];
    run.listed = Some(Listed { train: 7, held_out: 1, passed_over });
    let json = serde_json::to_string(&run).unwrap();
    assert!(json.contains(r#"{"reason":"half-blank","count":2}"#), "{json}");
    assert_eq!(serde_json::from_str::<Run>(&json).unwrap(), run);
}
