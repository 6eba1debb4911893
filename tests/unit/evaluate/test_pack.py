"""The task pack, as lm-evaluation-harness itself runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from dualtune.errors import BadInput
from dualtune.evaluate.pack import FOLDER, OWN, PREFIX, Grading, load, process_results
from dualtune.sources.benchmarks import BENCHMARKS, NINE, domain_of, load_benchmark


def test_every_benchmark_has_a_task() -> None:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=FOLDER, include_defaults=False)
    assert sorted(manager.all_subtasks) == sorted(PREFIX + name for name in (*BENCHMARKS, OWN))
    assert sorted(manager.all_groups) == ["dualtune_in", "dualtune_nine", "dualtune_out"]


def test_data_holds_every_row() -> None:
    data = load("synthetic_ood_types")["test"]
    rows = load_benchmark("synthetic_ood_types")
    assert data["question"] == [row.question for row in rows]
    assert data["gold"] == [row.gold for row in rows]


@pytest.mark.parametrize(
    ("output", "accuracy", "strict"),
    [("The answer is 1000.", 1.0, 1.0), ("So 1000", 1.0, 0.0), ("The answer is 100.", 0.0, 0.0)],
)
def test_results_are_graded(output: str, accuracy: float, strict: float) -> None:
    doc = {"id": "a", "question": "?", "gold": "1,000", "kind": "number", "options": []}
    results = Grading().apply([[output]], [doc])
    assert process_results(doc, results) == {"accuracy": accuracy, "strict_accuracy": strict}


def test_the_groups_are_the_nine_and_their_domains() -> None:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=FOLDER, include_defaults=False)
    members = {
        name: tuple(task.removeprefix(PREFIX) for task in manager.task_index[name].cfg["task"])
        for name in manager.all_groups
    }
    assert members["dualtune_nine"] == NINE
    near = {name: domain_of(name, "TIGER-Lab/MathInstruct") for name in NINE}
    assert members["dualtune_in"] == tuple(name for name in NINE if near[name] == "in")
    assert members["dualtune_out"] == tuple(name for name in NINE if near[name] == "out")


def test_all_kinds_run_offline_in_plain_lm_eval(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("DUALTUNE_DATA", str(shared_data))
    golds = {n: load_benchmark(n, limit=2) for n in ("gsm8k", "math", "aqua", "numglue")}
    results = _evaluate(
        ["dualtune_in"],
        answer=lambda prompt: next(
            (
                f"The answer is ${row.gold}$."
                if row.kind == "latex"
                else f"The answer is {row.gold}."
                for name, rows in golds.items()
                for row in (rows if name == "aqua" else rows[:1])  # others: one right, one wrong
                if row.question in prompt
            ),
            "No idea.",
        ),
        limit=2,
    )
    for name in golds:
        right = 1.0 if name == "aqua" else 0.5
        assert results["results"][PREFIX + name]["accuracy,none"] == right
        assert results["results"][PREFIX + name]["strict_accuracy,none"] == right
        asked = [s["arguments"][0][0] for s in results["samples"][PREFIX + name]]
        assert all(row.question in text for row, text in zip(golds[name], asked, strict=True))
    # A group is the mean of its sets, whatever their sizes.
    assert results["groups"]["dualtune_in"]["accuracy,none"] == (1.0 + 3 * 0.5) / 4


def test_few_shot_examples_stand_before_the_question() -> None:
    from dualtune.evaluate.shots import shots_for

    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "The answer is 1."

    _evaluate(["dualtune_synthetic_test"], answer=answer, limit=1, num_fewshot=2)
    first, second = shots_for("number")[:2]
    (prompt,) = asked
    places = [prompt.index(text) for text in (first.solution, second.question, second.solution)]
    assert places == sorted(places)
    assert prompt.index(load_benchmark("synthetic_test", limit=1)[0].question) > places[-1]


def test_a_file_of_the_users_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"q": "How many are 2 and 3?", "a": 5}\n', encoding="utf-8")
    results = _evaluate(
        ["dualtune_own"],
        answer=lambda prompt: "2 + 3 = 5\nThe answer is 5.",
        limit=None,
        metadata={"file": {"path": str(file), "question": "q", "answer": "a"}},
    )
    assert results["results"]["dualtune_own"]["strict_accuracy,none"] == 1.0


def test_the_task_for_a_file_needs_one() -> None:
    with pytest.raises(BadInput, match="dualtune_own needs a file"):
        load()


def test_a_file_may_have_a_name_and_other_tasks_take_no_notice(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"question": "2+3?", "answer": 5}\n', encoding="utf-8")
    given = {"path": str(file)}
    assert load("mine", file=given)["test"]["id"] == ["mine-1"]
    assert len(load("synthetic_test", file=given)["test"]) == 1000


def _evaluate(
    tasks: list[str],
    *,
    answer: Callable[[str], str],
    limit: int | None,
    metadata: dict[str, Any] | None = None,
    num_fewshot: int | None = None,
) -> dict[str, Any]:
    """Run lm-evaluation-harness with a model that answers by a function."""
    import lm_eval
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    class Scripted(LM):  # type: ignore[misc]
        def loglikelihood(self, requests: Any) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

        def generate_until(self, requests: Any) -> list[str]:
            return [answer(request.args[0]) for request in requests]

    results: dict[str, Any] = lm_eval.simple_evaluate(
        model=Scripted(),
        tasks=tasks,
        task_manager=TaskManager(
            include_path=FOLDER, include_defaults=False, metadata=metadata or {}
        ),
        limit=limit,
        num_fewshot=num_fewshot,
        bootstrap_iters=0,
    )
    return results


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
