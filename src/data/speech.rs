//! Utterances for `speech`: synthetic or TIMIT's, through one front end, in batches.

use std::path::Path;

use crate::data::Split;
use crate::data::listing::Listing;
use crate::error::{Error, Result};
use crate::host::parallel::*;
use crate::random::Rng;
use crate::terms::Reason;

pub mod audio;
pub mod decode;
pub mod mfcc;
pub mod phn;
pub mod phones;
pub mod synth;
pub mod timit;

use mfcc::{COEFFICIENTS, HOP, Mfcc, WINDOW};
use phn::Segment;
pub use synth::Inventory;

/// Utterances that are read side by side.
const AT_ONCE: usize = 256;

/// What a net takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Frames of an utterance at most.
    pub frames: usize,
    /// Labels of an utterance at most.
    pub labels: usize,
    /// Frames of context on each side.
    pub context: usize,
}

/// An utterance after the front end.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// [frames, 26].
    pub features: Vec<f32>,
    /// Labels of its phones.
    pub labels: Vec<usize>,
}

impl Utterance {
    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.features.len() / COEFFICIENTS
    }
}

/// A batch, padded with zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct UtteranceBatch {
    /// T, L and C.
    pub limits: Limits,
    /// [B, T, 26 (2 C + 1)]: each frame with its context, frames beyond an end being zero.
    pub features: Vec<f32>,
    /// `[B]`
    pub frames: Vec<u32>,
    /// [B, L]
    pub labels: Vec<u32>,
    /// `[B]`
    pub label_lengths: Vec<u32>,
}

/// The utterances of one split.
#[derive(Debug, Clone)]
pub struct Speech {
    utterances: Vec<Utterance>,
    limits: Limits,
    seed: u64,
}

impl Speech {
    /// `n` synthetic utterances.
    ///
    /// # Errors
    /// As those of real data, which the same checks hold for.
    pub fn synthetic(
        seed: u64,
        split: Split,
        n: usize,
        inventory: Inventory,
        limits: Limits,
    ) -> Result<Self> {
        if n == 0 {
            return Err(Error::Usage("a data set needs at least one utterance".into()));
        }
        let mfcc = Mfcc::default();
        let utterances = (0..n).into_par_iter().map(|i| {
            let (audio, phones) = Self::render(seed, split, i, inventory, limits);
            utterance(&mfcc, &audio, &phones, limits, Path::new("synthetic"))
        });
        Ok(Self { utterances: utterances.collect::<Result<_>>()?, limits, seed })
    }

    /// One synthetic utterance's audio and phones.
    pub fn render(
        seed: u64,
        split: Split,
        index: usize,
        inventory: Inventory,
        limits: Limits,
    ) -> (Vec<i16>, Vec<Segment>) {
        let half = u64::from(split == Split::Test);
        let mut rng =
            Rng::new(seed.wrapping_mul(0x9E37_79B9).wrapping_add(2 * index as u64 + half));
        // Some are shorter, so that lengths differ within a batch.
        let longest = WINDOW + (limits.frames - 1) * HOP;
        let longest = synth::Longest {
            samples: (longest as f64 * rng.range(0.7, 1.0)) as usize,
            phones: limits.labels,
        };
        synth::utterance(&mut rng, inventory, longest)
    }

    /// The utterances of both splits of a TIMIT tree, and what was passed over.
    ///
    /// # Errors
    /// [`Error::Data`] and [`Error::Io`] with the file at fault: missing, cut short, of another kind, or
    /// longer than the net takes, unless such are passed over.
    pub fn open(
        root: &Path,
        seed: u64,
        limits: Limits,
        mut listing: Listing,
    ) -> Result<([Self; 2], Listing)> {
        let sentences = timit::sentences(root, &mut listing)?;
        let mut half = |split: Split| -> Result<Self> {
            let files = &sentences[split as usize];
            let utterances = Self::read(files, limits, &mut listing)?;
            listing.take(split, utterances.len());
            Ok(Self { utterances, limits, seed })
        };
        let halves = [half(Split::Train)?, half(Split::Test)?];
        listing.settle(root, "utterances")?;
        Ok((halves, listing))
    }

    fn read(
        files: &[timit::Sentence],
        limits: Limits,
        listing: &mut Listing,
    ) -> Result<Vec<Utterance>> {
        let mfcc = Mfcc::default();
        let read = |(wav, phones): &timit::Sentence| {
            let read = timit::read(wav, phones).map_err(|error| (Reason::Unreadable, error));
            let (samples, phones) = read?;
            let taken = utterance(&mfcc, &samples, &phones, limits, wav);
            let taken = taken.map_err(|error| (Reason::TooLong, error))?;
            Ok((taken, phn::end_early(&phones, samples.len())))
        };
        let mut utterances = Vec::new();
        // Some at a time: where the first cannot be read, the last are not waited for.
        for files in files.chunks(AT_ONCE) {
            let outcomes: Vec<_> = files.par_iter().map(read).collect();
            for ((_, phn), outcome) in files.iter().zip(outcomes) {
                match outcome {
                    Ok((utterance, ends_early)) => {
                        if ends_early {
                            listing.pass(Reason::EndsEarly, phn.display());
                        }
                        utterances.push(utterance);
                    }
                    Err((reason, error)) => listing.doubt(reason, error)?,
                }
            }
        }
        Ok(utterances)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.utterances.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.utterances.is_empty()
    }

    /// Batch `step`: each epoch has every utterance once, in an order of its own. The last batch of an
    /// epoch goes on into the next.
    pub fn batch(&self, step: u64, size: usize) -> UtteranceBatch {
        let Limits { frames: time, labels: longest, context } = self.limits;
        let width = COEFFICIENTS * (2 * context + 1);
        let mut batch = UtteranceBatch {
            limits: self.limits,
            features: vec![0.0; size * time * width],
            frames: Vec::with_capacity(size),
            labels: vec![0; size * longest],
            label_lengths: Vec::with_capacity(size),
        };
        let mut order: Option<(u64, Vec<usize>)> = None;
        for slot in 0..size {
            let at = step * size as u64 + slot as u64;
            let (epoch, within) = (at / self.len() as u64, (at % self.len() as u64) as usize);
            if order.as_ref().is_none_or(|(known, _)| *known != epoch) {
                let mut shuffled: Vec<usize> = (0..self.len()).collect();
                Rng::new(self.seed ^ (epoch + 1).rotate_left(32)).shuffle(&mut shuffled);
                order = Some((epoch, shuffled));
            }
            let index = order.as_ref().map_or(0, |(_, shuffled)| shuffled[within]);
            let utterance = &self.utterances[index];
            let rows = &mut batch.features[slot * time * width..][..time * width];
            with_context(utterance, context, rows);
            batch.frames.push(utterance.frames() as u32);
            for (to, &label) in batch.labels[slot * longest..].iter_mut().zip(&utterance.labels) {
                *to = label as u32;
            }
            batch.label_lengths.push(utterance.labels.len() as u32);
        }
        batch
    }
}

/// Writes each frame with its neighbours into `rows`; beyond the ends there is zero, the mean.
fn with_context(utterance: &Utterance, context: usize, rows: &mut [f32]) {
    let width = COEFFICIENTS * (2 * context + 1);
    let frames = utterance.frames();
    for t in 0..frames {
        for (place, from) in (t as isize - context as isize..=(t + context) as isize).enumerate() {
            if from >= 0 && (from as usize) < frames {
                let source = &utterance.features[from as usize * COEFFICIENTS..][..COEFFICIENTS];
                rows[t * width + place * COEFFICIENTS..][..COEFFICIENTS].copy_from_slice(source);
            }
        }
    }
}

/// The front end and the checks that real and synthetic utterances share.
fn utterance(
    mfcc: &Mfcc,
    samples: &[i16],
    phones: &[Segment],
    limits: Limits,
    file: &Path,
) -> Result<Utterance> {
    let labels: Vec<usize> = phones.iter().map(|s| s.phone).collect();
    let frames = mfcc::frames(samples.len());
    let bad = |place: String, what: String| Err(Error::data(file, place, what));
    if frames > limits.frames {
        return bad(
            format!("{} samples", samples.len()),
            format!(
                "{frames} frames, but the model takes {} at most (--preset full takes 783)",
                limits.frames
            ),
        );
    }
    if labels.len() > limits.labels {
        return bad(
            format!("{} phones", labels.len()),
            format!("the model takes {} at most", limits.labels),
        );
    }
    // CTC needs a frame for each label, and one between equal neighbours.
    let repeats = labels.windows(2).filter(|pair| pair[0] == pair[1]).count();
    if frames < labels.len() + repeats || frames == 0 {
        return bad(
            format!("{} samples", samples.len()),
            format!("{frames} frames are too few for {} phones", labels.len()),
        );
    }
    let features = mfcc.features(samples);
    Ok(Utterance { features, labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { frames: 64, labels: 16, context: 2 };

    #[test]
    fn written_and_read_back_utterances_are_the_same() {
        let root = tempfile::tempdir().unwrap();
        for split in [Split::Train, Split::Test] {
            for i in 0..3 {
                let (audio, phones) = Speech::render(1, split, i, Inventory::Small, LIMITS);
                timit::write(root.path(), split, i, &audio, &phones).unwrap();
            }
        }
        let (halves, listing) = Speech::open(root.path(), 1, LIMITS, Listing::new(false)).unwrap();
        assert_eq!((listing.listed().train, listing.listed().held_out), (3, 3));
        for (split, read) in [Split::Train, Split::Test].into_iter().zip(halves) {
            let synthetic = Speech::synthetic(1, split, 3, Inventory::Small, LIMITS).unwrap();
            assert_eq!(synthetic.utterances, read.utterances);
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_run_or_is_passed_over_by_name() {
        let root = tempfile::tempdir().unwrap();
        for split in [Split::Train, Split::Test] {
            for i in 0..3 {
                let (audio, phones) = Speech::render(1, split, i, Inventory::Small, LIMITS);
                timit::write(root.path(), split, i, &audio, &phones).unwrap();
            }
        }
        let place = |file: &str| root.path().join(file);
        let phn = place("TRAIN/DR1/MSYN0/SX0.PHN");
        let phones = std::fs::read_to_string(&phn).unwrap();
        let (first, _) = phones.trim_end().rsplit_once('\n').unwrap();
        std::fs::write(&phn, format!("{first}\n")).unwrap();
        let line = Speech::open(root.path(), 1, LIMITS, Listing::new(false)).unwrap().1.line();
        let cut = format!("passed over: 1 file whose end may be missing ({})", phn.display());
        assert_eq!(line, Some(cut));
        std::fs::write(place("TRAIN/DR1/MSYN0/SX1.WAV"), b"OggS....").unwrap();
        std::fs::write(place("TRAIN/DR1/MSYN0/SX2.PHN"), b"0 10 zz\n").unwrap();
        let open = |skip| Speech::open(root.path(), 1, LIMITS, Listing::new(skip));
        let error = open(false).unwrap_err().to_string();
        assert!(error.contains("SX1.WAV") && !error.contains('['), "{error}");
        let ([train, test], listing) = open(true).unwrap();
        assert_eq!((train.len(), test.len()), (1, 3));
        let skipped = listing.skipped();
        assert!(skipped[0].contains("SX1.WAV") && skipped[1].contains("SX2.PHN"), "{skipped:?}");
        for i in 0..3 {
            std::fs::write(place(&format!("TEST/DR1/MSYN0/SX{i}.WAV")), b"OggS....").unwrap();
        }
        let error = open(true).unwrap_err().to_string();
        assert!(error.contains("none held out to measure on"), "{error}");
    }

    #[test]
    fn an_epoch_has_every_utterance_once() {
        let data = Speech::synthetic(1, Split::Train, 6, Inventory::Full, LIMITS).unwrap();
        let mut seen: Vec<Vec<f32>> = Vec::new();
        for step in 0..3 {
            let batch = data.batch(step, 2);
            assert_eq!(batch.features.len(), 2 * 64 * 130);
            seen.extend(batch.features.chunks(64 * 130).map(<[f32]>::to_vec));
        }
        seen.sort_by(|a, b| a.partial_cmp(b).unwrap());
        seen.dedup();
        assert_eq!(seen.len(), 6);
        assert_eq!(data.batch(1, 2), data.batch(1, 2));
    }

    #[test]
    fn the_context_is_zero_beyond_the_ends() {
        let utterance = Utterance { features: vec![1.0; 2 * COEFFICIENTS], labels: vec![0] };
        let mut rows = vec![0.0; 2 * 3 * COEFFICIENTS];
        with_context(&utterance, 1, &mut rows);
        let sums: Vec<f32> = rows.chunks(COEFFICIENTS).map(|c| c.iter().sum()).collect();
        assert_eq!(sums, [0.0, 26.0, 26.0, 26.0, 26.0, 0.0]);
    }

    #[test]
    fn what_the_net_cannot_take_is_refused() {
        let long = Limits { frames: 10, ..LIMITS };
        let (audio, phones) = Speech::render(1, Split::Train, 0, Inventory::Small, LIMITS);
        let mfcc = Mfcc::default();
        for (limits, expected) in [
            (long, "frames, but the model takes 10"),
            (Limits { labels: 2, ..LIMITS }, "the model takes 2 at most"),
        ] {
            let error =
                utterance(&mfcc, &audio, &phones, limits, Path::new("SX9.WAV")).unwrap_err();
            assert!(
                error.to_string().contains(expected) && error.to_string().contains("SX9"),
                "{error}"
            );
        }
        let crowded = vec![Segment { start: 0, end: 1, phone: 3 }; 12];
        let error = utterance(&mfcc, &audio[..1000], &crowded, LIMITS, Path::new("x")).unwrap_err();
        assert!(error.to_string().contains("too few"), "{error}");
    }
}
