"""The table of accuracies with averages and paired differences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualtune.evaluate.statistics import macro_average
from dualtune.report.accuracy import pairs, right_rows, table
from dualtune.report.collect import collect

from .fake_eval import NINE, write_nine


def test_in_domain_first_then_out_each_with_its_average(tmp_path: Path) -> None:
    files = collect(write_nine(tmp_path, rows=30))
    lines = table(files, pairs(files))
    assert [line["average"] for line in lines] == [False] * 4 + [True] + [False] * 5 + [True] * 2
    titles = [line["title"] for line in lines if line["average"]]
    assert titles == ["Average, in domain", "Average, out of domain", "Average, all"]
    rows = right_rows(files, "tuned")
    inside = {name: rows[name] for name, (domain, *_) in NINE.items() if domain == "in"}
    assert dict(lines[4]["cells"])["tuned"] == macro_average(inside)
    (change,) = lines[-1]["changes"]
    assert change.difference.value == pytest.approx(
        dict(lines[-1]["cells"])["tuned"].value - dict(lines[-1]["cells"])["base"].value
    )


def test_further_models_are_compared_with_the_first(tmp_path: Path) -> None:
    files = collect(write_nine(tmp_path, rows=10, models=("base", "tuned", "other")))
    assert [(one.a, one.b) for one in pairs(files)] == [("base", "tuned"), ("base", "other")]
    without = collect(write_nine(tmp_path / "x", rows=10, models=("one", "two")))
    assert [(one.a, one.b) for one in pairs(without)] == [("one", "two")]


def test_models_without_rows_in_common_are_not_compared(tmp_path: Path) -> None:
    run = write_nine(tmp_path, rows=4)
    summary = json.loads((run / "eval.json").read_text())
    summary["models"]["tuned"] = {"sat": summary["models"]["tuned"]["sat"]}
    del summary["models"]["base"]["sat"]
    (run / "eval.json").write_text(json.dumps(summary))
    files = collect(run)
    assert pairs(files) == []
    lines = table(files, [])
    assert dict(lines[-1]["cells"])["tuned"] is None  # not evaluated on all of them


def test_one_benchmark_has_no_average(tmp_path: Path) -> None:
    run = write_nine(tmp_path, rows=4)
    (run / "recipe.yaml").write_text("eval: {benchmarks: [math]}")
    files = collect(run)
    assert [line["title"] for line in table(files, pairs(files))] == ["MATH"]


def test_models_of_other_limits_say_their_rows(tmp_path: Path) -> None:
    run = write_nine(tmp_path, rows=4)
    assert "all 4 rows" in table(collect(run), [])[0]["note"]
    summary = json.loads((run / "eval.json").read_text())
    summary["models"]["tuned"]["gsm8k"] |= {"rows": 2}
    (run / "eval.json").write_text(json.dumps(summary))
    note = table(collect(run), [])[0]["note"]
    assert note == "in domain · before tuning all 4 rows · after tuning 2 of 4 rows · cot"
