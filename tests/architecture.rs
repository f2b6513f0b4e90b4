//! Which module may use which: the map in `src/lib.rs` as a rule.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the ground up; each may use those before it and itself.
const ORDER: &[&str] = &[
    "error", "host", "terms", "random", "tensor", "game", "data", "kernel", "gpu", "graph", "op",
    "pass", "program", "nn", "workload", "session", "snapshot", "train", "stats", "record",
    "measure", "analysis", "compare", "score", "report", "listing", "cli",
];

/// A record must be readable without a device: these see records only.
const LEAVES: &[(&str, &[&str])] = &[
    ("stats", &["random", "stats"]),
    ("record", &["error", "host", "terms", "stats", "record"]),
    ("analysis", &["terms", "stats", "record", "analysis"]),
    ("compare", &["error", "host", "terms", "random", "record", "stats", "compare"]),
    ("score", &["error", "host", "terms", "record", "stats", "compare", "score"]),
    (
        "report",
        &["error", "host", "terms", "record", "stats", "analysis", "compare", "score", "report"],
    ),
    ("data", &["error", "random", "data"]),
    ("game", &["error", "random", "game"]),
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn dependencies_go_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&source).unwrap().with_extension("");
        let module = inside.iter().next().unwrap().to_string_lossy().into_owned();
        let Some(rank) = ORDER.iter().position(|name| *name == module) else {
            continue; // main and lib see everything
        };
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let used: String =
                    used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let Some(at) = ORDER.iter().position(|name| *name == used) else {
                    continue;
                };
                let leaf = LEAVES.iter().find(|(name, _)| *name == module);
                let allowed = at <= rank;
                if !allowed || leaf.is_some_and(|(_, may)| !may.contains(&used.as_str())) {
                    wrong.push(format!("{}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What reaches outside, and where alone it may: a page has none of it but through the door.
const OUTSIDE: &[&str] = &[
    "std::time::Instant",
    "SystemTime",
    "Timestamp::now",
    "rayon",
    "std::fs",
    "std::thread",
    "std::process::id",
    "pollster",
];
const DOORS: &[&str] = &["host", "data", "cli", "main"];

#[test]
fn only_the_host_reaches_outside() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&source).unwrap().with_extension("");
        let module = inside.iter().next().unwrap().to_string_lossy().into_owned();
        let is_test = inside.iter().any(|part| part == "tests");
        if is_test || DOORS.contains(&module.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
            // `use std::time::{Duration, Instant};` is the same as the full path.
            let grouped = line.contains("std::time::{") && line.contains("Instant");
            if grouped || OUTSIDE.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "go through crate::host:\n{}", wrong.join("\n"));
}
