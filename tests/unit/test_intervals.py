"""The error bar of an accuracy."""

from __future__ import annotations

import pytest

from dualtune.intervals import wilson_interval


@pytest.mark.parametrize("rows", [1, 3, 10, 200])
def test_equals_scipy(rows: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    for correct in range(rows + 1):
        expected = stats.binomtest(correct, rows).proportion_ci(method="wilson")
        assert wilson_interval(correct, rows) == pytest.approx(expected)


def test_a_textbook_case_and_the_ends() -> None:
    # Brown, Cai and DasGupta (2001), n = 10 and no success: 0 to z^2 / (n + z^2).
    assert wilson_interval(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert wilson_interval(10, 10) == (pytest.approx(0.7225, abs=1e-4), 1.0)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="correct is 3, but must lie between 0 and rows, 2"):
        wilson_interval(3, 2)
