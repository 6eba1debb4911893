"""Training end to end on a random tiny model: resume, invariance, failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dualtune.errors import BadInput, DualtuneError
from dualtune.lm import hardware
from dualtune.lm import train as training
from dualtune.lm.checkpoints import SEAL, newest_checkpoint
from dualtune.lm.train import tune
from dualtune.recipe import Recipe, parse_recipe
from dualtune.records import Problem
from dualtune.sources.synthetic import generate

PROBLEMS = list(generate("train", count=14, seed=3))


def recipe_for(model: Path, run: Path, **train: Any) -> Recipe:
    settings = {
        "epochs": 2,
        "problems_per_step": 4,
        "precision": "fp32",
        "workers": 0,
        "learning_rate": 1e-3,
        "save_steps": 2,
        "logging_steps": 2,
        "max_length": 1024,
        **train,
    }
    return parse_recipe(
        {
            "data": {"train": {"synthetic": "train"}},
            "tasks": {"irsp": {"per_problem": 2}, "ir": {"per_problem": 2}},
            "model": {"id": str(model)},
            "train": settings,
            "run": str(run),
        }
    )


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def tuned(model: Path, run: Path, **train: Any) -> dict[str, torch.Tensor]:
    run.mkdir(parents=True)
    tune(recipe_for(model, run, **train), run, train=PROBLEMS[:12], validation=PROBLEMS[12:])
    return weights(run)


@pytest.fixture(scope="module")
def straight(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "straight"
    tuned(tiny_folder, run)
    return run


def test_what_a_run_leaves(straight: Path, tiny_folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    summary = json.loads((straight / "train.json").read_text())
    assert summary["steps"] == 6
    assert summary["instances"]["solve"] == 24
    assert summary["tokens_distinct"] < summary["tokens_total"]
    assert summary["attention"] == "trie"
    for task in ("solve", "irsp", "ir"):
        assert summary["final"][task] < summary["first"][task]
        assert summary["validation"]["final"][task] < summary["validation"]["first"][task]
    lines = [json.loads(x) for x in (straight / "train.jsonl").read_text().splitlines()]
    assert [x["step"] for x in lines if "loss" in x] == [2, 4, 6]
    assert [x["step"] for x in lines if "validation" in x] == [0, 3, 6]
    model = AutoModelForCausalLM.from_pretrained(straight / "model")
    assert model.config._attn_implementation == "sdpa"
    before = load_file(tiny_folder / "model.safetensors")
    assert any(not torch.equal(before[k], v) for k, v in weights(straight).items())


def test_how_often_is_logged_and_saved_changes_no_bit(
    straight: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    """What else must not change the result: test_invariance.py."""
    found = tuned(tiny_folder, tmp_path / "other", logging_steps=1, save_steps=50)
    for name, value in weights(straight).items():
        assert torch.equal(found[name], value), name


def test_stopped_and_resumed_equals_straight_bit_for_bit(
    straight: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run dies in the middle of step 4, after the checkpoint of step 2."""
    from dualtune.lm import trainer

    run = tmp_path / "resumed"
    run.mkdir()
    recipe = recipe_for(tiny_folder, run)
    calls = {"n": 0}
    real = trainer.DualTrainer.training_step

    def dies(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls["n"] += 1
        if calls["n"] == 4:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    arguments = {"train": PROBLEMS[:12], "validation": PROBLEMS[12:], "fingerprint": "same"}
    with monkeypatch.context() as patch:
        patch.setattr(trainer.DualTrainer, "training_step", dies)
        with pytest.raises(KeyboardInterrupt):
            tune(recipe, run, **arguments)
    assert not (run / "model").exists()
    calls["n"] = 10
    tune(recipe, run, **arguments)
    for name, value in weights(straight).items():
        assert torch.equal(weights(run)[name], value), name
    keys = ("step", "loss", "tasks", "validation", "tokens_total", "grad_norm")

    def told(folder: Path) -> list[dict[str, Any]]:
        lines = [json.loads(x) for x in (folder / "train.jsonl").read_text().splitlines()]
        return [{k: line[k] for k in keys if k in line} for line in lines]

    assert told(run) == told(straight)


def wait_for_checkpoint(process: subprocess.Popen[Any], run: Path) -> None:
    """Wait for a whole checkpoint: one that is not sealed yet would not be resumed from."""
    deadline = time.monotonic() + 120
    while not list((run / "checkpoints").glob(f"checkpoint-*/{SEAL}")):
        assert process.poll() is None, "training ended before its first checkpoint was seen"
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow  # two more processes: test_kills.py and test_distributed.py kill as well
def test_kill_9_and_resume_equals_straight_bit_for_bit(
    straight: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "killed"
    run.mkdir()
    code = (
        "import sys, pathlib, torch; torch.set_num_threads(1)\n"
        "from tests.unit.lm.test_train import PROBLEMS, recipe_for\n"
        "from dualtune.lm.train import tune\n"
        "model, run = map(pathlib.Path, sys.argv[1:])\n"
        "tune(recipe_for(model, run), run, train=PROBLEMS[:12], validation=PROBLEMS[12:],"
        " fingerprint='same')\n"
    )
    command = [sys.executable, "-c", code, str(tiny_folder), str(run)]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)
    wait_for_checkpoint(process, run)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (run / "model").exists()
    subprocess.run(command, cwd=root, check=True, stderr=subprocess.DEVNULL, timeout=120)
    for name, value in weights(straight).items():
        assert torch.equal(weights(run)[name], value), name


def test_full_disk_names_the_checkpoint_and_keeps_the_last(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    run = tmp_path / "full"
    run.mkdir()
    real = Trainer._save_optimizer_and_scheduler

    def full(self: Any, output: str) -> None:
        if output.endswith("checkpoint-4"):
            raise OSError(28, "No space left on device")
        real(self, output)

    monkeypatch.setattr(Trainer, "_save_optimizer_and_scheduler", full)
    with pytest.raises(DualtuneError, match=r"checkpoint-4.*No space left.*kept: checkpoint-2"):
        tune(recipe_for(tiny_folder, run), run, train=PROBLEMS[:12], fingerprint="same")
    assert not (run / "checkpoints" / "checkpoint-4").exists()
    assert (run / "checkpoints" / "checkpoint-2" / "trainer_state.json").exists()


def test_infinite_loss_stops_with_a_remedy(tiny_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "nan"
    run.mkdir()
    recipe = recipe_for(tiny_folder, run, learning_rate=1e30, schedule="constant", warmup=0.0)
    with pytest.raises(DualtuneError, match=r"step \d+: the .* nan.*learning_rate"):
        tune(recipe, run, train=PROBLEMS[:12])


def test_instances_beyond_the_limit_are_counted_and_none_left_is_an_error(
    tiny_folder: Path, tmp_path: Path
) -> None:
    recipe = recipe_for(tiny_folder, tmp_path, max_length=20)
    with pytest.raises(BadInput, match=r"no solve instance is left.*\d+ too_long.*20 tokens"):
        tune(recipe, tmp_path, train=PROBLEMS[:4])


def test_some_instances_beyond_the_limit_are_left_out_and_counted(
    tiny_folder: Path, tmp_path: Path
) -> None:
    long = Problem("long", "Why? " * 400, "Because.\nSo.", "4")
    run = tmp_path / "run"
    run.mkdir()
    recipe = recipe_for(tiny_folder, run, epochs=1, max_length=512)
    tune(recipe, run, train=[*PROBLEMS[:3], long])
    summary = json.loads((run / "train.json").read_text())
    assert summary["dropped"]["too_long"] >= 2
    assert summary["instances"]["solve"] == 3


def test_model_without_chat_template_says_what_to_set(tiny_folder: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "base"
    shutil.copytree(tiny_folder, folder)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(BadInput, match=r"no chat template.*model\.prompt: alpaca"):
        tune(recipe_for(folder, tmp_path), tmp_path, train=PROBLEMS[:4])


def test_alpaca_prompts_train_without_a_template(tiny_folder: Path, tmp_path: Path) -> None:
    import shutil

    folder, run = tmp_path / "base", tmp_path / "run"
    shutil.copytree(tiny_folder, folder)
    (folder / "chat_template.jinja").unlink()
    run.mkdir()
    recipe = recipe_for(folder, run, epochs=1)
    recipe = recipe.model_copy(
        update={"model": recipe.model.model_copy(update={"prompt": "alpaca"})}
    )
    tune(recipe, run, train=PROBLEMS[:4])
    assert json.loads((run / "train.json").read_text())["steps"] == 1


def test_several_processes_are_refused(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadInput, match="WORLD_SIZE is 2"):
        tune(recipe_for(tiny_folder, tmp_path), tmp_path, train=PROBLEMS[:4])


def test_sigterm_saves_and_says_how_to_go_on(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dualtune.lm import trainer

    run = tmp_path / "stopped"
    run.mkdir()
    real = trainer.DualTrainer.training_step

    def signalled(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(trainer.DualTrainer, "training_step", signalled)
    with pytest.raises(training.Stopped, match="stopped at step 3 of 6"):
        tune(recipe_for(tiny_folder, run), run, train=PROBLEMS[:12], fingerprint="same")
    found = newest_checkpoint(run / "checkpoints", fingerprint="same")
    assert found is not None
    assert found.name == "checkpoint-3"


def test_auto_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: {"avx512f", "avx512_bf16"})
    assert hardware.uses_bf16("auto", "cpu")
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: {"avx2"})
    assert not hardware.uses_bf16("auto", "cpu")
    assert hardware.uses_bf16("bf16", "cpu")


def test_sigterm_to_the_whole_process_group_saves_a_checkpoint(
    tiny_folder: Path, tmp_path: Path
) -> None:
    """What timeout, Slurm and systemd do: the data worker is signalled as well."""
    run = tmp_path / "group"
    run.mkdir()
    code = (
        "import sys, pathlib, torch; torch.set_num_threads(1)\n"
        "from tests.unit.lm.test_train import PROBLEMS, recipe_for\n"
        "from dualtune.lm.train import tune\n"
        "model, run = map(pathlib.Path, sys.argv[1:])\n"
        "recipe = recipe_for(model, run, workers=1, epochs=400)\n"
        "tune(recipe, run, train=PROBLEMS[:12], fingerprint='same')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tiny_folder), str(run)],
        cwd=Path(__file__).parents[3],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for_checkpoint(process, run)
    os.killpg(process.pid, signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert "Stopped: stopped at step" in told
    step = told.partition("stopped at step ")[2].split()[0]
    assert (run / "checkpoints" / f"checkpoint-{step}" / "trainer_state.json").exists()


def test_a_lower_save_interval_holds_for_a_resumed_run(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dualtune.lm import trainer

    run = tmp_path / "resumed"
    run.mkdir()
    real = trainer.DualTrainer.training_step

    def dies(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(trainer.DualTrainer, "training_step", dies)
        with pytest.raises(KeyboardInterrupt):
            tune(recipe_for(tiny_folder, run), run, train=PROBLEMS[:12], fingerprint="same")
    again = recipe_for(tiny_folder, run, save_steps=1, keep_checkpoints=9)
    tune(again, run, train=PROBLEMS[:12], fingerprint="same")
    saved = {p.name for p in (run / "checkpoints").glob("checkpoint-*")}
    assert {"checkpoint-3", "checkpoint-4", "checkpoint-5"} <= saved


def test_a_task_that_loses_all_its_instances_is_an_error(tiny_folder: Path, tmp_path: Path) -> None:
    """One task falls to the length limit as a whole: the rest must not pass as the full run."""
    recipe = recipe_for(tiny_folder, tmp_path)
    preparer = training.steps_preparer(recipe, tiny_folder, "cpu")
    found = [pair for g in preparer.groups(PROBLEMS[0], 0, Counter()) for pair in g]
    shortest = {
        task: min(len(one.ids) for i, one in found if i.task == task) for task in ("solve", "irsp")
    }
    limit = max(shortest.values()) - 1  # at least one instance of another task still fits
    assert any(len(one.ids) <= limit for _, one in found)
    with pytest.raises(BadInput, match=r"no (solve|irsp) instance is left.*\d too_long"):
        tune(recipe_for(tiny_folder, tmp_path, max_length=limit), tmp_path, train=PROBLEMS[:1])


def test_only_one_gpu_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import TrainingArguments

    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda self: self._n_gpu))
    monkeypatch.setattr(TrainingArguments, "_setup_devices", torch.device("cpu"), raising=False)
    real = TrainingArguments.__post_init__

    def two_gpus(self: Any) -> None:
        real(self)
        self._n_gpu = 2

    monkeypatch.setattr(TrainingArguments, "__post_init__", two_gpus)
    recipe = recipe_for(tmp_path, tmp_path)
    found = training._arguments(recipe, tmp_path, steps=1, precision="fp32", device="cpu")
    assert found._n_gpu == 1
