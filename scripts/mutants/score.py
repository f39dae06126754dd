"""What a sample says of all mutants."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson(killed: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval in which the share of all mutants lies with this confidence.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22 (1927). Raises: ValueError without a trial.
    """
    if count < 1 or not 0 <= killed <= count:
        raise ValueError(f"{killed} of {count} is no share")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = killed / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)
