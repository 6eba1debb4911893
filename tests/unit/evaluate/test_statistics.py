"""Wilson intervals."""

from __future__ import annotations

from math import sqrt

import pytest

from dualtune.evaluate.statistics import wilson_interval


@pytest.mark.parametrize(("correct", "rows"), [(31, 1000), (0, 64), (64, 64), (1, 2), (500, 1000)])
def test_matches_the_formula(correct: int, rows: int) -> None:
    z, p = 1.959963984540054, correct / rows
    centre = (p + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows))
    assert wilson_interval(correct, rows) == pytest.approx((centre - half, centre + half), abs=1e-9)


def test_a_known_interval() -> None:
    # Newcombe (1998), method 3: 81 of 263.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_no_rows_say_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_more_right_than_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="correct is 3"):
        wilson_interval(3, 2)
