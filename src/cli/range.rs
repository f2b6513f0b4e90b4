//! Lists of numbers as arguments: `8`, `1..4`, `1..64*2`, `8..32+8`.

use std::str::FromStr;

use crate::terms::each_once;

/// The most values a range may have: more means a mistyped bound.
const MOST: usize = 1000;

/// How a range goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stride {
    Add(usize),
    Times(usize),
}

/// First, last (included) and stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    first: usize,
    last: usize,
    stride: Stride,
}

impl Range {
    /// The values.
    pub fn values(&self) -> Vec<usize> {
        let next = |value: &usize| match self.stride {
            Stride::Add(n) => value.checked_add(n),
            Stride::Times(n) => value.checked_mul(n),
        };
        std::iter::successors(Some(self.first), next)
            .take_while(|value| *value <= self.last)
            .take(MOST + 1)
            .collect()
    }
}

/// The values of several ranges, once each, in order of first mention.
pub fn values(ranges: &[Range]) -> Vec<usize> {
    each_once(ranges.iter().flat_map(Range::values))
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| match part.trim().parse::<usize>() {
            Ok(n) if (1..=65_536).contains(&n) => Ok(n),
            _ => Err(format!(
                "'{part}' is not a number from 1 to 65536: write 8, 1..4, 1..64*2 or 8..32+8"
            )),
        };
        let Some((first, rest)) = text.split_once("..") else {
            let value = number(text)?;
            return Ok(Self { first: value, last: value, stride: Stride::Add(1) });
        };
        let (last, stride) = if let Some((last, factor)) = rest.split_once('*') {
            let factor = number(factor)?;
            if factor < 2 {
                return Err(format!("'{text}' never ends: the factor must be 2 or more"));
            }
            (last, Stride::Times(factor))
        } else if let Some((last, addend)) = rest.split_once('+') {
            (last, Stride::Add(number(addend)?))
        } else {
            (rest, Stride::Add(1))
        };
        let range = Self { first: number(first)?, last: number(last)?, stride };
        if range.last < range.first {
            return Err(format!("'{text}' is empty: it ends before it starts"));
        }
        if range.values().len() > MOST {
            return Err(format!("'{text}' has more than {MOST} values"));
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<usize> {
        super::values(&text.split(',').map(|part| part.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn ranges_are_inclusive() {
        assert_eq!(values("8"), [8]);
        assert_eq!(values("1..4"), [1, 2, 3, 4]);
        assert_eq!(values("1..64*2"), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(values("8..31+8"), [8, 16, 24]);
        assert_eq!(values("8,1..16*2"), [8, 1, 2, 4, 16]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "0", "-1", "4..1", "1..8*1", "a", "1..", "1..9000", "70000"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }
}
