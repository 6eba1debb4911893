"""What graded rows add up to: the entries of ``eval.json``."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from dualtune.errors import BadInput
from dualtune.evaluate.statistics import macro_average, majority_vote, pass_at_k
from dualtune.evaluate.store import Row, write_atomically
from dualtune.grade import STATUSES, AnswerKind, answer_key
from dualtune.intervals import wilson_interval
from dualtune.recipe import Eval
from dualtune.sources.benchmarks import excluded, find_benchmark, load_benchmark

log = logging.getLogger(__name__)

_DOMAINS = ("in", "out", "all")


def summarise(rows: Sequence[Row], benchmark: str, *, settings: Eval) -> dict[str, Any]:
    """Count graded rows.

    Rows whose gold answer cannot be read (status ``error``) say nothing about the model: they are
    counted, and left out of the accuracy.

    Args:
        rows: Graded rows.
        benchmark: Their benchmark.
        settings: The recipe's eval section.

    Returns:
        The entry of ``eval.json``, without domain and seconds.
    """
    statuses = Counter(row["status"] for row in rows)
    graded = len(rows) - statuses["error"]
    correct = statuses["correct"]
    strict = sum(row["status"] == "correct" and row["strict"] for row in rows)
    low, high = wilson_interval(correct, graded)
    entry: dict[str, Any] = {
        "mode": settings.mode,
        "rows": len(rows),
        "of": _rows_in_all(benchmark, settings),
        "correct": correct,
        "accuracy": correct / graded if graded else 0.0,
        "interval": [low, high],
        "strict": strict / graded if graded else 0.0,
        "statuses": {status: statuses[status] for status in STATUSES},
        "truncated": sum(any(row["truncated"][: settings.samples]) for row in rows),
    }
    if settings.exclude:
        left_out = excluded(benchmark, settings.exclude).values()
        entry["left_out"] = dict(Counter(issue.list for issue in left_out))
    if settings.mode != "cot":
        entry["programs"] = dict(Counter(row["program"]["status"] for row in rows))
    if settings.mode == "hybrid":
        entry["decoded"] = dict(Counter(row["decoded"][0] for row in rows))
    if settings.samples > 1:
        entry["samples"] = _of_samples(rows, settings.samples)
    return entry


def right_rows(rows: Sequence[Row]) -> list[bool]:
    """Return for each graded row whether it is right; those with status ``error`` stay out."""
    return [row["status"] == "correct" for row in rows if row["status"] != "error"]


def averages(
    right: Mapping[str, Sequence[bool]], domains: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Average the accuracies of a model's benchmarks, in-domain, out-of-domain and all.

    Args:
        right: Benchmark to whether each of its graded rows is right.
        domains: Benchmark to ``in`` or ``out``.

    Returns:
        For each of ``in``, ``out`` and ``all`` that has benchmarks: the accuracy, its interval and
        the benchmarks. One without a graded row has no accuracy, and stays out.
    """
    empty = [name for name, rows in right.items() if not rows]
    if empty:
        log.warning("left out of the averages, as no row could be graded: %s", ", ".join(empty))
    found = {}
    for domain in _DOMAINS:
        chosen = {
            name: rows for name, rows in right.items() if rows and domain in (domains[name], "all")
        }
        if chosen:
            mean = macro_average(chosen)
            found[domain] = {
                "accuracy": mean.value,
                "interval": [mean.low, mean.high],
                "benchmarks": list(chosen),
            }
    return found


def merge_results(
    file: Path,
    name: str,
    results: Mapping[str, Mapping[str, Any]],
    *,
    means: Mapping[str, Any] | None = None,
) -> None:
    """Add a model's results to ``eval.json``, keeping those of other models and benchmarks.

    Args:
        file: ``eval.json``, there or not.
        name: The model.
        results: Benchmark to its entry.
        means: The model's averages; None leaves them as they are.

    Raises:
        BadInput: If the file is there and is no JSON object of models.
    """
    held = _read(file)
    held["models"][name] = {**held["models"].get(name, {}), **results}
    if means is not None:
        held["averages"][name] = dict(means)
    _write(file, held)


def drop_results(file: Path, name: str, *, keep: Mapping[str, str]) -> None:
    """Take out of ``eval.json`` what a model's name no longer stands for.

    Args:
        file: ``eval.json``, there or not.
        name: The model; results of others are kept.
        keep: Benchmark to the fingerprint that its result must have.

    Raises:
        BadInput: If the file is there and is no JSON object of models.
    """
    held = _read(file)
    before = held["models"].get(name, {})
    after = {b: r for b, r in before.items() if b in keep and r.get("fingerprint") == keep[b]}
    if after == before:
        return
    gone = ", ".join(sorted(before.keys() - after.keys()))
    log.info(
        "%s: dropping results of another evaluation of %s (the generations are kept): %s",
        file,
        name,
        gone,
    )
    held["averages"].pop(name, None)
    if after:
        held["models"][name] = after
    else:
        del held["models"][name]
    _write(file, held)


def _rows_in_all(benchmark: str, settings: Eval) -> int:
    known = find_benchmark(benchmark, files=settings.files).rows
    if known is not None:
        return known
    return len(load_benchmark(benchmark, data_dir=settings.data_dir, files=settings.files))


def _of_samples(rows: Sequence[Row], samples: int) -> dict[str, Any]:
    graded = [row for row in rows if row["status"] != "error"]
    right = [row["status_all"][:samples].count("correct") for row in graded]
    voted = sum(_vote_is_right(row, samples) for row in graded)
    low, high = wilson_interval(voted, len(graded))
    chances = {
        str(k): sum(pass_at_k(samples, count, k) for count in right) / max(len(graded), 1)
        for k in _tries(samples)
    }
    return {
        "k": samples,
        "majority": {
            "correct": voted,
            "accuracy": voted / len(graded) if graded else 0.0,
            "interval": [low, high],
        },
        "pass_at": chances,
    }


def _tries(samples: int) -> list[int]:
    """Return 1, 2, 4, … and the number of samples itself."""
    powers = [2**i for i in range(samples.bit_length()) if 2**i < samples]
    return [*powers, samples]


def _vote_is_right(row: Row, samples: int) -> bool:
    kind, options = cast(AnswerKind, row["kind"]), tuple(row["options"])
    keys = [
        None if extracted is None else answer_key(extracted, kind, options)
        for extracted in row["extracted_all"][:samples]
    ]
    winner = majority_vote(keys)
    return winner is not None and row["status_all"][keys.index(winner)] == "correct"


def _read(file: Path) -> dict[str, dict[str, Any]]:
    if not file.exists():
        return {"models": {}, "averages": {}}
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        return {"models": dict(held["models"]), "averages": dict(held.get("averages", {}))}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{file} cannot be read ({error!r}). Move it away and run the same command again: "
            "the generations are kept, so this takes seconds."
        ) from error


def _write(file: Path, held: Mapping[str, Any]) -> None:
    write_atomically(file, json.dumps(held, indent=2).encode() + b"\n")
