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
fn what_an_editor_left_of_a_file_is_no_language() {
    let error = open(&[("train.en", EN), ("train.en~", FR)]).unwrap_err().to_string();
    assert!(error.contains("only train.en: "), "{error}");
    for other in ["train.en~", "train.en (1)", "train.#en", "train.fr copy"] {
        let corpus = open(&[("train.en", EN), ("train.fr", FR), (other, b"x")]).unwrap();
        let line = corpus.listing().unwrap().line().unwrap();
        assert!(line.contains(&format!("not used ({other})")), "{line}");
    }
    open(&[("train.pt-BR", EN), ("train.zh_Hant", FR)]).unwrap();
}

#[test]
fn plain_and_packed_files_are_read_alike() {
    let packed = [gz(EN), gz(FR)];
    // The same sentences to be held out, in files that are no copies.
    let [french, english] = [FR, EN].map(|text| [b" ", text].concat());
    let twin = [french, english.clone(), gz(&english)];
    let plain =
        open(&[("train.fr", FR), ("train.en", EN), ("dev.fr", &twin[0]), ("dev.en", &twin[1])])
            .unwrap();
    let mixed = [
        ("train.fr.gz", &packed[1][..]),
        ("train.en", EN),
        ("train.tok.en", EN),
        ("valid.en.gz", &twin[2]),
        ("valid.fr", &twin[0]),
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
    assert!(text.ends_with("in 4 buckets, vocabularies of 15 + 15"), "{text}");
    assert_eq!(plain.listing().unwrap().line().unwrap(), "passed over: 2 blank lines");
    let line = mixed.listing().unwrap().line().unwrap();
    let end = "2 entries that are not used (train.tok.en, dev.en), 2 blank lines";
    assert_eq!(line, format!("passed over: {end}"));
}

#[test]
fn what_is_left_out_or_held_out_is_said() {
    let long = "w ".repeat(41);
    let lines = [vec!["w"; 44], vec![&long; 3]].concat().join("\n");
    let english = lines.replace('w', "v");
    let corpus = open(&[("train.de", lines.as_bytes()), ("train.en", english.as_bytes())]).unwrap();
    // Of 47 pairs, 0, 20 and 40 are held out; the long ones are 44, 45 and 46.
    let text = corpus.describe();
    assert!(text.starts_with("41 + 3 de-en sentence pairs in "), "{text}");
    assert!(text.ends_with(", every 20th training pair held out"), "{text}");
    let line = corpus.listing().unwrap().line().unwrap();
    assert_eq!(line, "passed over: 3 samples too long for the model");
    let built_in = generated(200, 4, [20, 5]).describe();
    assert_eq!(built_in, "20 + 5 built-in sentence pairs in 4 buckets, vocabularies of 190 + 200");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    let packed = gz(&b"one more line\n".repeat(5000));
    let cut = &packed[..packed.len() - 4];
    let long = b"one\n".repeat(5000);
    let endless = [b"x".repeat(3 << 20), b"\nb\n".to_vec()].concat();
    let cases: [([&[u8]; 2], &str); 10] = [
        ([b"a\nb", b"x\ry\r"], "train.fr: line 1: its lines end in CR alone, as on old Macs"),
        ([b"a\nb\0", b"x\ny"], "train.en: line 2: bytes of zero: not a text, or one in UTF-16"),
        ([b"a\nb", b"\xff\xfex\0\n\0"], "train.fr: line 1: not UTF-8 but, as it seems, UTF-16"),
        (
            [b"a\nb\nc\nd", b"x\ny"],
            "train.en: line 3: a sentence without its translation: 4 lines here, but 2 in ",
        ),
        (
            [b"a", b"x\ny\n"],
            "train.fr: line 2: a sentence without its translation: 2 lines here, but 1 in ",
        ),
        ([b"a\nb", b"x\ncaf\xe9\n"], "train.fr: line 2: not UTF-8"),
        ([&endless, b"x\ny"], "train.en: line 1: longer than 1 MiB: no sentence is that long"),
        ([b"", b"x"], "train.en: line 1: the file is empty"),
        (
            [b"\n\n", b"\n \n"],
            "it has no training pairs; nor does any other bucket; passed over: 2 blank lines",
        ),
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

#[test]
fn lines_that_are_blank_on_one_side_are_passed_over_and_counted() {
    let (en, fr) = (b"a\n\nc\nd\n", b"x\ny\n\nz\n");
    let corpus = open(&[("train.en", en), ("train.fr", fr)]).unwrap();
    let all: Vec<_> = SPLITS.iter().flat_map(|&split| pairs_of(&corpus, split)).collect();
    assert_eq!(all.len(), 2);
    // The first is held out.
    assert_eq!(corpus.words(&all[0].target, Side::Target), "z");
    let line = corpus.listing().unwrap().line().unwrap();
    assert_eq!(line, "passed over: 2 lines that are blank in one language");
}

#[test]
fn what_cannot_be_read_is_passed_over_by_line_where_that_is_asked_for() {
    let long = [b"a\n".to_vec(), b"x".repeat(3 << 20), b"\nb\nc\n".to_vec()].concat();
    let folder = folder(&[("train.en", &long), ("train.fr", b"w\nx\ncaf\xe9\nz\n")]);
    let options = TextOptions { skip_bad: true, ..options(100, &BUCKETS) };
    let corpus = Corpus::open(folder.path(), &options).unwrap();
    let skipped = corpus.listing().unwrap().skipped();
    assert!(skipped[0].contains("train.en: line 2: longer than 1 MiB"), "{skipped:?}");
    assert!(skipped[1].contains("train.fr: line 3: not UTF-8"), "{skipped:?}");
    assert_eq!(corpus.listing().unwrap().listed().train, 1);
}

#[test]
fn held_out_pairs_are_there_and_their_own() {
    let [short, short_in_english] = [b"a b\nc d\n", b"e f\ng h\n"];
    let [long, long_in_english] = [b"a b c d e f g h\n", b"i j k l m n o p\n"];
    let single = TextOptions { single: true, ..options(100, &BUCKETS[..1]) };
    let files: [(&str, &[u8]); 4] = [
        ("train.de", short),
        ("train.en", short_in_english),
        ("test.de", long),
        ("test.en", long_in_english),
    ];
    let error = Corpus::open(folder(&files).path(), &single).unwrap_err().to_string();
    assert!(error.contains("bucket 0 (5, 10): it has no held-out pairs"), "{error}");
    assert!(error.contains("1 sample too long for the model"), "{error}");
    // Only the last of two buckets is used: the short pairs are of no use to it.
    let second = TextOptions { single: true, ..options(100, &BUCKETS[..2]) };
    let both = [&short[..], long, long].concat();
    let english = [&short_in_english[..], long_in_english, long_in_english].concat();
    let files: [(&str, &[u8]); 2] = [("train.de", &both), ("train.en", &english)];
    let corpus = Corpus::open(folder(&files).path(), &second).unwrap();
    let listing = corpus.listing().unwrap();
    assert_eq!((listing.listed().train, listing.listed().held_out), (1, 1));
    assert_eq!(listing.line().unwrap(), "passed over: 2 pairs of smaller buckets");
    assert!(corpus.describe().starts_with("1 + 1 de-en sentence pairs"), "{}", corpus.describe());
}

#[test]
fn every_20th_pair_that_is_used_is_held_out_whatever_lies_between() {
    let of = |word: &str| format!("{}\n{word}\n", word.repeat(80)).repeat(200);
    let (german, english) = (of("a "), of("b "));
    let corpus =
        open(&[("train.de", german.as_bytes()), ("train.en", english.as_bytes())]).unwrap();
    let listed = corpus.listing().unwrap().listed();
    assert_eq!((listed.train, listed.held_out), (190, 10));
}

#[test]
#[cfg(unix)]
fn a_text_is_no_translation_of_itself() {
    let folder = folder(&[("train.de", b"a\nb\n")]);
    std::os::unix::fs::symlink("train.de", folder.path().join("train.en")).unwrap();
    let error = Corpus::open(folder.path(), &options(100, &BUCKETS)).unwrap_err().to_string();
    assert!(error.contains("train.en: file: the same file as"), "{error}");
}

#[test]
fn copies_are_refused_as_links_are() {
    let (de, en): (&[u8], &[u8]) = (b"a\nb\n", b"x\ny\n");
    for (files, place, first) in [
        (
            [("train.de", de), ("train.en", de), ("test.de", b"c\n"), ("test.en", b"z\n")],
            "train.en",
            "train.de: a text is",
        ),
        (
            [("train.de", de), ("train.en", en), ("test.de", b"c\n"), ("test.en", b"c\n")],
            "test.en",
            "test.de: a text is",
        ),
        (
            [("train.de", de), ("train.en", en), ("test.de", b"c\nd\n"), ("test.en", en)],
            "test.en",
            "train.en: held out, and",
        ),
    ] {
        let error = open(&files).unwrap_err();
        assert_eq!(error.exit_code(), 10);
        let error = error.to_string();
        assert!(error.contains(&format!("{place}: file: a copy of ")), "{error}");
        assert!(error.contains(first), "{error}");
    }
}

#[test]
#[cfg(unix)]
fn no_file_is_both_learned_from_and_held_out() {
    let folder = folder(&[("train.de", b"a\nb\n"), ("train.en", b"x\ny\n"), ("test.de", b"c\n")]);
    std::os::unix::fs::symlink("train.en", folder.path().join("test.en")).unwrap();
    let error = Corpus::open(folder.path(), &options(100, &BUCKETS)).unwrap_err().to_string();
    assert!(error.contains("test.en") && error.contains("learned from as well"), "{error}");
}
