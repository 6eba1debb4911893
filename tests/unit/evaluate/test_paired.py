"""Two models on the same rows, against references of their own."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.evaluate.paired import (
    Difference,
    difference_over_seeds,
    holm,
    mcnemar,
    paired_bootstrap,
    paired_macro,
    rows_needed,
)
from dualtune.evaluate.statistics import macro_over_seeds
from dualtune.intervals import wilson_interval

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=50)


def pairs(*, both: int = 0, only_a: int = 0, only_b: int = 0, neither: int = 0) -> tuple:
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def test_a_known_table() -> None:
    # Fay (2011), exact2x2 vignette of exact McNemar tests: 21 against 9 discordant pairs.
    found = mcnemar(*pairs(both=21, only_a=9, only_b=2, neither=12))
    assert (found.only_a, found.only_b) == (9, 2)
    assert found.p == pytest.approx(0.06543, abs=5e-6)


def test_mcnemar_counts_coin_tosses() -> None:
    for only_a, only_b in product(range(6), repeat=2):
        told = only_a + only_b
        tail = sum(comb(told, i) for i in range(min(only_a, only_b) + 1)) / 2**told
        expected = 1.0 if only_a == only_b else min(1.0, 2 * tail)
        found = mcnemar(*pairs(both=3, only_a=only_a, only_b=only_b))
        assert found.p == pytest.approx(expected)


@given(rows=PAIRS)
def test_order_of_rows_and_models_does_not_matter(rows: list[tuple[bool, bool]]) -> None:
    a, b = zip(*rows, strict=True)
    one, turned, back = mcnemar(a, b), mcnemar(b, a), mcnemar(a[::-1], b[::-1])
    assert one == back
    assert (one.only_a, one.only_b, one.p) == (turned.only_b, turned.only_a, pytest.approx(one.p))
    assert 0 < one.p <= 1


def test_nothing_told_apart() -> None:
    assert mcnemar([], []).p == 1
    assert mcnemar(*pairs(both=5, neither=5)).p == 1


def test_rows_of_another_number_are_refused() -> None:
    for test in (mcnemar, paired_bootstrap):
        with pytest.raises(ValueError, match="differ in number: 2 and 1"):
            test([True, False], [True])


# --- Paired bootstrap ---------------------------------------------------------------------------


def test_the_difference_is_second_minus_first() -> None:
    found = paired_bootstrap(*pairs(both=200, only_a=10, only_b=60, neither=730))
    assert found.value == pytest.approx(0.05)
    # The normal approximation: (b + c - (b - c)^2 / n) / n^2 is the variance.
    half = 1.96 * np.sqrt(70 - 50**2 / 1000) / 1000
    assert (found.low, found.high) == pytest.approx((0.05 - half, 0.05 + half), abs=0.002)


def test_pairing_is_narrower_than_two_intervals() -> None:
    a, b = pairs(both=400, only_a=10, only_b=40, neither=550)
    found = paired_bootstrap(a, b)
    low, high = wilson_interval(sum(a), len(a))
    assert found.low > 0  # told apart, although ...
    assert high > wilson_interval(sum(b), len(b))[0]  # ... the single intervals overlap
    assert found.high - found.low < high - low


def test_equal_answers_on_few_rows_are_not_equal_for_certain() -> None:
    found = paired_bootstrap(*pairs(both=3, neither=7))
    bound = wilson_interval(0, 10)[1]
    assert (found.value, found.low, found.high) == pytest.approx((0, -bound, bound))


def test_a_side_that_no_row_speaks_for_is_still_open() -> None:
    found = paired_bootstrap(*pairs(only_b=2, neither=18))
    assert found.low < 0 < found.value  # only two rows: A may still be the better one


def test_shares_of_right_samples() -> None:
    found = paired_bootstrap([0.25, 0.5, 1.0] * 30, [0.5, 0.5, 0.75] * 30)
    assert found.value == pytest.approx(0)
    assert found.low < 0 < found.high


@given(rows=PAIRS)
def test_differences_lie_inside_their_interval(rows: list[tuple[bool, bool]]) -> None:
    a, b = zip(*rows, strict=True)
    found = paired_bootstrap(a, b, resamples=300)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx(-paired_bootstrap(b, a, resamples=1).value)


def test_paired_intervals_cover_the_truth() -> None:
    random, covered = np.random.default_rng(11), 0
    for _ in range(300):
        hard = random.random(300)
        found = paired_bootstrap(hard < 0.30, hard < random.random(300) * 0.7, resamples=1_000)
        covered += found.low <= 0.05 <= found.high
    assert covered >= 270


def test_macro_differences_weigh_benchmarks_alike() -> None:
    a = {"big": [True] * 100 + [False] * 900, "small": [False] * 10}
    b = {"big": [True] * 200 + [False] * 800, "small": [True] * 3 + [False] * 7}
    found = paired_macro(a, b)
    assert found.value == pytest.approx((0.1 + 0.3) / 2)
    assert found.low < found.value < found.high


def test_other_benchmarks_and_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="benchmarks differ"):
        paired_macro({"a": [True]}, {"b": [True]})
    with pytest.raises(ValueError, match="no rows to compare sat"):
        paired_macro({"sat": []}, {"sat": []})
    with pytest.raises(ValueError, match="no rows"):
        paired_bootstrap([], [])


# --- Seeds --------------------------------------------------------------------------------------


def over_seeds(a: object, b: object) -> Difference:
    return difference_over_seeds({"svamp": a}, {"svamp": b})


def test_one_seed_each_is_near_the_bootstrap() -> None:
    a, b = pairs(both=200, only_a=30, only_b=60, neither=710)
    found, alone = over_seeds([a], [b]), paired_bootstrap(a, b)
    assert found.value == pytest.approx(alone.value)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.002)
    assert found.p == pytest.approx(mcnemar(a, b).p, abs=0.001)


def test_seeds_that_disagree_take_the_certainty_away() -> None:
    row = np.arange(1000)
    steady = over_seeds([row < 300] * 3, [row < 350] * 3)
    shaky = over_seeds([row < 280, row < 300, row < 320], [row < 300, row < 350, row < 400])
    assert (steady.value, shaky.value) == pytest.approx((0.05, 0.05))
    assert steady.p < 0.001
    assert shaky.p > 0.05
    assert shaky.low < 0 < shaky.high


def test_seeds_of_recipes_alike_are_seldom_told_apart() -> None:
    random, found = np.random.default_rng(2), 0
    for _ in range(300):
        hard = random.random((1, 300))
        a = hard + random.normal(0, 0.2, (3, 300)) < 0.4 + random.normal(0, 0.03, (3, 1))
        b = hard + random.normal(0, 0.2, (4, 300)) < 0.4 + random.normal(0, 0.03, (4, 1))
        found += over_seeds(a, b).p < 0.05
    assert found <= 30  # 15 expected at the level


def test_macro_averages_over_seeds() -> None:
    row = np.arange(100)
    a = {"x": [row < 20, row < 30], "y": [row < 50, row < 50]}
    b = {"y": [row < 60, row < 60, row < 60], "x": [row < 25, row < 25, row < 25]}
    found = difference_over_seeds(a, b)
    assert found.value == pytest.approx((0.25 + 0.6) / 2 - (0.25 + 0.5) / 2)
    # A seed moves both benchmarks at once: 0.35 and 0.4, so their variance is of the average.
    rows = [np.where(row < 20, 0.0, np.where(row < 25, 0.5, np.where(row < 30, -0.5, 0.0))),
            ((row >= 50) & (row < 60)) * 1.0]  # fmt: skip
    variance = sum(r.var(ddof=1) / 100 / 4 for r in rows) + np.var([0.35, 0.4], ddof=1) / 2
    assert found.high - found.low > 2 * 1.96 * np.sqrt(variance)
    assert found.high - found.low < 2 * 12.71 * np.sqrt(variance)
    single = macro_over_seeds(a)
    assert single.value == pytest.approx(0.375)
    assert single.low < single.value < single.high


def test_nothing_that_varies() -> None:
    alike = over_seeds([[True, False]] * 2, [[True, False]] * 2)
    assert (alike.value, alike.p) == (0, 1)
    assert alike.low < 0 < alike.high
    apart = over_seeds(np.zeros((2, 10)), np.ones((2, 10)))
    assert (apart.value, apart.high) == (1, 1)
    assert apart.p == pytest.approx(2 / 2**10)
    assert over_seeds([[True]], [[False]]).p == 1  # one row


def test_seeds_on_other_rows_or_benchmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in number: 2 and 1"):
        over_seeds([[True, False]], [[True]])
    with pytest.raises(ValueError, match="benchmarks differ"):
        difference_over_seeds({"a": [[True]]}, {"b": [[True]]})
    with pytest.raises(ValueError, match="seeds differ in number"):
        macro_over_seeds({"a": [[True]], "b": [[True], [False]]})
    with pytest.raises(ValueError, match="no benchmark"):
        macro_over_seeds({})


# --- Several tests, and planning ----------------------------------------------------------------


def test_holm_of_a_known_list() -> None:
    # By hand: 5, 4, 3, 2 and 1 times the value, none below the one before.
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.03, 0.005, 0.04]) == pytest.approx([0.06, 0.015, 0.06])
    assert holm([]) == []


@given(values=st.lists(st.floats(0, 1), max_size=9))
def test_holm_lies_between_the_values_and_bonferroni(values: list[float]) -> None:
    adjusted = holm(values)
    for p, q in zip(values, adjusted, strict=True):
        assert p <= q <= min(1.0, p * len(values)) + 1e-12
    order = sorted(range(len(values)), key=values.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_what_is_no_p_value_is_refused() -> None:
    with pytest.raises(ValueError, match="no p-value"):
        holm([0.5, 1.5])


def test_rows_needed_by_the_formula() -> None:
    # z = 1.959964 and 0.841621: (1.959964 sqrt(.082) + 0.841621 sqrt(.082 - .0001))^2 / .0001
    assert rows_needed(0.01, discordance=0.082) == 6434
    assert rows_needed(0.02, discordance=0.082) < 6434 / 3.9


def test_so_many_rows_give_that_power() -> None:
    rows, random = rows_needed(0.05, discordance=0.2), np.random.default_rng(0)
    cells = random.multinomial(rows, [0.075, 0.125, 0.8], size=20_000)
    z = (cells[:, 1] - cells[:, 0]) / np.sqrt(cells[:, 0] + cells[:, 1])
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.8, abs=0.015)


def test_a_difference_needs_as_much_discordance() -> None:
    assert rows_needed(0.01, discordance=0.0) == rows_needed(0.01, discordance=0.01)


@pytest.mark.parametrize(
    "bad",
    [
        {"difference": 0.0, "discordance": 0.1},
        {"difference": -0.01, "discordance": 0.1},
        {"discordance": 1.1},
        {"discordance": 0.1, "power": 1.0},
        {"discordance": 0.1, "level": 0.0},
    ],
)
def test_shares_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must lie between"):
        rows_needed(**bad)
