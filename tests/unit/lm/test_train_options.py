"""Adapters, gradient checkpointing, patience, trackers and what stops training, through tune."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from dualtune.errors import BadInput, DualtuneError
from dualtune.lm import train as training
from dualtune.lm import trainer
from dualtune.lm.checkpoints import newest_checkpoint
from dualtune.lm.spikes import RECENT, SPIKE, SPIKE_AFTER, SPIKE_FLOOR, Spikes
from dualtune.lm.train import tune
from dualtune.lm.trainlog import TrainLog, Window
from dualtune.records import Problem
from tests.unit.lm.test_train import PROBLEMS, recipe_for, tuned, weights


def test_gradient_checkpointing_changes_nothing(tiny_folder: Path, tmp_path: Path) -> None:
    plain = tuned(tiny_folder, tmp_path / "plain", epochs=1)
    found = tuned(tiny_folder, tmp_path / "other", epochs=1, gradient_checkpointing=True)
    for name, value in plain.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("merge", [True, False])
def test_adapter_leaves_a_model_and_an_adapter(
    merge: bool, tiny_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    run = tmp_path / "run"
    run.mkdir()
    adapter = {"kind": "lora", "rank": 4, "merge": merge}
    recipe = recipe_for(tiny_folder, run, learning_rate=1e-2, logging_steps=1, adapter=adapter)
    tune(recipe, run, train=PROBLEMS[:8])
    told = json.loads((run / "train.json").read_text())
    assert told["adapter"] == "lora"
    assert told["final"]["solve"] < told["first"]["solve"]
    model = AutoModelForCausalLM.from_pretrained(run / "model")
    names = [name for name, _ in model.named_parameters()]
    assert any("lora_" in name for name in names) != merge
    assert (run / "adapter" / "adapter_config.json").exists()
    tune(recipe_for(tiny_folder, run, epochs=1), run, train=PROBLEMS[:4], fingerprint="other")
    assert not (run / "adapter").exists()


def test_an_adapter_resumes_to_the_same_weights(tiny_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    adapter = {"kind": "lora", "rank": 4}
    straight = tuned(tiny_folder, tmp_path / "straight", adapter=adapter)
    run = tmp_path / "stopped"
    run.mkdir()
    recipe = recipe_for(tiny_folder, run, adapter=adapter)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.DualTrainer, "training_step", stopping_at(4))
        with pytest.raises(KeyboardInterrupt):
            tune(recipe, run, train=PROBLEMS[:12], validation=PROBLEMS[12:])
    tune(recipe, run, train=PROBLEMS[:12], validation=PROBLEMS[12:])
    for name, value in straight.items():
        assert torch.equal(weights(run)[name], value), name


def stopping_at(step: int) -> Any:
    before = trainer.DualTrainer.training_step

    def stop(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == step:
            raise KeyboardInterrupt
        return before(self, *args, **kwargs)

    return stop


def test_patience_stops_and_leaves_a_model(tiny_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    # A rate at which the held-out loss soon rises.
    tuned(tiny_folder, run, epochs=6, learning_rate=1.0, patience=1)
    told = json.loads((run / "train.json").read_text())
    assert told["stopped_early"]
    assert told["steps"] < 18
    assert told["steps"] == 3 * told["epochs"]
    assert (run / "model" / "config.json").exists()


def test_patience_that_ran_out_is_kept_through_a_kill(tiny_folder: Path, tmp_path: Path) -> None:
    settings = {"epochs": 6, "learning_rate": 1.0, "patience": 1, "save_steps": 1}
    straight = tuned(tiny_folder, tmp_path / "straight", **settings)
    steps = json.loads((tmp_path / "straight" / "train.json").read_text())["steps"]
    run = tmp_path / "killed"
    run.mkdir()
    recipe = recipe_for(tiny_folder, run, **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "save_tuned", killed)
        with pytest.raises(KeyboardInterrupt):
            tune(recipe, run, train=PROBLEMS[:12], validation=PROBLEMS[12:])
    tune(recipe, run, train=PROBLEMS[:12], validation=PROBLEMS[12:])
    told = json.loads((run / "train.json").read_text())
    assert (told["stopped_early"], told["steps"]) == (True, steps)
    for name, value in straight.items():
        assert torch.equal(weights(run)[name], value), name


def killed(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def test_a_kill_before_the_seal_leaves_the_checkpoint_before(
    tiny_folder: Path, tmp_path: Path
) -> None:
    straight = tuned(tiny_folder, tmp_path / "straight")
    run = tmp_path / "killed"
    run.mkdir()
    recipe = recipe_for(tiny_folder, run, keep_checkpoints=1)
    before = trainer.seal
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            trainer, "seal", lambda path: (before if path.name == "checkpoint-2" else killed)(path)
        )
        with pytest.raises(KeyboardInterrupt):
            tune(recipe, run, train=PROBLEMS[:12], validation=PROBLEMS[12:])
    assert newest_checkpoint(run / "checkpoints", fingerprint="") == (
        run / "checkpoints" / "checkpoint-2"
    )
    tune(recipe, run, train=PROBLEMS[:12], validation=PROBLEMS[12:])
    assert [p.name for p in (run / "checkpoints").glob("checkpoint-*")] == ["checkpoint-6"]
    for name, value in straight.items():
        assert torch.equal(weights(run)[name], value), name


def test_patience_without_held_out_problems_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"data\.validation"):
        tune(recipe_for(tiny_folder, tmp_path, patience=1), tmp_path, train=PROBLEMS[:4])


def test_fp16_on_a_cpu_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    recipe = recipe_for(tiny_folder, tmp_path, precision="fp16", device="cpu")
    with pytest.raises(BadInput, match="fp16"):
        tune(recipe, tmp_path, train=PROBLEMS[:4])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_broken_loss_names_its_instances_and_keeps_the_checkpoint(
    value: float, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    before = trainer.pack_loss
    calls = []

    def broken(model: Any, pack: Any, *, tasks: int) -> Any:
        found = before(model, pack, tasks=tasks)
        if not model.training:
            return found
        calls.append(1)
        if len(calls) > 4:
            object.__setattr__(found, "weighted", found.weighted * value)
        return found

    monkeypatch.setattr(trainer, "pack_loss", broken)
    with pytest.raises(DualtuneError) as caught:
        tune(recipe_for(tiny_folder, run, tokens_per_pack=8192), run, train=PROBLEMS[:12])
    message = str(caught.value)
    assert "step 5: the loss is" in message
    assert "/solve/1/0" in message or "/irsp/1/" in message or "/ir/1/" in message
    assert sorted(p.name for p in (run / "checkpoints").glob("checkpoint-*"))[-1] == "checkpoint-4"
    assert not (run / "model").exists()


def test_a_broken_gradient_stops_before_the_weights_take_it(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    before = trainer.DualTrainer.training_step

    def poisoned(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        loss = before(self, model, *args, **kwargs)
        if self.state.global_step == 2:
            next(model.parameters()).grad.fill_(math.inf)
        return loss

    monkeypatch.setattr(trainer.DualTrainer, "training_step", poisoned)
    with pytest.raises(DualtuneError, match=r"step 3: the norm of the gradient is (inf|nan)"):
        tune(recipe_for(tiny_folder, run), run, train=PROBLEMS[:12])


def test_spikes_are_told_from_noise() -> None:
    spikes = Spikes()
    assert not any(spikes.is_spike(1.0 + i % 3) for i in range(SPIKE_AFTER))
    assert not spikes.is_spike(2.0 * SPIKE)
    assert spikes.is_spike(2.0 * SPIKE + 0.1)
    low = Spikes()
    assert not any(low.is_spike(0.01) for _ in range(SPIKE_AFTER))
    assert not low.is_spike(SPIKE_FLOOR)
    assert low.is_spike(SPIKE_FLOOR + 0.1)
    early = Spikes()
    assert not early.is_spike(1.0)
    assert not early.is_spike(1000.0)


def test_steps_of_which_nothing_is_left_make_no_later_loss_a_spike(
    tiny_folder: Path, tmp_path: Path
) -> None:
    long = [Problem(f"{n}", "Why? " * 400, "So.\nYes.", "4") for n in range(SPIKE_AFTER + 2)]
    recipe = recipe_for(tiny_folder, tmp_path, problems_per_step=1, epochs=2, max_dropped=1.0)
    tune(recipe, tmp_path, train=[*PROBLEMS[:2], *long])
    told = json.loads((tmp_path / "train.json").read_text())
    assert told["instances"]["solve"] == 4


def test_spikes_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / RECENT).write_text(json.dumps([1.0] * SPIKE_AFTER))
    assert Spikes(tmp_path).is_spike(SPIKE + 0.1)


def test_a_tracker_gets_every_line(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    run.mkdir()
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(run / "board"))
    recipe = recipe_for(tiny_folder, run, epochs=1, logging_steps=1, trackers=("tensorboard",))
    tune(recipe, run, train=PROBLEMS[:8], validation=PROBLEMS[12:])
    board = EventAccumulator(str(run / "board"))
    board.Reload()
    lines = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    for name, key in (("train", "tasks"), ("eval", "validation")):
        told = [event.value for event in board.Scalars(f"{name}/solve/loss")]
        expected = [line[key]["solve"]["loss"] for line in lines if key in line]
        assert len(expected) == 2
        assert told == pytest.approx(expected)


def test_an_unknown_tracker_is_refused_before_training(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"train\.trackers: 'tensorbord'.*did you mean"):
        tune(recipe_for(tiny_folder, tmp_path, trackers=["tensorbord"]), tmp_path, train=PROBLEMS)


def test_epochs_without_gain_counts_from_the_lowest(tmp_path: Path) -> None:
    log = TrainLog(tmp_path / "train.jsonl")
    assert log.epochs_without_gain() == 0
    for step, loss in enumerate([3.0, 2.0, 2.5, 2.0]):
        window = Window()
        window.loss[0], window.tokens[0] = loss, 1
        log.validation(step=step, epoch=float(step), window=window, seconds=0.0)
    assert log.epochs_without_gain() == 2
