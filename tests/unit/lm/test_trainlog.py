"""train.jsonl: sums of a window, and a log that a resumed run continues as a straight one would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dualtune.lm.packing import Pack
from dualtune.lm.steps import Step
from dualtune.lm.trainlog import TrainLog, Window


def step(number: int) -> Step:
    """A step whose figures follow from its number."""
    none: Any = None
    pack = Pack(
        tokens=none,
        depth=none,
        end=none,
        index=none,
        label=none,
        weight=none,
        task=none,
        tokens_total=100 * number,
        tokens_distinct=60 * number,
        sequences=3,
    )
    return Step(
        packs=(pack, pack),
        weight=1.0,
        instances={"solve": 2, "ir": number},
        dropped={"too_long": 1} if number % 2 else {},
    )


def take(log: TrainLog, number: int) -> None:
    log.add(
        step(number),
        weighted=float(number),
        loss=np.array([10.0 * number, 0.0, 3.0]),
        tokens=np.array([5, 0, 2]),
    )


def flush(log: TrainLog, number: int) -> None:
    log.flush(step=number, epoch=number / 10, learning_rate=1e-4, grad_norm=0.5)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def timeless(path: Path) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in line.items() if k not in ("seconds", "instances_per_second")}
        for line in lines(path)
    ]


def test_a_line_holds_the_sums_of_its_window(tmp_path: Path) -> None:
    log = TrainLog(tmp_path / "train.jsonl")
    for number in (1, 2):
        take(log, number)
    flush(log, 2)
    take(log, 3)
    flush(log, 3)
    first, second = lines(log.path)
    assert first["step"] == 2
    assert first["epoch"] == 0.2
    assert first["loss"] == 1.5  # the mean over steps, each divided by its own weight
    assert first["tasks"] == {
        "solve": {"loss": 30 / 10, "tokens": 10, "instances": 4},
        "ir": {"loss": 6 / 4, "tokens": 4, "instances": 3},
    }
    assert first["learning_rate"] == 1e-4
    assert first["grad_norm"] == 0.5
    assert first["tokens_total"] == 600
    assert first["tokens_distinct"] == 360
    assert first["dropped"] == {"too_long": 1}
    assert first["seconds"] >= 0
    assert second["loss"] == 3.0
    assert second["tasks"]["solve"] == {"loss": 6.0, "tokens": 5, "instances": 2}
    assert second["tokens_total"] == 1200  # totals run on, sums start again
    assert second["dropped"] == {"too_long": 2}


def test_an_empty_window_writes_nothing(tmp_path: Path) -> None:
    log = TrainLog(tmp_path / "train.jsonl")
    flush(log, 1)
    take(log, 1)
    flush(log, 1)
    flush(log, 1)
    assert len(lines(log.path)) == 1


def test_window_leaves_out_tasks_without_labels() -> None:
    assert Window().by_task() == {}


def test_a_new_log_replaces_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"step": 1}\n')
    assert TrainLog(path).lines == []
    assert path.read_text() == ""


def straight(path: Path, last: int = 6) -> TrainLog:
    log = TrainLog(path)
    log.validation(step=0, epoch=0.0, window=Window(), seconds=1.0)
    for number in range(1, last + 1):
        take(log, number)
        if number % 2 == 0:
            flush(log, number)
        if number == 4:
            log.validation(step=4, epoch=0.4, window=Window(), seconds=1.0)
    return log


@pytest.mark.parametrize(
    "torn", ["", '{"step": 5, "loss": 1.', '{"step": 5', "{", '{"step": 6, "loss": 1}\n{"st']
)
def test_resumed_log_equals_the_straight_one(torn: str, tmp_path: Path) -> None:
    """Lines of steps that are taken again are dropped, a half-written one with them."""
    expected = straight(tmp_path / "straight.jsonl")
    path = tmp_path / "train.jsonl"
    straight(path, last=5)
    with path.open("a") as out:
        out.write(torn)
    log = TrainLog(path, resumed_step=4)
    assert [x["step"] for x in lines(path)] == [0, 2, 4, 4]
    log.validation(step=4, epoch=0.4, window=Window(), seconds=1.0)  # stands there already
    for number in (5, 6):
        take(log, number)
    flush(log, 6)
    assert timeless(path) == timeless(expected.path)
    found, wanted = log.summary(), expected.summary()
    for key in ("seconds", "instances_per_second"):
        del found[key], wanted[key]
    assert found == wanted


def test_resumed_at_an_earlier_checkpoint_drops_what_came_after(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    straight(path)
    log = TrainLog(path, resumed_step=2)
    assert [x["step"] for x in lines(path)] == [0, 2]
    assert log.tokens_total == 2 * (100 + 200)
    assert log.instances == {"solve": 4, "ir": 3}
    assert log.label_tokens == 14
    assert log.dropped == {"too_long": 1}
    assert not log.has_validation(4)
    assert log.has_validation(0)


def test_resumed_without_a_log(tmp_path: Path) -> None:
    log = TrainLog(tmp_path / "train.jsonl", resumed_step=4)
    take(log, 5)
    flush(log, 5)
    assert [x["step"] for x in lines(log.path)] == [5]


def test_seconds_run_on_without_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("dualtune.lm.trainlog.time.monotonic", lambda: now[0])
    path = tmp_path / "train.jsonl"
    log = TrainLog(path)
    take(log, 1)
    now[0] += 10
    flush(log, 1)
    now[0] += 7
    log.validation(step=1, epoch=0.1, window=Window(), seconds=7)
    assert log.seconds == 10
    now[0] += 500  # killed, and resumed later
    log = TrainLog(path, resumed_step=1)
    take(log, 2)
    now[0] += 5
    flush(log, 2)
    assert [x["seconds"] for x in lines(path) if "loss" in x] == [10, 15]
    assert lines(path)[-1]["instances_per_second"] == pytest.approx((3 + 4) / 15)


def test_an_infinite_norm_leaves_the_line_readable(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    log = TrainLog(path)
    take(log, 1)
    log.flush(step=1, epoch=0.1, learning_rate=1e-3, grad_norm=float("inf"))
    assert "Infinity" not in path.read_text()
    assert lines(path)[0]["grad_norm"] is None


def test_summary(tmp_path: Path) -> None:
    log = straight(tmp_path / "train.jsonl")
    window = Window(loss=np.array([4.0, 0, 0]), tokens=np.array([2, 0, 0]))
    log.validation(step=6, epoch=0.6, window=window, seconds=0.0)
    summary = log.summary()
    assert summary["steps"] == 6
    assert summary["instances"] == {"solve": 12, "irsp": 0, "ir": 21}
    assert summary["label_tokens"] == 42
    assert summary["tokens_total"] == 4200
    assert summary["tokens_distinct"] == 2520
    assert summary["first"] == {"solve": 3.0, "ir": 1.5}
    assert summary["final"] == {"solve": 11.0, "ir": 1.5}
    assert summary["validation"] == {"first": {"solve": 2.0}, "final": {"solve": 2.0}}
    assert summary["dropped"] == {"too_long": 3}


def test_summary_of_nothing(tmp_path: Path) -> None:
    summary = TrainLog(tmp_path / "train.jsonl").summary()
    assert summary["steps"] == 0
    assert summary["first"] == summary["final"] == {}


def test_a_full_disk_at_the_start_costs_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of steps that are taken again are dropped; the others hold the run's totals."""
    path = tmp_path / "train.jsonl"
    log = TrainLog(path)
    for number in (1, 2):
        take(log, number)
        flush(log, number)
    before = path.read_text()

    def full(file: Path, *_: Any, **__: Any) -> None:
        file.write_bytes(b"")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space left"):
            TrainLog(path, resumed_step=1)
    assert path.read_text() == before
