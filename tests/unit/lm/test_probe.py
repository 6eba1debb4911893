"""The accuracy probe, and the weights of the best epoch, through tune and kills."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from dualtune.errors import BadInput, DualtuneError
from dualtune.lm import probe as probing
from dualtune.lm import trainer
from dualtune.lm.encode import Encoder
from dualtune.lm.probe import Probe, Probed, choose_probe
from dualtune.lm.train import steps_preparer, tune
from dualtune.lm.trainlog import TrainLog, Window
from dualtune.recipe import parse_recipe
from dualtune.records import Problem
from tests.tiny import tiny_tokenizer
from tests.unit.lm.test_train import PROBLEMS, recipe_for, tuned, weights
from tests.unit.lm.test_train_options import stopping_at

# The held-out loss falls for two epochs of three steps, then rises.
RISES = {
    "epochs": 4,
    "learning_rate": 0.03,
    "schedule": "constant",
    "warmup": 0.0,
    "save_steps": 5,
    "keep_checkpoints": 1,
}


class Says:
    """A model that answers each prompt with the same text."""

    device = torch.device("cpu")

    def __init__(self, text: str, *, stops: bool = True) -> None:
        tokenizer = tiny_tokenizer()
        self.new = tokenizer.encode(text) + [tokenizer.eos_token_id] * stops

    def generate(self, *, input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.cat([input_ids, torch.tensor([self.new] * len(input_ids))], dim=1)


def probe_of(problems: list[Problem]) -> Probe:
    return Probe(Encoder(tiny_tokenizer()), tuple(problems), None, 32)


def test_answers_are_graded_and_cut_ones_counted() -> None:
    problems = [Problem(str(n), f"What is {n}?", "Well.\nSo.", str(n)) for n in (2, 3, 3, 14)]
    probe = probe_of(problems)
    assert sum(right for right, _ in probe.answered(Says("1 + 2.\nThe answer is 3."))) == 2
    assert not any(cut for _, cut in probe.answered(Says("The answer is 3.")))
    assert all(cut for _, cut in probe.answered(Says("The answer is 3.", stops=False)))


@pytest.mark.parametrize("sharded", [False, True])
def test_ranks_share_the_problems(sharded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Problem is answered once; under FSDP all ranks take as many passes."""
    monkeypatch.setattr(probing, "BATCH", 2)
    calls: list[int] = []

    class Counts(Says):
        def generate(self, *, input_ids: torch.Tensor, **settings: Any) -> torch.Tensor:
            assert settings["synced_gpus"] is sharded
            calls.append(len(input_ids))
            return super().generate(input_ids=input_ids)

    probe = probe_of(PROBLEMS[:7])
    passes = []
    answers = 0
    for rank in range(3):
        calls.clear()
        answers += len(
            probe.answered(Counts("The answer is 3."), rank=rank, size=3, sharded=sharded)
        )
        passes.append(len(calls))
    assert answers == 7
    assert passes == ([2, 2, 2] if sharded else [2, 1, 1])


@pytest.mark.parametrize("kernel", ["trie", "sdpa", "eager"])
def test_batches_write_what_prompts_alone_write(tiny_folder: Path, kernel: str) -> None:
    """Padding, order and the kernel of training change no answer."""
    from dualtune.lm.models import load_model, load_tokenizer

    model = load_model(tiny_folder, attention=kernel).eval()
    probe = Probe(Encoder(load_tokenizer(tiny_folder)), (), None, 12)
    prompts = [f"{p.question}\n" for p in PROBLEMS[:4]]
    together = probe._generate(model, prompts, sharded=False)
    plain = AutoModelForCausalLM.from_pretrained(tiny_folder).eval()
    assert together == [probe._generate(plain, [one], sharded=False)[0] for one in prompts]


def test_the_choice_depends_on_ids_and_leaves_out_what_is_no_number(
    tiny_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = recipe_for(tiny_folder, tmp_path, probe_rows=5, probe_tokens=7)
    preparer = steps_preparer(recipe, tiny_folder, "cpu")
    found = choose_probe(preparer, PROBLEMS, recipe.train)
    assert found == choose_probe(preparer, PROBLEMS[::-1], recipe.train)
    assert (len(found.problems), found.max_new_tokens) == (5, 7)
    odd = [
        Problem("a", "?", "x = 1\nprint(x)", "1", kind="pot"),
        Problem("b", "Which?", "So B.", "B", options=("1", "2")),
        Problem("c", "?", "So.", "x + 1"),
    ]
    few = choose_probe(preparer, [*odd, PROBLEMS[0]], recipe.train)
    assert few.problems == (PROBLEMS[0],)
    assert "probe_rows is 5, but 1 of the 4 held-out Problems" in caplog.text
    with pytest.raises(BadInput, match=r"none of the 3 held-out Problems asks for a number"):
        choose_probe(preparer, odd, recipe.train)


def test_a_line_has_the_wilson_interval() -> None:
    line = Probed(correct=0, cut=3, rows=10).line()
    assert line == {
        "rows": 10,
        "correct": 0,
        "accuracy": 0.0,
        "interval": [0.0, pytest.approx(0.2775, abs=1e-4)],
        "cut": 3,
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probe_rows": 3}, r"train\.probe_rows asks for held-out Problems"),
        ({"keep": "best"}, r"train\.keep: best asks for held-out Problems.*data\.validation"),
    ],
)
def test_what_needs_held_out_problems_says_so(
    settings: dict[str, Any], message: str, tiny_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=message):
        tune(recipe_for(tiny_folder, tmp_path, **settings), tmp_path, train=PROBLEMS[:4])


def test_accuracy_without_a_probe_is_refused() -> None:
    with pytest.raises(BadInput, match=r"stop_on is accuracy, but probe_rows is 0"):
        parse_recipe(
            {
                "data": {"train": {"synthetic": "train"}},
                "train": {"stop_on": "accuracy"},
                "run": "x",
            }
        )


def log_of(path: Path, cells: list[tuple[float, float]], *, goal: Any) -> TrainLog:
    """Return a log of validations with a loss and an accuracy each, the untuned model's first."""
    log = TrainLog(path, goal=goal)
    for number, (loss, accuracy) in enumerate(cells):
        window = Window()
        window.loss[0], window.tokens[0] = loss, 1
        log.validation(
            step=3 * number,
            epoch=float(number),
            window=window,
            seconds=0.0,
            probe={"accuracy": accuracy},
        )
    return log


def test_the_goal_decides_what_is_best(tmp_path: Path) -> None:
    cells = [(1.0, 0.5), (3.0, 0.2), (2.0, 0.4), (2.5, 0.4), (2.0, 0.1)]
    by_loss = log_of(tmp_path / "loss", cells, goal="loss")
    assert by_loss.best_step() == 6  # the untuned model is no epoch; of equals the first
    assert by_loss.epochs_without_gain() == 4  # but a run that never betters it makes no gain
    assert [by_loss.best_step(until) for until in (0, 2, 3, 8, 12)] == [None, None, 3, 6, 6]
    by_accuracy = log_of(tmp_path / "accuracy", [(1.0, 0.1), *cells[1:]], goal="accuracy")
    assert (by_accuracy.best_step(), by_accuracy.epochs_without_gain()) == (6, 2)
    assert by_accuracy.told_of(6, 3) == {"step": 6, "epoch": 2.0, "accuracy": 0.4}


def test_an_accuracy_that_does_not_rise_stops_training(tiny_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = {"probe_rows": 2, "probe_tokens": 4, "stop_on": "accuracy", "patience": 1}
    tuned(tiny_folder, run, epochs=5, **settings)  # four tokens are too few for any answer
    told = json.loads((run / "train.json").read_text())
    assert (told["stopped_early"], told["steps"]) == (True, 3)
    assert told["probe"]["final"]["rows"] == 2
    lines = [json.loads(x) for x in (run / "train.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "probe" in line] == [0, 3]


@pytest.fixture(scope="module")
def best(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("best") / "run"
    tuned(tiny_folder, run, keep="best", **RISES)
    return run


def test_the_model_is_that_of_the_best_epoch(best: Path, tiny_folder: Path, tmp_path: Path) -> None:
    told = json.loads((best / "train.json").read_text())["kept"]
    lines = [json.loads(x) for x in (best / "train.jsonl").read_text().splitlines()]
    held = {x["step"]: x["validation"]["solve"]["loss"] for x in lines if "validation" in x}
    lowest = min((step for step in held if step), key=lambda step: held[step])
    assert lowest < max(held), "the loss has to rise for this test to tell anything"
    assert told == {"step": lowest, "epoch": lowest / 3, "loss": held[lowest], "keep": "best"}
    last = tuned(tiny_folder, tmp_path / "last", **RISES)
    assert any(not torch.equal(last[name], value) for name, value in weights(best).items())
    kept = load_file(best / "checkpoints" / f"best-{lowest}" / "model.safetensors")
    for name, value in kept.items():
        assert torch.equal(weights(best)[name], value), name
    assert len(list((best / "checkpoints").glob("best-*"))) == 1


@pytest.mark.parametrize(
    ("step", "kept_then"),
    [(4, {"best-3"}), (7, {"best-3", "best-6"}), (11, {"best-6"})],
    ids=["before the first checkpoint", "after an epoch that is trained again", "later"],
)
def test_the_best_epoch_survives_kills(
    step: int,
    kept_then: set[str],
    best: Path,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checkpoint of step 5 needs the best weights as of then, those of step 3."""
    run = tmp_path / "run"
    run.mkdir()
    recipe = recipe_for(tiny_folder, run, keep="best", **RISES)
    arguments = {"train": PROBLEMS[:12], "validation": PROBLEMS[12:], "fingerprint": "same"}
    with monkeypatch.context() as patch:
        patch.setattr(trainer.DualTrainer, "training_step", stopping_at(step))
        with pytest.raises(KeyboardInterrupt):
            tune(recipe, run, **arguments)
    assert {p.name for p in (run / "checkpoints").glob("best-*")} == kept_then
    tune(recipe, run, **arguments)
    for name, value in weights(best).items():
        assert torch.equal(weights(run)[name], value), name
    kept = [json.loads((x / "train.json").read_text())["kept"] for x in (best, run)]
    assert kept[0] == kept[1]


def test_damaged_best_weights_are_told_before_training_goes_on(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    recipe = recipe_for(tiny_folder, run, keep="best", **RISES)
    arguments = {"train": PROBLEMS[:12], "validation": PROBLEMS[12:], "fingerprint": "same"}
    with monkeypatch.context() as patch:
        patch.setattr(trainer.DualTrainer, "training_step", stopping_at(5))
        with pytest.raises(KeyboardInterrupt):
            tune(recipe, run, **arguments)
    (file,) = (run / "checkpoints").glob("best-3/model.safetensors")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BadInput, match=r"best-3, cannot be used: model\.safetensors.*checksum"):
        tune(recipe, run, **arguments)


def test_a_full_disk_at_the_best_epoch_is_told(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()

    def full(self: Any, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer.DualTrainer, "_write_weights", full)
    with pytest.raises(DualtuneError, match=r"best-3.*No space left.*kept: no earlier checkpoint"):
        tune(
            recipe_for(tiny_folder, run, keep="best", **RISES),
            run,
            train=PROBLEMS[:12],
            validation=PROBLEMS[12:],
        )
