//! What lies in a folder, and in all folders below one, each visited once.

use std::collections::HashSet;
use std::fs::{self, File};
#[cfg(not(unix))]
use std::hash::{Hash, Hasher};
use std::io::{BufRead, BufReader, ErrorKind};
#[cfg(unix)]
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::terms::Reason;

use super::listing::Listing;

/// Most entries of a folder, and of a tree: ImageNet with its 14 million images fits.
const MOST: usize = 1 << 24;

/// Most folders inside each other.
const DEEPEST: usize = 32;

/// What systems leave in folders, whether or not they show it.
const LEFT_BEHIND: [&str; 7] = [
    "__MACOSX",
    "$RECYCLE.BIN",
    "@eaDir",
    "System Volume Information",
    "Thumbs.db",
    "desktop.ini",
    "lost+found",
];

/// Whether something of this name is not part of a data set.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || LEFT_BEHIND.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// What an entry is, links being followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Folder,
    /// A broken link, a pipe, a device.
    Other,
}

/// An entry of a folder.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// For people and for sorting; not its name where that is not UTF-8.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) kind: EntryKind,
    /// Whether it is a link to that.
    pub(super) link: bool,
    /// A number that all names of a file share, links among them. It costs nothing to have, and other files may have
    /// it as well: [`Identity`] decides.
    pub(super) hint: u64,
}

impl Entry {
    /// Refuses what is called as a file of the set is and can be none: a broken link, a pipe.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub(super) fn check_file(&self) -> Result<()> {
        if self.kind != EntryKind::Other {
            return Ok(());
        }
        let broken = self.link && fs::metadata(&self.path).is_err();
        let what = if broken { "a link that leads nowhere" } else { "neither a file nor a folder" };
        Err(Error::data(
            &self.path,
            "file",
            format!("{what}, though a part of the set by its name"),
        ))
    }

    /// Whether its name is UTF-8.
    pub(super) fn is_named(&self) -> bool {
        self.path.file_name().is_some_and(|name| name.to_str().is_some())
    }
}

/// Refuses what is no folder; `wanted` says which one to name instead.
///
/// # Errors
/// [`Error::Data`]; [`Error::Io`] for what cannot be looked at.
pub(super) fn check_folder(path: &Path, wanted: &str) -> Result<()> {
    let what = match fs::metadata(path) {
        Ok(known) if known.is_dir() => return Ok(()),
        Ok(known) if known.is_file() => "a file, not a folder",
        Ok(_) => "not a folder",
        Err(error) if error.kind() == ErrorKind::NotFound => "no such folder",
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    Err(Error::data(path, "folder", format!("{what}: name {wanted}")))
}

/// What a folder holds, by name. Hidden entries are passed over.
///
/// # Errors
/// [`Error::Io`], [`Error::Data`] for more entries than a data set has.
pub(super) fn entries(folder: &Path, listing: &mut Listing) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    #[cfg(not(unix))]
    let whole = real(folder)?;
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if is_hidden(&name) {
            listing.pass(Reason::Hidden, path.display());
            continue;
        }
        let itself = entry.file_type().map_err(Error::io("read", &path))?;
        let link = itself.is_symlink();
        let target = if link { fs::metadata(&path).ok() } else { None };
        let target_type =
            if link { target.as_ref().map(fs::Metadata::file_type) } else { Some(itself) };
        let kind = match target_type {
            Some(kind) if kind.is_dir() => EntryKind::Folder,
            Some(kind) if kind.is_file() => EntryKind::File,
            _ => EntryKind::Other,
        };
        #[cfg(unix)]
        let hint = target.map_or_else(|| entry.ino(), |target| target.ino());
        #[cfg(not(unix))]
        let hint = of_path(&if link {
            real(&path).unwrap_or_default()
        } else {
            whole.join(entry.file_name())
        });
        entries.push(Entry { name, path, kind, link, hint });
        if entries.len() > MOST {
            return Err(Error::data(folder, "folder", format!("more than {MOST} entries")));
        }
    }
    entries.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    Ok(entries)
}

/// Folders that are looked into for a set that lies deeper than it was looked for.
const LOOKED_INTO: usize = 100;

/// Where below a folder, at most three deep, a set lies, by what its folder holds.
pub(super) fn deeper(root: &Path, is_set: impl Fn(&[Entry]) -> bool) -> Option<PathBuf> {
    let mut level = vec![root.to_path_buf()];
    let mut left = LOOKED_INTO;
    for _ in 0..3 {
        let mut below = Vec::new();
        for folder in &level {
            left = left.checked_sub(1)?;
            let inside = entries(folder, &mut Listing::default()).unwrap_or_default();
            if folder != root && is_set(&inside) {
                return Some(folder.clone());
            }
            let folders = inside.into_iter().filter(|entry| entry.kind == EntryKind::Folder);
            below.extend(folders.map(|entry| entry.path));
        }
        level = below;
    }
    level
        .into_iter()
        .take(left)
        .find(|folder| is_set(&entries(folder, &mut Listing::default()).unwrap_or_default()))
}

/// What to add to an error where a set lies deeper.
pub(super) fn as_in(found: Option<PathBuf>) -> String {
    found.map_or(String::new(), |folder| format!(", as in {}", folder.display()))
}

/// All files below a folder. A folder that is reached again, through a link, is passed over.
///
/// # Errors
/// [`Error::Io`], [`Error::Data`] for folders nested deeper, or more files, than a data set has.
pub(super) fn walk(root: &Path, listing: &mut Listing) -> Result<Vec<PathBuf>> {
    let mut visited = HashSet::new();
    let mut files = Vec::new();
    // Links come last, so that a folder is listed under its own path.
    let (mut folders, mut links) = (vec![(root.to_path_buf(), 0)], Vec::new());
    while let Some((folder, depth)) = folders.pop().or_else(|| links.pop()) {
        if !visited.insert(real(&folder)?) {
            listing.pass(Reason::SeenBefore, folder.display());
            continue;
        }
        if depth > DEEPEST {
            let what = format!("folders are nested more than {DEEPEST} deep");
            return Err(Error::data(folder, "folder", what));
        }
        for entry in entries(&folder, listing)? {
            match entry.kind {
                EntryKind::File => files.push(entry.path),
                EntryKind::Folder if entry.link => links.push((entry.path, depth + 1)),
                EntryKind::Folder => folders.push((entry.path, depth + 1)),
                EntryKind::Other => listing.pass(Reason::Special, entry.path.display()),
            }
        }
        if files.len() > MOST || visited.len() + folders.len() + links.len() > MOST {
            return Err(Error::data(root, "folder", format!("more than {MOST} files or folders")));
        }
    }
    Ok(files)
}

/// A path without links in it: equal for the same file.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn real(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(Error::io("read", path))
}

#[cfg(not(unix))]
fn of_path(path: &Path) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// What a file is, whatever it is called: equal for two paths that lead to one file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    /// Device and number on it: links of both kinds share them.
    #[cfg(unix)]
    place: (u64, u64),
    #[cfg(not(unix))]
    place: PathBuf,
}

impl Identity {
    /// Of the file that a path leads to.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn of(path: &Path) -> Result<Self> {
        #[cfg(unix)]
        let place = {
            let known = fs::metadata(path).map_err(Error::io("read", path))?;
            (known.dev(), known.ino())
        };
        #[cfg(not(unix))]
        let place = real(path)?;
        Ok(Self { place })
    }
}

/// Refuses files that are to be learned from and held out as well, through a link or by name.
///
/// # Errors
/// [`Error::Data`] with the first of them; [`Error::Io`].
pub(super) fn disjoint<P: AsRef<Path>>(train: &[P], held_out: &[P]) -> Result<()> {
    let train: Result<HashSet<_>> = train.iter().map(|path| Identity::of(path.as_ref())).collect();
    let train = train?;
    for path in held_out {
        if train.contains(&Identity::of(path.as_ref())?) {
            return Err(in_both(path.as_ref()));
        }
    }
    Ok(())
}

/// The error of a file that is in both halves of a set.
pub(super) fn in_both(path: &Path) -> Error {
    let what =
        "held out, and among what is learned from as well: a metric on it would mean nothing";
    Error::data(path, "file", what)
}

/// The error of a held-out file that is a copy of one to learn from.
pub(super) fn copied(held_out: &Path, train: &Path) -> Error {
    let what = format!(
        "a copy of {}: held out, and learned from as well: a metric on it would mean nothing",
        train.display()
    );
    Error::data(held_out, "file", what)
}

/// Whether two files hold the same bytes, and any. Of files of different lengths nothing is read, of others as much
/// as is alike.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn same_content(first: &Path, second: &Path) -> Result<bool> {
    let open = |path: &Path| -> std::io::Result<_> {
        let file = File::open(path)?;
        Ok((file.metadata()?.len(), BufReader::with_capacity(1 << 16, file)))
    };
    let (length, mut a) = open(first).map_err(Error::io("read", first))?;
    let (other, mut b) = open(second).map_err(Error::io("read", second))?;
    if length == 0 || length != other {
        return Ok(false);
    }
    loop {
        let left = a.fill_buf().map_err(Error::io("read", first))?;
        let right = b.fill_buf().map_err(Error::io("read", second))?;
        let count = left.len().min(right.len());
        if left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        a.consume(count);
        b.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_tree_with_links_to_itself_is_walked_once() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("A/B");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("f"), "x").unwrap();
        fs::write(inner.join("._f"), "x").unwrap();
        for (target, name) in [(".", "x"), ("..", "y"), ("/nowhere", "broken")] {
            std::os::unix::fs::symlink(target, root.path().join("A").join(name)).unwrap();
        }
        let mut listing = Listing::new(false);
        assert_eq!(walk(root.path(), &mut listing).unwrap(), [inner.join("f")]);
        let line = listing.line().unwrap();
        for expected in ["1 hidden file", "1 entry that is not a file", "2 links to what is listed"]
        {
            assert!(line.contains(expected), "{line}");
        }
    }

    #[test]
    fn what_is_no_folder_is_called_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "x").unwrap();
        let refused = |path: &Path| check_folder(path, "one").unwrap_err().to_string();
        check_folder(folder.path(), "one").unwrap();
        assert!(refused(&file).ends_with("f: folder: a file, not a folder: name one"));
        assert!(refused(&folder.path().join("g")).ends_with("g: folder: no such folder: name one"));
        assert!(refused(&file.join("g")).starts_with("cannot read "));
        #[cfg(unix)]
        assert!(refused(Path::new("/dev/null")).ends_with("null: folder: not a folder: name one"));
    }

    #[test]
    fn contents_are_the_same_up_to_the_last_byte_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let mut bytes = vec![7; 200_000];
        let (a, b) = (write("a", &bytes), write("b", &bytes));
        bytes[199_999] = 8;
        let (c, empty) = (write("c", &bytes), [write("d", b""), write("e", b"")]);
        assert!(same_content(&a, &b).unwrap());
        for [x, y] in [[&a, &c], [&a, &empty[0]], [&empty[0], &empty[1]]] {
            assert!(!same_content(x, y).unwrap());
        }
    }

    #[test]
    fn a_tree_that_is_too_deep_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let deep: PathBuf = std::iter::repeat_n("d", DEEPEST + 2).collect();
        fs::create_dir_all(root.path().join(deep)).unwrap();
        let error = walk(root.path(), &mut Listing::new(true)).unwrap_err().to_string();
        assert!(error.contains("more than 32 deep"), "{error}");
    }
}
