//! One folder per class, with JPEG and PNG files in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data::folder::{Entry, EntryKind, Identity, entries, in_both, real};
use crate::data::listing::Listing;
use crate::error::{Error, Result};
use crate::host::parallel::*;
use crate::terms::Reason;

use super::file::{ImageList, Stored, is_named_image};

/// Names of the two halves of a set that is split already.
const TRAIN: &str = "train";
const TEST: [&str; 4] = ["val", "valid", "test", "validation"];
pub(super) const HALVES: [&str; 5] = [TRAIN, TEST[0], TEST[1], TEST[2], TEST[3]];

/// What to do about a file that is not an image.
const ADVICE: &str = "move it away, or pass such entries over with --skip-bad";

/// A class: its folder, and the images in it.
struct Class {
    name: String,
    folder: PathBuf,
    images: Vec<Entry>,
    /// What else is in it.
    others: Vec<Entry>,
}

/// Lists `path`: a folder for each class, or folders `train` and `val` (or `test`) with these in them.
pub(super) fn list(path: &Path, listing: &mut Listing) -> Result<ImageList> {
    let top = folders(path, listing)?;
    let named = |name: &str| top.iter().find(|folder| folder.name.eq_ignore_ascii_case(name));
    let train = match named(TRAIN) {
        // A class may be called so.
        Some(folder) => holds_folders(&folder.path)?.then_some(folder),
        None => None,
    };
    let Some(train) = train else {
        // Halves by their names, and no classes in the first.
        let halves_of_it: Vec<_> = HALVES.iter().filter_map(|name| named(name)).collect();
        if let [first, second, ..] = halves_of_it[..]
            && !holds_folders(&first.path)?
        {
            let what = format!(
                "it has no class folders, and {} is beside it, so that the classes of its images are unknown: sort \
                 them into folders, one for each class",
                second.name
            );
            return Err(Error::data(&first.path, "folder", what));
        }
        let classes = classes(top, listing)?;
        return halves(path, classes, Vec::new(), listing);
    };
    let Some(test) = TEST.iter().find_map(|name| named(name)) else {
        let what = format!(
            "'{TRAIN}' has the class folders, and nothing is held out beside it: name {}, of which a tenth \
             is then held out, or add '{}' with the same classes",
            train.path.display(),
            TEST[0]
        );
        return Err(Error::data(path, "folder", what));
    };
    if !holds_folders(&test.path)? {
        let what = format!(
            "no class folders in it, so that the classes of its images are unknown: sort them into folders \
             as in {}, or name that folder, of which a tenth is then held out",
            train.path.display()
        );
        return Err(Error::data(&test.path, "folder", what));
    }
    for other in top.iter().filter(|f| f.path != train.path && f.path != test.path) {
        listing.pass(Reason::Unused, &other.name);
    }
    let train_classes = classes(folders(&train.path, listing)?, listing)?;
    let test_classes = classes(folders(&test.path, listing)?, listing)?;
    let unknown = |class: &&Class| train_classes.iter().all(|known| known.name != class.name);
    if test_classes.iter().all(|class| unknown(&class)) {
        let names: Vec<_> = test_classes.iter().take(3).map(|class| class.name.as_str()).collect();
        let what = format!(
            "none of its folders ({}{}) is a class of {}, so that the classes of its images are unknown: sort them \
             into folders as there, or name that folder, of which a tenth is then held out",
            names.join(", "),
            if test_classes.len() > names.len() { ", .." } else { "" },
            train.path.display()
        );
        return Err(Error::data(&test.path, "classes", what));
    }
    if let Some(other) = test_classes.iter().find(unknown) {
        // One name may be written in two ways that look alike, as macOS and Linux do.
        let alike = if other.name.is_ascii() {
            ""
        } else {
            "; a letter like é may be written in two ways (NFC, NFD)"
        };
        let what = format!("class '{}' is not in {}{alike}", other.name, train.path.display());
        return Err(Error::data(&test.path, "classes", what));
    }
    halves(path, train_classes, test_classes, listing)
}

/// Labels the images of both halves, and passes over what is none.
fn halves(
    path: &Path,
    mut train: Vec<Class>,
    mut test: Vec<Class>,
    listing: &mut Listing,
) -> Result<ImageList> {
    if train.iter().all(|class| class.images.is_empty()) {
        return Err(no_images(path, &train));
    }
    for class in train.iter_mut().chain(&mut test) {
        for other in std::mem::take(&mut class.others) {
            let what = match other.kind {
                EntryKind::Folder => "a folder inside a class folder",
                EntryKind::File => "neither a JPEG nor a PNG",
                EntryKind::Other => "neither a file nor a folder",
            };
            let error = Error::data(other.path, "file name", format!("{what}: {ADVICE}"));
            listing.doubt(Reason::Foreign, error)?;
        }
    }
    for half in [&mut train, &mut test] {
        leave_out_seconds(half, listing)?;
    }
    for class in train.iter().filter(|class| class.images.is_empty()) {
        let what =
            "a class without images: remove the folder, or leave such classes out with --skip-bad";
        listing.doubt(Reason::EmptyClass, Error::data(&class.folder, "folder", what))?;
    }
    train.retain(|class| !class.images.is_empty());
    check_apart(&train, &test)?;
    let names: Vec<String> = train.iter().map(|class| class.name.clone()).collect();
    let mut held_out = Vec::new();
    let mut by_name: BTreeMap<String, Class> =
        test.into_iter().map(|class| (class.name.clone(), class)).collect();
    let is_split = !by_name.is_empty();
    for (label, name) in (0..).zip(&names) {
        match by_name.remove(name).filter(|class| !class.images.is_empty()) {
            Some(class) => held_out.extend(stored(class, label)?),
            None if is_split => listing.pass(Reason::EmptyClass, format!("held out of {name}")),
            None => {}
        }
    }
    // Of classes that were left out because there is nothing to learn them from.
    for image in by_name.into_values().flat_map(|class| class.images) {
        listing.pass(Reason::Unused, image.path.display());
    }
    let mut learned = Vec::new();
    for (label, class) in (0..).zip(train) {
        learned.extend(stored(class, label)?);
    }
    Ok(ImageList { classes: names, train: learned, test: held_out, is_split })
}

fn stored(class: Class, label: u32) -> Result<Vec<Stored>> {
    let stored = |Entry { name, path, .. }| -> Result<Stored> {
        let length = std::fs::metadata(&path).map_err(Error::io("read", &path))?.len();
        Ok(Stored { file: Arc::new(path), start: None, length, name, label })
    };
    class.images.into_par_iter().map(stored).collect()
}

/// The folders in a folder. Files beside them are passed over.
fn folders(path: &Path, listing: &mut Listing) -> Result<Vec<Entry>> {
    let mut folders = entries(path, listing)?;
    folders.retain(|entry| {
        if entry.kind != EntryKind::Folder {
            listing.pass(Reason::Beside, &entry.name);
        }
        entry.kind == EntryKind::Folder
    });
    Ok(folders)
}

fn holds_folders(path: &Path) -> Result<bool> {
    let entries = entries(path, &mut Listing::default())?;
    Ok(entries.iter().any(|entry| entry.kind == EntryKind::Folder))
}

fn classes(folders: Vec<Entry>, listing: &mut Listing) -> Result<Vec<Class>> {
    let mut classes: Vec<Class> = Vec::new();
    let mut known: HashMap<PathBuf, String> = HashMap::new();
    for folder in folders {
        if !folder.is_named() {
            let what = "the name of this class is not UTF-8: rename the folder, or leave such classes out \
                        with --skip-bad";
            listing.doubt(Reason::Name, Error::data(folder.path, "folder name", what))?;
            continue;
        }
        if let Some(twin) = known.insert(real(&folder.path)?, folder.name.clone()) {
            let what = format!("the same folder as class '{twin}', under another name");
            return Err(Error::data(folder.path, "folder", what));
        }
        let (images, others) = entries(&folder.path, listing)?.into_iter().partition(is_image);
        classes.push(Class { name: folder.name, folder: folder.path, images, others });
    }
    Ok(classes)
}

fn is_image(entry: &Entry) -> bool {
    entry.kind == EntryKind::File && is_named_image(&entry.path)
}

/// Why a folder gives no image at all.
fn no_images(path: &Path, classes: &[Class]) -> Error {
    let nested =
        classes.iter().find(|c| c.others.iter().any(|other| other.kind == EntryKind::Folder));
    let only = |class: &Class| match &class.others[..] {
        [] => None,
        others => {
            let mut folders = others.iter().filter(|other| other.kind == EntryKind::Folder);
            folders.next().filter(|_| folders.next().is_none()).map(|folder| folder.name.clone())
        }
    };
    let inner = classes.first().and_then(only);
    let what = match nested {
        // As in tiny ImageNet.
        Some(_)
            if classes.len() > 1 && inner.is_some() && classes.iter().all(|c| only(c) == inner) =>
        {
            format!(
                "each of its folders holds a folder '{}' with the images, as it seems: move them up into the folder of \
             their class",
                inner.unwrap_or_default()
            )
        }
        Some(class) => format!(
            "its folders hold folders instead of images: name the folder whose folders are the classes, \
             as perhaps {}; halves of a set are called {TRAIN} and {}",
            class.folder.display(),
            TEST.join(" or ")
        ),
        None => "it has no folder with JPEG or PNG files: expected one folder per class".into(),
    };
    Error::data(path, "folder", what)
}

/// Passes over links to images that the class has already. One image in two classes has no label.
fn leave_out_seconds(classes: &mut [Class], listing: &mut Listing) -> Result<()> {
    let mut named: Vec<(u64, bool, usize, usize)> = Vec::new();
    for (class, known) in classes.iter().enumerate() {
        let images = known.images.iter().enumerate();
        // Links come after what they lead to.
        named.extend(images.map(|(at, image)| (image.hint, image.link, class, at)));
    }
    named.sort_unstable();
    let mut seconds = BTreeSet::new();
    for pair in named.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let [(.., class, at), (.., other, second)] = [pair[0], pair[1]];
        let (first, image) = (&classes[class].images[at], &classes[other].images[second]);
        if Identity::of(&first.path)? != Identity::of(&image.path)? {
            continue;
        }
        seconds.insert((other, second));
        if class == other {
            listing.pass(Reason::SeenBefore, image.path.display());
            continue;
        }
        let what = format!(
            "the same image as {}, in another class: remove one of them, or pass such over with --skip-bad",
            first.path.display()
        );
        listing.doubt(Reason::SeenBefore, Error::data(&image.path, "file", what))?;
    }
    for (class, at) in seconds.into_iter().rev() {
        classes[class].images.remove(at);
    }
    Ok(())
}

/// Refuses images that are in both halves, through links of either kind.
fn check_apart(train: &[Class], test: &[Class]) -> Result<()> {
    let mut learned: Vec<(u64, &Path)> = Vec::new();
    for class in train {
        learned.extend(class.images.iter().map(|image| (image.hint, image.path.as_path())));
    }
    learned.sort_unstable();
    for image in test.iter().flat_map(|class| &class.images) {
        let first = learned.partition_point(|(hint, _)| *hint < image.hint);
        let alike = learned[first..].iter().take_while(|(hint, _)| *hint == image.hint);
        for (_, path) in alike {
            if Identity::of(path)? == Identity::of(&image.path)? {
                return Err(in_both(&image.path));
            }
        }
    }
    Ok(())
}
