//! The order in which samples are visited: a permutation for each epoch, without storing a table.

/// Where `place` goes in the permutation of `0..n` that `key` chooses: a Feistel network over the
/// next power of four, walked until it falls below `n`. Any step's batch is thus found at once,
/// with no table to keep.
pub(crate) fn shuffled(place: u64, n: u64, key: u64) -> u64 {
    let half = (u64::BITS - (n - 1).leading_zeros()).div_ceil(2);
    let mask = (1 << half) - 1;
    let mut x = place;
    loop {
        for round in 0..6 {
            let (left, right) = (x >> half, x & mask);
            x = (right << half) | (left ^ (mix(key ^ (round << 60) ^ right) & mask));
        }
        if x < n {
            return x;
        }
    }
}

/// SplitMix64's mixer: a bijection that spreads every bit.
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
