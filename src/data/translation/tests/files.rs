//! Files as users have them, and the errors in them.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};

use super::*;

const EN: &[u8] = b"The cat sleeps.\nA dog, 2 birds.\n\nwhy?\n";
const FR: &[u8] = b"Le chat dort.\r\nUn chien, 2 oiseaux.\n \nPourquoi?";

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn plain_and_packed_files_are_read_alike() {
    let packed = [gz(EN), gz(FR)];
    let plain =
        open(&[("train.fr", FR), ("train.en", EN), ("dev.fr", FR), ("dev.en", EN)]).unwrap();
    let mixed = [
        ("train.fr.gz", &packed[1][..]),
        ("train.en", EN),
        ("train.tok.en", EN),
        ("valid.en.gz", &packed[0]),
        ("valid.fr", FR),
        ("dev.en", b"not read"),
    ];
    let mixed = open(&mixed).unwrap();
    for split in SPLITS {
        assert_eq!(pairs_of(&plain, split).count(), 3);
        assert!(pairs_of(&plain, split).eq(pairs_of(&mixed, split)));
    }
    let pair = &plain.pairs(Split::Train, 1)[0];
    assert_eq!(plain.words(&pair.source, Side::Source), "A dog , 0 birds .");
    assert_eq!(plain.words(&pair.target, Side::Target), "Un chien , 0 oiseaux .");
    let text = plain.describe();
    assert!(text.starts_with("3 + 3 en-fr sentence pairs in /"), "{text}");
    let end = "in 4 buckets, vocabularies of 15 + 15, 2 blank lines left out";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn what_is_left_out_or_held_out_is_said() {
    let long = "w ".repeat(41);
    let lines = [vec!["w"; 44], vec![&long; 3]].concat().join("\n");
    let corpus = open(&[("train.de", lines.as_bytes()), ("train.en", lines.as_bytes())]).unwrap();
    // Of 47 pairs, 0, 20 and 40 are held out; the long ones are 44, 45 and 46.
    let text = corpus.describe();
    assert!(text.starts_with("41 + 3 de-en sentence pairs in "), "{text}");
    let end = "3 pairs too long for every bucket left out, every 20th training pair held out";
    assert!(text.ends_with(end) && corpus.too_long() == 3, "{text}");
    let built_in = generated(200, 4, [20, 5]).describe();
    assert_eq!(built_in, "20 + 5 built-in sentence pairs in 4 buckets, vocabularies of 190 + 200");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    let packed = gz(&b"one more line\n".repeat(5000));
    let cut = &packed[..packed.len() - 4];
    let long = b"one\n".repeat(5000);
    let cases: [([&[u8]; 2], &str); 8] = [
        (
            [b"a\nb\nc\nd", b"x\ny"],
            "train.en: line 3: a sentence without its translation: 4 lines here, but 2 in ",
        ),
        (
            [b"a", b"x\ny\n"],
            "train.fr: line 2: a sentence without its translation: 2 lines here, but 1 in ",
        ),
        ([b"a\nb", b"x\ncaf\xe9\n"], "train.fr: line 2: not UTF-8"),
        ([b"a\nb", b"x\n\ny"], "train.fr: line 2: blank, but not in "),
        ([b"a\n \t\nb", b"x\ny\nz"], "train.en: line 2: blank, but not in "),
        ([b"", b"x"], "train.en: line 1: the file is empty"),
        ([b"\n\n", b"\n\n"], "train.en: sentences: no training sentences"),
        ([&long, cut], "line 5001: the gzip stream is truncated"),
    ];
    for ([en, fr], expected) in cases {
        let error = open(&[("train.en", en), ("train.fr", fr)]).unwrap_err();
        assert_eq!(error.exit_code(), 10);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_folder_without_two_languages_is_refused() {
    let cases: [(&[&str], &str); 6] = [
        (
            &["readme.en", "train", "train.gz"],
            "neither train.XX nor train.YY: expected one sentence per line",
        ),
        (
            &["train.en", "train.en.gz"],
            "only train.en: the same sentences in a second language are missing",
        ),
        (
            &["train.en", "train.fr.gz", "train.de"],
            "train.de, train.en, train.fr: 3 languages, expected two",
        ),
        (&["train.en", "train.fr", "test.en"], "test.en: expected test.en and test.fr"),
        (
            &["train.en", "train.fr", "dev.en", "dev.de"],
            "dev.de, dev.en: expected dev.en and dev.fr",
        ),
        (
            &["train.en", "train.fr", "test.en", "test.fr", "test.de"],
            "expected test.en and test.fr",
        ),
    ];
    for (names, expected) in cases {
        let files: Vec<_> = names.iter().map(|&name| (name, &b"a\nb\n"[..])).collect();
        let error = open(&files).unwrap_err();
        assert_eq!(error.exit_code(), 10);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = Corpus::open(Path::new("/nowhere"), &options(100, &BUCKETS)).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere: folder: no such folder"), "{error}");
}
