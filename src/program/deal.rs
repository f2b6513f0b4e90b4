//! A submission's dispatches dealt out to threads: each encodes a pass of its own, and the passes are submitted together.

use std::ops::Range;

/// Dispatches for which a further thread is worth a further pass: encoding them takes about a millisecond.
const LEAST: usize = 1024;

/// The dispatches of `ranges`, in order, in at most `threads` parts of about equal length.
pub(super) fn deal(ranges: &[Range<usize>], threads: usize) -> Vec<Vec<Range<usize>>> {
    let total: usize = ranges.iter().map(Range::len).sum();
    let each = total.div_ceil((total / LEAST).clamp(1, threads.max(1)));
    let mut parts = vec![Vec::new()];
    let mut room = each;
    for range in ranges {
        let mut rest = range.clone();
        while !rest.is_empty() {
            if room == 0 {
                parts.push(Vec::new());
                room = each;
            }
            let end = rest.end.min(rest.start + room);
            room -= end - rest.start;
            if let Some(part) = parts.last_mut() {
                part.push(rest.start..end);
            }
            rest.start = end;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dispatch_is_encoded_once_and_in_order_whoever_encodes_it() {
        for (step, count, threads) in
            [(31, 1, 8), (31, 256, 2), (3259, 1, 3), (3259, 4, 8), (0, 2, 2)]
        {
            let parts = deal(&vec![7..7 + step; count], threads);
            assert!(parts.len() <= threads.max(1), "{} parts", parts.len());
            let dealt: Vec<usize> = parts.into_iter().flatten().flatten().collect();
            let wanted: Vec<usize> = (0..count).flat_map(|_| 7..7 + step).collect();
            assert_eq!(dealt, wanted);
        }
    }

    #[test]
    fn few_dispatches_stay_in_one_pass() {
        assert_eq!(deal(&[0..31, 0..31], 16).len(), 1);
        assert_eq!(deal(&[0..LEAST, 0..LEAST], 16).len(), 2);
    }
}
