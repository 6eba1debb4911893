"""What a command says at its end: small tables on the terminal, from the files of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dualtune.evaluate.results import Results, read_evaluation
from dualtune.files import read_json
from dualtune.grade import STATUSES
from dualtune.intervals import wilson_interval

if TYPE_CHECKING:
    from dualtune.evaluate.compare import Comparison
    from dualtune.evaluate.statistics import Estimate
    from dualtune.grade.file import Summary

_NAMES = {"base": "before", "tuned": "after"}
_WIDE = 127  # columns that the table of a comparison needs


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
        # Of models that were evaluated with other limits each has its own number.
        rows = " / ".join(dict.fromkeys(str(cell["rows"]) if cell else "-" for cell in cells))
        table.add_row(benchmark, rows, known["domain"], *(_accuracy(cell) for cell in cells))
    _add_averages(table, read_json(run / "eval.json").get("averages") or {}, models)
    _print_whole(table)


def _add_averages(table: Table, averages: Mapping[str, Any], models: Results) -> None:
    """Add the averages of two benchmarks and more, as ``eval.json`` holds them.

    One over other benchmarks than those that stand above is none of this table.
    """
    table.add_section()
    known = {name: one["domain"] for results in models.values() for name, one in results.items()}
    for domain in ("in", "out", "all"):
        above = {name for name, its in known.items() if domain in (its, "all")}
        cells = [averages.get(name, {}).get(domain) for name in models]
        fitting = [cell if cell and set(cell["benchmarks"]) == above else None for cell in cells]
        if len(above) > 1 and any(fitting):
            name = f"average of {len(above)}"
            table.add_row(name, "", domain, *(_accuracy(cell) for cell in fitting))


def _print_whole(table: Table) -> None:
    """Print a table, which is cut nowhere where no terminal sets a width."""
    console = Console()
    if not console.is_terminal:
        whole = console.measure(table, options=console.options.update(max_width=10_000))
        console.width = max(console.width, whole.maximum)
    console.print(table)


def print_training(run: Path) -> None:
    """Print first and last loss of each task and the speed of training."""
    trained = read_json(run / "train.json")
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
    built = read_json(run / "build.json")
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


def print_comparison(comparison: Comparison) -> None:
    """Print two sides row by row: accuracies, differences, p-values, and what differs."""
    console = Console()
    for letter, names in (("A", comparison.a), ("B", comparison.b)):
        seeds = f"  ({len(names)} seeds)" if len(names) > 1 else ""
        console.print(f"{letter}: {', '.join(names)}{seeds}", soft_wrap=True, highlight=False)
    table = Table(
        title="accuracy in %, 95 % intervals, on the rows that both answered", box=SIMPLE_HEAD
    )
    for column in ("benchmark", "rows", "A", "B", "B - A (points)", "only A\nright",
                   "only B\nright", "p", "p, Holm", "rows to see\n1 point"):  # fmt: skip
        table.add_column(
            column,
            justify="left" if column == "benchmark" else "right",
            no_wrap=console.width >= _WIDE or not console.is_terminal,
        )
    for one in comparison.benchmarks:
        table.add_row(
            f"{one.benchmark}\n{_domain(one.domain)}, {one.mode}",
            f"{one.rows:,}",
            _bounds(one.a),
            _bounds(one.b),
            _bounds(one.difference, sign="+"),
            "-" if one.only_a is None else f"{one.only_a:,}",
            "-" if one.only_b is None else f"{one.only_b:,}",
            _p(one.p),
            _p(one.p_holm),
            f"{one.rows_needed:,}",
        )
    table.add_section()
    for average in comparison.averages:
        if len(average.benchmarks) == 1:
            continue  # the average of one benchmark stands above
        table.add_row(
            f"average of {len(average.benchmarks)}\n{_domain(average.domain)}",
            "",
            _bounds(average.a),
            _bounds(average.b),
            _bounds(average.difference, sign="+"),
        )
    _print_whole(table)
    for notice in comparison.notices:
        console.print(f"note: {notice}", soft_wrap=True, highlight=False)


def _domain(domain: str | None) -> str:
    words = {"in": "in domain", "out": "out of domain", "all": "all benchmarks"}
    return words.get(domain or "", "domain differs")


def _bounds(estimate: Estimate, *, sign: str = "") -> str:
    value, low, high = (100 * x for x in (estimate.value, estimate.low, estimate.high))
    return f"{value:{sign}.1f}\n{low:{sign}.1f} to {high:{sign}.1f}"


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def print_grades(summary: Summary, *, to_stderr: bool = False) -> None:
    """Print how many rows of a file got which status.

    Args:
        summary: What ``dualtune grade`` returned.
        to_stderr: Print beside standard output, where the rows go there.
    """
    total = summary.statuses.total()
    table = Table(title=f"{total:,} rows graded")
    table.add_column("status")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    for status in STATUSES:
        count = summary.statuses[status]
        if count:
            table.add_row(status, f"{count:,}", f"{count / total:.1%}")
    table.add_row("correct, as asked", f"{summary.strict:,}", f"{summary.strict / total:.1%}")
    for reason, count in sorted(summary.rejected.items()):
        table.add_row(f"rejected: {reason}", f"{count:,}", "")
    console = Console(stderr=to_stderr)
    console.print(table)
    counted = total - summary.statuses["error"]  # whose gold can be read, as in an evaluation
    if counted:
        correct = summary.statuses["correct"]
        share = {"accuracy": correct / counted, "interval": wilson_interval(correct, counted)}
        console.print(
            f"accuracy: {correct:,} of {counted:,} rows, {_accuracy(share)}", highlight=False
        )
    if summary.rejected_file is not None:
        console.print(f"rejected rows with their reasons: {summary.rejected_file}", soft_wrap=True)


def _accuracy(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "-"
    low, high = result["interval"]
    return f"{100 * result['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
