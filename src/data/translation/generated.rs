//! Generated text: sentences of the lengths that the buckets ask for.

use crate::data::Split;
use crate::data::order::mix;
use crate::error::{Error, Result};
use crate::random::Rng;

use super::grammar::{Author, SHORTEST};
use super::language::Lexicon;
use super::pair::{BUCKETS, Pair, TextOptions};
use super::text::{Text, fitting};
use super::vocabulary::Words;

/// How a real corpus fills the buckets, roughly.
const SHARES: [f64; BUCKETS.len()] = [0.15, 0.25, 0.35, 0.25];

/// Of all sentences, one in this many is held out.
const HELD_OUT: u64 = 8;

/// Draws of a pair before its bucket counts as too narrow: one in [`HELD_OUT`] is of the right split.
const ATTEMPTS: usize = 1000;

/// Generates the pairs of both splits.
pub(super) fn text(options: &TextOptions, sizes: [usize; 2]) -> Result<Text> {
    if sizes.contains(&0) {
        let what = "a corpus needs at least one pair to train on and one held out";
        return Err(Error::Usage(what.into()));
    }
    let lexicon = Lexicon::new(options.vocabularies)?;
    // Each word counts once more than it occurs: all are in the vocabularies.
    let words = lexicon.words.each_ref().map(|words| Words::list(words));
    let mut text = Text::new(words, options.buckets.len());
    for (split, size) in [Split::Train, Split::Test].into_iter().zip(sizes) {
        for index in 0..size {
            let pair = pair(options, &lexicon, split, index)?;
            text.add(|_| split, pair, &options.buckets);
        }
    }
    Ok(text)
}

/// Pair `index` of a split: a function of these alone.
fn pair(options: &TextOptions, lexicon: &Lexicon, split: Split, index: usize) -> Result<Pair> {
    let bucket = bucket(index, options.buckets.len());
    let shortest = match bucket {
        0 => SHORTEST,
        _ => options.buckets[bucket - 1].0 + 1,
    };
    let (longest, target) = options.buckets[bucket];
    let seed = mix(options.seed ^ mix(split as u64 ^ ((index as u64) << 1)));
    let mut rng = Rng::new(seed);
    let fits = shortest.max(SHORTEST) <= longest;
    for _ in 0..if fits { ATTEMPTS } else { 0 } {
        let length = shortest + rng.below(longest + 1 - shortest);
        let mut author = Author { lexicon, rng };
        let sentence = author.sentence(length);
        rng = author.rng;
        let pair = Pair { source: sentence.source(lexicon), target: sentence.target(lexicon) };
        let right_split = held_out(&pair.source) == (split == Split::Test);
        if right_split && fitting(&options.buckets, &pair) == Some(bucket) {
            return Ok(pair);
        }
    }
    let what = format!("bucket ({longest}, {target}) is too narrow for the built-in text");
    Err(Error::Usage(format!("{what}: choose other buckets")))
}

/// The bucket of pair `index`. Steps of the golden ratio fill the buckets evenly from the first pairs on,
/// where random draws may leave one empty.
fn bucket(index: usize, count: usize) -> usize {
    let shares = &SHARES[..count];
    let mut place = (index as f64 * 0.618_033_988_749_895).fract() * shares.iter().sum::<f64>();
    for (bucket, share) in shares.iter().enumerate() {
        place -= share;
        if place < 0.0 {
            return bucket;
        }
    }
    count - 1
}

/// Whether a sentence is held out: of the sentence alone, so that the splits share none.
fn held_out(source: &[u32]) -> bool {
    let sum = source.iter().fold(1, |sum, &word| mix(sum ^ u64::from(word)));
    sum % HELD_OUT == 0
}
