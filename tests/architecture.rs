//! Which module may use which: the map in `src/lib.rs` as a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use fathom::workload::WORKLOADS;

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
    ("data", &["error", "host", "terms", "random", "data"]),
    ("game", &["error", "random", "game"]),
];

/// The code of each file under `src` by its module, without its tests and comments.
fn code_by_module() -> BTreeMap<Vec<String>, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let module = |file: &PathBuf| {
        let inside = file.strip_prefix(&source).unwrap().with_extension("");
        inside.iter().map(|part| part.to_string_lossy().into_owned()).collect()
    };
    let code = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().lines();
        code.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    files.iter().map(|file| (module(file), code(file))).collect()
}

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
    let mut wrong = Vec::new();
    for (module, code) in code_by_module() {
        let Some(rank) = ORDER.iter().position(|name| *name == module[0]) else {
            continue; // main and lib see everything
        };
        let leaf = LEAVES.iter().find(|(name, _)| *name == module[0]);
        for line in code.lines() {
            for used in line.split("crate::").skip(1).map(first_word) {
                let Some(at) = ORDER.iter().position(|name| *name == used) else {
                    continue;
                };
                if at > rank || leaf.is_some_and(|(_, may)| !may.contains(&used)) {
                    wrong.push(format!("{}: {}", module.join("::"), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The paths of a tree such as `crate::graph::{Graph, op::{Kind, Op}}`.
fn paths(tree: &str) -> Vec<String> {
    let Some((stem, rest)) = tree.split_once('{') else {
        return vec![tree.trim().to_string()];
    };
    let branches = &rest[..rest.rfind('}').unwrap_or(rest.len())];
    let mut depth = 0;
    let at_top = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    };
    let branches = branches.split(at_top).filter(|branch| !branch.trim().is_empty());
    branches.flat_map(paths).map(|path| format!("{}{path}", stem.trim())).collect()
}

/// The file that a path leads to from a module: the longest part of it that is one.
fn file_of<'a>(
    path: &str,
    from: &[String],
    files: &'a BTreeMap<Vec<String>, String>,
) -> Option<&'a Vec<String>> {
    let mut place = Vec::new();
    for (i, word) in path.split("::").map(first_word).enumerate() {
        match word {
            "crate" => place.clear(),
            "self" => place = from.to_vec(),
            "super" if i == 0 => place = from[..from.len() - 1].to_vec(),
            "super" => drop(place.pop()),
            word => place.push(word.to_string()),
        }
    }
    let mut candidates = (1..=place.len()).rev().map(|length| &place[..length]);
    candidates.find_map(|candidate| files.get_key_value(candidate)).map(|(module, _)| module)
}

/// A parent knows its children; beyond that no file is reached from what it uses, inside a room as between rooms.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let files = code_by_module();
    let mut uses: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> = BTreeMap::new();
    for (module, code) in &files {
        let is_test = module.iter().any(|part| part == "tests");
        if is_test || !ORDER.contains(&module[0].as_str()) {
            continue;
        }
        let mut used = Vec::new();
        for statement in code.split(';') {
            match statement.rsplit_once("use ").filter(|(_, tree)| is_path(tree)) {
                Some((_, tree)) => used.extend(paths(tree)),
                None => used.extend(inline_paths(statement)),
            }
        }
        let used = used.iter().filter_map(|path| file_of(path, module, &files));
        uses.insert(module, used.filter(|file| !file.starts_with(module)).collect());
    }
    let mut circles = Vec::new();
    for start in uses.keys() {
        let mut reached = BTreeSet::new();
        let mut open: Vec<_> = uses[start].iter().collect();
        while let Some(file) = open.pop() {
            if reached.insert(*file) {
                open.extend(uses.get(*file).into_iter().flatten());
            }
        }
        if reached.contains(start) {
            circles.push(start.join("::"));
        }
    }
    assert!(circles.is_empty(), "on a circle: {}", circles.join(", "));
}

fn is_path(text: &str) -> bool {
    ["crate::", "super::", "self::"].iter().any(|head| text.starts_with(head))
}

/// Paths that stand in code outside of `use`.
fn inline_paths(code: &str) -> Vec<String> {
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| is_path(word)).map(String::from).collect()
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
    "sysinfo",
];
const DOORS: &[&str] = &["host", "data", "cli", "main"];

#[test]
fn only_the_host_reaches_outside() {
    let mut wrong = Vec::new();
    for (module, code) in code_by_module() {
        let is_test = module.iter().any(|part| part == "tests");
        if is_test || DOORS.contains(&module[0].as_str()) {
            continue;
        }
        for line in code.lines() {
            // `use std::time::{Duration, Instant};` is the same as the full path.
            let grouped = line.contains("std::time::{") && line.contains("Instant");
            if grouped || OUTSIDE.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}: {}", module.join("::"), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "go through crate::host:\n{}", wrong.join("\n"));
}

#[test]
fn every_dependency_has_its_reason() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (manifest, reasons) = (read("Cargo.toml"), read("CONTRIBUTING.md"));
    let mut inside = false;
    let mut named = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if let Some((name, _)) =
            line.split_once(" = ").filter(|(name, _)| inside && !name.starts_with('#'))
        {
            named += 1;
            let row = format!("`{name}`");
            let mut rows = reasons.lines().filter(|line| line.starts_with('|'));
            assert!(
                rows.any(|line| line.contains(&row)),
                "{name} has no reason in CONTRIBUTING.md"
            );
        }
    }
    assert!(named > 30, "Cargo.toml was not read: {named} dependencies");
}

/// The guide's line counts of files are at most a tenth off. Counts below ten are of lines to add.
#[test]
fn the_guide_counts_the_lines_of_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines_of = |file: &Path| fs::read_to_string(file).unwrap().lines().count();
    let length = |name: &str| match fs::read_dir(root.join(name)) {
        Ok(folder) => folder.map(|file| lines_of(&file.unwrap().path())).sum(),
        Err(_) => lines_of(&root.join(name)),
    };
    let guide = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let mut counted = 0;
    for row in guide.lines() {
        let [_, files, said, ..] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            continue;
        };
        let names: Vec<_> = files.split('`').skip(1).step_by(2).collect();
        let are_files = !names.is_empty() && names.iter().all(|name| root.join(name).exists());
        let Some(said) = said.parse().ok().filter(|said: &usize| are_files && *said >= 10) else {
            continue;
        };
        let found: usize = names.into_iter().map(length).sum();
        assert!(10 * found.abs_diff(said) <= found, "CONTRIBUTING.md: {files}: {found} lines");
        counted += 1;
    }
    assert!(counted >= 9, "{counted} rows of CONTRIBUTING.md count lines");
}

#[test]
fn every_workload_has_its_twin_in_pytorch() {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    for name in WORKLOADS.iter().map(|workload| workload.name) {
        let twin = peers.join(format!("pytorch/{name}.py"));
        assert!(twin.exists(), "{name} has no {}", twin.display());
        for list in ["pytorch/step.py", "pytorch/test_check.py", "run.py"] {
            let text = fs::read_to_string(peers.join(list)).unwrap();
            assert!(text.contains(&format!("\"{name}\"")), "peers/{list} does not name {name}");
        }
    }
}
