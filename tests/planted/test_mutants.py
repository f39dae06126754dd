"""The arithmetic of mutation testing; the rest of it ``make mutants`` runs."""

from __future__ import annotations

import pytest

from scripts.mutants.score import wilson


@pytest.mark.parametrize(
    ("killed", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_the_interval_is_that_of_the_published_examples(
    killed: int, count: int, low: float, high: float
) -> None:
    assert wilson(killed, count) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("killed", "count"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_has_no_interval(killed: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"{killed} of {count} is no share"):
        wilson(killed, count)
