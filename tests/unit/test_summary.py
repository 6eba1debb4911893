"""The tables at the end of a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualtune.summary import print_accuracy


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
