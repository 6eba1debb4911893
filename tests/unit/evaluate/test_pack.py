"""The task pack, as lm-evaluation-harness itself runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

from dualtune.evaluate.pack import FOLDER, PREFIX, load, process_results
from dualtune.sources.benchmarks import BENCHMARKS, load_benchmark


def test_every_benchmark_has_a_task() -> None:
    from lm_eval.tasks import TaskManager

    names = TaskManager(include_path=FOLDER, include_defaults=False).all_subtasks
    assert sorted(names) == sorted(PREFIX + name for name in BENCHMARKS)


def test_data_holds_every_row() -> None:
    data = load("synthetic_ood_types")["test"]
    rows = load_benchmark("synthetic_ood_types")
    assert data["question"] == [row.question for row in rows]
    assert data["gold"] == [row.gold for row in rows]


def test_results_are_graded() -> None:
    doc = {"gold": "1,000", "kind": "number"}
    assert process_results(doc, ["The answer is 1000."]) == {
        "accuracy": 1.0,
        "strict_accuracy": 1.0,
    }
    assert process_results(doc, ["So 1000"]) == {"accuracy": 1.0, "strict_accuracy": 0.0}
    assert process_results(doc, ["The answer is 100."]) == {
        "accuracy": 0.0,
        "strict_accuracy": 0.0,
    }


def test_plain_lm_eval_runs_it_with_the_prompt_of_training(model_folder: Path) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager
    from transformers import AutoTokenizer

    from dualtune.lm.encode import Encoder
    from dualtune.tasks.prompts import solve_messages

    results = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(model_folder), "device": "cpu"},
        tasks=["dualtune_synthetic_test"],
        task_manager=TaskManager(include_path=FOLDER, include_defaults=False),
        limit=2,
        apply_chat_template=True,
        gen_kwargs={"max_gen_toks": 4},
        bootstrap_iters=0,
    )
    scores = results["results"]["dualtune_synthetic_test"]
    assert scores["accuracy,none"] in (0.0, 0.5, 1.0)
    assert "strict_accuracy,none" in scores
    encoder = Encoder(AutoTokenizer.from_pretrained(model_folder))
    rows = load_benchmark("synthetic_test", limit=2)
    asked = [s["arguments"][0][0] for s in results["samples"]["dualtune_synthetic_test"]]
    assert asked == [encoder.render(solve_messages(row.question)) for row in rows]
