//! Archives that are whole under another form, and those whose meaning is in doubt.

use super::*;

/// A tar of two classes with an image of each kind, and where its end blocks begin.
fn small() -> (Vec<u8>, usize) {
    let class = |n: usize| {
        let image = |sample: u64| encode(&picture(n, sample, 20, 20), ImageFormat::Png);
        let images: Vec<_> = (0..8).map(|i| (format!("{i}.png"), image(i))).collect();
        (format!("n{n:02}.tar"), tar_of(&images))
    };
    let whole = tar_of(&[class(0), class(1)]);
    let end = whole.len() - 1024;
    (whole, end)
}

fn open_bytes(bytes: &[u8], skip_bad: bool) -> Result<Images> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.tar");
    std::fs::write(&file, bytes).unwrap();
    open(&ImageOptions { skip_bad, ..options(Some(&file)) })
}

fn fault(bytes: &[u8]) -> String {
    open_bytes(bytes, true).unwrap_err().to_string()
}

/// An archive with one more member, of a type.
fn with_member(kind: tar::EntryType, name: &str) -> Vec<u8> {
    let images: Vec<_> = (0..4)
        .map(|i| (format!("{i}.png"), encode(&picture(1, i, 20, 20), ImageFormat::Png)))
        .collect();
    let mut inner = tar_of(&images);
    inner.truncate(inner.len() - 1024);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_path(name).unwrap();
    header.set_size(0);
    header.set_cksum();
    inner.extend(header.as_bytes());
    inner.extend([0; 1024]);
    tar_of(&[("n00.tar".into(), inner)])
}

#[test]
fn an_archive_without_end_blocks_is_whole() {
    let (whole, end) = small();
    let images = open_bytes(&whole, false).unwrap().listing().unwrap();
    for cut in [end, end + 512] {
        let without = open_bytes(&whole[..cut], false).unwrap().listing().unwrap();
        assert_eq!((without.listed(), without.line()), (images.listed(), None));
    }
    let padded = [&whole[..], &[0; 9 * 512]].concat();
    assert_eq!(open_bytes(&padded, false).unwrap().listing().unwrap().listed(), images.listed());
}

#[test]
fn a_copy_of_a_member_in_another_class_is_refused_or_left_out() {
    let images: Vec<_> = (0..4)
        .map(|i| (format!("{i}.png"), encode(&picture(0, i, 20, 20), ImageFormat::Png)))
        .collect();
    let other = [("4.png".into(), encode(&picture(1, 4, 20, 20), ImageFormat::Png))];
    let second = [&images[1..2], &other].concat();
    let bytes = tar_of(&[("n00.tar".into(), tar_of(&images)), ("n01.tar".into(), tar_of(&second))]);
    let error = open_bytes(&bytes, false).unwrap_err().to_string();
    assert!(error.contains("1.png at byte") && error.contains(", in another class"), "{error}");
    let listed = open_bytes(&bytes, true).unwrap().listing().unwrap().listed();
    assert_eq!(listed.train + listed.held_out, 5);
}

#[test]
fn two_halves_in_one_archive_are_no_classes() {
    let class = |first: u64, folder: &str| {
        let image = |i: u64| encode(&picture(0, first + i, 20, 20), ImageFormat::Png);
        (0..8).map(|i| (format!("{folder}{i}.png"), image(i))).collect::<Vec<_>>()
    };
    let set = |names: &[&str]| {
        let classes =
            (0..).zip(names).map(|(n, name)| (name.to_string(), tar_of(&class(n * 8, ""))));
        tar_of(&classes.collect::<Vec<_>>())
    };
    for (names, expected) in [
        (
            &["train/n00.tar", "train/n01.tar", "val/n00.tar", "val/n01.tar"][..],
            "a second class of this name",
        ),
        (&["more/n00.tar", "n00.tar"], "a second class of this name, as "),
        (&["Train.tar", "test.tar"], "a half of a set by its name"),
    ] {
        let error = fault(&set(names));
        assert!(error.contains(expected) && error.contains("unpack both"), "{error}");
    }
    for names in [&["a/n00.tar", "b/n01.tar"][..], &["n00.tar", "train.tar"]] {
        let listing = open_bytes(&set(names), false).unwrap().listing().unwrap();
        assert_eq!((listing.line(), listing.listed().train > 0), (None, true), "{names:?}");
    }
    // Folders in a class may be the classes.
    let inner = tar_of(&[class(0, "cat/"), class(8, "dog/")].concat());
    let one_folder = tar_of(&class(16, "./n01/"));
    let bytes = tar_of(&[("n00.tar".into(), inner), ("n01.tar".into(), one_folder)]);
    let error = open_bytes(&bytes, false).unwrap_err().to_string();
    assert!(
        error.contains("n00.tar, byte 512: images in more than one folder (cat, dog)"),
        "{error}"
    );
    let listed = open_bytes(&bytes, true).unwrap().listing().unwrap().listed();
    assert_eq!(listed.train + listed.held_out, 8);
}

#[test]
fn a_hole_and_a_second_archive_are_refused_whatever_is_asked_for() {
    let (whole, end) = small();
    let size = tar::Header::from_byte_slice(&whole[..512]).entry_size().unwrap() as usize;
    let second = 512 + size.next_multiple_of(512);
    let mut hole = whole.clone();
    hole[second..second + 512].fill(0);
    assert!(
        fault(&hole).contains(&format!("ends at byte {second}, but more follows")),
        "{}",
        fault(&hole)
    );
    let twice = [&whole[..], &whole[..]].concat();
    assert!(fault(&twice).contains(&format!("ends at byte {end}, but more follows")));
    let mut damaged = whole.clone();
    damaged[second + 3] ^= 1;
    assert!(fault(&damaged).contains("its checksum does not match"), "{}", fault(&damaged));
}

#[test]
fn members_that_hold_no_file_are_refused_or_counted() {
    use tar::EntryType;
    for (kind, reason) in [
        (EntryType::Symlink, "1 link in an archive"),
        (EntryType::Link, "1 link in an archive"),
        (EntryType::GNUSparse, "1 sparse member of an archive"),
        (EntryType::Fifo, "1 member of an archive that is not a file"),
        (EntryType::new(b'Z'), "1 member of an archive that is not a file"),
    ] {
        let bytes = with_member(kind, "odd.png");
        let error = open_bytes(&bytes, false).unwrap_err().to_string();
        assert!(error.contains("odd.png in n00.tar") && error.contains("--skip-bad"), "{error}");
        let listing = open_bytes(&bytes, true).unwrap().listing().unwrap();
        assert_eq!(listing.line().unwrap(), format!("passed over: {reason}"));
    }
    for (kind, name, line) in [
        (EntryType::Directory, "folder/", None),
        (EntryType::XGlobalHeader, "pax_global_header", None),
        (EntryType::new(b'V'), "the volume's name", None),
        (EntryType::Regular, "._0.png", Some("passed over: 1 hidden file")),
    ] {
        let listing = open_bytes(&with_member(kind, name), false).unwrap().listing().unwrap();
        assert_eq!(listing.line().as_deref(), line);
    }
}

#[test]
fn what_is_no_image_by_its_name_is_not_counted_as_one() {
    let bytes = with_member(tar::EntryType::Regular, "readme.txt");
    let error = open_bytes(&bytes, false).unwrap_err().to_string();
    assert!(error.contains("readme.txt in n00.tar") && error.contains("--skip-bad"), "{error}");
    let listing = open_bytes(&bytes, true).unwrap().listing().unwrap();
    assert_eq!(listing.line().unwrap(), "passed over: 1 file of another kind");
    assert_eq!(listing.listed().train + listing.listed().held_out, 4);
}

#[test]
fn sizes_that_wrap_and_names_without_end_are_refused() {
    let (whole, _) = small();
    let mut huge = whole.clone();
    // A size in base 256, close to the largest there is.
    huge[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
    let mut header = tar::Header::from_byte_slice(&huge[..512]).clone();
    header.set_cksum();
    huge[..512].copy_from_slice(header.as_bytes());
    assert!(fault(&huge).contains("is truncated"), "{}", fault(&huge));
    let mut name = tar::Header::new_gnu();
    name.set_entry_type(tar::EntryType::GNULongName);
    name.set_size(2 << 20);
    name.set_cksum();
    let long = [&name.as_bytes()[..], &vec![b'x'; 2 << 20], &whole].concat();
    assert!(fault(&long).contains("too long"), "{}", fault(&long));
    let packed = {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, &whole).unwrap();
        out.finish().unwrap()
    };
    assert!(fault(&packed).ends_with("unpack it first (gunzip)"), "{}", fault(&packed));
}

#[test]
fn a_name_that_is_there_twice_is_refused_or_taken_once() {
    let image = |n| encode(&picture(0, n, 20, 20), ImageFormat::Png);
    let inner = tar_of(&[
        ("0.png".into(), image(0)),
        ("1.png".into(), image(1)),
        ("0.png".into(), image(2)),
    ]);
    let twice_inside = tar_of(&[("n00.tar".into(), inner.clone())]);
    let class = tar_of(&[("0.png".into(), image(0)), ("1.png".into(), image(1))]);
    let twice = tar_of(&[("n00.tar".into(), class.clone()), ("n00.tar".into(), class)]);
    for bytes in [&twice_inside, &twice] {
        let error = open_bytes(bytes, false).unwrap_err().to_string();
        assert!(error.contains("a second member of this name"), "{error}");
        let images = open_bytes(bytes, true).unwrap();
        let listed = images.listing().unwrap().listed();
        assert_eq!(listed.train + listed.held_out, 2);
        assert!(images.describe().contains("of 1 class in"), "{}", images.describe());
    }
}

#[test]
fn records_that_cannot_be_read_and_archives_of_nothing_are_refused() {
    let (whole, end) = small();
    let with_record = |record: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(record.len() as u64);
        header.set_cksum();
        let mut bytes = [&header.as_bytes()[..], record].concat();
        bytes.resize(1024, 0);
        [bytes, whole.clone()].concat()
    };
    open_bytes(&with_record(b"18 path=class.tar\n"), false).unwrap();
    let wrapping = fault(&with_record(b"32 size=99999999999999999999999\n"));
    assert!(wrapping.contains("a size that is not a number"), "{wrapping}");
    assert!(fault(&with_record(b"99 path=x\n")).contains("a damaged record"));
    // A file of nothing costs no room, and takes minutes to look through.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.tar");
    std::fs::write(&file, &whole[..end]).unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_len(1 << 40).unwrap();
    let error = open(&options(Some(&file))).unwrap_err().to_string();
    assert!(error.contains("bytes follow: it is not an archive"), "{error}");
}

#[test]
fn long_names_are_read() {
    let name = "deep/".repeat(40);
    let image = encode(&picture(0, 0, 20, 20), ImageFormat::Png);
    let images: Vec<_> = (0..3).map(|i| (format!("{name}{i}.png"), image.clone())).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.tar");
    std::fs::write(&file, tar_of(&[("n00.tar".into(), tar_of(&images))])).unwrap();
    let list = archive::list(&file, &mut Listing::new(false)).unwrap();
    assert_eq!(list.train[0].name, name + "0.png");
}

#[test]
fn an_archive_that_gives_nothing_says_what_was_in_it() {
    let hidden = tar_of(&[("._n00.tar".into(), b"x".to_vec())]);
    for (bytes, expected) in [
        (vec![], "it contains no files: expected a tar of tars"),
        (hidden, "none of its files can be used (passed over: 1 hidden file): expected a tar of"),
        (vec![b'x'; 512], "not a tar header: its checksum does not match: expected a tar of tars"),
    ] {
        assert!(fault(&bytes).contains(expected), "{}", fault(&bytes));
    }
}

#[test]
fn a_class_without_images_is_refused_or_left_out() {
    let image = encode(&picture(0, 0, 20, 20), ImageFormat::Png);
    let images: Vec<_> = (0..3).map(|i| (format!("{i}.png"), image.clone())).collect();
    let bytes = tar_of(&[("a.tar".into(), tar_of(&[])), ("b.tar".into(), tar_of(&images))]);
    let error = open_bytes(&bytes, false).unwrap_err().to_string();
    assert!(error.contains("a.tar") && error.contains("a class without images"), "{error}");
    let images = open_bytes(&bytes, true).unwrap();
    assert!(images.describe().contains("of 1 class in"), "{}", images.describe());
    assert_eq!(images.listing().unwrap().line().unwrap(), "passed over: 1 class without images");
}

#[test]
fn a_name_with_terminal_codes_is_harmless_in_a_message() {
    let bytes = tar_of(&[("\u{1b}[31mred".into(), b"x".to_vec())]);
    let error = open_bytes(&bytes, false).unwrap_err().to_string();
    assert!(error.contains("red") && !error.contains('\u{1b}'), "{error}");
}
