//! Shaders of a folder (`FATHOM_SHADERS`) that are wrong: what is said of them, and what is kept.

use std::path::Path;
use std::process::{Command, Output};

use fathom::record::Record;

/// The shaders, with something else in some of them.
struct Edited(tempfile::TempDir);

impl Edited {
    /// Of each edit the file, what stands in it, and what is put there.
    fn new(edits: &[(&str, &str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shaders = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/.");
        let copied = Command::new("cp").arg("-r").arg(shaders).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        for (file, from, to) in edits {
            let path = folder.path().join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{file}");
            std::fs::write(path, text.replace(from, to)).unwrap();
        }
        Self(folder)
    }

    fn fathom(&self, arguments: &[&str], records: &Path) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fathom"));
        command.args(arguments).env("FATHOM_SHADERS", self.0.path()).env("FATHOM_TUNE", "off");
        command.env("FATHOM_RECORDS", records).output().unwrap()
    }
}

const MEMNET: &[&str] =
    &["-w", "memnet", "-m", "train", "--preset", "tiny", "--time", "0.2", "--min-samples", "3"];

#[test]
fn every_kernel_that_is_wrong_is_named_and_kept() {
    let edited = Edited::new(&[
        ("optimizer/momentum.wgsl", "w - params.rate * step", "w - 2.0 * params.rate * step"),
        // On an adapter that computes on a CPU, and elsewhere.
        ("memory_hops/stories.wgsl", "/= sum;", "/= 2.0 * sum;"),
        ("memory_hops/forward.wgsl", "/ sum;", "/ (2.0 * sum);"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("two.json");
    let run =
        edited.fathom(&[MEMNET, &["--save", saved.to_str().unwrap()]].concat(), folder.path());
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(5), "{said}");
    let record = Record::load(&saved).unwrap();
    let verified = &record.runs[0].verified;
    assert_eq!(verified.failed.len(), verified.checked - verified.passed);
    assert!(verified.failed.len() >= 2, "{said}");
    let show = edited.fathom(&["show", saved.to_str().unwrap()], folder.path());
    let shown = String::from_utf8_lossy(&show.stdout);
    for kernel in &verified.failed {
        let detail = kernel.detail.as_deref().unwrap();
        for part in [", reference ", " values are wrong; ", " -> f32["] {
            assert!(detail.contains(part), "no {part} in {detail}");
        }
        assert!(said.contains(&kernel.to_string()), "{said}");
        assert!(shown.contains(&format!("wrong: {}", kernel.label)), "{shown}");
    }
    let command = "`fathom show memnet -m train -b ";
    assert!(said.contains(command) && said.contains("--preset tiny --kernel LABEL`"), "{said}");
    assert!(said.contains("the shaders are those of ") && !said.contains("driver;"), "{said}");
}

#[test]
fn every_check_that_fails_is_named() {
    let edited = Edited::new(&[("optimizer/momentum.wgsl", "params.rate * step", "step")]);
    let folder = tempfile::tempdir().unwrap();
    let verify = edited.fathom(&["verify", "momentum"], folder.path());
    let said = String::from_utf8_lossy(&verify.stderr);
    assert_eq!(verify.status.code(), Some(5), "{said}");
    let failed: usize =
        said.split("failed: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(failed > 1, "{said}");
    assert_eq!(said.matches(", reference ").count(), failed.min(40), "{said}");
}

#[test]
fn a_shader_that_is_not_valid_is_told_as_the_folders_own() {
    let edited = Edited::new(&[("optimizer/momentum.wgsl", "weight[i] =", "waight[i] =")]);
    let folder = tempfile::tempdir().unwrap();
    let run = edited.fathom(MEMNET, folder.path());
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(10), "{said}");
    let file = edited.0.path().join("optimizer/momentum.wgsl");
    assert!(said.contains(file.to_str().unwrap()), "{said}");
    assert!(said.contains("waight") && said.contains("lines are those of"), "{said}");
    assert!(!said.contains("bug in fathom"), "{said}");
}
