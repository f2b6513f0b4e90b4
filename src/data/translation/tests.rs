use std::collections::HashSet;
use std::fs;

use tempfile::TempDir;

use crate::data::Split;
use crate::error::{Error, Result};

use super::*;

mod batches;
mod files;
mod generated;

const SPLITS: [Split; 2] = [Split::Train, Split::Test];

fn options(vocabulary: usize, buckets: &[(usize, usize)]) -> TextOptions {
    let buckets = buckets.to_vec();
    let vocabularies = [vocabulary; 2];
    TextOptions { seed: 5, vocabularies, buckets, single: false, skip_bad: false }
}

fn generated(vocabulary: usize, buckets: usize, sizes: [usize; 2]) -> Corpus {
    Corpus::built_in(&options(vocabulary, &BUCKETS[..buckets]), sizes).unwrap()
}

fn pairs_of(corpus: &Corpus, split: Split) -> impl Iterator<Item = &Pair> {
    (0..corpus.buckets().len()).flat_map(move |bucket| corpus.pairs(split, bucket))
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn open(files: &[(&str, &[u8])]) -> Result<Corpus> {
    Corpus::open(folder(files).path(), &options(100, &BUCKETS))
}
