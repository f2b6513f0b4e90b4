//! Every reader of what lies about in the world, as a function of bytes alone: what they say of it does not matter,
//! only that they come back, with a result or an error.

use std::fs;
use std::path::{Path, PathBuf};

use fathom::cli::range::{self, Range};
use fathom::data::images::{self, ImageOptions};
use fathom::data::listing::Listing;
use fathom::data::speech::{audio, phn};
use fathom::data::translation::{BUCKETS, Corpus, TextOptions};
use fathom::data::{Split, babi, digits, idx};
use fathom::measure::tune::{Table, table};
use fathom::record::Record;
use fathom::snapshot::Snapshot;
use fathom::terms::{Backend, Checks, Restriction};

/// A reader by its name.
pub(crate) type Parser = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const PARSERS: [Parser; 12] = [
    ("audio", audio),
    ("babi", babi),
    ("digits", digits),
    ("idx", idx),
    ("image", image),
    ("parallel_text", parallel_text),
    ("phones", phones),
    ("ranges", ranges),
    ("record", record),
    ("snapshot", snapshot),
    ("tar", tar),
    ("tuning", tuning),
];

/// A reader's own folder, empty, where memory serves as a disk if there is such a place.
fn folder(name: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let folder = root.join(format!("fathom-parsers-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the bytes");
    folder
}

/// Calls `read` with a file of the bytes, alone in its folder.
fn with_file<T>(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) {
    let folder = folder(name);
    let file = folder.join(name);
    fs::write(&file, bytes).expect("room for the bytes");
    let _ = read(&file);
    let _ = fs::remove_dir_all(folder);
}

/// The bytes up to the first byte of value 0, and those after it.
fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (&bytes[..at], bytes.get(at + 1..).unwrap_or_default())
}

fn audio(bytes: &[u8]) {
    with_file("a.wav", bytes, audio::read);
}

fn phones(bytes: &[u8]) {
    with_file("a.phn", bytes, phn::read);
}

/// As `--batch` takes them: separated by commas.
fn ranges(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let known: Vec<Range> = text.split(',').filter_map(|part| part.parse().ok()).collect();
        let _ = range::values(&known);
    }
}

fn babi(bytes: &[u8]) {
    for skip_bad in [false, true] {
        let _ = babi::parse(bytes, Path::new("qa1_train.txt"), 1, &mut Listing::new(skip_bad));
    }
}

fn idx(bytes: &[u8]) {
    let _ = idx::parse_images(bytes, Path::new("train-images-idx3-ubyte"));
    let _ = idx::parse_labels(bytes, Path::new("train-labels-idx1-ubyte"));
}

/// As a folder of MNIST's, where images and labels have to agree and names may end in `.gz`.
fn digits(bytes: &[u8]) {
    let folder = folder("digits");
    let (images, labels) = bytes.split_at(bytes.len() * 9 / 10);
    for (name, bytes) in [
        ("train-images-idx3-ubyte", images),
        ("train-labels-idx1-ubyte.gz", labels),
        ("t10k-images-idx3-ubyte.gz", images),
    ] {
        fs::write(folder.join(name), bytes).expect("room for the bytes");
    }
    let _ = digits::Digits::open(&folder, 1, Listing::new(false));
    let _ = fs::remove_dir_all(folder);
}

fn parallel_text(bytes: &[u8]) {
    let folder = folder("text");
    let (source, target) = halves(bytes);
    fs::write(folder.join("train.en"), source).expect("room for the bytes");
    fs::write(folder.join("train.fr"), target).expect("room for the bytes");
    for skip_bad in [false, true] {
        let buckets = BUCKETS.to_vec();
        let options =
            TextOptions { seed: 1, vocabularies: [50, 40], buckets, single: false, skip_bad };
        let _ = Corpus::open(&folder, &options);
    }
    let _ = fs::remove_dir_all(folder);
}

fn batches(source: &Path) {
    for skip_bad in [false, true] {
        let source = Some(source.to_path_buf());
        let options = ImageOptions { size: 8, classes: 3, batch: 2, seed: 1, source, skip_bad };
        if let Ok(mut images) = images::open(&options) {
            let _ = images.batch(Split::Train, 0);
            let _ = images.batch(Split::Test, 0);
        }
    }
}

fn tar(bytes: &[u8]) {
    with_file("a.tar", bytes, batches);
}

/// A file beside a whole one, under each of the names that are taken.
fn image(bytes: &[u8]) {
    let folder = folder("image");
    for (at, name) in ["a/1.png", "b/1.jpg"].into_iter().enumerate() {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a class")).expect("a folder for the bytes");
        fs::write(&file, bytes).expect("room for the bytes");
        let whole = [137, 80, 78, 71, 13, 10, 26, 10];
        fs::write(folder.join(name).with_file_name(format!("{at}.png")), whole)
            .expect("room for the bytes");
    }
    batches(&folder);
    let _ = fs::remove_dir_all(folder);
}

fn record(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(record) = Record::parse(text, Path::new("record.json"))
    {
        let _ = record.to_json();
    }
}

fn snapshot(bytes: &[u8]) {
    with_file("a.safetensors", bytes, Snapshot::load);
}

fn tuning(bytes: &[u8]) {
    let device = table::Device {
        name: "llvmpipe".into(),
        backend: Backend::Vulkan,
        driver: String::new(),
        vendor: 0,
        device: 0,
        threads: None,
        checks: Checks::Off,
        restriction: Restriction::default(),
    };
    with_file("a.json", bytes, |file| Table::load(file, &device));
}
