//! Data sets as they are found in the wild, each under `tests/data`: what is read of them, what is refused, and
//! what is said. No device is needed.

use std::path::{Path, PathBuf};

use fathom::error::{Error, Result};
use fathom::terms::Preset;
use fathom::workload::{self, DataSource, Samples, Split};
use flate2::read::GzDecoder;

/// A committed set.
fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// What a tiny model learns from.
fn open(workload: &str, path: &Path, skip_bad: bool) -> Result<Box<dyn Samples>> {
    let model = (workload::find(workload)?.configure)(Preset::Tiny, None);
    let path = Some(path.to_path_buf());
    model.samples(&DataSource { path, skip_bad, ..DataSource::default() })
}

/// The error of opening a set and reading all of it.
fn refusal(workload: &str, path: &Path, skip_bad: bool) -> String {
    let read = || -> Result<()> {
        let mut samples = open(workload, path, skip_bad)?;
        for step in 0..samples.epoch().unwrap_or(4) {
            samples.batch(Split::Train, step)?;
        }
        (0..samples.test_batches())
            .try_for_each(|step| samples.batch(Split::Test, step).map(|_| ()))
    };
    let error: Error = read().expect_err("it was accepted");
    assert_eq!(error.exit_code(), 10, "{error}");
    let text = error.to_string();
    assert!(!text.contains(char::is_control), "{text:?}");
    text
}

/// Reads a batch of either half; how many there are of each, and what was passed over.
fn accepted(workload: &str, path: &Path) -> (usize, usize, String) {
    let mut samples = open(workload, path, false).unwrap();
    for split in [Split::Train, Split::Test] {
        samples.batch(split, 0).unwrap();
    }
    let listing = samples.listing().unwrap();
    let listed = listing.listed();
    (listed.train, listed.held_out, listing.line().unwrap_or_default())
}

/// A committed `.tar.gz` without its packing.
fn unpacked(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.tar");
    let mut packed = GzDecoder::new(std::fs::File::open(case(name)).unwrap());
    std::io::copy(&mut packed, &mut std::fs::File::create(&file).unwrap()).unwrap();
    (folder, file)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_mark_before_the_first_line_is_no_part_of_it() {
    assert_eq!(accepted("memnet", &case("babi-bom/b")), (2, 1, String::new()));
}

#[test]
fn a_question_whose_tabs_became_spaces_is_not_taken_for_a_fact() {
    let error = refusal("memnet", &case("babi-spaces/b"), false);
    assert!(error.contains("line 3: a question and more without a tab between them"), "{error}");
}

#[test]
fn a_file_that_was_cut_in_an_answer_is_not_taken_for_a_whole_one() {
    let path = case("babi-cut/b");
    let error = refusal("memnet", &path, false);
    assert!(error.contains("qa1_x_train.txt: end: it ends before the story does"), "{error}");
    let listing = open("memnet", &path, true).unwrap().listing().unwrap();
    assert_eq!(listing.line().unwrap(), "passed over: 1 unreadable sample");
}

#[test]
fn zeros_behind_a_packed_file_are_no_part_of_it() {
    assert_eq!(accepted("seq2seq", &case("seq-gz-padding/s")), (1, 1, String::new()));
}

#[test]
fn halves_without_classes_are_no_two_classes() {
    let error = refusal("alexnet", &case("img-flat-valid/set"), false);
    assert!(error.contains("valid is beside it, so that the classes"), "{error}");
}

#[test]
fn images_under_the_names_that_archives_give_them_are_found() {
    let error = refusal("autoenc", &case("idx-dot-names/m"), false);
    assert!(
        error.contains("train-images.idx3-ubyte: header, byte 4 (count): 0 samples"),
        "{error}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_class_folder_that_cannot_be_named_is_not_lost() {
    let (folder, file) = unpacked("img-class-not-utf8/set.tar.gz");
    tar::Archive::new(std::fs::File::open(file).unwrap()).unpack(folder.path()).unwrap();
    let set = folder.path().join("set");
    let error = refusal("alexnet", &set, false);
    assert!(error.contains("the name of this class is not UTF-8"), "{error}");
    let samples = open("alexnet", &set, true).unwrap();
    assert!(samples.describe().contains("of 1 class in"), "{}", samples.describe());
    let line = samples.listing().unwrap().line().unwrap();
    assert_eq!(line, "passed over: 1 name that is not UTF-8");
}

#[test]
fn a_tree_with_train_alone_is_explained() {
    let error = refusal("alexnet", &case("img-train-only/set"), false);
    assert!(error.contains("of which a tenth is then held out"), "{error}");
    assert_eq!(accepted("alexnet", &case("img-train-only/set/train")).0, 2);
}

#[test]
fn an_image_that_ends_in_its_thumbnail_or_promises_too_much_is_refused() {
    for (name, expected) in [
        ("jpeg-cut-after-thumbnail/set", "its data end early"),
        ("jpeg-says-20000/set", "20000 x 20000 pixels: at most"),
    ] {
        let error = refusal("alexnet", &case(name), false);
        assert!(error.contains(expected), "{error}");
        let error = refusal("alexnet", &case(name), true);
        assert!(error.contains("can be read; the first passed over"), "{error}");
    }
}

#[test]
fn an_image_with_a_trailer_is_whole() {
    assert_eq!(accepted("alexnet", &case("jpeg-trailer/set")), (2, 1, String::new()));
}

#[test]
fn an_odd_chunk_with_its_padding_is_stepped_over() {
    assert_eq!(accepted("speech", &case("riff-odd-chunk/t")), (1, 1, String::new()));
}

#[test]
fn a_line_that_is_blank_on_one_side_is_passed_over_and_said() {
    let (train, held_out, line) = accepted("seq2seq", &case("seq-blank-one-side/s"));
    assert_eq!((train, held_out), (1, 1));
    assert_eq!(line, "passed over: 1 line that is blank in one language");
}

#[test]
fn a_set_without_a_held_out_pair_of_the_bucket_is_refused() {
    let error = refusal("seq2seq", &case("seq-no-held-out/s"), false);
    assert!(error.contains("it has no held-out pairs"), "{error}");
    assert!(error.contains("1 sample too long for the model"), "{error}");
}

#[test]
fn a_members_name_does_nothing_to_a_terminal() {
    let (_folder, file) = unpacked("tar-escape/t.tar.gz");
    assert!(refusal("alexnet", &file, false).contains("red"));
}

#[test]
fn a_hole_in_an_archive_is_found() {
    let (_folder, file) = unpacked("tar-hole/hole.tar.gz");
    for skip_bad in [false, true] {
        let error = refusal("alexnet", &file, skip_bad);
        assert!(
            error.contains("the archive ends at byte") && error.contains("but more"),
            "{error}"
        );
    }
}

#[test]
fn an_archive_inside_without_end_blocks_is_whole() {
    let (_folder, file) = unpacked("tar-no-end-blocks/t.tar.gz");
    let samples = open("alexnet", &file, false).unwrap();
    assert!(samples.describe().contains("of 2 classes"), "{}", samples.describe());
    assert_eq!(samples.listing().unwrap().line(), None);
}

#[test]
fn files_that_macos_left_are_passed_over_and_counted() {
    let (train, held_out, line) = accepted("speech", &case("timit-appledouble/t"));
    assert_eq!((train, held_out, line.as_str()), (1, 1, "passed over: 2 hidden files"));
}

#[test]
#[cfg(unix)]
fn links_that_lead_back_into_a_tree_add_nothing() {
    let folder = tempfile::tempdir().unwrap();
    copy(&case("timit-link-loop/t"), folder.path());
    for name in ["x", "y"] {
        std::os::unix::fs::symlink(".", folder.path().join("TRAIN/A").join(name)).unwrap();
    }
    let (train, held_out, line) = accepted("speech", folder.path());
    assert_eq!((train, held_out), (1, 1));
    assert!(line.contains("2 links to what is listed already"), "{line}");
}
