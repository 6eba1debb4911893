"""Error bars, votes and pass@k: without the first, an accuracy is not a result."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from dualtune.intervals import LEVEL, wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval, all three as shares of one.

    Attributes:
        value: The estimate.
        low: Lower bound.
        high: Upper bound.
    """

    value: float
    low: float
    high: float


def macro_average(
    statuses_by_benchmark: Mapping[str, Sequence[bool]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Average accuracies so that each benchmark counts alike, however many rows it has.

    The interval is a stratified percentile bootstrap: rows are resampled within each benchmark
    (Efron and Tibshirani 1993, chapter 8). A benchmark that is all right or all wrong stands still
    under resampling, which would claim certainty: its Wilson bound is added in quadrature (Zou and
    Donner 2008, the method of variance estimates recovery).

    Args:
        statuses_by_benchmark: Benchmark to whether each graded row is right. Rows with status
            ``error`` say nothing about the model and stay out.
        resamples: Bootstrap samples.
        seed: Of the resampling; the result is a function of its arguments.
        level: Level of the interval.

    Returns:
        The average and its interval.

    Raises:
        ValueError: If there is no benchmark, or one has no rows: its accuracy is not known.
    """
    if not statuses_by_benchmark:
        raise ValueError("there is no benchmark to average over")
    benchmarks = []
    for name, rows in statuses_by_benchmark.items():
        if not len(rows):
            raise ValueError(f"benchmark {name} has no graded rows: leave it out of the average")
        benchmarks.append([float(row) for row in rows])
    means = resampled_means(benchmarks, resamples=resamples, seed=seed)
    count = len(benchmarks)
    unseen_low = unseen_high = 0.0
    for right in benchmarks:
        share = sum(right) / len(right)
        if share in (0.0, 1.0):
            low, high = wilson_interval(int(sum(right)), len(right), level=level)
            unseen_low += ((share - low) / count) ** 2
            unseen_high += ((high - share) / count) ** 2
    value = sum(sum(right) / len(right) for right in benchmarks) / count
    return widened(value, percentiles(means, level), (unseen_low, unseen_high), (0.0, 1.0))


def rows_and_seeds_interval(matrix: Any, *, level: float = LEVEL) -> Estimate:
    """Estimate the accuracy of a recipe from several seeds on the same rows.

    Seeds and rows are both a sample: another seed gives another model, another row another
    question. The law of total variance adds what each of them moves, see ``total_variance``. The
    bounds are Wilson's on the effective number of rows that this variance amounts to (Korn and
    Graubard 1998), so that they stay inside 0 and 1.

    Args:
        matrix: Shape ``[seeds, rows]``: whether each row is right, or a share between 0 and 1.
        level: Level of the interval.

    Returns:
        The mean and its interval. One seed gives Wilson's interval over rows alone, which says
        nothing of other seeds.

    Raises:
        ValueError: If the matrix is not two-dimensional, is empty, or holds values outside 0 to 1.
    """
    values = checked_matrix(matrix)
    if values.min() < 0 or values.max() > 1:
        raise ValueError("the matrix holds values outside 0 to 1")
    seeds, rows = values.shape
    share = float(values.mean())
    effective = float(rows)
    if seeds > 1 and rows > 1:
        variance, freedom = total_variance([values.mean(axis=0)], [values.mean(axis=1)])
        if variance > 0:
            # Student's t reaches further than the normal quantile in Wilson's formula.
            normal = NormalDist().inv_cdf((1 + level) / 2)
            stretch = (normal / t_quantile(level, freedom)) ** 2
            effective = share * (1 - share) / variance * stretch
    low, high = wilson_interval(share * effective, effective, level=level)
    return Estimate(share, low, high)


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Return the chance that at least one of k samples is right, without bias.

    ``1 - C(samples - correct, k) / C(samples, k)``: the share of all choices of k among the
    samples that hold a right one (Chen et al. 2021, arXiv 2107.03374, equation 1). To raise the
    share of right samples to the k-th power instead would be biased.

    Args:
        samples: Outputs of one row.
        correct: How many of them are right.
        k: How many may be tried.

    Raises:
        ValueError: If not ``0 <= correct <= samples`` and ``1 <= k <= samples``.
    """
    if not 0 <= correct <= samples:
        raise ValueError(f"correct is {correct}, but must lie between 0 and samples, {samples}")
    if not 1 <= k <= samples:
        raise ValueError(f"k is {k}, but must lie between 1 and the number of samples, {samples}")
    # Whole numbers up to the one division, so nothing is rounded twice or overflows.
    return 1.0 - math.comb(samples - correct, k) / math.comb(samples, k)


def majority_vote(keys: Sequence[str | None]) -> str | None:
    """Return the answer that most samples give (self-consistency, Wang et al. 2022).

    Samples without an answer do not vote. Of answers with equally many votes, the one that was
    given first wins: samples are drawn alike, so their order favours none, and the same samples
    always give the same vote.

    Args:
        keys: The answer of each sample in a form in which equal answers are equal texts
            (``grade.answer_key``), or None where a sample has none.

    Returns:
        The winning answer; None where no sample has one.
    """
    votes = Counter(key for key in keys if key is not None)
    # Counter keeps the order of first sight, and max keeps the first of equals.
    return max(votes, key=votes.__getitem__) if votes else None


def macro_over_seeds(matrices: Mapping[str, Any], *, level: float = LEVEL) -> Estimate:
    """Average the accuracies of a recipe over benchmarks, from several seeds.

    Args:
        matrices: Benchmark to a matrix of shape ``[seeds, rows]``; seeds in the same order.
        level: Level of the interval.

    Returns:
        The macro average with Student's t interval over rows and seeds, see ``total_variance``. A
        benchmark on which nothing varies adds Wilson's bound, as in ``macro_average``.

    Raises:
        ValueError: If there is no benchmark, a matrix is empty, or the seeds differ in number.
    """
    return mean_over_seeds([list(matrices.values())], level=level, limits=(0.0, 1.0))[0]


def mean_over_seeds(
    models: Sequence[Sequence[Any]], *, level: float, limits: tuple[float, float]
) -> tuple[Estimate, float]:
    """Estimate a macro average, or the difference of two, over rows and seeds.

    Args:
        models: One recipe, or two of which the first is subtracted from the second; each a matrix
            of shape ``[seeds, rows]`` for each benchmark.
        level: Level of the interval.
        limits: The least and the largest value that there is.

    Returns:
        The estimate, and the two-sided p-value of the value 0. Where nothing varies the p-value
        is that of a sign test over rows.

    Raises:
        ValueError: If there is no benchmark, a matrix is empty, or numbers of rows or seeds differ.
    """
    import numpy as np
    from scipy.stats import t

    if not models[0]:
        raise ValueError("there is no benchmark to average over")
    checked = [[checked_matrix(matrix) for matrix in matrices] for matrices in models]
    for matrices in checked:
        if len({len(matrix) for matrix in matrices}) > 1:
            raise ValueError(f"the seeds differ in number: {[len(m) for m in matrices]}")
    by_row = [matrix.mean(axis=0) for matrix in checked[-1]]
    if len(checked) == 2:
        for place, matrix in enumerate(checked[0]):
            if matrix.shape[1] != len(by_row[place]):
                raise ValueError(
                    f"the rows differ in number: {matrix.shape[1]} and {len(by_row[place])}"
                )
            by_row[place] = by_row[place] - matrix.mean(axis=0)
    by_seed = [np.mean([m.mean(axis=1) for m in matrices], axis=0) for matrices in checked]
    value = float(np.mean([rows.mean() for rows in by_row]))
    variance, freedom = total_variance(by_row, by_seed)
    still = [rows for rows in by_row if np.ptp(rows) == 0]
    unseen = sum((wilson_interval(0, len(r), level=level)[1] / len(by_row)) ** 2 for r in still)
    if variance:
        half = t_quantile(level, freedom) * math.sqrt(variance)
        p = float(2 * t.sf(abs(value) / math.sqrt(variance), freedom))
    else:
        half, p = 0.0, min(1.0, 2.0 ** (1 - sum(map(len, by_row)))) if value else 1.0
    return widened(value, (value - half, value + half), (unseen, unseen), limits), p


def total_variance(
    by_row: Sequence[NDArray[np.float64]], by_seed: Sequence[NDArray[np.float64]]
) -> tuple[float, float]:
    """Add the variance of a mean over rows and that over seeds.

    Both are read off the means themselves, so the chance that a single answer holds counts in
    each. That errs on the wide side, as the two-way bootstrap does (Owen 2007, the pigeonhole
    bootstrap); with the few seeds of practice the narrower forms fall short of their level.

    Args:
        by_row: For each benchmark the mean of each row over the seeds.
        by_seed: The mean of each seed over the benchmarks, a vector a model. A model of one seed
            adds nothing: what its other seeds would give is not known.

    Returns:
        The variance of the mean over benchmarks and its degrees of freedom (Satterthwaite 1946),
        without which three seeds would be taken for thirty.
    """
    parts = [
        (float(rows.var(ddof=1)) / len(rows) / len(by_row) ** 2, len(rows) - 1)
        for rows in by_row
        if len(rows) > 1
    ]
    parts += [(float(m.var(ddof=1)) / len(m), len(m) - 1) for m in by_seed if len(m) > 1]
    variance = sum(part for part, _ in parts)
    if not variance:
        return 0.0, math.inf
    return variance, variance**2 / sum(part**2 / freedom for part, freedom in parts)


def t_quantile(level: float, freedom: float) -> float:
    """Return how many standard errors a two-sided interval reaches (Student's t)."""
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, freedom))


def checked_matrix(matrix: Any) -> NDArray[np.float64]:
    """Return a matrix of shape ``[seeds, rows]`` as floats.

    Raises:
        ValueError: If it is not two-dimensional, is empty, or holds what is no number.
    """
    import numpy as np

    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(
            f"the matrix has shape {values.shape}, but must be [seeds, rows], not empty"
        )
    if not np.isfinite(values).all():
        raise ValueError("the matrix holds what is no number")
    return values


def resampled_means(
    strata: Sequence[Sequence[float]], *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Resample rows within each stratum and average the strata's means.

    Args:
        strata: The values of the rows of each stratum; none is empty.
        resamples: How often.
        seed: Of the resampling.

    Returns:
        Shape ``[resamples]``.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    total = np.zeros(resamples)
    for rows in strata:
        # How often each value is drawn is all that a mean needs to know: to draw rows one by one
        # gives the same distribution, hundreds of times slower.
        values, counts = np.unique(np.asarray(rows, dtype=np.float64), return_counts=True)
        drawn = random.multinomial(len(rows), counts / counts.sum(), size=resamples)
        total += drawn @ values / len(rows)
    return total / len(strata)


def percentiles(samples: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Return the percentile interval of bootstrap samples."""
    import numpy as np

    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def widened(
    value: float,
    interval: tuple[float, float],
    unseen: tuple[float, float],
    limits: tuple[float, float],
) -> Estimate:
    """Add, in quadrature, what resampling cannot see to a bootstrap interval.

    Args:
        value: The estimate.
        interval: Its percentile interval.
        unseen: Squared distances to be added below and above.
        limits: The least and the largest value that there is.
    """
    low = value - math.sqrt(max(value - interval[0], 0.0) ** 2 + unseen[0])
    high = value + math.sqrt(max(interval[1] - value, 0.0) ** 2 + unseen[1])
    return Estimate(value, max(low, limits[0]), min(high, limits[1]))
