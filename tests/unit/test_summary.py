"""The tables at the end of a command."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from dualtune.grade.file import Summary
from dualtune.summary import print_accuracy, print_grades


def test_averages_stand_below_two_benchmarks_and_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = {"rows": 9, "accuracy": 0.3, "interval": [0.2, 0.4]}
    mean = {"accuracy": 0.25, "interval": [0.1, 0.4]}
    written = {
        "models": {"tuned": {name: {**result, "domain": domain}
                             for name, domain in (("gsm8k", "in"), ("sat", "out"))}},
        "averages": {"tuned": {"in": {**mean, "benchmarks": ["gsm8k"]},
                               "all": {**mean, "benchmarks": ["gsm8k", "sat"]}}},
    }  # fmt: skip
    (tmp_path / "eval.json").write_text(json.dumps(written))
    print_accuracy(tmp_path)
    text = capsys.readouterr().out
    assert "average of 2" in text
    assert "average of 1" not in text
    assert "25.0 % (10.0 to 40.0)" in text
    del written["averages"]  # as older runs have it
    (tmp_path / "eval.json").write_text(json.dumps(written))
    print_accuracy(tmp_path)
    assert "average" not in capsys.readouterr().out


def test_an_average_of_other_benchmarks_is_none_of_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = {"rows": 9, "accuracy": 0.3, "interval": [0.2, 0.4], "domain": "out"}
    small = {**result, "rows": 2}
    both, one = {"gsm8k": result, "sat": result}, {"gsm8k": small}
    mean = {"accuracy": 0.25, "interval": [0.1, 0.4]}
    written = {
        "models": {"tuned": both, "other": one},
        "averages": {
            "tuned": {"all": {**mean, "benchmarks": ["gsm8k", "sat"]}},
            "other": {"all": {**mean, "accuracy": 0.99, "benchmarks": ["gsm8k"]}},
        },
    }
    (tmp_path / "eval.json").write_text(json.dumps(written))
    print_accuracy(tmp_path)
    text = capsys.readouterr().out
    assert "average of 2" in text
    assert "25.0 %" in text
    assert "99.0 %" not in text
    assert "9 / 2" in text  # rows, where models were evaluated on so many each


def test_grades_say_the_accuracy_over_rows_whose_gold_can_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    statuses: Counter[str] = Counter(correct=5, wrong=3, error=1)
    print_grades(Summary(statuses, strict=4, rejected=Counter(), rejected_file=None))
    assert "accuracy: 5 of 8 rows, 62.5 % (30.6 to 86.3)" in capsys.readouterr().out
