use super::*;
use crate::record::{Integrity, example};
use crate::terms::Mode;

fn made(created: &str, note: &str) -> Record {
    let mut record = example::record(&[]);
    record.created = created.into();
    record.notes = vec![note.into()];
    record
}

#[test]
fn a_record_is_found_by_file_folder_age_id_and_name() {
    let folder = tempfile::tempdir().unwrap();
    let place = Some(folder.path());
    let dates = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"];
    let paths = dates.map(|date| keep(&made(date, date), folder.path()).unwrap());
    let named = keep_baseline(&made(dates[0], "named"), "cafe-1", folder.path()).unwrap();
    let path = |word: &str| find_in(word, place).map(|records| records[0].path.clone());
    assert_eq!(path("@last").unwrap(), paths[1]);
    assert_eq!(path("@last~1").unwrap(), paths[0]);
    assert_eq!(path("cafe-1").unwrap(), named);
    let dotted = keep_baseline(&made(dates[0], "dotted"), "v1.2", folder.path()).unwrap();
    assert_eq!(path("v1.2").unwrap(), dotted);
    assert_eq!(path(paths[0].to_str().unwrap()).unwrap(), paths[0]);
    let records = find_in(folder.path().to_str().unwrap(), None).unwrap();
    assert_eq!(records.len(), 2, "a baseline is no record of its folder");
    let id = &records[0].record.id;
    assert_eq!(path(&id["jcs-sha256:".len()..][..8]).unwrap(), paths[0]);
    assert_eq!(path(&id[..20]).unwrap(), paths[0]);
    for (word, code, expected) in [
        ("@last~2", 2, "only 2 records"),
        ("@first", 2, "@last~N"),
        (&id["jcs-sha256:".len()..][..3], 2, "it takes four digits of an id"),
        ("0123456789", 2, "no record's id"),
        ("main", 2, "no file or baseline"),
        ("none.json", 10, "cannot read none.json"),
    ] {
        let error = find_in(word, place).unwrap_err();
        assert_eq!(error.exit_code(), code, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = find_in(empty.path().to_str().unwrap(), place).unwrap_err();
    assert!(error.to_string().contains("no records in this folder"), "{error}");
    let refused = |word: &str| find_in(word, Some(empty.path())).unwrap_err().to_string();
    assert!(refused("@last").contains("no records are kept in "));
    keep(&made(dates[0], "one"), empty.path()).unwrap();
    assert!(refused("@last~1").contains("there is only 1 record in "));
    let outer = tempfile::tempdir().unwrap();
    let of_devices = outer.path().join("device");
    make_folder(&of_devices).unwrap();
    keep(&made(dates[0], "nested"), &of_devices).unwrap();
    assert_eq!(find_in(outer.path().to_str().unwrap(), None).unwrap().len(), 1);
    let error = find_in("@last", None).unwrap_err();
    assert!(error.to_string().contains("FATHOM_RECORDS"), "{error}");
}

#[test]
fn runs_that_begin_in_the_same_second_or_even_the_same_moment_keep_two_records() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = ("2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.12Z");
    let kept = |record: &Record| keep(record, folder.path()).unwrap();
    let paths = [kept(&made(first, "a")), kept(&made(second, "b"))];
    assert!(paths[0] < paths[1], "they sort by time: {paths:?}");
    let mut twin = made(first, "of another process");
    twin.tool.argv = vec!["fathom".into(), "-w".into(), "speech".into()];
    let twin_path = kept(&twin);
    assert!(twin_path != paths[0] && twin_path != paths[1], "{twin_path:?}");
    assert_eq!(files(folder.path()).unwrap().len(), 3);
    // The same run goes on where it was.
    twin.runs.push(example::run("speech", Mode::Train, &[1.0; 6]));
    assert_eq!(kept(&twin), twin_path);
    assert_eq!(Record::load(&twin_path).unwrap().runs.len(), 1);
    assert_eq!(files(folder.path()).unwrap().len(), 3);
}

#[test]
fn a_device_s_name_without_end_has_a_file_name_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut record = made("2026-01-01T00:00:00Z", "");
    record.device.name = "x".repeat(5000);
    assert!(keep(&record, folder.path()).unwrap().exists());
}

#[test]
fn repeated_runs_are_one_baseline_and_replace_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let keep = |name: &str, note: &str| {
        keep_baseline(&made("2026-01-01T00:00:00Z", note), name, place).unwrap()
    };
    let notes = || -> Vec<String> {
        let found = find_in("main", Some(place)).unwrap();
        found.into_iter().flat_map(|loaded| loaded.record.notes).collect()
    };
    keep("main", "single");
    assert_eq!(notes(), ["single"]);
    keep("main/1", "first");
    keep("main/2", "second");
    assert_eq!(notes(), ["first", "second"]);
    assert_eq!(named(place).unwrap().len(), 2);
    keep("main/1", "third");
    assert_eq!(notes(), ["third"]);
    keep("main", "single");
    assert_eq!(notes(), ["single"]);
    // A folder of that name: what is new has no place, and what was there stays.
    std::fs::create_dir_all(baselines(place).join("main/1.json")).unwrap();
    let record = made("2026-01-01T00:00:00Z", "fourth");
    assert!(keep_baseline(&record, "main/1", place).is_err());
    assert_eq!(notes(), ["single"]);
}

#[test]
fn a_record_that_a_shell_put_a_mark_before_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let kept = keep(&made("2026-01-01T00:00:00Z", "n"), folder.path()).unwrap();
    let marked = format!("\u{feff}{}", std::fs::read_to_string(&kept).unwrap());
    std::fs::write(&kept, marked).unwrap();
    assert_eq!(Record::load(&kept).unwrap().integrity, Integrity::Intact);
}

#[test]
fn a_baseline_s_name_leads_nowhere_else() {
    assert_eq!(baseline_name("main-2.1").unwrap(), "main-2.1");
    for name in ["", "..", ".hidden", "a/b", "a b", "@last", "a\\b", &"a".repeat(251)] {
        assert!(baseline_name(name).is_err(), "{name}");
    }
}

#[test]
fn tables_of_tuning_beside_records_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let record = keep(&made("2026-01-01T00:00:00Z", ""), folder.path()).unwrap();
    let beside = folder.path().join(TUNING);
    make_folder(&beside).unwrap();
    write_atomically(&beside.join("device.json"), br#"{"schema": "fathom.tuning/1"}"#).unwrap();
    assert_eq!(tree(folder.path()).unwrap(), std::slice::from_ref(&record));
    let other = beside.join("other.json");
    write_atomically(&other, b"{}").unwrap();
    assert_eq!(
        tree(folder.path()).unwrap(),
        [record, other],
        "what else is there is not passed over"
    );
}
