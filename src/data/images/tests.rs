use std::path::Path;

use image::{ImageFormat, RgbImage};
use tempfile::TempDir;

use super::*;

mod archives;
mod damage;
mod trees;

fn options(source: Option<&Path>) -> ImageOptions {
    ImageOptions {
        size: 24,
        classes: 10,
        batch: 4,
        seed: 5,
        source: source.map(Path::to_path_buf),
        skip_bad: false,
    }
}

fn picture(class: usize, sample: u64, width: u32, height: u32) -> RgbImage {
    let side = width.max(height);
    let bytes = draw::image(sample, class, side as usize);
    let square = RgbImage::from_raw(side, side, bytes).unwrap();
    image::imageops::crop_imm(&square, 0, 0, width, height).to_image()
}

fn encode(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Three classes of twenty images each, JPEG and PNG, of different sizes.
fn tree() -> TempDir {
    tree_from(0)
}

/// The same with other images, from sample `first` on.
fn tree_from(first: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for class in 0..3 {
        let class_folder = folder.path().join(format!("class{class}"));
        std::fs::create_dir(&class_folder).unwrap();
        for sample in 0..20 {
            let picture = picture(class, first + sample, 40 + sample as u32, 33);
            let (format, extension) = if sample % 2 == 0 {
                (ImageFormat::Jpeg, "JPEG")
            } else {
                (ImageFormat::Png, "png")
            };
            let file = class_folder.join(format!("{sample}.{extension}"));
            std::fs::write(file, encode(&picture, format)).unwrap();
        }
    }
    folder
}

fn tar_of(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The same as a tar of tars.
fn archive(folder: &Path) -> Vec<u8> {
    let classes = (0..3).map(|class| {
        let class_folder = folder.join(format!("class{class}"));
        let mut files: Vec<_> =
            std::fs::read_dir(&class_folder).unwrap().map(|e| e.unwrap()).collect();
        files.sort_by_key(std::fs::DirEntry::file_name);
        let member = |e: &std::fs::DirEntry| {
            let name = e.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(e.path()).unwrap())
        };
        let members: Vec<_> = files.iter().map(member).collect();
        (format!("class{class}.tar"), tar_of(&members))
    });
    tar_of(&classes.collect::<Vec<_>>())
}

#[test]
fn drawn_images_are_the_same_again_and_every_class_is_about_as_frequent() {
    let mut images = open(&options(None)).unwrap();
    let mut again = open(&options(None)).unwrap();
    let mut counts = [0; 10];
    for step in 0..1000 {
        let batch = images.batch(Split::Train, step).unwrap();
        assert_eq!(batch.pixels.len(), 4 * 24 * 24 * 3);
        batch.labels.iter().for_each(|&l| counts[l as usize] += 1);
        if step == 17 {
            assert_eq!(again.batch(Split::Train, 17).unwrap(), batch);
        }
    }
    assert!(counts.iter().all(|c| (320..480).contains(c)), "{counts:?}");
    let held_out = images.batch(Split::Test, 0).unwrap();
    assert_ne!(held_out, images.batch(Split::Train, 0).unwrap());
}

#[test]
fn the_first_ten_classes_differ_in_every_part_and_a_thousand_in_one() {
    for part in 0..3 {
        let mut seen: Vec<_> = (0..10).map(|c| draw::parts_of(c)[part]).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
    let looks: std::collections::HashSet<_> = (0..1000).map(draw::parts_of).collect();
    assert_eq!(looks.len(), 1000);
}

#[test]
fn batches_asked_for_out_of_turn_are_the_same() {
    let folder = tree();
    let mut images = open(&options(Some(folder.path()))).unwrap();
    let row: Vec<_> = (0..6).map(|s| images.batch(Split::Train, s).unwrap()).collect();
    for step in [5, 0, 3, 4] {
        assert_eq!(images.batch(Split::Train, step).unwrap(), row[step as usize]);
    }
}

#[test]
fn an_epoch_has_every_image_once() {
    let folder = tree();
    let set = open(&options(Some(folder.path()))).unwrap().set;
    let n = set.len(Split::Train);
    let key = mix(5 ^ mix(0));
    let mut order: Vec<_> = (0..n).map(|k| shuffled(k, n, key)).collect();
    order.sort_unstable();
    assert_eq!(order, (0..n).collect::<Vec<_>>());
    assert_eq!(n + set.len(Split::Test), 60);
}

#[test]
fn a_folder_and_its_archive_are_one_set() {
    let folder = tree();
    let file = folder.path().join("all.tar");
    let bytes = archive(folder.path());
    let mut from_folder = open(&options(Some(folder.path()))).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let mut from_archive = open(&options(Some(&file))).unwrap();
    for step in 0..3 {
        let batch = from_folder.batch(Split::Train, step).unwrap();
        assert_eq!(batch, from_archive.batch(Split::Train, step).unwrap());
    }
    assert!(from_archive.describe().contains("of 3 classes"));
}

#[test]
fn a_text_file_among_the_images_is_an_error_or_is_left_out_by_name() {
    let folder = tree();
    std::fs::write(folder.path().join("class1/notes.txt"), "hello").unwrap();
    let error = open(&options(Some(folder.path()))).unwrap_err().to_string();
    assert!(error.contains("notes.txt") && error.contains("--skip-bad"), "{error}");
    let mut lenient = options(Some(folder.path()));
    lenient.skip_bad = true;
    let images = open(&lenient).unwrap();
    let listing = images.listing().unwrap();
    assert!(listing.skipped()[0].contains("notes.txt"));
    assert_eq!(listing.line().unwrap(), "passed over: 1 file of another kind");
}

#[test]
fn a_jpeg_that_is_cut_short_or_no_jpeg_is_an_error_or_is_left_out_by_name() {
    for spoil in [0, 1] {
        let folder = tree();
        let file = folder.path().join("class0/4.JPEG");
        let bytes = std::fs::read(&file).unwrap();
        let bad =
            if spoil == 0 { bytes[..bytes.len() / 2].to_vec() } else { b"this is text".to_vec() };
        std::fs::write(&file, bad).unwrap();
        let mut strict = open(&options(Some(folder.path()))).unwrap();
        let met = (0..30).find_map(|step| {
            let test = strict.batch(Split::Test, step % 4).err();
            test.or(strict.batch(Split::Train, step).err())
        });
        let error = met.unwrap().to_string();
        assert!(error.contains("4.JPEG") && error.contains("--skip-bad"), "{error}");
        let mut lenient = options(Some(folder.path()));
        lenient.skip_bad = true;
        let mut images = open(&lenient).unwrap();
        for step in 0..30 {
            images.batch(Split::Train, step).unwrap();
            images.batch(Split::Test, step % 4).unwrap();
        }
        assert_eq!(images.listing().unwrap().skipped().len(), 1);
    }
}

#[test]
fn an_archive_that_is_cut_short_names_the_place() {
    let folder = tree();
    let whole = archive(folder.path());
    let file = folder.path().join("cut.tar");
    for keep in [100, whole.len() / 2, whole.len() - 1500] {
        std::fs::write(&file, &whole[..keep]).unwrap();
        let error = open(&options(Some(&file))).unwrap_err().to_string();
        assert!(error.contains("cut.tar") && error.contains("byte"), "{error}");
    }
    std::fs::write(&file, tar_of(&[("a.tar".into(), b"no tar".to_vec())])).unwrap();
    let error = open(&options(Some(&file))).unwrap_err().to_string();
    assert!(error.contains("a.tar"), "{error}");
}

#[test]
fn a_set_without_images_or_with_too_many_classes_says_so() {
    let empty = tempfile::tempdir().unwrap();
    let error = open(&options(Some(empty.path()))).unwrap_err().to_string();
    assert!(error.contains("one folder per class"), "{error}");
    let folder = tree();
    let mut few = options(Some(folder.path()));
    few.classes = 2;
    let error = open(&few).unwrap_err().to_string();
    assert!(error.contains("3 classes"), "{error}");
}
