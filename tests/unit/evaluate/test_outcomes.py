"""What graded rows add up to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from dualtune.errors import BadInput
from dualtune.evaluate.outcomes import (
    averages,
    drop_results,
    merge_results,
    right_rows,
    summarise,
)
from dualtune.recipe import Eval

SETTINGS = Eval(benchmarks=("svamp",))


def row(status: str, **more: Any) -> Any:
    return {"status": status, "strict": status == "correct", "truncated": [False], **more}


def test_rows_without_a_readable_gold_are_not_counted_as_wrong() -> None:
    rows = [row(status) for status in ("correct", "wrong", "error", "no_answer", "unparsed")]
    entry = summarise(rows, "svamp", settings=SETTINGS)
    assert (entry["rows"], entry["correct"], entry["accuracy"]) == (5, 1, 0.25)
    assert entry["strict"] == 0.25
    assert entry["statuses"]["error"] == 1
    assert right_rows(rows) == [True, False, False, False]


def test_several_samples_vote_and_try() -> None:
    settings = SETTINGS.model_copy(update={"samples": 3, "temperature": 1.0})

    def sampled(*answers: str | None, gold: str) -> Any:
        statuses = [
            "no_answer" if a is None else "correct" if float(a) == float(gold) else "wrong"
            for a in answers
        ]
        more = {"extracted_all": list(answers), "status_all": statuses}
        return row(statuses[0], kind="number", options=[], **more)

    entry = summarise(
        [
            sampled("5", "7", "7.0", gold="7"),  # the first is wrong, the vote right
            sampled("1", "2", "2", gold="1"),  # the first is right, the vote wrong
            sampled(None, None, "3", gold="3"),  # who says nothing does not vote
            sampled("1", "2", "9", gold="3"),
        ],
        "svamp",
        settings=settings,
    )
    samples = entry["samples"]
    assert entry["accuracy"] == 0.25
    assert (samples["k"], samples["majority"]["correct"]) == (3, 2)
    assert samples["majority"]["accuracy"] == 0.5
    assert list(samples["pass_at"]) == ["1", "2", "3"]
    # By hand: rows with 2, 1, 1, 0 right of 3.
    assert samples["pass_at"]["1"] == pytest.approx((2 / 3 + 1 / 3 + 1 / 3) / 4)
    assert samples["pass_at"]["2"] == pytest.approx((1 + 2 / 3 + 2 / 3) / 4)
    assert samples["pass_at"]["3"] == 0.75


def test_samples_of_a_larger_number_are_left_out() -> None:
    settings = SETTINGS.model_copy(update={"samples": 2, "temperature": 1.0})
    held = row(
        "wrong",
        kind="number",
        options=[],
        extracted_all=["1", "1", "3", "3", "3"],
        status_all=["wrong", "wrong", "correct", "correct", "correct"],
    )
    entry = summarise([{**held, "truncated": [False, False, True]}], "svamp", settings=settings)
    assert entry["samples"]["majority"]["correct"] == 0
    assert entry["samples"]["pass_at"] == {"1": 0.0, "2": 0.0}
    assert entry["truncated"] == 0


def test_averages_count_benchmarks_alike(caplog: pytest.LogCaptureFixture) -> None:
    right = {"gsm8k": [True] * 10, "svamp": [True, False], "math": [False] * 4, "sat": []}
    domains = {"gsm8k": "in", "svamp": "out", "math": "in", "sat": "out"}
    found = averages(right, domains)
    assert {d: f["accuracy"] for d, f in found.items()} == {"in": 0.5, "out": 0.5, "all": 0.5}
    assert found["all"]["benchmarks"] == ["gsm8k", "svamp", "math"]
    assert "sat" in caplog.text
    for entry in found.values():
        assert entry["interval"][0] < entry["accuracy"] < entry["interval"][1]
    assert set(averages({"gsm8k": [True]}, {"gsm8k": "in"})) == {"in", "all"}


def test_models_stand_beside_each_other(tmp_path: Path) -> None:
    file = tmp_path / "eval.json"
    merge_results(file, "base", {"svamp": {"fingerprint": "1"}}, means={"all": {}})
    merge_results(file, "tuned", {"svamp": {"fingerprint": "2"}})
    merge_results(file, "base", {"gsm8k": {"fingerprint": "3"}})
    held = json.loads(file.read_text())
    assert list(held["models"]["base"]) == ["svamp", "gsm8k"]
    assert held["averages"] == {"base": {"all": {}}}
    drop_results(file, "base", keep={"svamp": "1"})
    held = json.loads(file.read_text())
    assert list(held["models"]["base"]) == ["svamp"]
    assert held["averages"] == {}, "an average over benchmarks that are gone says nothing"
    assert "tuned" in held["models"]


def test_a_result_without_a_fingerprint_is_counted_anew(tmp_path: Path) -> None:
    file = tmp_path / "eval.json"
    file.write_text(json.dumps({"models": {"base": {"svamp": {}}, "other": {"svamp": {}}}}))
    drop_results(file, "base", keep={"svamp": "f"})
    assert json.loads(file.read_text())["models"] == {"other": {"svamp": {}}}


@pytest.mark.parametrize("text", ["{", "[]", '{"models": 3}'])
def test_a_spoilt_eval_json_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "eval.json").write_text(text)
    with pytest.raises(BadInput, match="Move it away"):
        merge_results(tmp_path / "eval.json", "base", {})
