"""What a command says at its end: small tables on the terminal, from the files of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dualtune.report.collect import read_evaluation

_NAMES = {"base": "before", "tuned": "after"}


def print_summary(run: Path) -> None:
    """Print accuracy, losses and speed of a run, and where its report is."""
    print_accuracy(run)
    print_training(run)
    Console().print(f"report: {run / 'report.html'}", soft_wrap=True)


def print_accuracy(run: Path) -> None:
    """Print the accuracy of each model on each benchmark with its 95 % interval."""
    models = read_evaluation(run)
    if not models:
        return
    table = Table(title="accuracy, 95 % interval")
    table.add_column("benchmark")
    table.add_column("rows", justify="right")
    table.add_column("domain")
    for name in models:
        table.add_column(_NAMES.get(name, name), justify="right")
    for benchmark in dict.fromkeys(b for results in models.values() for b in results):
        cells = [results.get(benchmark) for results in models.values()]
        known = next(cell for cell in cells if cell)
        table.add_row(
            benchmark, str(known["rows"]), known["domain"], *(_accuracy(cell) for cell in cells)
        )
    Console().print(table)


def print_training(run: Path) -> None:
    """Print first and last loss of each task and the speed of training."""
    trained = _read(run / "train.json")
    if not trained:
        return
    held = trained["validation"]
    table = Table(title="loss a label token (nats)")
    for column in ("task", "instances", "first", "last", "held-out first", "held-out last"):
        table.add_column(column, justify="left" if column == "task" else "right")
    for task, count in trained["instances"].items():
        if count:
            values = (
                trained["first"],
                trained["final"],
                held["first"],
                held["final"],
            )
            table.add_row(task, f"{count:,}", *(_loss(v.get(task)) for v in values))
    console = Console()
    console.print(table)
    saved = 1 - trained["tokens_distinct"] / max(trained["tokens_total"], 1)
    console.print(
        f"{trained['instances_per_second']:.2f} instances/s, {trained['steps']} steps in "
        f"{trained['seconds']:.0f} s, {trained['precision']} on {trained['device']}; prefix "
        f"sharing left out {saved:.0%} of {trained['tokens_total']:,} tokens",
        soft_wrap=True,
    )
    for cause, count in trained["dropped"].items():
        console.print(f"left out of training: {cause}, {count:,} instances")


def print_build(run: Path) -> None:
    """Print what a build wrote, skipped and rejected."""
    built = _read(run / "build.json")
    table = Table(title="build")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_row("rows read", f"{built['rows_read']:,}")
    table.add_row("Problems to train on", f"{built['problems']:,}")
    table.add_row("Problems held out", f"{built['validation_problems']:,}")
    for task, count in built["instances"].items():
        table.add_row(f"{task} instances", f"{count:,}")
    for cause, count in built["masks_skipped"].items():
        table.add_row(f"skipped: {cause}", f"{count:,}")
    for cause, count in built["rejected"].items():
        table.add_row(f"rejected rows: {cause}", f"{count:,}")
    console = Console()
    console.print(table)
    if built["rejected"]:
        console.print(f"rejected rows with their reasons: {run / 'rejected.jsonl'}")


def _accuracy(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "-"
    low, high = result["interval"]
    return f"{100 * result['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return values
