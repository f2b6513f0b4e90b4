//! What is generated.

use std::collections::HashMap;

use crate::data::order::mix;

use super::*;

#[test]
fn generated_text_is_a_function_of_the_seed() {
    let corpus = generated(200, 4, [200, 50]);
    let again = generated(200, 4, [200, 50]);
    let other =
        Corpus::built_in(&TextOptions { seed: 6, ..options(200, &BUCKETS) }, [200, 50]).unwrap();
    for split in SPLITS {
        assert!(pairs_of(&corpus, split).eq(pairs_of(&again, split)));
        let texts = [&corpus, &other].map(|c| {
            let words = pairs_of(c, split).map(|p| c.words(&p.source, Side::Source));
            words.collect::<HashSet<_>>()
        });
        assert!(texts[0].intersection(&texts[1]).count() < 5);
    }
    assert_eq!(
        corpus.batch(Split::Train, 2, 7, 4).unwrap(),
        again.batch(Split::Train, 2, 7, 4).unwrap()
    );
}

/// A change of the languages changes what every record was measured on: make it knowingly.
#[test]
fn the_same_sentences_on_every_machine() {
    let corpus = generated(200, 4, [200, 20]);
    let texts = SPLITS.iter().flat_map(|&split| pairs_of(&corpus, split));
    let texts: Vec<_> = texts
        .map(|pair| {
            let source = corpus.words(&pair.source, Side::Source);
            source + " = " + &corpus.words(&pair.target, Side::Target)
        })
        .collect();
    assert_eq!(texts[0], "Stea nol bearet . = Jiki sisu ne .");
    let sum = texts.concat().bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)));
    assert_eq!(sum, 6_552_544_532_272_273_309);
}

#[test]
fn lengths_fill_the_buckets() {
    let corpus = generated(1000, 4, [4000, 400]);
    for split in SPLITS {
        let total = pairs_of(&corpus, split).count();
        for (bucket, share) in [0.15, 0.25, 0.35, 0.25].into_iter().enumerate() {
            let pairs = corpus.pairs(split, bucket);
            assert!((pairs.len() as f64 / total as f64 - share).abs() < 0.01);
            let (s, t) = BUCKETS[bucket];
            let low = if bucket > 0 { BUCKETS[bucket - 1].0 + 1 } else { 3 };
            let lengths: HashSet<_> = pairs.iter().map(|p| p.source.len()).collect();
            assert_eq!(lengths, (low..=s).collect(), "bucket {bucket}");
            assert!(pairs.iter().all(|p| p.target.len() + 2 <= t));
            // Few words of the target are without a counterpart, and none is lost.
            assert!(pairs.iter().all(|p| p.target.len() >= p.source.len()));
        }
    }
    let frequencies = corpus.frequencies();
    assert!(
        (frequencies.iter().sum::<f64>() - 1.0).abs() < 1e-9
            && (frequencies[2] - 0.35).abs() < 0.01
    );
}

#[test]
fn few_pairs_are_enough_for_every_bucket() {
    let corpus = generated(200, 4, [4, 4]);
    assert!(
        (0..4).all(|bucket| { SPLITS.iter().all(|&split| corpus.pairs(split, bucket).len() == 1) })
    );
    let smallest = generated(58, 1, [50, 5]);
    assert_eq!(smallest.frequencies(), [1.0, 0.0, 0.0, 0.0]);
    assert!(
        pairs_of(&smallest, Split::Train)
            .all(|p| (3..=5).contains(&p.source.len()) && p.target.len() <= 8)
    );
}

#[test]
fn every_generated_word_is_in_the_vocabulary() {
    for vocabulary in [58, 200, 40_000] {
        let corpus = generated(vocabulary, 4, [500, 500]);
        for side in [Side::Source, Side::Target] {
            let len = corpus.vocabulary(side).len();
            assert!(len <= vocabulary && len + 10 >= vocabulary, "{len} of {vocabulary}");
        }
        for pair in SPLITS.iter().flat_map(|&split| pairs_of(&corpus, split)) {
            let words = pair.source.iter().chain(&pair.target);
            assert!(words.into_iter().all(|&word| word > UNK));
        }
    }
}

#[test]
fn a_sentence_has_one_translation_and_is_of_one_split() {
    let corpus = generated(58, 2, [20_000, 1000]);
    let mut known: HashMap<&[u32], (&[u32], Split)> = HashMap::new();
    let mut met_again = 0;
    for split in SPLITS {
        for pair in pairs_of(&corpus, split) {
            let translation = (&pair.target[..], split);
            let before = known.insert(&pair.source, translation);
            assert!(before.is_none_or(|before| before == translation));
            met_again += usize::from(before.is_some());
        }
    }
    // The small language says little: the check has something to check.
    assert!(met_again > 1000, "{met_again}");
}

#[test]
fn frequent_words_are_much_more_frequent() {
    let corpus = generated(40_000, 4, [20_000, 1]);
    for side in [Side::Source, Side::Target] {
        let mut counts = vec![0_u32; corpus.vocabulary(side).len()];
        for pair in pairs_of(&corpus, Split::Train) {
            let words = if side == Side::Source { &pair.source } else { &pair.target };
            words.iter().for_each(|&word| counts[word as usize] += 1);
        }
        let counts = &counts[4..];
        assert!(counts.is_sorted_by(|a, b| a >= b), "ids are not by frequency");
        // Beyond the function words, as 1 / rank, roughly.
        assert!(counts[40] > 4 * counts[400] && counts[400] > 4 * counts[4000]);
        assert!(counts[4000] > 0);
    }
}

#[test]
fn what_cannot_be_generated_is_refused() {
    type Case<'a> = (&'a [(usize, usize)], usize, [usize; 2], &'a str);
    let cases: [Case<'_>; 6] = [
        (&BUCKETS, 200, [0, 5], "at least one pair"),
        (&BUCKETS, 20, [5, 5], "vocabulary of 20 is too small"),
        (&[], 200, [5, 5], "expected 1 to 4"),
        (&[(10, 15), (5, 10)], 200, [5, 5], "smallest first"),
        (&[(2, 10)], 200, [5, 5], "(2, 10) is too narrow"),
        (&[(5, 4)], 200, [5, 5], "(5, 4) is too narrow"),
    ];
    for (buckets, vocabulary, sizes, what) in cases {
        let error = Corpus::built_in(&options(vocabulary, buckets), sizes).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(what), "{error}");
    }
}
