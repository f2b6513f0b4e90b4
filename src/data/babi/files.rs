//! Which files of a folder are those of a task: `qa3_three-supporting-facts_train.txt` and `.._test.txt`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::data::Split;
use crate::data::folder::{
    Entry, EntryKind, as_in, check_folder, copied, deeper, disjoint, entries, same_content,
};
use crate::data::listing::Listing;
use crate::error::{Error, Result};
use crate::terms::Reason;

/// What the names of a split's files end in.
const ENDS: [(Split, &str); 2] = [(Split::Train, "_train.txt"), (Split::Test, "_test.txt")];

/// The files of each task: to learn from, and held out.
///
/// # Errors
/// [`Error::Data`] for a task without its files, or with several of a split; [`Error::Io`].
pub(super) fn find(
    folder: &Path,
    tasks: &[usize],
    listing: &mut Listing,
) -> Result<Vec<(usize, [PathBuf; 2])>> {
    check_folder(folder, "one of bAbI files, such as tasks/en")?;
    let mut files: BTreeMap<(usize, usize), PathBuf> = BTreeMap::new();
    for entry in entries(folder, listing)? {
        let named = named(&entry.name).filter(|(task, _)| tasks.contains(task));
        if named.is_some() {
            entry.check_file()?;
        }
        let Some((task, split)) = named.filter(|_| entry.kind == EntryKind::File) else {
            listing.pass(Reason::Unused, entry.name);
            continue;
        };
        if let Some(other) = files.insert((task, split as usize), entry.path.clone()) {
            let what = format!(
                "a second file of task {task} beside {}: which one is meant cannot be known",
                other.display()
            );
            return Err(Error::data(entry.path, "folder", what));
        }
    }
    let mut pairs = Vec::new();
    for &task in tasks {
        let mut file = |(split, end): (Split, &str)| {
            files.remove(&(task, split as usize)).ok_or_else(|| {
                let holds = |entry: &Entry| {
                    named(&entry.name).is_some_and(|(t, s)| (t, s) == (task, split))
                };
                let inside = as_in(deeper(folder, |entries| entries.iter().any(holds)));
                let what = format!(
                    "no file qa{task}_*{end}: name a folder of bAbI files, such as tasks/en{inside}"
                );
                Error::data(folder, "folder", what)
            })
        };
        let [train, test] = ENDS;
        let pair = [file(train)?, file(test)?];
        disjoint(&[&pair[0]], &[&pair[1]])?;
        if same_content(&pair[0], &pair[1])? {
            return Err(copied(&pair[1], &pair[0]));
        }
        pairs.push((task, pair));
    }
    Ok(pairs)
}

/// Task and split of a file's name.
fn named(name: &str) -> Option<(usize, Split)> {
    let (split, rest) =
        ENDS.into_iter().find_map(|(split, end)| Some((split, name.strip_suffix(end)?)))?;
    let (task, _) = rest.strip_prefix("qa")?.split_once('_').unwrap_or((&rest[2..], ""));
    Some((task.parse().ok()?, split))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_has_its_two_files_and_the_rest_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(folder.path().join(name), name).unwrap();
        for name in ["qa1_x_train.txt", "qa1_x_test.txt", "qa11_x_train.txt", "._qa1_x_train.txt"] {
            write(name);
        }
        let mut listing = Listing::new(false);
        let files = find(folder.path(), &[1], &mut listing).unwrap();
        assert_eq!(files[0].1[1], folder.path().join("qa1_x_test.txt"));
        let line = listing.line().unwrap();
        assert!(line.contains("1 hidden file") && line.contains("qa11_x_train.txt"), "{line}");
        let above = folder.path().parent().unwrap();
        let nested = tempfile::tempdir_in(above).unwrap();
        let inside = nested.path().join("tasks/en");
        std::fs::create_dir_all(&inside).unwrap();
        for name in ["qa1_x_train.txt", "qa1_x_test.txt"] {
            std::fs::write(inside.join(name), name).unwrap();
        }
        let error = find(nested.path(), &[1], &mut listing).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("such as tasks/en, as in {}", inside.display())),
            "{error}"
        );
        let error = find(folder.path(), &[11], &mut listing).unwrap_err().to_string();
        assert!(error.contains("no file qa11_*_test.txt"), "{error}");
        #[cfg(unix)]
        {
            let broken = folder.path().join("qa11_x_test.txt");
            std::os::unix::fs::symlink("/nowhere", &broken).unwrap();
            let error = find(folder.path(), &[11], &mut listing).unwrap_err().to_string();
            assert!(error.contains("qa11_x_test.txt: file: a link that leads nowhere"), "{error}");
            std::fs::remove_file(broken).unwrap();
        }
        write("qa1_y_train.txt");
        let error = find(folder.path(), &[1], &mut listing).unwrap_err().to_string();
        assert!(error.contains("qa1_y_train.txt") && error.contains("qa1_x_train.txt"), "{error}");
    }

    #[test]
    fn a_copy_of_what_is_learned_from_is_not_held_out() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["qa1_x_train.txt", "qa1_x_test.txt"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let error = find(folder.path(), &[1], &mut Listing::new(true)).unwrap_err().to_string();
        assert!(error.contains("qa1_x_test.txt: file: a copy of "), "{error}");
        assert!(error.contains("qa1_x_train.txt: held out, and learned from"), "{error}");
    }
}
