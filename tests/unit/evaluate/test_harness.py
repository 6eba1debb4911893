"""The evaluation stage on a tiny random model: prompts, storage, resumption, results."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from dualtune.errors import BadInput
from dualtune.evaluate.harness import check_settings, evaluate_model
from dualtune.evaluate.hf import Backend
from dualtune.grade import STATUSES
from dualtune.recipe import Eval, EvalFile, Model
from dualtune.sources.benchmarks import load_benchmark
from dualtune.tasks.prompts import SOLVE, SOLVE_POT

SETTINGS = Eval(
    benchmarks=("synthetic_test",), limit=7, batch_size=3, max_new_tokens=12, precision="fp32"
)


def evaluate(folder: Path, run: Path, *, settings: Eval = SETTINGS, **kwargs: Any) -> Any:
    given: dict[str, Any] = {"name": "base", "model": Model(), "train_source": "synthetic"}
    given |= kwargs
    return evaluate_model(folder, given.pop("name"), settings=settings, run=run, **given)


def read_rows(run: Path, name: str = "base", benchmark: str = "synthetic_test") -> list[Any]:
    file = run / "eval" / name / f"{benchmark}.cot.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The prompts of each batch that is generated."""
    batches: list[list[str]] = []
    original = Backend.generate_batch

    def spy(self: Backend, asks: Sequence[Any]) -> Any:
        batches.append([ask.request.prompt for ask in asks])
        return original(self, asks)

    monkeypatch.setattr(Backend, "generate_batch", spy)
    return batches


def test_rows_and_results_are_written(
    model_folder: Path, tmp_path: Path, generated: list[list[str]]
) -> None:
    results = evaluate(model_folder, tmp_path)
    rows = read_rows(tmp_path)
    assert [len(batch) for batch in generated] == [3, 3, 1]
    assert [row["id"] for row in rows] == [r.id for r in load_benchmark("synthetic_test", limit=7)]
    for row, source in zip(rows, load_benchmark("synthetic_test", limit=7), strict=True):
        assert (row["question"], row["gold"]) == (source.question, source.gold)
        assert len(row["outputs"]) == len(row["truncated"]) == 1
        assert row["status"] in STATUSES
        assert "<|im_" not in row["outputs"][0]
    entry = results["synthetic_test"]
    assert json.loads((tmp_path / "eval.json").read_text())["models"]["base"] == results
    assert (entry["mode"], entry["rows"], entry["of"], entry["domain"]) == ("cot", 7, 1000, "in")
    assert sum(entry["statuses"].values()) == 7
    assert entry["interval"][0] <= entry["accuracy"] <= entry["interval"][1]
    assert entry["truncated"] == sum(row["truncated"][0] for row in rows)


def test_each_benchmark_says_when_it_is_done(
    model_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="dualtune")
    accuracy = 100 * evaluate(model_folder, tmp_path)["synthetic_test"]["accuracy"]
    assert f"synthetic_test (base): 7 rows, {accuracy:.1f} % correct" in caplog.messages


def test_what_was_generated_is_not_generated_again(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = evaluate(model_folder, tmp_path)
    before = read_rows(tmp_path)
    (tmp_path / "eval.json").unlink()

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(Backend, "__init__", refuse)
    assert evaluate(model_folder, tmp_path) == first
    assert read_rows(tmp_path) == before


def test_an_interrupted_run_goes_on_with_the_same_batches(
    model_folder: Path, tmp_path: Path, generated: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(model_folder, tmp_path / "straight")
    straight = list(generated)
    generated.clear()
    spied = Backend.generate_batch

    def interrupted(self: Backend, asks: Sequence[Any]) -> Any:
        if len(generated) == 1:
            raise KeyboardInterrupt
        return spied(self, asks)

    with monkeypatch.context() as patch:
        patch.setattr(Backend, "generate_batch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            evaluate(model_folder, tmp_path / "killed")
    assert len(read_rows(tmp_path / "killed")) == 3
    evaluate(model_folder, tmp_path / "killed")
    assert generated == straight
    assert read_rows(tmp_path / "killed") == read_rows(tmp_path / "straight")


def test_a_larger_limit_keeps_what_is_there(
    model_folder: Path, tmp_path: Path, generated: list[list[str]]
) -> None:
    evaluate(model_folder, tmp_path, settings=SETTINGS.model_copy(update={"limit": 4}))
    generated.clear()
    results = evaluate(model_folder, tmp_path)
    assert sum(map(len, generated)) == 3
    assert results["synthetic_test"]["rows"] == len(read_rows(tmp_path)) == 7


def test_other_weights_or_settings_start_anew(
    model_folder: Path, tmp_path: Path, generated: list[list[str]]
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    run = tmp_path / "run"
    evaluate(model_folder, run)
    generated.clear()
    evaluate(model_folder, run, settings=SETTINGS.model_copy(update={"max_new_tokens": 5}))
    assert sum(map(len, generated)) == 7
    other = tmp_path / "other"
    shutil.copytree(model_folder, other)
    weights = load_file(other / "model.safetensors")
    weights["lm_head.weight"] = torch.roll(weights["lm_head.weight"], 1, 0)
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    before = [row["outputs"] for row in read_rows(run)]
    generated.clear()
    evaluate(other, run, settings=SETTINGS.model_copy(update={"max_new_tokens": 5}))
    assert sum(map(len, generated)) == 7
    assert [row["outputs"] for row in read_rows(run)] != before


def test_other_prompts_are_generated_anew(
    model_folder: Path, tmp_path: Path, generated: list[list[str]]
) -> None:
    evaluate(model_folder, tmp_path)
    generated.clear()
    evaluate(model_folder, tmp_path, model=Model(system="Be brief."))
    assert sum(map(len, generated)) == 7
    assert all("Be brief." in row["prompt"] for row in read_rows(tmp_path))


def test_limits_of_single_benchmarks(model_folder: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(
        update={
            "benchmarks": ("synthetic_test", "synthetic_ood_types"),
            "limits": {"synthetic_ood_types": 2},
            "domains": {"synthetic_test": "out"},
        }
    )
    results = evaluate(model_folder, tmp_path, settings=settings)
    assert [entry["rows"] for entry in results.values()] == [7, 2]
    assert [entry["domain"] for entry in results.values()] == ["out", "out"]


def test_both_models_stand_in_eval_json(model_folder: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"limit": 2})
    base = evaluate(model_folder, tmp_path, settings=settings)
    tuned = evaluate(model_folder, tmp_path, settings=settings, name="tuned")
    models = json.loads((tmp_path / "eval.json").read_text())["models"]
    assert models == {"base": base, "tuned": tuned}


@pytest.mark.parametrize(("changed", "left"), [({"max_new_tokens": 5}, []), ({"limit": 3}, [2, 2])])
def test_results_that_a_killed_evaluation_outdates_are_dropped(
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, int],
    left: list[int],
) -> None:
    both = SETTINGS.model_copy(
        update={"limit": 2, "benchmarks": ("synthetic_test", "synthetic_ood_types")}
    )
    base = evaluate(model_folder, tmp_path, settings=both)
    evaluate(model_folder, tmp_path, settings=both, name="tuned")

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Backend, "generate_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluate(model_folder, tmp_path, settings=both.model_copy(update=changed), name="tuned")
    assert json.loads((tmp_path / "eval.json").read_text())["models"] == {"base": base}
    files = sorted((tmp_path / "eval" / "tuned").glob("*.jsonl"))
    assert [len(file.read_text().splitlines()) for file in files] == left


def test_results_of_benchmarks_no_longer_asked_for_are_dropped(
    model_folder: Path, tmp_path: Path
) -> None:
    both = SETTINGS.model_copy(
        update={"limit": 2, "benchmarks": ("synthetic_test", "synthetic_ood_types")}
    )
    evaluate(model_folder, tmp_path, settings=both)
    one = evaluate(model_folder, tmp_path, settings=SETTINGS.model_copy(update={"limit": 2}))
    assert json.loads((tmp_path / "eval.json").read_text())["models"] == {"base": one}
    assert list(one) == ["synthetic_test"]


def test_unknown_benchmarks_fail_before_anything_is_done(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"benchmarks": ("synthetic_test", "svmap")})
    with pytest.raises(BadInput, match="did you mean 'svamp'"):
        evaluate(tmp_path / "no-model", tmp_path, settings=settings)
    settings = SETTINGS.model_copy(update={"domains": {"svmap": "in"}})
    with pytest.raises(BadInput, match="did you mean 'svamp'"):
        evaluate(tmp_path / "no-model", tmp_path, settings=settings)


@pytest.mark.parametrize("missing", ["lm_eval", "math_verify", "scipy"])
def test_without_what_evaluation_needs_the_extra_is_named_before_anything_is_done(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == missing else found(name)
    )
    with pytest.raises(BadInput, match=r"pip install 'dualtune\[eval\]'"):
        evaluate(tmp_path / "no-model", tmp_path)


def test_hybrid_decoding_asks_for_solutions_where_programs_give_no_answer(
    model_folder: Path, tmp_path: Path, generated: list[list[str]]
) -> None:
    changed = {"mode": "hybrid", "allow_code": True, "limit": 4}
    settings = SETTINGS.model_copy(update=changed)
    entry = evaluate(model_folder, tmp_path, settings=settings)["synthetic_test"]
    # A model of random weights writes no program.
    assert (entry["mode"], entry["programs"], entry["decoded"]) == (
        "hybrid",
        {"none": 4},
        {"cot": 4},
    )
    asked = [prompt for batch in generated for prompt in batch]
    assert sum(SOLVE_POT in prompt for prompt in asked) == 4
    assert sum(SOLVE in prompt for prompt in asked) == 4
    file = tmp_path / "eval" / "base" / "synthetic_test.hybrid.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [row["decoded"] for row in rows] == [["cot"]] * 4
    assert [row["outputs"] for row in rows] == [row["outputs"] for row in read_rows(tmp_path)]
    # Both decodings are there now: neither mode generates anything again.
    generated.clear()
    evaluate(model_folder, tmp_path, settings=settings.model_copy(update={"mode": "cot"}))
    evaluate(model_folder, tmp_path, settings=settings.model_copy(update={"mode": "pot"}))
    assert generated == []


def test_programs_do_not_run_without_leave(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--allow-code"):
        evaluate(tmp_path, tmp_path, settings=SETTINGS.model_copy(update={"mode": "pot"}))


def test_more_samples_go_beside_those_that_are_there(
    model_folder: Path, tmp_path: Path, generated: list[list[str]]
) -> None:
    two = SETTINGS.model_copy(update={"limit": 3, "samples": 2, "temperature": 1.0})
    three = two.model_copy(update={"samples": 3})
    evaluate(model_folder, tmp_path, settings=two)
    generated.clear()
    grown = evaluate(model_folder, tmp_path, settings=three)["synthetic_test"]
    assert sum(map(len, generated)) == 3
    straight = evaluate(model_folder, tmp_path / "straight", settings=three)["synthetic_test"]
    assert grown["samples"] == straight["samples"]
    assert [r["outputs"] for r in read_rows(tmp_path)] == [
        r["outputs"] for r in read_rows(tmp_path / "straight")
    ]
    generated.clear()
    assert evaluate(model_folder, tmp_path, settings=three, seed=1) != grown
    assert sum(map(len, generated)) == 9, "another seed draws other samples"


def test_a_prompt_without_room_for_its_output_is_told(model_folder: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"max_new_tokens": 500})
    with pytest.raises(BadInput, match=r"row .* has \d+ tokens, .* more than the 512"):
        evaluate(model_folder, tmp_path, settings=settings)


@pytest.mark.parametrize(
    ("question", "message"),
    [(None, "file not found"), ("Add 1 and 1. " * 200, "mine, row mine-1: the prompt has")],
)
def test_what_stops_a_later_benchmark_is_told_before_the_first(
    model_folder: Path,
    tmp_path: Path,
    generated: list[list[str]],
    question: str | None,
    message: str,
) -> None:
    file = tmp_path / "mine.jsonl"
    if question is not None:
        file.write_text(json.dumps({"question": question, "answer": "2"}) + "\n")
    settings = SETTINGS.model_copy(
        update={
            "benchmarks": ("synthetic_test", "mine"),
            "files": {"mine": EvalFile(path=str(file))},
        }
    )
    with pytest.raises(BadInput, match=message):
        evaluate(model_folder, tmp_path / "run", settings=settings)
    assert generated == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": {"gsm8l": 3}}, "eval.limits: unknown benchmark 'gsm8l'.*'gsm8k'"),
        ({"domains": {"svmp": "in"}}, "eval.domains: unknown benchmark 'svmp'.*'svamp'"),
        ({"benchmarks": ("svamp", "svamp")}, "eval.benchmarks names svamp more than once"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_settings(SETTINGS.model_copy(update=changes))
