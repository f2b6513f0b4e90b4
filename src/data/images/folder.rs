//! One folder per class, with JPEG and PNG files in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};

use super::file::{Listing, Stored};

/// Names of the two halves of a set that is split already.
const TRAIN: &str = "train";
const TEST: [&str; 3] = ["val", "test", "validation"];

/// Lists `path`: a folder for each class, or folders `train` and `val` (or `test`) with these in them.
/// Hidden files are passed over; any other file that is no image ends with an error, or is noted in
/// `skipped`.
pub(super) fn list(path: &Path, skip_bad: bool, skipped: &mut Vec<String>) -> Result<Listing> {
    let train = path.join(TRAIN);
    let test = TEST.map(|name| path.join(name));
    let test = test.iter().find(|p| p.is_dir());
    let (classes, train, test) = match test {
        Some(test) if train.is_dir() => {
            let classes = folders(&train)?;
            let known = |name: &String| !classes.contains(name);
            if let Some(other) = folders(test)?.iter().find(|name| known(name)) {
                let what = format!("class '{other}' is not in {}", train.display());
                return Err(Error::data(test, "classes", what));
            }
            let held_out = images(test, &classes, skip_bad, skipped)?;
            let train = images(&train, &classes, skip_bad, skipped)?;
            (classes, train, held_out)
        }
        _ => {
            let classes = folders(path)?;
            let train = images(path, &classes, skip_bad, skipped)?;
            (classes, train, Vec::new())
        }
    };
    if classes.is_empty() || train.is_empty() {
        let what = "it has no folder with JPEG or PNG files: expected one folder per class";
        return Err(Error::data(path, "folder", what));
    }
    Ok(Listing { classes, train, test })
}

/// What a folder holds, sorted, hidden entries left out.
fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(Error::io("read", path))? {
        let entry = entry.map_err(Error::io("read", path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            files.push((name, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

fn folders(path: &Path) -> Result<Vec<String>> {
    let folders = entries(path)?.into_iter().filter(|(_, p)| p.is_dir());
    Ok(folders.map(|(name, _)| name).collect())
}

fn images(
    path: &Path,
    classes: &[String],
    skip_bad: bool,
    skipped: &mut Vec<String>,
) -> Result<Vec<Stored>> {
    let mut images = Vec::new();
    for (label, class) in (0..).zip(classes) {
        let folder = path.join(class);
        if !folder.is_dir() {
            continue;
        }
        for (name, file) in entries(&folder)? {
            if is_image(&file) {
                images.push(Stored { file: Arc::new(file), part: None, name, label });
                continue;
            }
            let what = "neither a JPEG nor a PNG: remove it, or skip such files with --skip-bad";
            let error = Error::data(file, "file name", what);
            if !skip_bad {
                return Err(error);
            }
            skipped.push(error.to_string());
        }
    }
    Ok(images)
}

/// By its name; what the bytes are is seen when they are decoded.
fn is_image(file: &Path) -> bool {
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or("");
    let known = ["jpg", "jpeg", "png"];
    file.is_file() && known.iter().any(|k| extension.eq_ignore_ascii_case(k))
}
