//! Batches: padding, weights and order.

use super::*;

#[test]
fn a_batch_is_padded_and_weighs_what_is_to_be_predicted() {
    let text: [(&str, &[u8]); 2] = [("train.en", b"a b\nb c\n"), ("train.fr", b"x\ny z y\n")];
    let corpus = open(&text).unwrap();
    // The first pair is held out: b and c, y and z are the vocabularies.
    let batch = corpus.batch(Split::Train, 0, 0, 2).unwrap();
    assert_eq!(batch.source, [4, 5, 0, 0, 0, 4, 5, 0, 0, 0]);
    assert_eq!(batch.target, [[1, 4, 5, 4, 2, 0, 0, 0, 0, 0]; 2].concat());
    assert_eq!(batch.target_weight, [[1., 1., 1., 1., 0., 0., 0., 0., 0., 0.]; 2].concat());
    let batch = corpus.batch(Split::Test, 0, 0, 1).unwrap();
    assert_eq!(batch.source, [UNK, 4, 0, 0, 0]);
    assert_eq!(batch.target[..4], [1, UNK, 2, 0]);
    assert_eq!(corpus.words(&batch.target, Side::Target), "_UNK");
}

#[test]
fn a_full_bucket_has_no_padding() {
    let text: [(&str, &[u8]); 4] = [
        ("train.a", b"1 2 3 4 5"),
        ("train.b", b"1 2 3 4 5 6 7 8"),
        ("test.a", b"1 2 3\nx"),
        ("test.b", b"1 2 3 4 5 6 7 8 9\nx"),
    ];
    let corpus = open(&text).unwrap();
    let batch = corpus.batch(Split::Train, 0, 3, 1).unwrap();
    assert!(!batch.source.contains(&PAD) && batch.target.ends_with(&[EOS]));
    assert_eq!(batch.target_weight, [[1.0; 9].as_slice(), &[0.0]].concat());
    // A target that is too long by a word is of the next bucket.
    assert_eq!((corpus.pairs(Split::Test, 0).len(), corpus.pairs(Split::Test, 1).len()), (1, 1));
}

#[test]
fn an_epoch_has_every_pair_once() {
    let corpus = generated(1000, 4, [300, 60]);
    for split in SPLITS {
        let n = corpus.pairs(split, 2).len();
        let batches = |from: u64| {
            let steps = (from * n as u64)..((from + 1) * n as u64);
            let rows = steps.map(|step| corpus.batch(split, 2, step, 1).unwrap().source);
            rows.collect::<Vec<_>>()
        };
        let [first, second] = [batches(0), batches(1)];
        let distinct: HashSet<_> = first.iter().collect();
        assert_eq!(distinct.len(), n);
        assert_eq!(distinct, second.iter().collect());
        assert_eq!(first == second, split == Split::Test);
        // A batch of several is made of the same rows.
        let four = corpus.batch(split, 2, 1, 4).unwrap().source;
        assert_eq!(four, first[4..8].concat());
        assert_eq!(corpus.batches(split, 2, 4), n.div_ceil(4) as u64);
    }
    assert_eq!(corpus.batches(Split::Train, 9, 4), 0);
}

#[test]
fn steps_draw_buckets_by_their_share() {
    let corpus = generated(1000, 4, [300, 1]);
    let mut counts = [0; 4];
    for step in 0..4000 {
        counts[corpus.bucket(1, step)] += 1;
        assert_eq!(corpus.bucket(1, step), corpus.bucket(1, step));
    }
    for (count, share) in counts.into_iter().zip(corpus.frequencies()) {
        assert!((f64::from(count) / 4000.0 - share).abs() < 0.03);
    }
    assert!((0..100).any(|step| corpus.bucket(1, step) != corpus.bucket(2, step)));
}

#[test]
fn an_empty_bucket_is_named_with_those_that_have_pairs() {
    let text: [(&str, &[u8]); 2] = [("train.en", b"a\nb\n"), ("train.fr", b"x\ny\n")];
    let error = open(&text).unwrap().batch(Split::Train, 2, 0, 4).unwrap_err();
    let text = "bucket 2 (20, 25): it has no training pairs; these buckets have some: bucket 0 (5, 10); \
                choose one with --bucket";
    assert!(matches!(&error, Error::Data { .. }) && error.to_string().ends_with(text), "{error}");
    let corpus = generated(200, 1, [4, 4]);
    let error = corpus.batch(Split::Test, 7, 0, 4).unwrap_err().to_string();
    assert!(error.starts_with("built-in text: bucket 7: it has no held-out pairs"), "{error}");
}
