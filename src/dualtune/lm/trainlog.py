"""What a training run writes down: a line a logging step in train.jsonl, a summary at the end."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dualtune.files import write_whole
from dualtune.lm.facts import Facts
from dualtune.lm.gauge import Gauge
from dualtune.records import TASK_NAMES

Goal = Literal["loss", "accuracy"]


@dataclass(slots=True)
class Window:
    """Sums since the last logged line.

    Attributes:
        weighted: Weighted cross-entropy of the steps, each divided by its own weight.
        steps: Optimiser steps.
        loss: Cross-entropy sums by task ``[T]`` (nats).
        tokens: Label tokens by task ``[T]``.
        instances: Instances by task.
    """

    weighted: float = 0.0
    steps: int = 0
    loss: np.ndarray = field(default_factory=lambda: np.zeros(len(TASK_NAMES)))
    tokens: np.ndarray = field(default_factory=lambda: np.zeros(len(TASK_NAMES), np.int64))
    instances: Counter[str] = field(default_factory=Counter)

    def by_task(self) -> dict[str, dict[str, float]]:
        """Return mean loss, label tokens and instances of each task that occurred."""
        return {
            name: {
                "loss": float(self.loss[i] / self.tokens[i]),
                "tokens": int(self.tokens[i]),
                "instances": int(self.instances[name]),
            }
            for i, name in enumerate(TASK_NAMES)
            if self.tokens[i]
        }


class TrainLog:
    """Writes train.jsonl and keeps the totals of a run, across kills and resumes.

    A line is flushed at every logging step and before every checkpoint, so that a resumed run
    writes the lines that a straight one does.
    """

    def __init__(
        self,
        path: Path,
        *,
        resumed_step: int = 0,
        writes: bool = True,
        gauge: Gauge | None = None,
        goal: Goal = "loss",
    ) -> None:
        """Open the log.

        Args:
            path: train.jsonl. Lines of steps after ``resumed_step`` are dropped: they will be
                taken again.
            resumed_step: The last optimiser step that counts; 0 starts a new log.
            writes: Whether the file is written; of several ranks, the first one does.
            gauge: For the share of the peak and the time left; None leaves them out.
            goal: What makes an epoch better than another: a lower held-out ``loss`` of solve (of
                all tasks, where no solve instance is held out), or a higher ``accuracy`` of the
                probe.
        """
        self.path = path
        self.writes = writes
        self.gauge = gauge
        self.goal = goal
        self.lines: list[dict[str, Any]] = _kept_lines(path, resumed_step) if resumed_step else []
        if writes:
            # Beside and renamed: cut off by a kill or a full disk, the log of the steps that
            # count would be lost, and with it the totals and the best epoch.
            write_whole(path, "".join(json.dumps(line) + "\n" for line in self.lines))
        last: dict[str, Any] = next((x for x in reversed(self.lines) if "loss" in x), {})
        self.seconds_before = float(last.get("seconds", 0.0))
        self.tokens_total = int(last.get("tokens_total", 0))
        self.tokens_distinct = int(last.get("tokens_distinct", 0))
        self.flops = float(last.get("flops", 0.0))
        self.instances: Counter[str] = Counter()
        self.label_tokens = 0
        self.dropped: Counter[str] = Counter(last.get("dropped", {}))
        for line in self.lines:
            for task, cell in line.get("tasks", {}).items():
                self.instances[task] += cell["instances"]
                self.label_tokens += cell["tokens"]
        self.window = Window()
        self.started = time.monotonic()
        self.paused = 0.0

    @property
    def seconds(self) -> float:
        """Seconds spent training, validation left out, over all sessions of the run."""
        return self.seconds_before + time.monotonic() - self.started - self.paused

    def add(self, step: Facts, *, weighted: float, loss: np.ndarray, tokens: np.ndarray) -> None:
        """Count one optimiser step."""
        window = self.window
        window.weighted += weighted
        window.steps += bool(step.packs)
        window.loss += loss
        window.tokens += tokens
        window.instances.update(step.instances)
        self.instances.update(step.instances)
        self.label_tokens += int(tokens.sum())
        self.tokens_total += step.tokens_total
        self.tokens_distinct += step.tokens_distinct
        self.dropped.update(step.dropped)
        if self.gauge is not None:
            self.flops += self.gauge.flops_of(step)

    @property
    def peak_share(self) -> float | None:
        """Useful FLOPs a second of the run so far, as a share of the measured peak."""
        if self.gauge is None:
            return None
        return self.flops / max(self.seconds, 1e-9) / self.gauge.peak

    def flush(
        self, *, step: int, epoch: float, learning_rate: float, grad_norm: float
    ) -> dict[str, Any] | None:
        """Write the line of the current window and return it; None if nothing happened in it."""
        window = self.window
        if not window.steps:
            return None
        seconds = self.seconds
        self._write(
            {
                "step": step,
                "epoch": round(epoch, 6),
                "loss": window.weighted / window.steps,
                "tasks": window.by_task(),
                "learning_rate": learning_rate,
                # JSON knows no infinity, which fp16 meets while it looks for its scale.
                "grad_norm": grad_norm if math.isfinite(grad_norm) else None,
                "tokens_total": self.tokens_total,
                "tokens_distinct": self.tokens_distinct,
                "dropped": dict(self.dropped),
                "seconds": round(seconds, 3),
                "instances_per_second": sum(self.instances.values()) / max(seconds, 1e-9),
                "tokens_per_second": self.tokens_distinct / max(seconds, 1e-9),
                **self._gauged(epoch, seconds),
            }
        )
        self.window = Window()
        return self.lines[-1]

    def _gauged(self, epoch: float, seconds: float) -> dict[str, float]:
        if self.gauge is None:
            return {}
        done = self.gauge.share_done(epoch)
        return {
            "flops": self.flops,
            "peak_share": self.flops / max(seconds, 1e-9) / self.gauge.peak,
            "seconds_left": round(seconds * (1 - done) / done, 1),
        }

    def validation(
        self,
        *,
        step: int,
        epoch: float,
        window: Window,
        seconds: float,
        probe: dict[str, Any] | None = None,
    ) -> None:
        """Write a validation line; its time does not count as training.

        Args:
            step: After which it was.
            epoch: The same in epochs.
            window: Losses of the held-out Problems.
            seconds: What it took.
            probe: What the probe found, where there is one.
        """
        self.paused += seconds
        if self.has_validation(step):
            return  # the line of the step that this run resumed at
        line = {"step": step, "epoch": round(epoch, 6), "validation": window.by_task()}
        self._write(line if probe is None else {**line, "probe": probe})

    def has_validation(self, step: int) -> bool:
        """Say whether the validation of a step stands in the log."""
        return any("validation" in x and x["step"] == step for x in self.lines)

    def epochs_without_gain(self) -> int:
        """Return how many validations ago the best one was; the untuned model's counts as one."""
        held = [self._merit(line) for line in self.lines if "validation" in line]
        return len(held) - 1 - held.index(max(held)) if held else 0

    def best_step(self, until: int | None = None) -> int | None:
        """Return the last step of the best epoch, of equals the first; None before the first.

        Args:
            until: Epochs that ended after this step do not count; None counts all.
        """
        ended = [
            line
            for line in self.lines
            if "validation" in line and line["step"] and (until is None or line["step"] <= until)
        ]
        return int(max(ended, key=self._merit)["step"]) if ended else None

    def told_of(self, step: int, per_epoch: int) -> dict[str, Any]:
        """Return the epoch and the merit of a step, for what is said of the kept weights.

        Args:
            step: After which the weights were.
            per_epoch: Optimiser steps of an epoch.
        """
        told: dict[str, Any] = {"step": step, "epoch": step / per_epoch}
        line = next((x for x in self.lines if "validation" in x and x["step"] == step), None)
        if line is not None:
            told[self.goal] = abs(self._merit(line))
        return told

    def _merit(self, line: dict[str, Any]) -> float:
        if self.goal == "accuracy":
            return float(line["probe"]["accuracy"])
        return -_held_out_loss(line["validation"])

    def summary(self) -> dict[str, Any]:
        """Return what train.json says of the run so far."""
        trained = [x for x in self.lines if "loss" in x]
        validated = [x["validation"] for x in self.lines if "validation" in x]
        probed = [x["probe"] for x in self.lines if "probe" in x]
        # Up to the last step: writing the final checkpoint is not training.
        seconds = max(float(trained[-1]["seconds"]) if trained else 0.0, 1e-9)
        return {
            "steps": trained[-1]["step"] if trained else 0,
            "instances": {name: self.instances[name] for name in TASK_NAMES},
            "tokens_total": self.tokens_total,
            "tokens_distinct": self.tokens_distinct,
            "label_tokens": self.label_tokens,
            "seconds": round(seconds, 3),
            "instances_per_second": sum(self.instances.values()) / seconds,
            "first": _losses([x["tasks"] for x in trained], first=True),
            "final": _losses([x["tasks"] for x in trained], first=False),
            "validation": {
                "first": _losses(validated, first=True),
                "final": _losses(validated, first=False),
            },
            "probe": {"first": probed[0], "final": probed[-1]} if probed else None,
            "dropped": dict(self.dropped),
            **self._speed(seconds),
        }

    def _speed(self, seconds: float) -> dict[str, Any]:
        if self.gauge is None:
            return {}
        peak = self.gauge.peak
        return {
            "flops": self.flops,
            "peak_flops_per_second": peak,
            "peak_share": self.flops / seconds / peak,
        }

    def _write(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        if not self.writes:
            return
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


def _kept_lines(path: Path, step: int) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            break  # cut off by a kill: what follows belongs to steps that are taken again
        if line["step"] <= step:
            lines.append(line)
    return lines


def _losses(cells: list[dict[str, Any]], *, first: bool) -> dict[str, float]:
    found: dict[str, float] = {}
    for cell in cells:
        for task, values in cell.items():
            if not (first and task in found):
                found[task] = values["loss"]
    return found


def _held_out_loss(cells: dict[str, dict[str, float]]) -> float:
    if "solve" in cells:
        return cells["solve"]["loss"]
    tokens = sum(cell["tokens"] for cell in cells.values())
    return sum(cell["loss"] * cell["tokens"] for cell in cells.values()) / tokens
