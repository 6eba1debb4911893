from __future__ import annotations

import pytest

from dualtune.evaluate.compare import Average, BenchmarkComparison
from dualtune.evaluate.statistics import Estimate
from dualtune.report import wording


def result(correct: int, rows: int, low: float, high: float) -> dict[str, object]:
    return {"accuracy": correct / rows, "interval": [low, high], "rows": rows, "of": rows}


def test_sentence_claims_a_gain_only_where_the_intervals_lie_apart() -> None:
    apart = wording.result_sentence(result(31, 1000, 0.022, 0.044), result(135, 1000, 0.115, 0.158))
    assert "+10.4 points, better beyond the noise" in apart
    overlapping = wording.result_sentence(result(4, 200, 0.008, 0.05), result(7, 200, 0.017, 0.07))
    assert "+1.5 points, inside the noise" in overlapping
    assert "better" not in overlapping


def test_sentence_says_when_tuning_made_it_worse() -> None:
    sentence = wording.result_sentence(result(40, 100, 0.31, 0.5), result(10, 100, 0.05, 0.17))
    assert "−30.0 points, worse beyond the noise" in sentence


def paired(p: float, value: float = 0.02) -> BenchmarkComparison:
    one, difference = Estimate(0.1, 0.05, 0.2), Estimate(value, value - 0.018, value + 0.018)
    return BenchmarkComparison("svamp", "in", "cot", 1000, one, one, difference,
                               1, 31, 51, 917, p, p, 6434)  # fmt: skip


def test_a_paired_test_decides_where_there_is_one() -> None:
    base, tuned = result(67, 1000, 0.05, 0.08), result(87, 1000, 0.07, 0.11)  # they overlap
    found = wording.result_sentence(base, tuned, paired(0.0352))
    assert found.endswith("after: +2.0 points (+0.2 to +3.8), better beyond the noise (p = 0.035).")
    assert "inside the noise (p = 0.070)" in wording.result_sentence(base, tuned, paired(0.0703))
    assert wording.verdict(base, tuned, paired(0.00001, -0.02)) == "worse"
    assert "(p < 0.0001)" in wording.short_sentence(paired(0.00001))


def test_an_average_is_noise_unless_its_interval_leaves_nothing_out() -> None:
    change = Average(
        "all", ("a", "b"), Estimate(0, 0, 0), Estimate(0, 0, 0), Estimate(0.1, 0.05, 0.2)
    )
    line = {"cells": [("base", Estimate(0.1, 0.05, 0.2)), ("tuned", Estimate(0.2, 0.1, 0.3))]}
    assert wording.average_sentence(line, change).endswith("better beyond the noise.")
    assert wording.sign_of(Estimate(0.1, -0.01, 0.2)) == "noise"
    assert wording.sign_of(Estimate(-0.1, -0.2, -0.01)) == "worse"
    assert "not known" in wording.average_sentence({"cells": [("base", None)]}, change)


@pytest.mark.parametrize(
    ("p", "shown"), [(0.00001, "< 0.0001"), (0.0004, "0.0004"), (0.0352, "0.035"), (1.0, "1.000")]
)
def test_p_values(p: float, shown: str) -> None:
    assert wording.p_value(p) == shown


@pytest.mark.parametrize(
    ("key", "title"),
    [("svamp", "SVAMP"), ("svamp.pot", "SVAMP (pot)"), ("my.file", "My.file")],
)
def test_benchmark_key_title(key: str, title: str) -> None:
    assert wording.benchmark_key_title(key) == title


def test_intervals_that_touch_are_noise() -> None:
    assert wording.verdict(result(1, 10, 0.0, 0.2), result(3, 10, 0.2, 0.6)) == "noise"


def test_sentence_without_one_side_claims_nothing() -> None:
    one = result(7, 200, 0.017, 0.07)
    assert "was not evaluated" in wording.result_sentence(None, one)
    assert "has not been evaluated yet" in wording.result_sentence(one, None)
    assert wording.verdict(None, one) == "unknown"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(3.21, "3.2 s"), (9.96, "10 s"), (59.4, "59 s"), (59.7, "1 min"), (725, "12 min 5 s"),
     (3599.8, "1 h"), (3780, "1 h 3 min"), (None, "–"), (float("nan"), "–")],
)  # fmt: skip
def test_duration(seconds: float | None, shown: str) -> None:
    assert wording.duration(seconds).replace(wording.NARROW, " ") == shown


@pytest.mark.parametrize(
    ("cause", "words"),
    [("irsp.one_step", "IRSP: Problems whose rationale is one step"),
     ("ir.not_in_rationale", "IR: numbers that the rationale never uses"),
     ("no_answer", "no final answer was found"),
     ("mix.ir", "IR: instances beyond the share"),
     ("irsp.brand_new", "IRSP: brand new"), ("brand_new", "brand new"), ("a.b_c", "a: b c")],
)  # fmt: skip
def test_cause_words(cause: str, words: str) -> None:
    assert wording.cause_words(cause).startswith(words)


def test_points_show_no_sign_on_nothing() -> None:
    assert wording.points(0.0) == "0.0"
    assert wording.points(-0.0001) == "0.0"
    assert wording.points(-0.02) == "−2.0"


def test_rows_of_says_what_part_was_evaluated() -> None:
    assert wording.rows_of({"rows": 200, "of": 1319}) == "200 of 1,319 rows"
    assert wording.rows_of({"rows": 1000, "of": 1000}) == "all 1,000 rows"
