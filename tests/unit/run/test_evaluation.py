"""Which models dualtune eval evaluates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from dualtune.errors import BadInput
from dualtune.recipe import parse_recipe
from dualtune.run import Pipeline
from dualtune.run.evaluation import evaluate_models


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Name and folder of each model that a stage would evaluate."""
    calls: list[tuple[str, Any]] = []

    def evaluate(self: Pipeline, *, model: str = "tuned", folder: Any = None) -> None:
        calls.append((model, folder))

    monkeypatch.setattr(Pipeline, "evaluate", evaluate)
    return calls


def pipeline(tmp_path: Path, **changed: Any) -> Pipeline:
    values = {
        "data": {"train": {"path": "builtin:sample"}},
        "eval": changed,
        "run": str(tmp_path / "run"),
    }
    return Pipeline.open(parse_recipe(values))


def test_the_runs_own_models_by_default(
    tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pipeline, "check_tuned", lambda _: None)
    evaluate_models(pipeline(tmp_path))
    assert asked == [("base", None), ("tuned", None)]
    asked.clear()
    evaluate_models(pipeline(tmp_path, baseline=False))
    assert asked == [("tuned", None)]


def test_without_a_tuned_model_nothing_is_evaluated_first(tmp_path: Path, asked: list[Any]) -> None:
    with pytest.raises(BadInput, match="holds no model that this recipe tuned"):
        evaluate_models(pipeline(tmp_path))
    assert not asked
    evaluate_models(pipeline(tmp_path), ["base"])
    assert asked == [("base", None)]


def test_models_from_elsewhere_stand_under_their_names(tmp_path: Path, asked: list[Any]) -> None:
    other = tmp_path / "other run" / "model"
    other.mkdir(parents=True)
    (other / "config.json").write_text("{}")
    evaluate_models(pipeline(tmp_path), ["base", str(other.parent), "mine=owner/some-model"])
    assert asked == [("base", None), ("other-run", other), ("mine", "owner/some-model")]


def test_a_server_is_asked_for_what_it_serves(
    tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dualtune.evaluate.openai.served_model", lambda _: "org/Model 7B")
    server = {"backend": "openai", "base_url": "http://localhost:1/v1"}
    evaluate_models(pipeline(tmp_path, **server))
    evaluate_models(pipeline(tmp_path, **server), ["a", "x=b/c"])
    assert asked == [("Model-7B", "org/Model 7B"), ("a", "a"), ("x", "b/c")]
    with pytest.raises(BadInput, match="names of models on the server"):
        evaluate_models(pipeline(tmp_path, **server), ["tuned"])


def test_a_whole_run_cannot_ask_a_server(tmp_path: Path) -> None:
    place = pipeline(tmp_path, backend="openai", base_url="http://localhost:1/v1")
    for stage in (place.check_evaluation, lambda: Pipeline.evaluate(place, model="base")):
        with pytest.raises(BadInput, match="evaluates what a server serves"):
            stage()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mode": "pot"}, "--allow-code"),
        ({"mode": "hybrid"}, "--allow-code"),
        ({"mode": "pot", "allow_code": True, "shots": 2}, "solutions, not programs"),
        ({"shots": 99}, "at most"),
        ({"benchmarks": ["svmap"]}, "did you mean 'svamp'"),
        ({"benchmarks": []}, "eval.benchmarks is empty"),
    ],
)
def test_what_cannot_be_evaluated_is_told_first(
    tmp_path: Path, asked: list[Any], changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        evaluate_models(pipeline(tmp_path, **changed))
    assert not asked
