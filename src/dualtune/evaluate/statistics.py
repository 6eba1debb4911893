"""Error bars: without them an accuracy is not a result."""

from __future__ import annotations

LEVEL = 0.95


def wilson_interval(correct: int, rows: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the Wilson score interval of an accuracy.

    It keeps its level at accuracies near 0 and 1 and on few rows, where the normal approximation
    leaves the unit interval (Wilson 1927; Brown, Cai and DasGupta 2001).

    Args:
        correct: Rows that are right.
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
    from scipy.stats import binomtest

    interval = binomtest(correct, rows).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)
