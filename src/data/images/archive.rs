//! The ILSVRC 2012 training set as it is distributed: a tar with a tar of JPEGs for each class. Nothing is
//! unpacked: members are read in place.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};

use super::file::{Listing, Stored};

/// A part of a file as a file.
struct Section {
    file: File,
    start: u64,
    len: u64,
    at: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = (self.len - self.at.min(self.len)).min(buffer.len() as u64) as usize;
        self.file.seek(SeekFrom::Start(self.start + self.at))?;
        let read = self.file.read(&mut buffer[..left])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let moved = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = moved.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A file in a tar: name, first byte in the whole file, length.
struct Member {
    name: String,
    start: u64,
    len: u64,
}

/// The files in the tar that lies at `start` in `path`, `len` bytes long. `what` names it in messages.
fn members(path: &Path, what: &str, start: u64, len: u64) -> Result<Vec<Member>> {
    let bad = |at: u64, why: String| {
        let place = format!("{what}, byte {}", start + at);
        Error::data(path, place, format!("{why}: expected a tar of tars of JPEGs"))
    };
    let file = File::open(path).map_err(Error::io("open", path))?;
    let section = Section { file, start, len, at: 0 };
    let mut archive = tar::Archive::new(section);
    let entries = archive.entries_with_seek();
    let mut members = Vec::new();
    let mut end = 0;
    for entry in entries.map_err(|e| bad(0, e.to_string()))? {
        let entry = entry.map_err(|e| bad(end, e.to_string()))?;
        let (at, size) = (entry.raw_file_position(), entry.size());
        end = at + size;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if end > len {
            let why = format!(
                "'{name}' is truncated: {size} bytes expected, {} present",
                len.saturating_sub(at)
            );
            return Err(bad(at, why));
        }
        members.push(Member { name, start: start + at, len: size });
    }
    // A tar ends with two blocks of zeros; without them something is missing.
    if end.next_multiple_of(512) + 1024 > len {
        return Err(bad(len, "the archive is truncated".into()));
    }
    if members.is_empty() {
        return Err(bad(0, "it contains no files".into()));
    }
    Ok(members)
}

/// Lists the tar of tars `path`; classes are its members' names, sorted.
pub(super) fn list(path: &Path) -> Result<Listing> {
    let len = std::fs::metadata(path).map_err(Error::io("read", path))?.len();
    let mut outer = members(path, "archive", 0, len)?;
    outer.sort_by(|a, b| a.name.cmp(&b.name));
    let file: Arc<PathBuf> = Arc::new(path.to_path_buf());
    let mut listing = Listing::default();
    for (label, class) in (0..).zip(&outer) {
        if !class.name.ends_with(".tar") {
            let what = "not a tar: expected one tar per class";
            let place = format!("{}, byte {}", class.name, class.start);
            return Err(Error::data(path, place, what));
        }
        for image in members(path, &class.name, class.start, class.len)? {
            listing.train.push(Stored {
                file: Arc::clone(&file),
                part: Some((image.start, image.len)),
                name: image.name,
                label,
            });
        }
        listing.classes.push(class.name.trim_end_matches(".tar").to_string());
    }
    Ok(listing)
}
