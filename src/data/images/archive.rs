//! The ILSVRC 2012 training set as it is distributed: a tar with a tar of JPEGs for each class. Nothing is
//! unpacked: members are read in place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data::listing::Listing;
use crate::error::{Error, Result, quoted};
use crate::terms::Reason;

use super::file::{ImageList, Stored, is_named_image};
use super::folder::HALVES;
use super::tape::{EXPECTED, Member, Tape};

/// Lists the tar of tars `path`; classes are its members' names, sorted.
pub(super) fn list(path: &Path, listing: &mut Listing) -> Result<ImageList> {
    let known = std::fs::metadata(path).map_err(Error::io("read", path))?;
    if !known.is_file() {
        return Err(Error::data(path, "path", "neither a file nor a folder"));
    }
    let whole = Tape { path, name: "archive", start: 0, len: known.len() };
    let mut outer = whole.members(listing)?;
    if outer.is_empty() {
        let none = match listing.line() {
            Some(line) => format!("none of its files can be used ({line})"),
            None => "it contains no files".into(),
        };
        return Err(whole.fault(0, &format!("{none}: {EXPECTED}")));
    }
    outer.sort_by(|a, b| a.name.cmp(&b.name));
    check_one_half(path, &outer)?;
    let file: Arc<PathBuf> = Arc::new(path.to_path_buf());
    let mut list = ImageList::default();
    for class in &outer {
        let place = format!("{}, byte {}", class.name, class.start);
        if !class.name.ends_with(".tar") {
            let what = "not a tar: expected one tar per class; of an archive of folders unpack it, and name the folder";
            listing.doubt(Reason::Foreign, Error::data(path, place, what))?;
            continue;
        }
        let tape = Tape { path, name: &class.name, start: class.start, len: class.len };
        let mut images = tape.members(listing)?;
        for other in images.iter().filter(|member| !is_named_image(Path::new(&member.name))) {
            let place = format!("{} in {}, byte {}", other.name, class.name, other.start);
            let what = "neither a JPEG nor a PNG by its name: pack the class without it, or pass such members over with \
                        --skip-bad";
            listing.doubt(Reason::Foreign, Error::data(path, place, what))?;
        }
        images.retain(|member| is_named_image(Path::new(&member.name)));
        if let Some([first, second]) = two_folders(&images) {
            let what = format!(
                "images in more than one folder ({}, {}), which may be classes of their own: expected one tar per \
                 class; unpack it, or leave such out with --skip-bad",
                quoted(first),
                quoted(second)
            );
            listing.doubt(Reason::Foreign, Error::data(path, place, what))?;
            continue;
        }
        if images.is_empty() {
            let what = "a class without images: pack the archive without it, or leave such classes out with --skip-bad";
            listing.doubt(Reason::EmptyClass, Error::data(path, place, what))?;
            continue;
        }
        let label = list.classes.len() as u32;
        list.classes.push(class.name.trim_end_matches(".tar").to_string());
        list.train.extend(images.into_iter().map(|image| Stored {
            file: Arc::clone(&file),
            start: Some(image.start),
            length: image.len,
            name: image.name,
            label,
        }));
    }
    Ok(list)
}

/// The folder that a member is in, and its name there.
fn apart(name: &str) -> (&str, &str) {
    let name = name.trim_start_matches("./");
    name.rsplit_once('/').unwrap_or(("", name))
}

/// Refuses both halves of a set in one archive, which would be taken for classes: a tar of each class in two folders, or a
/// tar of each half.
fn check_one_half(path: &Path, outer: &[Member]) -> Result<()> {
    let advice = "such an archive holds one half, of which a tenth is held out: pack the half to learn from alone, or \
                  unpack both and name the folder";
    let mut known: HashMap<&str, &str> = HashMap::new();
    let mut halves = 0;
    for Member { name, start, .. } in outer {
        let Some(class) = apart(name).1.strip_suffix(".tar") else { continue };
        halves += usize::from(HALVES.iter().any(|half| class.eq_ignore_ascii_case(half)));
        let what = match known.insert(class, name) {
            Some(twin) => format!("a second class of this name, as {twin} is one"),
            None if halves == 2 => "a half of a set by its name, as another is".into(),
            None => continue,
        };
        let place = format!("{name}, byte {start}");
        return Err(Error::data(path, place, format!("{what}: {advice}")));
    }
    Ok(())
}

/// Two of the folders that images are in, where there are more than one.
fn two_folders(images: &[Member]) -> Option<[&str; 2]> {
    let mut folders = images.iter().map(|image| apart(&image.name).0);
    let first = folders.next()?;
    Some([first, folders.find(|folder| *folder != first)?])
}
