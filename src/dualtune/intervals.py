"""The error bar of an accuracy, for whatever stage reports one."""

from __future__ import annotations

import math
from statistics import NormalDist

LEVEL = 0.95


def wilson_interval(correct: float, rows: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the Wilson score interval of an accuracy.

    It keeps its level at accuracies near 0 and 1 and on few rows, where the normal approximation
    leaves the unit interval (Wilson 1927; Brown, Cai and DasGupta 2001).

    Args:
        correct: Rows that are right; a fraction where ``rows`` is an effective number of rows.
        rows: Rows that were graded.
        level: Probability that such intervals cover the true accuracy.

    Returns:
        Lower and upper bound; ``(0.0, 1.0)`` where there are no rows.

    Raises:
        ValueError: If ``correct`` does not lie between 0 and ``rows``.
    """
    if not 0 <= correct <= rows:
        raise ValueError(f"correct is {correct}, but must lie between 0 and rows, {rows}")
    if rows == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = correct / rows, z * z / rows
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / rows + spread / (4 * rows))
    # At no and at all rows the bound is exact; rounding must not move it.
    return (
        0.0 if correct == 0 else middle - half,
        1.0 if correct == rows else middle + half,
    )
