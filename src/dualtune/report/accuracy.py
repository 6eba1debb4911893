"""The table of accuracies: benchmarks by domain, their averages, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dualtune.evaluate.compare import (
    Average,
    BenchmarkComparison,
    Comparison,
    compare,
    evaluated,
)
from dualtune.evaluate.statistics import Estimate, macro_average
from dualtune.report import wording
from dualtune.report.collect import RunFiles

DOMAINS = ("in", "out", "all")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models of a run on the same rows.

    Attributes:
        a: The model that is the reference: ``base`` where it was evaluated.
        b: The other.
        comparison: What came of them.
    """

    a: str
    b: str
    comparison: Comparison

    def benchmark(self, name: str) -> BenchmarkComparison | None:
        """Return the comparison on one benchmark, None where they share no rows of it."""
        return next((one for one in self.comparison.benchmarks if one.benchmark == name), None)

    def average(self, domain: str) -> Average | None:
        """Return the comparison of the averages of ``in``, ``out`` or ``all``."""
        return next((one for one in self.comparison.averages if one.domain == domain), None)


def pairs(files: RunFiles) -> list[Pair]:
    """Compare every further model of a run with its first one, row by row.

    Args:
        files: The run. Models without rows in common with the first are left out.
    """
    if len(files.evaluation) < 2:
        return []
    models = {
        name: evaluated(files.folder, name, files.evaluation, files.generations)
        for name in files.evaluation
    }
    (first, reference), *others = models.items()
    return [
        Pair(first, name, compare([reference], [model]))
        for name, model in others
        if any(reference.rows[b].keys() & rows.keys() for b, rows in model.rows.items()
               if b in reference.rows)
    ]  # fmt: skip


def table(files: RunFiles, compared: Sequence[Pair]) -> list[dict[str, Any]]:
    """Return the rows of the table: benchmarks in-domain, out of domain, and averages.

    Args:
        files: The run.
        compared: Its models compared.

    Returns:
        One entry a line: ``title``, ``note`` (its domain and rows), ``average`` (whether it is
        one), ``cells`` (model and Estimate, or None where there is none) and ``changes`` (a
        comparison a pair, or None). An average stands below two benchmarks or more.
    """
    names = dict.fromkeys(name for results in files.evaluation.values() for name in results)
    known = {name: next(r[name] for r in files.evaluation.values() if name in r) for name in names}
    right = {model: right_rows(files, model) for model in files.evaluation}
    lines: list[dict[str, Any]] = []
    for domain in ("in", "out", None):
        inside = [name for name in names if _domain(known[name]) == domain]
        lines += [_benchmark(name, known[name], files, compared) for name in inside]
        if domain and len(inside) > 1:
            lines.append(_average(domain, inside, right, compared))
    if len(names) > 1 and len({_domain(result) for result in known.values()}) > 1:
        lines.append(_average("all", list(names), right, compared))
    return lines


def sample_lines(files: RunFiles) -> list[dict[str, Any]]:
    """Return what several samples a row gave: the majority's accuracy and pass@k.

    Args:
        files: The run; results of one sample a row have no line.
    """
    return [
        {
            "benchmark": wording.benchmark_title(name),
            "model": wording.model_title(model),
            "k": result["samples"]["k"],
            "majority": result["samples"]["majority"],
            "passes": [(int(k), share) for k, share in result["samples"]["pass_at"].items()],
        }
        for model, results in files.evaluation.items()
        for name, result in results.items()
        if result.get("samples")
    ]


def left_out(files: RunFiles) -> list[str]:
    """Say which rows a named switch of the recipe leaves out of each benchmark."""
    found = {
        name: result["left_out"]
        for results in files.evaluation.values()
        for name, result in results.items()
        if any((result.get("left_out") or {}).values())
    }
    return [
        f"{wording.benchmark_title(name)}: "
        + ", ".join(f"{wording.plural(n, 'row')} ({why})" for why, n in counts.items() if n)
        for name, counts in found.items()
    ]


def right_rows(files: RunFiles, model: str) -> dict[str, list[bool]]:
    """Return whether a model has each graded row of its finished benchmarks right."""
    found = {}
    for one in files.generations:
        if one.model == model and one.benchmark in files.evaluation[model]:
            statuses = [row.get("status") for row in one.rows if row.get("status") != "error"]
            found[one.benchmark] = [status == "correct" for status in statuses]
    return found


def _benchmark(
    name: str, known: Mapping[str, Any], files: RunFiles, compared: Sequence[Pair]
) -> dict[str, Any]:
    modes = dict.fromkeys(r[name].get("mode", "") for r in files.evaluation.values() if name in r)
    rows = {m: wording.rows_of(r[name]) for m, r in files.evaluation.items() if name in r}
    said = list(dict.fromkeys(rows.values()))
    if len(said) > 1:  # evaluated with other limits
        said = [f"{wording.model_words(model)} {part}" for model, part in rows.items()]
    notes = [wording.domain_words(known.get("domain")), *said, *modes]
    return {
        "title": wording.benchmark_title(name),
        "note": " · ".join(filter(None, notes)),
        "average": False,
        "cells": [(m, _estimate(results.get(name))) for m, results in files.evaluation.items()],
        "changes": [pair.benchmark(name) for pair in compared],
    }


def _average(
    domain: str,
    names: Sequence[str],
    right: Mapping[str, Mapping[str, Sequence[bool]]],
    compared: Sequence[Pair],
) -> dict[str, Any]:
    words = "all" if domain == "all" else wording.domain_words(domain)
    return {
        "title": f"Average, {words}",
        "note": f"{wording.plural(len(names), 'benchmark')}, each counting alike",
        "average": True,
        "cells": [(model, _macro(names, rows)) for model, rows in right.items()],
        "changes": [pair.average(domain) for pair in compared],
    }


def _macro(names: Sequence[str], right: Mapping[str, Sequence[bool]]) -> Estimate | None:
    # A benchmark that a model was not evaluated on has no part in its average: none is given.
    if any(not right.get(name) for name in names):
        return None
    return macro_average({name: right[name] for name in names})


def _estimate(result: Mapping[str, Any] | None) -> Estimate | None:
    return None if result is None else Estimate(result["accuracy"], *result["interval"])


def _domain(result: Mapping[str, Any]) -> str | None:
    domain = result.get("domain")
    return str(domain) if domain in ("in", "out") else None
