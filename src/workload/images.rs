//! What the image models share: their input, loss, samples and score.

use std::path::Path;

use crate::data::Split;
use crate::data::images::{self, ImageBatch, ImageOptions, Images};
use crate::data::listing::Listing;
use crate::error::Result;
use crate::graph::{Builder, Tensor};
use crate::tensor::{DType, HostTensor};
use crate::terms::{Mode, Preset};

use super::info::{Workload, WorkloadInfo};
use super::samples::{Batch, DataSource, Feed, Samples};
use super::score::{Metric, Outputs, Ratio, Score, likeliest};

/// A model's line in the list.
pub(super) const fn info(
    name: &'static str,
    about: &'static str,
    paper: &'static str,
    configure: fn(Preset, Option<usize>) -> Box<dyn Workload>,
) -> WorkloadInfo {
    WorkloadInfo {
        name,
        about,
        paper,
        built_in_data: "procedural images: shape x texture x colour",
        real_data: Some("one folder of JPEG/PNG files per class, or the ILSVRC tar of tars"),
        // Top-1.
        metric: Metric { name: "held-out accuracy", unit: "%", factor: 100.0 },
        plays: false,
        shows: false,
        scales: false,
        buckets: 0,
        configure,
    }
}

/// Lengths that every model of images has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Images in a batch.
    pub batch: usize,
    /// Rows and columns of an image.
    pub size: usize,
    /// Classes.
    pub classes: usize,
}

impl Sizes {
    pub(super) fn full(usual: usize, batch: Option<usize>) -> Self {
        Self { batch: batch.unwrap_or(usual), size: 224, classes: 1000 }
    }

    pub(super) fn tiny(size: usize, batch: Option<usize>) -> Self {
        Self { batch: batch.unwrap_or(4), size, classes: 10 }
    }

    /// Those that can be set, then the model's `units` under their `names`.
    pub(super) fn with<'a>(
        &'a mut self,
        names: &[&'static str],
        units: impl IntoIterator<Item = &'a mut usize>,
    ) -> Vec<(&'static str, &'a mut usize)> {
        let shared = [("size", &mut self.size), ("classes", &mut self.classes)];
        shared.into_iter().chain(names.iter().copied().zip(units)).collect()
    }
}

/// Images [B, S, S, 3].
pub(super) fn input<'g>(g: &'g Builder, sizes: &Sizes) -> Tensor<'g> {
    let &Sizes { batch, size, .. } = sizes;
    g.input("image", [batch, size, size, 3], DType::F32)
}

/// Marks the logits as output; in training the mean cross-entropy against the labels.
pub(super) fn loss(logits: Tensor<'_>, mode: Mode) -> Option<Tensor<'_>> {
    let g = logits.graph();
    g.output("logits", logits);
    (mode == Mode::Train).then(|| {
        let batch = logits.spec().dims()[0];
        let label = g.input("label", [batch], DType::U32);
        logits.cross_entropy(label).mean_all()
    })
}

/// Opens the samples.
pub(super) fn open(sizes: &Sizes, source: &DataSource) -> Result<Box<dyn Samples>> {
    let options = ImageOptions {
        size: sizes.size,
        classes: sizes.classes,
        batch: sizes.batch,
        seed: source.seed,
        source: source.real().map(Path::to_path_buf),
        skip_bad: source.skip_bad,
    };
    Ok(Box::new(LabelledImages(images::open(&options)?)))
}

struct LabelledImages(Images);

impl Samples for LabelledImages {
    fn batch(&mut self, split: Split, step: u64) -> Result<Box<dyn Batch>> {
        Ok(Box::new(self.0.batch(split, step)?))
    }

    fn test_batches(&self) -> u64 {
        self.0.test_batches()
    }

    fn counted(&self, step: u64) -> usize {
        self.0.counted(step)
    }

    fn epoch(&self) -> Option<u64> {
        Some(self.0.epoch())
    }

    fn describe(&self) -> String {
        self.0.describe()
    }

    fn listing(&self) -> Option<Listing> {
        self.0.listing()
    }
}

impl Batch for ImageBatch {
    fn tensors(&self) -> Feed {
        let (batch, size) = (self.labels.len(), self.size);
        vec![
            ("image", HostTensor::f32([batch, size, size, 3], &self.pixels)),
            ("label", HostTensor::u32([batch], &self.labels)),
        ]
    }
}

impl Score for ImageBatch {
    /// Images whose largest logit is their label's, of all.
    fn score(&self, outputs: Outputs, counted: usize) -> Result<Ratio> {
        let logits = outputs("logits")?;
        let rows = logits.data.chunks(logits.spec.shape.last()).take(counted);
        let right =
            rows.zip(&self.labels).filter(|(row, label)| likeliest(row) == **label as usize);
        Ok(Ratio { sum: right.count() as f64, of: counted as f64 })
    }

    /// The others, of all.
    fn judge(&self, outputs: Outputs, counted: usize) -> Result<Option<Ratio>> {
        let Ratio { sum: right, of } = self.score(outputs, counted)?;
        Ok(Some(Ratio { sum: of - right, of }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Array, TensorSpec};

    #[test]
    fn images_that_fill_a_batch_up_are_not_counted_again() {
        let batch = ImageBatch { size: 1, pixels: vec![0.0; 9], labels: vec![1, 0, 1] };
        // All are taken for class 1.
        let logits = Array::new(TensorSpec::f32([3, 2]), vec![0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        let of = |counted| batch.score(&|_| Ok(logits.clone()), counted).unwrap();
        assert_eq!((of(3).sum, of(3).of), (2.0, 3.0));
        assert_eq!((of(2).sum, of(2).of), (1.0, 2.0));
    }
}
