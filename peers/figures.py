"""Statistics of samples, as `src/stats.rs` has them: a record's summaries must follow from its samples to the digit.

Order statistics and intervals that assume no distribution. What is undefined is NaN.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

Samples = Sequence[float]


def quantile(samples: Samples, p: float) -> float:
    """Interpolated linearly (type 7 of Hyndman and Fan 1996, numpy's default)."""
    if not samples:
        return math.nan
    ordered = sorted(samples)
    place = p * (len(ordered) - 1)
    low, high = ordered[int(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place % 1)


def median(samples: Samples) -> float:
    return quantile(samples, 0.5)


def interval(samples: Samples) -> tuple[float, float]:
    """95 % interval of the median by ranks of the binomial distribution; (least, most) of fewer than six."""
    if not samples:
        return math.nan, math.nan
    ordered, n = sorted(samples), len(samples)
    log_term = -n * math.log(2)
    below, k = math.exp(log_term), 0
    while below <= 0.025 and k < n // 2:
        log_term += math.log((n - k) / (k + 1))
        below += math.exp(log_term)
        k += 1
    low = max(k - 1, 0)
    return ordered[low], ordered[n - 1 - low]


# Samples from which on there is a 95 % interval.
LEAST = 6


def drifts(samples: Samples) -> bool:
    """Whether the intervals of the earlier and the later half lie apart."""
    half = len(samples) // 2
    if half < LEAST:
        return False
    (low, high), (later_low, later_high) = interval(samples[:half]), interval(samples[-half:])
    return high < later_low or later_high < low


def outliers(samples: Samples) -> int:
    """How many lie more than 3.5 standard deviations from the median (Iglewicz and Hoaglin 1993)."""
    centre = median(samples)
    distances = [abs(x - centre) for x in samples]
    mad = median(distances)
    deviation = mad / 0.6745 if mad > 0 else sum(distances) / len(distances) * 1.253314
    return sum(distance > 3.5 * deviation for distance in distances)


def summary(samples: Samples) -> dict:
    """A record's `timing.step`."""
    half = len(samples) // 2
    drift = median(samples[-half:]) / median(samples[:half]) - 1 if half else None
    return {
        "n": len(samples), "median_ns": median(samples), "ci95_ns": list(interval(samples)), "min_ns": min(samples),
        "cv": statistics.stdev(samples) / statistics.fmean(samples) if len(samples) > 1 else None,
        "outliers": outliers(samples), "drift": drift,
    }


class Ratio(NamedTuple):
    """The middle of several turns' ratios, and between what they lie: 95 % from six turns on, else all of them."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.3g} ({self.low:.3g} to {self.high:.3g})"


def ratio(ours: Samples, theirs: Samples) -> Ratio:
    """Theirs over ours, turn by turn: both members of a turn met the same machine."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} turns of ours and {len(theirs)} of theirs")
    ratios = [b / a for a, b in zip(ours, theirs)]
    return Ratio(median(ratios), *interval(ratios))
