//! Images that are there twice, byte for byte: in both halves of a set, or in two classes.
//!
//! Other names of a file are found by the reader of folders, in any number. To find copies, those of the same length are
//! read, which is done only where it is little.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::data::listing::Listing;
use crate::error::{Error, Result};
use crate::host::parallel::*;
use crate::terms::Reason;

use super::file::{ImageList, Stored};

/// Bytes that are read at most, and images. Of larger sets nothing is compared.
const MOST_BYTES: u64 = 1 << 28;
const MOST_IMAGES: usize = 1 << 17;

/// Refuses copies of an image in another class or in the other half, or leaves them out. More of one image in a class
/// of a half contradict nothing.
///
/// # Errors
/// [`Error::Data`] with the first, unless such are passed over.
pub(super) fn leave_out(list: &mut ImageList, listing: &mut Listing) -> Result<()> {
    let images: Vec<&Stored> = list.train.iter().chain(&list.test).collect();
    let place = |at: usize| (at < list.train.len(), images[at].label);
    let mut alike: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, image) in images.iter().enumerate() {
        alike.entry(image.length).or_default().push(at);
    }
    alike.retain(|_, ats| ats.iter().any(|&at| place(at) != place(ats[0])));
    let count = alike.values().map(Vec::len).sum::<usize>();
    let bytes = alike.iter().map(|(length, ats)| length.saturating_mul(ats.len() as u64));
    if count > MOST_IMAGES || bytes.fold(0, u64::saturating_add) > MOST_BYTES {
        return Ok(());
    }
    let mut copies = HashSet::new();
    for ats in alike.values() {
        // What cannot be read is said when it is decoded.
        let contents: Vec<_> = ats.par_iter().map(|&at| images[at].bytes().ok()).collect();
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        for (&at, bytes) in ats.iter().zip(contents) {
            let Some(bytes) = bytes else { continue };
            let first = *known.entry(bytes).or_insert(at);
            if place(first) != place(at) {
                let other_half = place(first).0 != place(at).0;
                listing.doubt(Reason::Duplicate, fault(images[at], images[first], other_half))?;
                copies.insert(at);
            }
        }
    }
    let mut ats = 0..;
    let mut stays = |_: &Stored| !ats.next().is_some_and(|at| copies.contains(&at));
    list.train.retain(&mut stays);
    list.test.retain(stays);
    Ok(())
}

fn fault(image: &Stored, first: &Stored, other_half: bool) -> Error {
    let known = first.member().unwrap_or_else(|| first.file.display().to_string());
    let (what, place) = match other_half {
        true => ("held out, and a copy of", "which is learned from"),
        false => ("a copy of", "in another class"),
    };
    let what =
        format!("{what} {known}, {place}: remove one of them, or pass such over with --skip-bad");
    Error::data(image.file.as_ref(), image.member().unwrap_or_else(|| "file".into()), what)
}
