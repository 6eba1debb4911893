"""kill -9 at any point, again and again, and the run ends with the same bits."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dualtune.lm import trainer
from dualtune.lm.train import tune
from dualtune.recipe import Phase, Recipe
from tests.unit.lm.test_train import PROBLEMS, recipe_for, weights

STEPS = 12  # four epochs of three


def recipe_of(model: Path, run: Path) -> Recipe:
    """Return a recipe with a curriculum that keeps the best epoch."""
    recipe = recipe_for(
        model,
        run,
        epochs=4,
        keep="best",
        keep_checkpoints=1,
        schedule="constant",
        warmup=0.0,
        learning_rate=0.03,
    )
    schedule = (Phase(from_epoch=0, ir=0), Phase(from_epoch=2, ir=2))
    tasks = recipe.tasks.model_copy(update={"schedule": schedule})
    return recipe.model_copy(update={"tasks": tasks})


def trained(model: Path, run: Path) -> None:
    tune(
        recipe_of(model, run),
        run,
        train=PROBLEMS[:12],
        validation=PROBLEMS[12:],
        fingerprint="same",
    )


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_step(number: int) -> Callable[[], None]:
    """Kill in the middle of a step, counted from 1: its gradients are there, its update is not."""

    def patch() -> None:
        before = trainer.DualTrainer.training_step

        def step(self: Any, *args: Any, **kwargs: Any) -> Any:
            loss = before(self, *args, **kwargs)
            if self.state.global_step == number - 1:
                die()
            return loss

        trainer.DualTrainer.training_step = step

    return patch


def before_seal(folder: str) -> Callable[[], None]:
    """Kill between the last byte of a checkpoint and its seal."""

    def patch() -> None:
        before = trainer.seal
        trainer.seal = lambda path: die() if path.name == folder else before(path)

    return patch


def before_rotation(step: int) -> Callable[[], None]:
    """Kill between the seal of a checkpoint and the removal of the one before."""

    def patch() -> None:
        before = trainer.remove_older

        def remove(folder: Path, *, keep: int) -> None:
            if (folder / f"checkpoint-{step}").exists():
                die()
            before(folder, keep=keep)

        trainer.remove_older = remove

    return patch


def run_and_die(model: Path, run: Path, patch: Callable[[], None]) -> None:
    """Train in a process of its own until it kills itself."""
    child = os.fork()
    if child == 0:
        try:
            patch()
            trained(model, run)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the process ended by itself: {status}"
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_any_number_of_kills_changes_no_bit(tiny_folder: Path, tmp_path: Path) -> None:
    straight, run = tmp_path / "straight", tmp_path / "run"
    for folder in (straight, run):
        folder.mkdir()
    trained(tiny_folder, straight)
    draw = random.Random()
    # Checkpoints come every second step, so a later point is always reached from a former one.
    middle, late = draw.randint(2, 5), draw.randint(9, STEPS)
    kills = {
        "first step": in_step(1),
        f"step {middle}": in_step(middle),
        "before a seal": before_seal("checkpoint-6"),
        "before the seal of an epoch's best": before_seal("best-6"),
        "before a rotation": before_rotation(8),
        f"step {late}": in_step(late),
    }
    for patch in kills.values():
        run_and_die(tiny_folder, run, patch)
        assert not (run / "model").exists()
    trained(tiny_folder, run)
    for name, value in weights(straight).items():
        assert torch.equal(weights(run)[name], value), f"{name}, killed at {list(kills)}"
