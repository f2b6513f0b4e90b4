//! The autoenc workload's data: MNIST read from a folder, or generated digits that look handwritten.
//!
//! Owns which files make the data set, and the order in which samples are visited. Drawn digits
//! are encoded as IDX and read by the same parser as MNIST's files.

mod draw;

use std::path::{Path, PathBuf};

use crate::data::Split;
use crate::data::idx::{self, Image, PIXELS};
use crate::data::order::{mix, shuffled};
use crate::error::{Error, Result};

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

    /// Reads MNIST, or any set in its form. `path` is the folder of
    /// `train-images-idx3-ubyte[.gz]` or `t10k-images-idx3-ubyte[.gz]`, with labels beside them
    /// or without; or it is one images file, which is then used for either split.
    ///
    /// # Errors
    /// [`Error::Data`] if a file is missing or not what [`idx::parse_images`] reads, or if there
    /// are more or fewer labels than images; [`Error::Io`] if one cannot be read.
    pub fn open(path: &Path, split: Split, seed: u64) -> Result<Self> {
        if !path.is_dir() {
            let images = idx::read_images(path)?;
            return Ok(Self { images, labels: None, seed });
        }
        let part = match split {
            Split::Train => "train",
            Split::Test => "t10k",
        };
        let name = format!("{part}-images-idx3-ubyte");
        let Some(file) = plain_or_gz(path, &name) else {
            let what = format!("neither {name} nor {name}.gz: name the folder that holds MNIST");
            return Err(Error::data(path, "folder", what));
        };
        let images = idx::read_images(&file)?;
        let mut labels = None;
        if let Some(file) = plain_or_gz(path, &format!("{part}-labels-idx1-ubyte")) {
            let read = idx::read_labels(&file)?;
            if read.len() != images.len() {
                let what = format!("{} labels, but {} images", read.len(), images.len());
                return Err(Error::data(file, "header, byte 4 (count)", what));
            }
            labels = Some(read);
        }
        Ok(Self { images, labels, seed })
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

fn plain_or_gz(folder: &Path, name: &str) -> Option<PathBuf> {
    let files = [folder.join(name), folder.join(format!("{name}.gz"))];
    files.into_iter().find(|file| file.is_file())
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

    #[test]
    fn a_folder_or_a_file_of_mnist() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (images, labels) = synthetic_idx(1, Split::Train, 4).unwrap();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut packed, &images).unwrap();
        fs::write(path.join("train-images-idx3-ubyte.gz"), packed.finish().unwrap()).unwrap();
        fs::write(path.join("t10k-images-idx3-ubyte"), &images).unwrap();
        fs::write(path.join("t10k-labels-idx1-ubyte"), &labels).unwrap();

        let read = Digits::open(path, Split::Train, 1).unwrap();
        assert_eq!((read.images(), read.labels()), (train(4).images(), None));
        let read = Digits::open(path, Split::Test, 1).unwrap();
        assert_eq!((read.images(), read.labels()), (train(4).images(), train(4).labels()));
        let file = path.join("t10k-images-idx3-ubyte");
        assert_eq!(Digits::open(&file, Split::Train, 1).unwrap().images(), train(4).images());

        let (_, labels) = synthetic_idx(1, Split::Train, 3).unwrap();
        fs::write(path.join("t10k-labels-idx1-ubyte"), labels).unwrap();
        let error = Digits::open(path, Split::Test, 1).unwrap_err().to_string();
        assert!(
            error.ends_with("idx1-ubyte: header, byte 4 (count): 3 labels, but 4 images"),
            "{error}"
        );
    }

    #[test]
    fn nothing_there() {
        let folder = tempfile::tempdir().unwrap();
        let error = Digits::open(folder.path(), Split::Test, 1).unwrap_err();
        assert!(matches!(error, Error::Data { .. }));
        let what = "folder: neither t10k-images-idx3-ubyte nor t10k-images-idx3-ubyte.gz: name the folder that holds MNIST";
        assert!(error.to_string().ends_with(what), "{error}");
        let error = Digits::open(&folder.path().join("absent"), Split::Test, 1).unwrap_err();
        assert!(error.to_string().contains("absent: path: no such file"), "{error}");
    }
}
