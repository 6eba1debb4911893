"""Two models on the same rows: what differs, how surely, and how many rows it would take to see.

The models answer the same questions, so what they share (a question that is hard for both) drops
out of their difference. A paired test sees effects that two overlapping intervals hide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dualtune.evaluate.statistics import (
    RESAMPLES,
    Estimate,
    mean_over_seeds,
    percentiles,
    resampled_means,
    widened,
)
from dualtune.intervals import LEVEL, wilson_interval

POWER = 0.8


@dataclass(frozen=True, slots=True)
class Paired:
    """The exact McNemar test of two models.

    Attributes:
        only_a: Rows that only the first has right.
        only_b: Rows that only the second has right.
        p: Two-sided p-value of the hypothesis that both are right equally often.
    """

    only_a: int
    only_b: int
    p: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of accuracies over several seeds, with its p-value; shares of one."""

    value: float
    low: float
    high: float
    p: float


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> Paired:
    """Test whether two models are right equally often on the same rows (McNemar 1947, exact).

    Rows that both have right or both wrong say nothing of the difference; of the others, each is
    either model's with chance one half if the models are equally good: a binomial test.

    Args:
        a: Whether the first model has each row right.
        b: The same of the second, in the same order.

    Returns:
        The counts and the p-value; 1 where no row tells the models apart.

    Raises:
        ValueError: If they are not equally many.
    """
    from scipy.stats import binomtest

    _same_rows(a, b)
    only_a = sum(bool(one) and not other for one, other in zip(a, b, strict=True))
    only_b = sum(bool(other) and not one for one, other in zip(a, b, strict=True))
    told = only_a + only_b
    return Paired(only_a, only_b, float(binomtest(only_a, told).pvalue) if told else 1.0)


def paired_bootstrap(
    a: Sequence[float],
    b: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Return the difference of two accuracies on the same rows: the second minus the first.

    Rows are resampled with both models' answers (Efron and Tibshirani 1993,
    chapter 13).

    Args:
        a: Whether the first model has each row right, or its share of right samples.
        b: The same of the second, in the same order.
        resamples: Bootstrap samples.
        seed: Of the resampling.
        level: Level of the interval.

    Returns:
        The difference and its percentile interval, widened as ``paired_macro`` says.

    Raises:
        ValueError: If they are not equally many, or none.
    """
    return paired_macro({"": a}, {"": b}, resamples=resamples, seed=seed, level=level)


def paired_macro(
    a: Mapping[str, Sequence[float]],
    b: Mapping[str, Sequence[float]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Return the difference of two macro averages on the same rows: the second minus the first.

    Rows are resampled within each benchmark. Where no row of a benchmark speaks for one of the
    models, resampling cannot make one: Wilson's upper bound of none in so many rows is then added
    in quadrature on that side (Zou and Donner 2008), so that two models with the same answers on
    ten rows are not called equal for certain.

    Args:
        a: Benchmark to whether the first model has each row right, or its share of right samples.
        b: The same of the second: the same benchmarks, the rows in the same order.
        resamples: Bootstrap samples.
        seed: Of the resampling.
        level: Level of the interval.

    Returns:
        The difference and its percentile interval.

    Raises:
        ValueError: If the benchmarks or the numbers of rows differ, or there are no rows.
    """
    _same_benchmarks(a, b)
    changes = []
    for name in a:
        _same_rows(a[name], b[name])
        if not len(a[name]):
            raise ValueError(f"there are no rows to compare {name}".rstrip())
        changes.append([float(y) - float(x) for x, y in zip(a[name], b[name], strict=True)])
    means = resampled_means(changes, resamples=resamples, seed=seed)
    unseen_low = unseen_high = 0.0
    for rows in changes:
        unseen = (wilson_interval(0, len(rows), level=level)[1] / len(changes)) ** 2
        unseen_low += unseen * (min(rows) >= 0)
        unseen_high += unseen * (max(rows) <= 0)
    value = sum(sum(rows) / len(rows) for rows in changes) / len(changes)
    return widened(value, percentiles(means, level), (unseen_low, unseen_high), (-1.0, 1.0))


def difference_over_seeds(
    a: Mapping[str, Any], b: Mapping[str, Any], *, level: float = LEVEL
) -> Difference:
    """Return the difference of two recipes that were each run with several seeds.

    The rows are shared, the seeds are each recipe's own; their variances add as in
    ``statistics.total_variance``, and interval and p-value are Student's t.

    Args:
        a: Benchmark to a matrix of shape ``[seeds, rows]``: whether the first recipe's models
            have each row right. One benchmark gives its difference, several the macro average's.
        b: The same of the second; its seeds may be another number.
        level: Level of the interval.

    Returns:
        Second minus first. Where every row and seed says the same, nothing varies: the bounds
        are then Wilson's of none in so many rows, and p is the sign test's over rows.

    Raises:
        ValueError: If a matrix is empty or not two-dimensional, or the benchmarks, numbers of
            rows or a recipe's numbers of seeds differ.
    """
    _same_benchmarks(a, b)
    matrices = [list(a.values()), [b[name] for name in a]]
    found, p = mean_over_seeds(matrices, level=level, limits=(-1.0, 1.0))
    return Difference(found.value, found.low, found.high, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for how many there are (Holm 1979).

    Of nine benchmarks without any effect, one falls below 0.05 in every third comparison. Holm's
    step-down keeps the chance of even one such at 0.05, and never asks more than Bonferroni.

    Args:
        p_values: One a test.

    Returns:
        The adjusted values, in the order given, at most 1.

    Raises:
        ValueError: If a value lies outside 0 to 1.
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"{p} is no p-value")
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def rows_needed(
    difference: float = 0.01, *, discordance: float, power: float = POWER, level: float = LEVEL
) -> int:
    """Say how many rows a paired comparison needs to see a difference.

    Connor (1987, Biometrics 43; after Miettinen 1968) for McNemar's test: ``n = (z_a
    sqrt(d) + z_b sqrt(d - x^2))^2 / x^2`` with the share ``d`` of rows that only one model has
    right and the difference ``x``.

    Args:
        difference: The true difference of accuracies that is to be seen, above 0, at most 1.
        discordance: Share of rows on which exactly one of the models is right, as observed. A
            difference of x needs a discordance of at least x, so a lower one is raised to it.
        power: Chance to see it.
        level: One minus the two-sided significance level.

    Returns:
        The number of rows, rounded up.

    Raises:
        ValueError: If a share lies outside its range.
    """
    from statistics import NormalDist

    if not 0 < difference <= 1:
        raise ValueError(f"difference is {difference}, but must lie between 0 and 1")
    if not 0 <= discordance <= 1:
        raise ValueError(f"discordance is {discordance}, but must lie between 0 and 1")
    if not (0 < power < 1 and 0 < level < 1):
        raise ValueError(f"power {power} and level {level} must lie between 0 and 1")
    normal = NormalDist()
    share = max(discordance, difference)
    wanted = normal.inv_cdf((1 + level) / 2) * math.sqrt(share)
    wanted += normal.inv_cdf(power) * math.sqrt(share - difference**2)
    return math.ceil((wanted / difference) ** 2)


def _same_rows(a: Sequence[float], b: Sequence[float]) -> None:
    if len(a) != len(b):
        raise ValueError(f"the rows differ in number: {len(a)} and {len(b)}")


def _same_benchmarks(a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
    if not a or a.keys() != b.keys():
        raise ValueError(f"benchmarks differ or are none: {sorted(a)} and {sorted(b)}")
