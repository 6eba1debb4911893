"""Intervals, macro averages, seeds, votes and pass@k, against references of their own."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.evaluate.statistics import (
    macro_average,
    majority_vote,
    pass_at_k,
    rows_and_seeds_interval,
)
from dualtune.intervals import wilson_interval

ROWS = st.lists(st.booleans(), min_size=1, max_size=60)


@pytest.mark.parametrize(("correct", "rows"), [(31, 1000), (0, 64), (64, 64), (1, 2), (500, 1000)])
def test_wilson_matches_the_formula(correct: int, rows: int) -> None:
    z, p = 1.959963984540054, correct / rows
    centre = (p + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows))
    assert wilson_interval(correct, rows) == pytest.approx((centre - half, centre + half), abs=1e-9)


def test_a_known_interval() -> None:
    # Newcombe (1998), method 3: 81 of 263.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_wilson_is_scipys(level: float) -> None:
    from scipy.stats import binomtest

    for correct, rows in [(0, 1), (1, 1), (3, 7), (999, 1000), (27, 1000)]:
        theirs = binomtest(correct, rows).proportion_ci(confidence_level=level, method="wilson")
        ours = wilson_interval(correct, rows, level=level)
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_no_rows_say_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_more_right_than_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="correct is 3"):
        wilson_interval(3, 2)


# --- Macro averages -----------------------------------------------------------------------------


def test_each_benchmark_counts_alike() -> None:
    found = macro_average({"many": [True] * 900 + [False] * 100, "few": [True, False]})
    assert found.value == pytest.approx((0.9 + 0.5) / 2)
    assert 0 <= found.low < found.value < found.high <= 1


def test_the_bootstrap_resamples_rows_within_each_benchmark() -> None:
    rows = {"a": [True] * 12 + [False] * 28, "b": [True] * 50 + [False] * 14}
    found = macro_average(rows, resamples=40_000)
    random = np.random.default_rng(7)  # row by row, as the definition says
    means = np.mean(
        [random.choice(values, (40_000, len(values))).mean(axis=1) for values in rows.values()],
        axis=0,
    )
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.005)


def test_one_benchmark_agrees_with_wilson_on_many_rows() -> None:
    found = macro_average({"only": [True] * 300 + [False] * 700})
    assert (found.low, found.high) == pytest.approx(wilson_interval(300, 1000), abs=0.003)


@pytest.mark.parametrize("right", [True, False])
def test_a_benchmark_that_is_all_alike_claims_no_certainty(right: bool) -> None:
    found = macro_average({"only": [right] * 50})
    assert (found.low, found.high) == pytest.approx(wilson_interval(50 * right, 50))


def test_what_resampling_cannot_see_is_added() -> None:
    seen = [True] * 50 + [False] * 50
    alone = macro_average({"a": seen, "b": seen})
    beside = macro_average({"a": seen, "b": seen, "c": [False] * 4})
    assert (beside.high - beside.value) * 3 > (alone.high - alone.value) * 2
    # Wilson's upper bound of 0 in 4 is 0.49: alone it moves the average by 0.16.
    assert beside.high - beside.value > 0.16


def test_macro_averages_are_repeatable_and_depend_on_the_seed() -> None:
    rows = {"a": [True, False, False] * 9}
    assert macro_average(rows) == macro_average(rows)
    assert macro_average(rows, resamples=50) != macro_average(rows, resamples=50, seed=1)


def test_a_benchmark_without_rows_is_named() -> None:
    with pytest.raises(ValueError, match="benchmark sat has no graded rows"):
        macro_average({"gsm8k": [True], "sat": []})
    with pytest.raises(ValueError, match="no benchmark"):
        macro_average({})


@given(rows=st.dictionaries(st.text(max_size=3), ROWS, min_size=1, max_size=5))
def test_macro_averages_are_inside_their_interval(rows: dict[str, list[bool]]) -> None:
    found = macro_average(rows, resamples=200)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx(np.mean([np.mean(one) for one in rows.values()]))


def test_macro_averages_cover_the_truth() -> None:
    random, shares, sizes = np.random.default_rng(3), [0.03, 0.4, 0.8], [200, 150, 250]
    covered = 0
    for _ in range(300):
        rows = {str(n): random.random(n) < p for p, n in zip(shares, sizes, strict=True)}
        found = macro_average(rows, resamples=1_000)
        covered += found.low <= np.mean(shares) <= found.high
    # 95 % of 300 is 285; four standard errors of the count are 15.
    assert covered >= 270


# --- Rows and seeds -----------------------------------------------------------------------------


def test_one_seed_is_wilsons() -> None:
    found = rows_and_seeds_interval([[True] * 31 + [False] * 969])
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.031, *wilson_interval(31, 1000))
    )


@pytest.mark.parametrize("right", [0, 1])
def test_seeds_that_agree_on_all_rows_count_each_row_once(right: int) -> None:
    found = rows_and_seeds_interval(np.full((5, 40), right))
    assert (found.low, found.high) == pytest.approx(wilson_interval(40 * right, 40))


def test_equal_seeds_add_nothing_to_the_rows() -> None:
    row = [True] * 200 + [False] * 300
    found = rows_and_seeds_interval([row] * 3)
    assert (found.low, found.high) == pytest.approx(wilson_interval(200, 500), abs=0.001)


def test_seeds_that_differ_widen_the_interval() -> None:
    row = np.arange(1000)
    calm = rows_and_seeds_interval([row < 300, row < 300, row < 300])
    wild = rows_and_seeds_interval([row < 200, row < 300, row < 400])
    assert calm.value == wild.value == pytest.approx(0.3)
    # Three seeds with a standard deviation of 0.1 reach 4.30 * 0.1 / sqrt(3) to each side.
    assert (wild.high - wild.low) / 2 == pytest.approx(0.25, abs=0.05)
    assert wild.high - wild.low > 4 * (calm.high - calm.low)


def test_seeds_and_rows_together_cover_the_truth() -> None:
    random, covered = np.random.default_rng(5), 0
    hard = random.normal(0, 1, 200_000)
    truth = np.mean(1 / (1 + np.exp(-(hard + random.normal(0, 0.2, 200_000)))))
    for _ in range(300):
        seeds, rows = random.normal(0, 0.2, (3, 1)), random.normal(0, 1, (1, 400))
        found = rows_and_seeds_interval(random.random((3, 400)) < 1 / (1 + np.exp(-(rows + seeds))))
        covered += found.low <= truth <= found.high
    assert covered >= 270


def test_rows_alone_would_not_cover_seeds() -> None:
    # The reason to have it: pooled over seeds as if they were rows, the interval falls short.
    random, covered = np.random.default_rng(5), 0
    for _ in range(200):
        shares = 0.4 + random.normal(0, 0.05, (3, 1))
        right = (random.random((3, 400)) < shares).sum()
        low, high = wilson_interval(int(right), 1200)
        covered += low <= 0.4 <= high
    assert covered < 160


@given(matrix=st.integers(1, 4).flatmap(lambda s: st.lists(
    st.lists(st.booleans(), min_size=s, max_size=s), min_size=1, max_size=20)))  # fmt: skip
def test_seed_intervals_stay_inside(matrix: list[list[bool]]) -> None:
    found = rows_and_seeds_interval(np.array(matrix).T)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


@pytest.mark.parametrize("bad", [[], [[]], [True, False], [[[1]]]])
def test_matrices_of_another_shape_are_refused(bad: list[object]) -> None:
    with pytest.raises(ValueError, match="must be \\[seeds, rows\\]"):
        rows_and_seeds_interval(bad)


def test_values_that_are_no_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="outside 0 to 1"):
        rows_and_seeds_interval([[0, 2]])
    with pytest.raises(ValueError, match="no number"):
        rows_and_seeds_interval([[0, float("nan")]])


# --- Several samples a row ----------------------------------------------------------------------


@given(samples=st.integers(1, 7), data=st.data())
def test_pass_at_k_counts_the_choices(samples: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, samples))
    k = data.draw(st.integers(1, samples))
    right = [i < correct for i in range(samples)]
    choices = [any(choice) for choice in combinations(right, k)]
    expected = Fraction(sum(choices), len(choices))
    assert pass_at_k(samples, correct, k) == pytest.approx(float(expected))


def test_pass_at_k_of_many_samples() -> None:
    # The product form of Chen et al. (2021), figure 3.
    expected = 1 - np.prod(1.0 - 50 / np.arange(200 - 3 + 1, 200 + 1))
    assert pass_at_k(200, 3, 50) == pytest.approx(expected)
    assert pass_at_k(10_000, 1, 5_000) == pytest.approx(0.5)
    assert pass_at_k(5, 2, 1) == pytest.approx(0.4)


@pytest.mark.parametrize(("samples", "correct", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_pass_at_k_out_of_range_is_refused(samples: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="must lie between"):
        pass_at_k(samples, correct, k)


@pytest.mark.parametrize(
    ("keys", "winner"),
    [
        (["3", "4", "4"], "4"),
        (["5", "3", "3", "5"], "5"),  # a tie: the one given first
        ([None, None, "7"], "7"),  # samples without an answer do not vote
        ([None, None], None),
        ([], None),
        (["", "", "1"], ""),
    ],
)
def test_majority_vote(keys: list[str | None], winner: str | None) -> None:
    assert majority_vote(keys) == winner


@given(keys=st.lists(st.sampled_from(["1", "2", "3", None]), max_size=12))
def test_no_answer_has_more_votes_than_the_winner(keys: list[str | None]) -> None:
    winner, given_answers = majority_vote(keys), [key for key in keys if key is not None]
    assert (winner is None) == (not given_answers)
    if winner is not None:
        ahead = [key for key in set(given_answers) if keys.count(key) >= keys.count(winner)]
        assert all(keys.index(winner) <= keys.index(key) for key in ahead if key in keys)
        assert all(keys.count(key) == keys.count(winner) for key in ahead)
