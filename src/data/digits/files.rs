//! Which files make a set in MNIST's form, under the names that it goes by.
//!
//! Owns the names: `train-images-idx3-ubyte` and `t10k-..` as published, `train-images.idx3-ubyte` as archives
//! have it, `emnist-digits-train-images-idx3-ubyte` and `..-test-..`; each perhaps `.gz`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::data::Split;
use crate::data::folder::{Entry, EntryKind, as_in, deeper, entries};
use crate::data::listing::Listing;
use crate::error::{Error, Result};
use crate::terms::Reason;

/// Where a folder may have the set.
const INSIDE: [&str; 3] = ["", "raw", "MNIST/raw"];

/// A file of images, and their labels where they are there.
#[derive(Debug, Clone)]
pub(super) struct Half {
    pub(super) images: PathBuf,
    pub(super) labels: Option<PathBuf>,
}

/// The files of a set.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) train: Half,
    /// Held out, where the set has such.
    pub(super) test: Option<Half>,
}

/// What a name says of its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    /// Nothing for MNIST, `emnist-digits`.
    set: String,
    /// Held out.
    test: bool,
    labels: bool,
}

impl Named {
    fn of(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".gz").unwrap_or(name);
        let (labels, rest) = ["-idx3-ubyte", ".idx3-ubyte", "-idx1-ubyte", ".idx1-ubyte"]
            .iter()
            .find_map(|end| Some((end.contains("idx1"), name.strip_suffix(end)?)))?;
        let rest = rest.strip_suffix(if labels { "-labels" } else { "-images" })?;
        let (set, part) = rest.rsplit_once('-').unwrap_or(("", rest));
        let test = match part {
            "train" => false,
            "t10k" | "test" => true,
            _ => return None,
        };
        Some(Self { set: set.into(), test, labels })
    }
}

/// Finds the set that `path` names: a folder, or a file of images.
///
/// # Errors
/// [`Error::Data`] where there is none, or several; [`Error::Io`].
pub(super) fn find(path: &Path, listing: &mut Listing) -> Result<Files> {
    if path.is_dir() {
        for inside in INSIDE {
            let folder = if inside.is_empty() { path.to_path_buf() } else { path.join(inside) };
            if folder.is_dir() && holds_images(&folder)? {
                return in_folder(&folder, None, listing);
            }
        }
        let images = |entry: &Entry| Named::of(&entry.name).is_some_and(|named| !named.labels);
        let inside = as_in(deeper(path, |entries| entries.iter().any(images)));
        let what = format!(
            "no file of images: expected train-images-idx3-ubyte, plain or .gz, and t10k-images-idx3-ubyte: name the \
             folder that holds MNIST{inside}"
        );
        return Err(Error::data(path, "folder", what));
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let named = Named::of(name).filter(|named| !named.labels && path.is_file());
    let Some(named) = named else {
        // A file of any name is a set of its own.
        let train = Half { images: path.to_path_buf(), labels: None };
        return Ok(Files { train, test: None });
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    in_folder(folder.unwrap_or(Path::new(".")), Some(named.set), listing)
}

fn holds_images(folder: &Path) -> Result<bool> {
    let entries = entries(folder, &mut Listing::default())?;
    let images = |name: &str| Named::of(name).is_some_and(|named| !named.labels);
    // What is no file is told by its name then.
    Ok(entries.iter().any(|entry| entry.kind != EntryKind::Folder && images(&entry.name)))
}

/// The files of the one set in a folder, or of the one that is asked for.
fn in_folder(folder: &Path, set: Option<String>, listing: &mut Listing) -> Result<Files> {
    let mut known: BTreeMap<Named, PathBuf> = BTreeMap::new();
    // The plain form comes before the packed one.
    for entry in entries(folder, listing)? {
        let named = Named::of(&entry.name);
        if named.is_some() {
            entry.check_file()?;
        }
        match named.filter(|_| entry.kind == EntryKind::File) {
            Some(named) if known.contains_key(&named) => {
                listing.pass(Reason::SecondForm, entry.name);
            }
            Some(named) => {
                known.insert(named, entry.path);
            }
            None => listing.pass(Reason::Unused, entry.name),
        }
    }
    let mut sets: Vec<&String> =
        known.keys().filter(|n| !n.labels).map(|named| &named.set).collect();
    sets.dedup();
    let set = match (set, &sets[..]) {
        (Some(set), _) => set,
        (None, [only]) => (*only).clone(),
        (None, several) => {
            let names =
                several.iter().map(|set| if set.is_empty() { "mnist" } else { set.as_str() });
            let names = names.collect::<Vec<_>>().join(", ");
            let what = format!("several sets: {names}: name the file of images of one");
            return Err(Error::data(folder, "folder", what));
        }
    };
    let mut half = |split: Split| {
        let test = split == Split::Test;
        let mut file = |labels| known.remove(&Named { set: set.clone(), test, labels });
        let images = file(false)?;
        Some(Half { images, labels: file(true) })
    };
    let (train, test) = (half(Split::Train), half(Split::Test));
    for (named, file) in known {
        if named.set == set {
            let what = "labels, but their images are not beside it";
            return Err(Error::data(file, "folder", what));
        }
        listing.pass(Reason::Unused, file.file_name().unwrap_or_default().display());
    }
    match (train, test) {
        (Some(train), test) => Ok(Files { train, test }),
        (None, Some(test)) => {
            let what =
                "held-out images, but none to learn from is beside it: expected train-images-..";
            Err(Error::data(test.images, "folder", what))
        }
        (None, None) => Err(Error::data(folder, "folder", "no file of images")),
    }
}
