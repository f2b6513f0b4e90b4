//! Folders as they are found in the wild.

use super::*;

fn open_folder(path: &Path, skip_bad: bool) -> Result<Images> {
    open(&ImageOptions { skip_bad, ..options(Some(path)) })
}

fn fault(path: &Path) -> String {
    let error = open_folder(path, false).unwrap_err();
    assert_eq!(error.exit_code(), 10);
    error.to_string()
}

/// The images of [`tree`] below a folder of it.
fn tree_in(inside: &str) -> TempDir {
    let (whole, flat) = (tempfile::tempdir().unwrap(), tree());
    let place = whole.path().join(inside);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::rename(flat.path(), place).unwrap();
    whole
}

fn line(images: &Images) -> String {
    images.listing().unwrap().line().unwrap_or_default()
}

#[test]
fn a_tree_that_is_nested_or_half_there_is_explained() {
    let nested = tree_in("ILSVRC/Data");
    let error = fault(nested.path());
    assert!(error.contains("its folders hold folders") && error.contains("ILSVRC"), "{error}");
    let train_only = tree_in("train");
    let error = fault(train_only.path());
    let advice = format!("name {}", train_only.path().join("train").display());
    assert!(error.contains(&advice) && !error.contains("remove"), "{error}");
    open_folder(&train_only.path().join("train"), false).unwrap();
    // ImageNet's held-out images come without folders.
    std::fs::create_dir(train_only.path().join("val")).unwrap();
    std::fs::write(train_only.path().join("val/0.png"), "x").unwrap();
    let error = fault(train_only.path());
    assert!(error.contains("val") && error.contains("no class folders in it"), "{error}");
}

#[test]
fn halves_without_a_class_folder_are_no_classes() {
    let set = tree();
    for (class, half) in [("class0", "test"), ("class1", "Validation")] {
        std::fs::rename(set.path().join(class), set.path().join(half)).unwrap();
    }
    let error = fault(set.path());
    assert!(error.contains("test") && error.contains("Validation is beside it"), "{error}");
    // One of them may be the name of a class.
    std::fs::rename(set.path().join("Validation"), set.path().join("class1")).unwrap();
    open_folder(set.path(), false).unwrap();
}

#[test]
fn trees_like_those_of_tiny_imagenet_are_explained() {
    let set = tree_in("train");
    let train = set.path().join("train");
    for class in ["class0", "class1", "class2"] {
        let (class, moved) = (train.join(class), set.path().join("moved"));
        std::fs::rename(&class, &moved).unwrap();
        std::fs::create_dir(&class).unwrap();
        std::fs::rename(&moved, class.join("images")).unwrap();
        std::fs::write(class.join("boxes.txt"), "x").unwrap();
    }
    std::fs::create_dir_all(set.path().join("val/images")).unwrap();
    std::fs::write(set.path().join("val/images/0.png"), "x").unwrap();
    let error = fault(set.path());
    assert!(error.contains("none of its folders (images) is a class of "), "{error}");
    assert!(error.contains("of which a tenth is then held out"), "{error}");
    let error = fault(&train);
    assert!(error.contains("holds a folder 'images' with the images, as it seems"), "{error}");
}

#[test]
fn a_set_that_is_split_keeps_its_split_and_says_what_is_not_used() {
    let set = tree_in("train");
    let held_out = tree_from(20);
    std::fs::remove_dir_all(held_out.path().join("class2")).unwrap();
    std::fs::rename(held_out.path(), set.path().join("val")).unwrap();
    std::fs::create_dir(set.path().join("test")).unwrap();
    for name in ["labels.csv", ".DS_Store", "train/notes.txt"] {
        std::fs::write(set.path().join(name), "x").unwrap();
    }
    let images = open_folder(set.path(), false).unwrap();
    let listed = images.listing().unwrap().listed();
    assert_eq!((listed.train, listed.held_out), (60, 40));
    for expected in [
        "1 hidden file",
        "2 files beside the class folders (labels.csv, notes.txt)",
        "1 entry that is not used (test)",
        "1 class without images (held out of class2)",
    ] {
        assert!(line(&images).contains(expected), "{}", line(&images));
    }
    std::fs::rename(set.path().join("val/class1"), set.path().join("val/other")).unwrap();
    assert!(fault(set.path()).contains("class 'other' is not in"));
}

#[test]
fn every_extension_of_the_two_formats_is_read_and_hidden_files_are_counted() {
    let folder = tree();
    let class = folder.path().join("class0");
    std::fs::rename(class.join("0.JPEG"), class.join("0.jfif")).unwrap();
    std::fs::rename(class.join("2.JPEG"), class.join("2.JPE")).unwrap();
    std::fs::write(class.join("._0.jfif"), "x").unwrap();
    let images = open_folder(folder.path(), false).unwrap();
    let listed = images.listing().unwrap().listed();
    assert_eq!(listed.train + listed.held_out, 60);
    assert_eq!(line(&images), "passed over: 1 hidden file");
}

#[test]
fn a_class_that_gives_nothing_is_refused_or_left_out_and_counted() {
    let folder = tree();
    std::fs::create_dir(folder.path().join("aaa")).unwrap();
    let error = fault(folder.path());
    assert!(error.contains("aaa") && error.contains("a class without images"), "{error}");
    let images = open_folder(folder.path(), true).unwrap();
    assert!(images.describe().contains("of 3 classes"), "{}", images.describe());
    assert_eq!(line(&images), "passed over: 1 class without images");
}

#[test]
fn held_out_images_of_a_class_that_is_left_out_are_counted() {
    let set = tree_in("train");
    std::fs::rename(tree_from(20).path(), set.path().join("valid")).unwrap();
    let class = set.path().join("train/class1");
    std::fs::remove_dir_all(&class).unwrap();
    std::fs::create_dir(&class).unwrap();
    assert!(fault(set.path()).contains("a class without images"));
    let images = open_folder(set.path(), true).unwrap();
    let listed = images.listing().unwrap().listed();
    assert_eq!((listed.train, listed.held_out), (40, 40));
    let said = line(&images);
    assert_eq!(said, "passed over: 20 entries that are not used, 1 class without images");
}

#[test]
fn what_systems_leave_in_folders_is_no_part_of_a_set() {
    let folder = tree();
    std::fs::create_dir(folder.path().join("__MACOSX")).unwrap();
    for name in ["class0/Thumbs.db", "class1/desktop.ini", "__MACOSX/._class0"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let images = open_folder(folder.path(), false).unwrap();
    assert!(images.describe().contains("of 3 classes"), "{}", images.describe());
    assert_eq!(line(&images), "passed over: 3 hidden files");
}

#[test]
#[cfg(target_os = "linux")]
fn a_class_whose_name_is_not_utf8_is_refused_or_left_out_and_counted() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tree();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    std::fs::rename(folder.path().join("class2"), folder.path().join(name)).unwrap();
    let error = fault(folder.path());
    assert!(error.contains("caf\u{fffd}") && error.contains("not UTF-8"), "{error}");
    let images = open_folder(folder.path(), true).unwrap();
    assert!(images.describe().contains("of 2 classes"), "{}", images.describe());
    assert_eq!(line(&images), "passed over: 1 name that is not UTF-8");
}

#[test]
#[cfg(unix)]
fn no_image_is_both_learned_from_and_held_out() {
    use std::os::unix::fs::symlink;
    let set = tree_in("train");
    let (train, val) = (set.path().join("train"), set.path().join("val"));
    symlink("train", &val).unwrap();
    assert!(fault(set.path()).contains("learned from as well"));
    std::fs::remove_file(&val).unwrap();
    std::fs::create_dir_all(val.join("class0")).unwrap();
    let other = encode(&picture(0, 20, 40, 33), ImageFormat::Png);
    std::fs::write(val.join("class0/other.png"), other).unwrap();
    open_folder(set.path(), false).unwrap();
    symlink(train.join("class1/1.png"), val.join("class0/link.png")).unwrap();
    let error = fault(set.path());
    assert!(error.contains("link.png") && error.contains("learned from as well"), "{error}");
    std::fs::remove_dir_all(&val).unwrap();
    std::fs::rename(train.join("class2"), set.path().join("kept")).unwrap();
    symlink("class1", train.join("class2")).unwrap();
    assert!(fault(&train).contains("the same folder as class 'class1'"));
}

#[test]
#[cfg(unix)]
fn another_name_of_an_image_is_found_in_either_half_and_in_any_class() {
    use std::fs::hard_link;
    use std::os::unix::fs::symlink;
    let set = tree_in("train");
    let (train, val) = (set.path().join("train"), set.path().join("val"));
    std::fs::create_dir_all(val.join("class0")).unwrap();
    hard_link(train.join("class1/1.png"), val.join("class0/0.png")).unwrap();
    let error = fault(set.path());
    assert!(error.contains("class0/0.png") && error.contains("learned from as well"), "{error}");
    // In its own class it is the same image once more, which may be learned from and held out.
    for at in 0..10 {
        symlink(format!("{}.png", 2 * at + 1), train.join(format!("class0/a{at}.png"))).unwrap();
    }
    let images = open_folder(&train, false).unwrap();
    let listed = images.listing().unwrap().listed();
    assert_eq!(listed.train + listed.held_out, 60);
    assert_eq!(line(&images), "passed over: 10 links to what is listed already");
    hard_link(train.join("class1/1.png"), train.join("class2/z.png")).unwrap();
    let error = fault(&train);
    assert!(error.contains("z.png") && error.contains("in another class"), "{error}");
    let listed = open_folder(&train, true).unwrap().listing().unwrap().listed();
    assert_eq!(listed.train + listed.held_out, 60);
}

#[test]
fn a_copy_of_an_image_is_found_in_the_other_half_and_in_another_class() {
    let set = tree_in("train");
    let (train, val) = (set.path().join("train"), set.path().join("val"));
    std::fs::create_dir_all(val.join("class0")).unwrap();
    let other = encode(&picture(0, 20, 40, 33), ImageFormat::Png);
    std::fs::write(val.join("class0/other.png"), other).unwrap();
    // Once more in its own class and half it contradicts nothing.
    std::fs::copy(train.join("class0/0.JPEG"), train.join("class0/again.jpg")).unwrap();
    let listed = open_folder(set.path(), false).unwrap().listing().unwrap().listed();
    assert_eq!((listed.train, listed.held_out), (61, 1));
    std::fs::copy(train.join("class0/0.JPEG"), val.join("class0/copy.jpg")).unwrap();
    let error = fault(set.path());
    let known = format!("a copy of {}, which is learned", train.join("class0/0.JPEG").display());
    assert!(error.contains("copy.jpg: file: held out") && error.contains(&known), "{error}");
    let images = open_folder(set.path(), true).unwrap();
    assert_eq!(images.listing().unwrap().listed(), {
        let copies = crate::terms::PassedOver { reason: crate::terms::Reason::Duplicate, count: 1 };
        let passed_over = [vec![copies], listed.passed_over].concat();
        crate::terms::Listed { passed_over, ..listed }
    });
    std::fs::copy(train.join("class1/1.png"), train.join("class2/z.png")).unwrap();
    let error = fault(&train);
    assert!(error.contains("z.png") && error.contains("1.png, in another class"), "{error}");
    assert_eq!(
        line(&open_folder(&train, true).unwrap()),
        "passed over: 1 copy of an image in another class or half"
    );
}

#[test]
fn an_empty_file_is_no_image() {
    let set = tree_in("train");
    std::fs::create_dir_all(set.path().join("val/class0")).unwrap();
    std::fs::write(set.path().join("val/class0/0.png"), "").unwrap();
    let error = fault(set.path());
    assert!(error.contains("0.png: image data: it is empty: download it again"), "{error}");
    // Nothing of what is learned from takes its place.
    let error = open_folder(set.path(), true).unwrap_err().to_string();
    assert!(error.contains("none held out") && error.contains("1 unreadable sample"), "{error}");
    std::fs::write(set.path().join("train/class0/a.png"), "").unwrap();
    let images = open_folder(&set.path().join("train"), true).unwrap();
    let listed = images.listing().unwrap().listed();
    assert_eq!(listed.train + listed.held_out, 60);
    assert_eq!(line(&images), "passed over: 1 unreadable sample");
}

#[test]
fn nothing_to_learn_from_takes_the_place_of_a_held_out_half_without_images() {
    let set = tree_in("train");
    for class in ["class0", "class1", "class2"] {
        std::fs::create_dir_all(set.path().join("val").join(class)).unwrap();
    }
    for error in [false, true].map(|skip_bad| open_folder(set.path(), skip_bad).unwrap_err()) {
        let error = error.to_string();
        assert!(error.contains("none held out to measure on"), "{error}");
        assert!(error.contains("3 classes without images (held out of class0, "), "{error}");
    }
}

#[test]
fn halves_without_classes_are_not_taken_for_two_classes() {
    let set = tree_in("train");
    std::fs::rename(set.path().join("train/class0"), set.path().join("val")).unwrap();
    std::fs::rename(set.path().join("train/class1"), set.path().join("flat")).unwrap();
    std::fs::remove_dir_all(set.path().join("train")).unwrap();
    std::fs::rename(set.path().join("flat"), set.path().join("train")).unwrap();
    let error = fault(set.path());
    assert!(error.contains("train") && error.contains("it has no class folders"), "{error}");
    std::fs::create_dir(set.path().join("val/class0")).unwrap();
    assert!(fault(set.path()).contains("sort them into folders, one for each class"));
    // Without a second half it is a class of that name.
    std::fs::rename(set.path().join("val"), set.path().join("plane")).unwrap();
    std::fs::remove_dir(set.path().join("plane/class0")).unwrap();
    open_folder(set.path(), false).unwrap();
}

#[test]
fn one_held_out_image_that_cannot_be_read_is_named() {
    let set = tree_in("train");
    std::fs::create_dir_all(set.path().join("val/class0")).unwrap();
    std::fs::write(set.path().join("val/class0/only.png"), "x").unwrap();
    let mut images = open_folder(set.path(), true).unwrap();
    images.batch(Split::Train, 0).unwrap();
    let error = images.batch(Split::Test, 0).unwrap_err().to_string();
    assert!(
        error.contains("none of the 1 held-out images") && error.contains("only.png"),
        "{error}"
    );
}
