//! The autoenc workload's data: MNIST read from a folder, or generated digits that look handwritten.
//!
//! Owns which files make the data set, and the order in which samples are visited. Drawn digits
//! are encoded as IDX and read by the same parser as MNIST's files.

mod draw;
mod files;

use std::path::Path;

use crate::data::Split;
use crate::data::folder::{copied, disjoint};
use crate::data::idx::{self, Image, PIXELS};
use crate::data::listing::Listing;
use crate::data::order::{mix, shuffled};
use crate::error::{Error, Result};

use files::Half;

/// Where no file is held out, one image in this many is, and the last.
const HELD_OUT: usize = 10;

/// Images of digits, at least one, with their labels where the source has them.
#[derive(Debug, Clone)]
pub struct Digits {
    images: Vec<Image>,
    labels: Option<Vec<u8>>,
    seed: u64,
}

impl Digits {
    /// Draws `n` digits. Sample `i` depends on the seed, the split and `i` alone; the seed also
    /// sets the order of [`Digits::pixels`].
    ///
    /// # Errors
    /// [`Error::Data`] if `n` is 0.
    pub fn synthetic(seed: u64, split: Split, n: usize) -> Result<Self> {
        let name = Path::new("built-in digits");
        let (images, labels) = synthetic_idx(seed, split, n)?;
        let images = idx::parse_images(&images[..], name)?;
        let labels = Some(idx::parse_labels(&labels[..], name)?);
        Ok(Self { images, labels, seed })
    }

    /// Reads MNIST, or any set in its form: both halves, and what was passed over. `path` is the folder of the
    /// files, or one that has it inside as `raw` or `MNIST/raw`; or it is one file of images.
    ///
    /// Where no file is held out, every tenth image is.
    ///
    /// # Errors
    /// [`Error::Data`] if a file is missing or not what [`idx::parse_images`] reads, or if there
    /// are more or fewer labels than images; [`Error::Io`] if one cannot be read.
    pub fn open(path: &Path, seed: u64, mut listing: Listing) -> Result<([Self; 2], Listing)> {
        let files = files::find(path, &mut listing)?;
        let train = Self::read(&files.train, seed)?;
        let halves = match &files.test {
            Some(test) => {
                disjoint(&[&files.train.images], &[&test.images])?;
                let held_out = Self::read(test, seed)?;
                // As they are unpacked: one of the files may be packed.
                if held_out.images == train.images {
                    return Err(copied(&test.images, &files.train.images));
                }
                [train, held_out]
            }
            None => train.hold_out(),
        };
        for (split, half) in [Split::Train, Split::Test].into_iter().zip(&halves) {
            listing.take(split, half.images.len());
        }
        listing.settle(path, "images")?;
        Ok((halves, listing))
    }

    fn read(files: &Half, seed: u64) -> Result<Self> {
        let images = idx::read_images(&files.images)?;
        let mut labels = None;
        if let Some(file) = &files.labels {
            let read = idx::read_labels(file)?;
            if read.len() != images.len() {
                let what = format!("{} labels, but {} images", read.len(), images.len());
                return Err(Error::data(file, "header, byte 4 (count)", what));
            }
            labels = Some(read);
        }
        Ok(Self { images, labels, seed })
    }

    /// Every tenth image apart from the others.
    fn hold_out(self) -> [Self; 2] {
        let Self { mut images, mut labels, seed } = self;
        let held_out =
            Self { images: take_apart(&mut images), labels: labels.as_mut().map(take_apart), seed };
        [Self { images, labels, seed }, held_out]
    }

    /// All images, in the order of the source.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// The label of each image, where the source has labels.
    pub fn labels(&self) -> Option<&[u8]> {
        self.labels.as_deref()
    }

    /// The images `[batch_size, 784]` of a step, counted from 0, with pixels from 0 to 1. Steps
    /// walk through epochs without a gap: each epoch visits every sample once in an order of its
    /// own, and a batch may span two epochs or more.
    pub fn pixels(&self, step: u64, batch_size: usize) -> Vec<f32> {
        let n = self.images.len() as u64;
        let first = step.wrapping_mul(batch_size as u64);
        let mut pixels = Vec::with_capacity(batch_size * PIXELS);
        for k in (0..batch_size as u64).map(|i| first.wrapping_add(i)) {
            let sample = shuffled(k % n, n, mix(self.seed ^ mix(k / n)));
            let image = &self.images[sample as usize];
            pixels.extend(image.iter().map(|&ink| f32::from(ink) / 255.0));
        }
        pixels
    }
}

/// Takes every tenth of them out, and the last.
fn take_apart<T: Copy>(all: &mut Vec<T>) -> Vec<T> {
    let count = all.len();
    let is_apart = |at: usize| at % HELD_OUT == HELD_OUT - 1 || at + 1 == count;
    let apart = (0..count).filter(|&at| is_apart(at)).map(|at| all[at]).collect();
    let mut places = 0..;
    all.retain(|_| !places.next().is_some_and(is_apart));
    apart
}

/// The IDX files (images, labels) of the digits that [`Digits::synthetic`] draws.
///
/// # Errors
/// [`Error::Io`] for more samples than IDX can count.
pub fn synthetic_idx(seed: u64, split: Split, n: usize) -> Result<(Vec<u8>, Vec<u8>)> {
    let key = mix(seed ^ mix(split as u64));
    let (digits, labels): (Vec<Image>, Vec<u8>) = (0..n as u64)
        .map(|i| {
            let mut rng = draw::Rng::new(mix(key ^ i));
            let label = rng.below(10);
            (draw::draw(label, &mut rng), label as u8)
        })
        .unzip();
    let (mut images_idx, mut labels_idx) = (Vec::new(), Vec::new());
    idx::write_images(&mut images_idx, &digits)
        .and_then(|()| idx::write_labels(&mut labels_idx, &labels))
        .map_err(Error::io("write", "built-in digits"))?;
    Ok((images_idx, labels_idx))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::fs;

    fn train(n: usize) -> Digits {
        Digits::synthetic(1, Split::Train, n).unwrap()
    }

    #[test]
    fn a_sample_depends_on_seed_split_and_index_alone() {
        let digits = train(20);
        assert_eq!(digits.images()[..10], *train(10).images());
        let other_seed = Digits::synthetic(2, Split::Train, 20).unwrap();
        let other_split = Digits::synthetic(1, Split::Test, 20).unwrap();
        for other in [other_seed, other_split] {
            assert!(digits.images().iter().all(|image| !other.images().contains(image)));
        }
        assert!(Digits::synthetic(1, Split::Train, 0).is_err());
    }

    /// A change of the drawing changes what every record was measured on: make it knowingly.
    #[test]
    fn the_same_bytes_on_every_machine() {
        let (images, _) = synthetic_idx(1, Split::Train, 100).unwrap();
        let sum = images.iter().fold(0, |sum, &byte| mix(sum ^ u64::from(byte)));
        assert_eq!(sum, 2_526_307_915_220_765_045);
    }

    #[test]
    fn ink_as_in_mnist() {
        let digits = train(2000);
        let pixels = digits.images().as_flattened();
        // MNIST: mean 0.1307, standard deviation 0.3081.
        let mean =
            pixels.iter().map(|&ink| f64::from(ink) / 255.0).sum::<f64>() / pixels.len() as f64;
        assert!((0.10..0.16).contains(&mean), "{mean}");
        assert!(digits.images().iter().all(|image| image.iter().max() > Some(&200)));
        let labels = digits.labels().unwrap();
        assert!((0..10).all(|digit| labels.iter().filter(|&&label| label == digit).count() > 150));
    }

    #[test]
    fn labels_can_be_learned_from_images() {
        let (train, test) = (train(2000), Digits::synthetic(1, Split::Test, 500).unwrap());
        let mut means = vec![[0.0; PIXELS]; 10];
        for (image, &label) in train.images().iter().zip(train.labels().unwrap()) {
            means[label as usize].iter_mut().zip(image).for_each(|(m, &ink)| *m += f64::from(ink));
        }
        let cosine = |image: &Image, mean: &[f64; PIXELS]| {
            let dot: f64 = image.iter().zip(mean).map(|(&ink, m)| f64::from(ink) * m).sum();
            dot / mean.iter().map(|m| m * m).sum::<f64>().sqrt()
        };
        let nearest = |image| {
            (0..10).max_by(|&a, &b| cosine(image, &means[a]).total_cmp(&cosine(image, &means[b])))
        };
        let right = test
            .images()
            .iter()
            .zip(test.labels().unwrap())
            .filter(|&(image, &label)| nearest(image) == Some(label as usize))
            .count();
        // By chance 50 are right; of MNIST the nearest mean gets about 410.
        assert!((350..490).contains(&right), "{right} of 500");
    }

    #[test]
    fn an_epoch_visits_each_sample_once_in_an_order_of_its_own() {
        for n in (1..70).chain([1000]) {
            let epoch = |key| (0..n).map(|k| shuffled(k, n, mix(key))).collect::<Vec<_>>();
            let mut order = epoch(1);
            assert!(n < 20 || order != epoch(2), "{n}");
            order.sort_unstable();
            assert_eq!(order, (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn batches_walk_through_the_epochs() {
        let digits = train(5);
        let mut pixels: Vec<f32> = (0..5).flat_map(|step| digits.pixels(step, 3)).collect();
        assert_eq!(pixels.len(), 15 * PIXELS);
        assert_eq!(pixels, digits.pixels(0, 15));
        // Three epochs: each image three times.
        let unit = |image: &Image| image.map(|ink| f32::from(ink) / 255.0).to_vec();
        for image in digits.images() {
            let times = pixels.chunks(PIXELS).filter(|chunk| *chunk == unit(image)).count();
            assert_eq!(times, 3);
        }
        pixels.sort_by(f32::total_cmp);
        assert_eq!((pixels[0], pixels[pixels.len() - 1]), (0.0, 1.0));
        assert_eq!(digits.pixels(u64::MAX, 2).len(), 2 * PIXELS);
    }

    fn open(path: &Path) -> Result<([Digits; 2], Listing)> {
        Digits::open(path, 1, Listing::new(false))
    }

    /// The files of a set of `n` images, under the names that it has somewhere.
    fn write_set(folder: &Path, names: [&str; 4], n: usize) {
        fs::create_dir_all(folder).unwrap();
        let (images, labels) = synthetic_idx(1, Split::Train, n).unwrap();
        let (test_images, test_labels) = synthetic_idx(1, Split::Test, n).unwrap();
        for (name, bytes) in names.into_iter().zip([images, labels, test_images, test_labels]) {
            let bytes = if name.ends_with(".gz") {
                let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
                std::io::Write::write_all(&mut packed, &bytes).unwrap();
                packed.finish().unwrap()
            } else {
                bytes
            };
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    const NAMES: [[&str; 4]; 4] = [
        [
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        ],
        [
            "train-images.idx3-ubyte",
            "train-labels.idx1-ubyte",
            "t10k-images.idx3-ubyte",
            "t10k-labels.idx1-ubyte",
        ],
        [
            "emnist-digits-train-images-idx3-ubyte.gz",
            "emnist-digits-train-labels-idx1-ubyte.gz",
            "emnist-digits-test-images-idx3-ubyte.gz",
            "emnist-digits-test-labels-idx1-ubyte.gz",
        ],
        [
            "train-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        ],
    ];

    #[test]
    fn mnist_is_found_under_every_name_it_goes_by_and_in_every_place() {
        for names in NAMES {
            for place in ["", "raw", "MNIST/raw"] {
                let folder = tempfile::tempdir().unwrap();
                write_set(&folder.path().join(place), names, 4);
                let ([learned, held_out], listing) = open(folder.path()).unwrap();
                assert_eq!(learned.images(), train(4).images());
                assert_eq!(learned.labels(), train(4).labels());
                let test = Digits::synthetic(1, Split::Test, 4).unwrap();
                assert_eq!((held_out.images(), held_out.labels()), (test.images(), test.labels()));
                assert_eq!(listing.line(), None);
                // Any of the files stands for all of them.
                let file = folder.path().join(place).join(names[0]);
                assert_eq!(open(&file).unwrap().0[1].images(), test.images());
            }
        }
    }

    #[test]
    fn what_is_there_beside_the_set_is_said() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), NAMES[0], 4);
        write_set(folder.path(), NAMES[3], 4);
        fs::write(folder.path().join("._t10k-images-idx3-ubyte"), "x").unwrap();
        fs::write(folder.path().join("readme.txt"), "x").unwrap();
        let line = open(folder.path()).unwrap().1.line().unwrap();
        for expected in ["1 hidden file", "1 entry that is not used (readme.txt)", "2 second forms"]
        {
            assert!(line.contains(expected), "{line}");
        }
        // Which of two sets is meant cannot be known.
        write_set(folder.path(), NAMES[2], 4);
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("several sets") && error.contains("emnist-digits"), "{error}");
        let one = open(&folder.path().join(NAMES[2][0])).unwrap();
        assert_eq!(one.0[0].images().len(), 4);
    }

    #[test]
    fn where_no_file_is_held_out_every_tenth_image_is() {
        let folder = tempfile::tempdir().unwrap();
        let (images, _) = synthetic_idx(1, Split::Train, 25).unwrap();
        for name in ["train-images-idx3-ubyte", "digits"] {
            let file = folder.path().join(name);
            fs::write(&file, &images).unwrap();
            let ([learned, held_out], listing) = open(&file).unwrap();
            assert_eq!((learned.images().len(), held_out.images().len()), (22, 3));
            assert!(learned.images().iter().all(|image| !held_out.images().contains(image)));
            assert_eq!((listing.listed().train, listing.listed().held_out), (22, 3));
        }
        let (one, _) = synthetic_idx(1, Split::Train, 1).unwrap();
        fs::write(folder.path().join("digits"), one).unwrap();
        let error = open(&folder.path().join("digits")).unwrap_err().to_string();
        assert!(error.contains("none to learn from"), "{error}");
    }

    #[test]
    fn labels_that_do_not_match_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), NAMES[0], 4);
        let (_, labels) = synthetic_idx(1, Split::Train, 3).unwrap();
        fs::write(folder.path().join("t10k-labels-idx1-ubyte"), labels).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        let end = "idx1-ubyte: header, byte 4 (count): 3 labels, but 4 images";
        assert!(error.ends_with(end), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn no_file_is_both_learned_from_and_held_out() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), NAMES[0], 4);
        let held_out = folder.path().join("t10k-images-idx3-ubyte");
        fs::remove_file(&held_out).unwrap();
        std::os::unix::fs::symlink("train-images-idx3-ubyte", held_out).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("among what is learned from as well"), "{error}");
    }

    #[test]
    fn a_copy_of_what_is_learned_from_is_not_held_out() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), NAMES[0], 4);
        let (images, _) = synthetic_idx(1, Split::Train, 4).unwrap();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut packed, &images).unwrap();
        // Plain as well as packed.
        for bytes in [images.clone(), packed.finish().unwrap()] {
            let held_out = folder.path().join(NAMES[0][2]);
            fs::write(&held_out, bytes).unwrap();
            let error = open(folder.path()).unwrap_err();
            assert_eq!(error.exit_code(), 10);
            let train = folder.path().join(NAMES[0][0]);
            let start = format!("{}: file: a copy of {}", held_out.display(), train.display());
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }

    #[test]
    fn nothing_there() {
        let folder = tempfile::tempdir().unwrap();
        let error = open(folder.path()).unwrap_err();
        assert!(matches!(error, Error::Data { .. }));
        assert!(error.to_string().contains("no file of images: expected train-images-idx3-ubyte"));
        write_set(folder.path(), NAMES[0], 4);
        fs::remove_file(folder.path().join(NAMES[0][0])).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("labels, but their images are not beside it"), "{error}");
        fs::remove_file(folder.path().join(NAMES[0][1])).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("none to learn from is beside it"), "{error}");
        let error = open(&folder.path().join("absent")).unwrap_err();
        assert!(error.to_string().contains("absent: path: no such file"), "{error}");
    }
}
