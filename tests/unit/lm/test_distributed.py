"""Several processes: the same result as one, under DDP and FSDP2, through kills and signals."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.distributed import HashStore

from dualtune.cli import main
from dualtune.errors import BadInput, DualtuneError
from dualtune.lm import distributed
from dualtune.lm.checkpoints import check_layout
from dualtune.lm.distributed import Ranks, blank_pack, deal, process_group, warn_of_idle
from dualtune.lm.facts import Facts, combined
from dualtune.lm.launch import Launch, Place, find_place
from dualtune.lm.loss import pack_loss
from dualtune.lm.shards import check_shardable
from dualtune.lm.train import tune
from dualtune.records import Problem
from tests.unit.lm.test_train import PROBLEMS, recipe_for, tuned, weights
from tests.unit.lm.tiny import tiny_model

DATA: dict[str, Any] = {"train": PROBLEMS[:12], "validation": PROBLEMS[12:]}
ROOT = Path(__file__).parents[3]
# Small packs: several on each rank, and not the same number.
SETTINGS = {"tokens_per_pack": 400, "logging_steps": 1}
SHARDED = {**SETTINGS, "parallel": "fsdp"}
# Four tokens are too few for any answer, so that the first epoch is the best by accuracy.
PROBED = {"probe_rows": 2, "probe_tokens": 4, "stop_on": "accuracy", "keep": "best"}
LORA = {
    "adapter": {"kind": "lora", "rank": 4, "merge": False},
    "learning_rate": 1e-2,
    **PROBED,
}


def start(module: str, *arguments: str, size: int = 2) -> list[subprocess.Popen[str]]:
    """Start processes as a launcher does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    return [
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def finish(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Wait for processes; return exit code and stderr of each."""
    told = [(p, p.communicate(timeout=280)[1]) for p in processes]
    return [(p.returncode, errors) for p, errors in told]


def train_together(folder: Path, model: Path, runs: dict[str, Any]) -> list[tuple[int, str]]:
    return finish(start("tests.unit.lm.ranks", str(folder), str(model), json.dumps(runs)))


@pytest.fixture(scope="module")
def alone(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of one process."""
    folder = tmp_path_factory.mktemp("alone")
    tuned(tiny_folder, folder / "full", **SETTINGS)
    (folder / "lora").mkdir()
    recipe = recipe_for(tiny_folder, folder / "lora", **SETTINGS, **LORA)
    tune(recipe, folder / "lora", **DATA)
    return folder


@pytest.fixture(scope="module")
def together(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of two processes, the last ones killed and resumed."""
    folder = tmp_path_factory.mktemp("together")
    runs = {
        "ddp": {**SETTINGS, "workers": 1},
        "fsdp": SHARDED,
        "lora_ddp": {**SETTINGS, **LORA},
        "lora_fsdp": {**SHARDED, **LORA},
        "ddp_stopped": {**SETTINGS, "save_steps": 50, "signal_at": 3},
        "fsdp_killed": {**SHARDED, "die_at": 4},
    }
    ended = train_together(folder, tiny_folder, runs)
    assert [code for code, _ in ended] == [-9, -9], ended
    for name in ("ddp_stopped", "fsdp_killed"):
        shutil.copytree(folder / name, folder / f"{name}_before")
    again = {
        "ddp_stopped": {**SETTINGS, "save_steps": 50},
        "fsdp_killed": SHARDED,
    }
    ended = train_together(folder, tiny_folder, again)
    assert [code for code, _ in ended] == [0, 0], ended
    return folder


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(x) for x in (run / "train.jsonl").read_text().splitlines()]


def assert_same_training(found: Path, wanted: Path) -> None:
    """Compare every logged line, and weights where both are of one kind."""
    for one, other in zip(lines(found), lines(wanted), strict=True):
        assert one["step"] == other["step"]
        cells, others = (x.get("tasks") or x["validation"] for x in (one, other))
        assert cells.keys() == others.keys()
        for task, cell in cells.items():
            assert cell["loss"] == pytest.approx(others[task]["loss"], abs=1e-5)
            assert cell["tokens"] == others[task]["tokens"]
            assert cell["instances"] == others[task]["instances"]
        if "loss" in one:
            assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
            assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-5)
            assert one["tokens_total"] == other["tokens_total"]
        assert one.get("probe") == other.get("probe")


def assert_close(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("mode", ["ddp", "fsdp"])
def test_two_processes_train_what_one_does(mode: str, alone: Path, together: Path) -> None:
    assert_same_training(together / mode, alone / "full")
    assert_close(weights(together / mode), weights(alone / "full"))
    told = json.loads((together / mode / "train.json").read_text())
    assert (told["processes"], told["parallel"]) == (2, mode)


@pytest.mark.parametrize("mode", ["ddp", "fsdp"])
def test_adapters_probe_and_best_epoch_are_as_in_one_process(
    mode: str, alone: Path, together: Path
) -> None:
    assert_same_training(together / f"lora_{mode}", alone / "lora")
    file = "adapter/adapter_model.safetensors"
    wanted, found = load_file(alone / "lora" / file), load_file(together / f"lora_{mode}" / file)
    assert any(float(value.abs().max()) > 1e-4 for name, value in wanted.items() if "B" in name)
    assert_close(found, wanted)
    probed = [line["probe"]["rows"] for line in lines(together / f"lora_{mode}") if "probe" in line]
    assert probed == [2, 2, 2]
    told = json.loads((together / f"lora_{mode}" / "train.json").read_text())
    assert (told["steps"], told["kept"]["step"]) == (6, 3)


@pytest.mark.parametrize("run", ["fsdp", "lora_fsdp"])
def test_fsdp_really_shards(run: str, together: Path) -> None:
    """On a CPU accelerate's FSDP is DDP without a word; every rank would hold everything."""
    held = [json.loads((together / run / f"held-{rank}.json").read_text()) for rank in range(2)]
    for told in held:
        assert told["wrapped"].startswith("FSDP")
        assert all(told["sharded"])
        assert told["moments_sharded"]
        assert all(told["moments_sharded"])
        assert told["held"] < 0.6 * told["numbers"]
    assert sum(told["held"] for told in held) == held[0]["numbers"]


def test_ddp_holds_everything_on_each_rank(together: Path) -> None:
    told = json.loads((together / "ddp" / "held-1.json").read_text())
    assert told["wrapped"] == "DistributedDataParallel"
    assert told["held"] == told["numbers"]


def test_kill_9_and_resume_gives_the_same_bits(together: Path) -> None:
    for name, value in weights(together / "fsdp").items():
        assert torch.equal(weights(together / "fsdp_killed")[name], value), name
    before, after = lines(together / "fsdp"), lines(together / "fsdp_killed")
    assert [x.get("loss") for x in after] == [x.get("loss") for x in before]


def test_a_signal_to_one_rank_stops_all_after_the_same_step(together: Path) -> None:
    said = [(together / "ddp_stopped" / f"stopped-{rank}").read_text() for rank in range(2)]
    assert said[0] == said[1]
    assert said[0].startswith("stopped at step 3 of 6")
    for name, value in weights(together / "ddp").items():
        assert torch.equal(weights(together / "ddp_stopped")[name], value), name


def test_one_process_goes_on_with_a_checkpoint_of_two(
    tiny_folder: Path, alone: Path, together: Path
) -> None:
    run = together / "ddp_stopped_before"
    tune(recipe_for(tiny_folder, run, **SETTINGS), run, **DATA)
    assert_close(weights(run), weights(alone / "full"))
    assert_same_training(run, alone / "full")


@pytest.mark.usefixtures("quick")
def test_another_number_of_ranks_goes_on_with_the_parts_of_two(
    tiny_folder: Path, alone: Path, together: Path
) -> None:
    run = together / "fsdp_killed_before"
    assert [p.name for p in (run / "checkpoints").glob("checkpoint-*")] == ["checkpoint-2"]
    (launch,) = launches(1)
    tune(recipe_for(tiny_folder, run, **SHARDED), run, **DATA, launch=launch)
    assert_close(weights(run), weights(alone / "full"))
    assert_same_training(run, alone / "full")


@pytest.mark.usefixtures("quick")
def test_an_adapter_over_a_divided_model_is_merged(tiny_folder: Path, tmp_path: Path) -> None:
    adapter = {"adapter": {"kind": "lora", "rank": 4}, "learning_rate": 1e-2, "epochs": 1}
    for name in ("one", "divided"):
        (tmp_path / name).mkdir()
    tune(recipe_for(tiny_folder, tmp_path, **adapter), tmp_path / "one", **DATA)
    (launch,) = launches(1)
    recipe = recipe_for(tiny_folder, tmp_path, parallel="fsdp", **adapter)
    tune(recipe, tmp_path / "divided", **DATA, launch=launch)
    assert_close(weights(tmp_path / "divided"), weights(tmp_path / "one"))


RECIPE = """
data: {train: {synthetic: train, limit: 14}, validation: 0.3}
tasks: {irsp: {per_problem: 2}, ir: {per_problem: 2}}
model: {id: %s}
train: {epochs: 1, problems_per_step: 4, precision: fp32, workers: 0, logging_steps: 1}
run: %s
"""


def test_the_command_line_trains_with_two_processes(tiny_folder: Path, tmp_path: Path) -> None:
    """One command prepares, both train, one speaks; a second launch has one error to tell."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE % (tiny_folder, tmp_path / "one"))
    assert main(["train", str(recipe)]) == 0
    ended = finish(start("dualtune.cli", "train", str(recipe), "--run", str(tmp_path / "two")))
    assert [code for code, _ in ended] == [0, 0], ended
    assert "2 processes on cpu: DDP" in ended[0][1]
    assert ended[1][1] == ""
    assert_same_training(tmp_path / "two", tmp_path / "one")
    assert_close(weights(tmp_path / "two"), weights(tmp_path / "one"))
    # Of one process or of two, the stage is the same one.
    assert main(["train", str(recipe), "--run", str(tmp_path / "two")]) == 0
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert set(manifest["stages"]) == {"build", "train"}


def test_several_processes_tell_one_error(tiny_folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE % (tiny_folder, tmp_path / "run"))
    ended = finish(start("dualtune.cli", "train", str(recipe), "--train.epoch", "3"))
    assert {code for code, _ in ended} == {2}
    (said,) = [errors for _, errors in ended if errors]
    assert "did you mean 'epochs'" in said
    assert "Traceback" not in said


def some_problem(number: int, size: int) -> Problem:
    return Problem(id=str(number), question="q" * size, rationale="r" * size, answer="1")


@given(st.lists(st.integers(0, 2000), max_size=40), st.integers(1, 9))
def test_dealing_gives_each_problem_to_one_rank(sizes: list[int], size: int) -> None:
    problems = [some_problem(number, length) for number, length in enumerate(sizes)]
    shares = deal(problems, size)
    assert len(shares) == size
    assert sorted(p.id for share in shares for p in share) == sorted(p.id for p in problems)
    assert deal(problems, size) == shares
    # Graham 1969: no rank has more than the average and one Problem.
    loads = [sum(200 + 2 * len(p.question) for p in share) for share in shares]
    assert max(loads) <= sum(loads) / size + max((200 + 2 * x for x in sizes), default=0)


def test_dealing_evens_out_long_and_short_problems() -> None:
    problems = [some_problem(number, length) for number, length in enumerate([900, 30, 30, 870])]
    assert [[p.id for p in share] for share in deal(problems, 2)] == [["0", "2"], ["1", "3"]]


def test_ranks_without_a_problem_are_told(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_idle(Ranks(0, 4), 4)
    assert not caplog.text
    warn_of_idle(Ranks(0, 4), 3)
    assert "problems_per_step is 3, so 1 of the 4 processes" in caplog.text


def test_a_blank_pack_weighs_nothing_and_has_a_gradient() -> None:
    model = tiny_model("llama")
    part = pack_loss(model, blank_pack(), tasks=3)
    part.weighted.backward()
    assert float(part.weighted.detach()) == 0
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


@pytest.mark.parametrize(
    ("ranks", "own", "most", "computed"),
    [
        (Ranks(), 3, 3, 3),
        (Ranks(), 0, 0, 0),
        (Ranks(1, 2), 3, 5, 3),
        (Ranks(1, 2), 0, 5, 1),  # its gradients are waited for
        (Ranks(1, 2), 0, 0, 0),
        (Ranks(1, 2, sharded=True), 3, 5, 5),  # its weights are waited for, pass by pass
    ],
)
def test_every_rank_takes_part_in_every_collective(
    ranks: Ranks, own: int, most: int, computed: int
) -> None:
    passes = list(ranks.passes([blank_pack()] * own, most=most))
    assert [last for _, last in passes] == [False] * (computed - 1) + [True] * (computed > 0)


def test_ranks_of_one_machine_work_in_turns() -> None:
    """Two machines with two ranks and one: each holds one whole model at a time."""
    told: dict[int, Any] = {}
    everyone = Barrier(3)

    class Threads(Ranks):
        def gather(self, value: Any) -> list[Any]:
            told[self.rank] = value
            everyone.wait(30)
            found = [told[rank] for rank in range(self.size)]
            everyone.wait(30)
            return found

    spans: dict[int, tuple[float, float]] = {}

    def load(ranks: Ranks) -> int:
        started = time.monotonic()
        time.sleep(0.02)
        spans[ranks.rank] = started, time.monotonic()
        return ranks.rank

    ranks = [Threads(0, 3, 0), Threads(1, 3, 1), Threads(2, 3, 0)]
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda one: one.in_turns(lambda: load(one)), ranks)
        assert list(found) == [0, 1, 2]
    assert spans[0][1] <= spans[1][0]
    assert spans[2][1] <= spans[1][0]


def test_facts_add_up() -> None:
    from collections import Counter

    one = Facts(weight=1.5, packs=2, tokens_total=7, instances=Counter(solve=2))
    other = Facts(weight=2.0, packs=1, tokens_total=3, dropped=Counter(too_long=1))
    both = combined([one, other])
    assert (both.weight, both.packs, both.tokens_total) == (3.5, 3, 10)
    assert (both.instances, both.dropped) == (Counter(solve=2), Counter(too_long=1))
    assert combined([]) == Facts()


def launches(size: int = 2) -> list[Launch]:
    store = HashStore()
    return [Launch(Place(rank, rank, size, size), store=store) for rank in range(size)]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    import logging

    monkeypatch.setattr("dualtune.lm.launch._GRACE", 0.0)
    level = logging.getLogger("dualtune").level
    yield
    logging.getLogger("dualtune").setLevel(level)


@pytest.mark.usefixtures("quick")
def test_ranks_wait_for_a_call_or_the_end() -> None:
    first, second = launches()
    first.call("abc")
    assert second.wait() == "abc"
    first, second = launches()
    with first:
        pass  # nothing to train
    assert second.wait() is None


@pytest.mark.usefixtures("quick")
def test_the_first_rank_leaves_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it keeps the store, the others would lose it before they see the end."""
    monkeypatch.setattr("dualtune.lm.launch._GRACE", 6.0)
    first, second = launches()
    with ThreadPoolExecutor() as pool:
        leaving = pool.submit(first.__exit__, None, None, None)
        with second:
            assert second.wait() is None
            time.sleep(0.5)
            assert not leaving.done()
        leaving.result(timeout=30)


@pytest.mark.usefixtures("quick")
def test_one_of_the_failing_ranks_tells_why() -> None:
    first, second = launches()
    with pytest.raises(BadInput, match="the cause"), second:
        raise BadInput("the cause")
    with pytest.raises(SystemExit) as left, first:
        raise RuntimeError("[gloo] Connection closed by peer")
    assert left.value.code == 1


@pytest.mark.usefixtures("quick")
def test_a_rank_whose_first_failed_leaves_quietly() -> None:
    first, second = launches()
    with pytest.raises(DualtuneError), first:
        raise DualtuneError("the cause")
    with pytest.raises(SystemExit), second:
        second.wait()


@pytest.mark.usefixtures("quick")
def test_a_peer_that_was_killed_is_told_in_plain_words() -> None:
    first, _ = launches()
    with pytest.raises(DualtuneError, match="ended without a word"), first:
        raise RuntimeError("[gloo/transport/tcp/pair.cc:1] Connection closed by peer")


@pytest.mark.usefixtures("quick")
def test_what_the_first_rank_does_by_itself_looks_like_one_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    first, _ = launches()
    with first:
        assert not {"WORLD_SIZE", "RANK", "LOCAL_RANK"} & set(os.environ)


def test_processes_that_cannot_meet_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(BadInput, match=r"WORLD_SIZE is 2, but RANK.*torchrun"):
        find_place()
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(BadInput, match=r"given --use_fsdp.*train\.parallel: fsdp"):
        find_place()
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(BadInput, match="WORLD_SIZE is 'two'"):
        find_place()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert find_place() is None


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed.torch.cuda, "device_count", lambda: 1)
    group = process_group(Place(0, 0, 2, 2), HashStore(), device="cuda", parallel="auto")
    with pytest.raises(BadInput, match="2 processes were started on this machine, which has 1"):
        group.__enter__()


def test_what_fsdp_is_not_offered_for_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"train\.parallel is fsdp, but this process runs alone"):
        tune(recipe_for(tiny_folder, tmp_path, parallel="fsdp"), tmp_path, train=PROBLEMS[:4])
    with pytest.raises(BadInput, match="4-bit"):
        check_shardable(adapter="qlora", precision="bf16")
    with pytest.raises(BadInput, match="fp16"):
        check_shardable(adapter="none", precision="fp16")


def test_a_checkpoint_of_the_other_layout_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint-2"
    (checkpoint / "sharded_weights").mkdir(parents=True)
    check_layout(checkpoint, sharded=True)
    with pytest.raises(BadInput, match=r"written under train\.parallel: fsdp"):
        check_layout(checkpoint, sharded=False)
