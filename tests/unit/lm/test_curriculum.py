"""The curriculum: what each epoch derives, from the recipe to the weights."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from dualtune import derive
from dualtune.errors import BadInput
from dualtune.lm import plan, trainer
from dualtune.lm.encode import Encoder
from dualtune.lm.steps import Layout, Preparer, Steps
from dualtune.lm.train import tune
from dualtune.recipe import (
    Phase,
    PhaseWeights,
    Recipe,
    Tasks,
    held_out_tasks,
    parse_recipe,
    phases,
    tasks_at,
    wanted,
)
from dualtune.records import TASK_NAMES
from tests.tiny import tiny_tokenizer
from tests.unit.lm.test_train import PROBLEMS, recipe_for, weights
from tests.unit.lm.test_train_options import stopping_at

# Solve alone; then more and more of the dual tasks, with other weights.
SCHEDULE = (
    Phase(from_epoch=0, irsp=0, ir=0),
    Phase(from_epoch=1, ir=0, weights=PhaseWeights(irsp=0.5)),
    Phase(from_epoch=3, ir=2, solve=False),
)


def recipe_with(tasks: dict[str, Any], epochs: int = 3) -> Recipe:
    return parse_recipe(
        {
            "data": {"train": {"synthetic": "train"}},
            "tasks": tasks,
            "train": {"epochs": epochs},
            "run": "x",
        }
    )


def scheduled(recipe: Recipe, schedule: tuple[Phase, ...] = SCHEDULE) -> Recipe:
    tasks = recipe.tasks.model_copy(update={"schedule": schedule})
    return recipe.model_copy(update={"tasks": tasks})


def test_a_phase_changes_the_section_and_not_the_phase_before() -> None:
    tasks = Tasks(schedule=SCHEDULE)
    found = [tasks_at(tasks, epoch) for epoch in range(5)]
    assert [(t.solve, t.irsp.per_problem, t.ir.per_problem) for t in found] == [
        (True, 0, 0),
        (True, 1, 0),
        (True, 1, 0),
        (False, 1, 2),  # irsp is the section's again, and so is its weight
        (False, 1, 2),
    ]
    assert [t.weights.irsp for t in found] == [1.0, 0.5, 0.5, 1.0, 1.0]
    assert not any(t.schedule for t in found)
    assert [wanted(t) for t in found[:2]] == [["solve"], ["solve", "irsp"]]


def test_before_the_first_phase_the_section_holds() -> None:
    tasks = Tasks(schedule=(Phase(from_epoch=2, ir=0),))
    assert tasks_at(tasks, 1) == Tasks()
    assert [epoch for epoch, _ in phases(tasks, 3)] == [0, 2]
    assert [epoch for epoch, _ in phases(tasks, 2)] == [0]
    plain = Tasks()
    assert tasks_at(plain, 7) is plain


def test_held_out_problems_are_asked_what_is_trained_at_some_time() -> None:
    found = held_out_tasks(Tasks(schedule=SCHEDULE), 4)
    assert (found.solve, found.irsp.per_problem, found.ir.per_problem) == (True, 1, 2)
    assert held_out_tasks(Tasks(schedule=SCHEDULE), 3).ir.per_problem == 0


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (
            {"schedule": [{"from_epoch": 1, "solve": False, "irsp": 0, "ir": 0}]},
            r"the phase from epoch 1 trains nothing: set solve: true",
        ),
        (
            {"schedule": [{"from_epoch": 1, "irsp": 0, "ir": 0, "weights": {"solve": 0}}]},
            r"the phase from epoch 1 trains nothing",
        ),
        (
            {"schedule": [{"from_epoch": 2}, {"from_epoch": 1}]},
            r"a phase from epoch 1 stands behind one from epoch 2",
        ),
        ({"schedule": [{"from_epoch": 1}, {"from_epoch": 1}]}, r"each once"),
        (
            {"schedule": [{"from_epoch": 3}]},
            r"begins at epoch 3, but with train\.epochs 3 the last epoch is 2",
        ),
        ({"schedule": [{"from_epoch": -1}]}, r"tasks\.schedule\.0\.from_epoch: .*got -1"),
        ({"schedule": [{"irsp": 1}]}, r"missing key 'tasks\.schedule\.0\.from_epoch'"),
        (
            {"schedule": [{"from_epoch": 1, "isrp": 1}]},
            r"unknown key 'tasks\.schedule\.0\.isrp' \(did you mean 'irsp'",
        ),
        (
            {
                "mix": {"solve": 0.5, "irsp": 0.3, "ir": 0.2},
                "schedule": [{"from_epoch": 1, "irsp": 2}],
            },
            r"schedule and mix both say",
        ),
    ],
)
def test_what_cannot_be_is_refused(tasks: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        recipe_with(tasks)


def test_the_section_may_hold_nothing_where_the_first_phase_begins_at_once() -> None:
    off = {"solve": False, "irsp": {"per_problem": 0}, "ir": {"per_problem": 0}}
    recipe_with({**off, "schedule": [{"from_epoch": 0, "solve": True}]})
    with pytest.raises(BadInput, match="every task is off"):
        recipe_with({**off, "schedule": [{"from_epoch": 1, "solve": True}]})


@pytest.mark.parametrize("fresh", [True, False])
def test_derive_and_the_steps_follow_the_schedule(fresh: bool) -> None:
    """With masks that are not fresh, the epoch still decides the phase."""
    tasks = Tasks(schedule=SCHEDULE, fresh_masks=fresh)
    preparer = Preparer(
        encoder=Encoder(tiny_tokenizer()),
        tasks=tasks,
        seed=0,
        system=None,
        max_length=1024,
        layout=Layout(tokens_per_pack=4096),
    )
    steps = Steps(PROBLEMS[:6], preparer, per_step=3, epochs=4)
    for epoch in range(4):
        found = [Counter(steps[i].instances) for i in (2 * epoch, 2 * epoch + 1)]
        whole = sum(found, Counter())
        asked = wanted(tasks_at(tasks, epoch))
        assert {name for name in TASK_NAMES if whole[name]} == set(asked)
        alone = Counter(
            i.task for p in PROBLEMS[:6] for i in derive(p, tasks, seed=0, epoch=epoch).instances
        )
        assert whole == alone
    # One IR target has far fewer tokens than a solve target: the plan counts the phases as well.
    assert plan.count_tokens(steps).labels == sum(
        len(p.label) for i in range(8) for p in steps[i].packs
    )


def test_a_run_trains_its_phases_and_resumes_to_the_same_bits(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"epochs": 4, "logging_steps": 1, "save_steps": 5}
    arguments = {"train": PROBLEMS[:12], "validation": PROBLEMS[12:], "fingerprint": "same"}
    straight, run = tmp_path / "straight", tmp_path / "run"
    for folder in (straight, run):
        folder.mkdir()
    tune(scheduled(recipe_for(tiny_folder, straight, **settings)), straight, **arguments)
    lines = [json.loads(line) for line in (straight / "train.jsonl").read_text().splitlines()]
    trained = [set(line["tasks"]) for line in lines if "loss" in line]
    assert trained == [{"solve"}] * 3 + [{"solve", "irsp"}] * 6 + [{"irsp", "ir"}] * 3
    held = [line["validation"] for line in lines if "validation" in line]
    assert all(set(cells) == {"solve", "irsp", "ir"} for cells in held)
    assert len({cells["ir"]["tokens"] for cells in held}) == 1
    told = json.loads((straight / "train.json").read_text())["preflight"]
    assert [phase["from_epoch"] for phase in told["phases"]] == [0, 1, 3]
    assert told["phases"][0]["tasks"]["irsp"]["instances"] == 0
    assert told["phases"][2]["tasks"]["solve"]["instances"] == 0

    recipe = scheduled(recipe_for(tiny_folder, run, **settings))
    with monkeypatch.context() as patch:
        patch.setattr(trainer.DualTrainer, "training_step", stopping_at(8))
        with pytest.raises(KeyboardInterrupt):
            tune(recipe, run, **arguments)
    tune(recipe, run, **arguments)
    for name, value in weights(straight).items():
        assert torch.equal(weights(run)[name], value), name
