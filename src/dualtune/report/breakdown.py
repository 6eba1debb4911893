"""Where a model is right and where it is not: by kind of answer, steps, level and subject."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dualtune.evaluate.paired import paired_bootstrap
from dualtune.evaluate.results import Generations
from dualtune.evaluate.statistics import Estimate
from dualtune.files import Json
from dualtune.intervals import wilson_interval
from dualtune.report import wording
from dualtune.text.steps import segment

DIMENSIONS = {
    "kind": "Kind of answer",
    "steps": "Steps of the reference solution",
    "level": "Level",
    "subject": "Subject",
}
"""Part of a benchmark to its heading."""

MANY_STEPS = 8
"""Rows of so many steps and more are one group."""

_LETTERS = re.compile(r"[^\W\d_]{2}")
_OPERATOR = re.compile(r"(?<=[\d)])\s*[-+*/]")


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one value of a part, such as MATH's level 5.

    Attributes:
        benchmark: The benchmark's key on the page; empty where rows of all of them are counted.
        title: The benchmark's name.
        value: The value, as ``parts_of`` gives it.
        words: The value in words.
        rows: Rows that every model answered and whose gold answer could be read.
        accuracies: The accuracy of each model with its Wilson interval.
        difference: The model that ``compared_with_first`` names minus the first, with its paired
            interval; None with one model.
    """

    benchmark: str
    title: str
    value: str
    words: str
    rows: int
    accuracies: tuple[Estimate, ...]
    difference: Estimate | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One table: a part, and its groups in the benchmarks that have several."""

    name: str
    title: str
    groups: tuple[Group, ...]


def parts_of(row: Json) -> dict[str, str]:
    """Return the parts of its benchmark that a row belongs to.

    Args:
        row: A row of generations; older ones hold neither kind nor subject nor level.

    Returns:
        Name of ``DIMENSIONS`` to value, for those that are known.
    """
    steps = count_steps(str(row.get("reference") or ""))
    known = {
        "kind": row.get("kind"),
        "steps": str(min(steps, MANY_STEPS)) if steps else None,
        "level": row.get("level"),
        "subject": row.get("subject"),
    }
    return {name: str(value) for name, value in known.items() if value}


def count_steps(reference: str) -> int:
    """Count the steps of a reference solution; of a bare equation (SVAMP's) its operations."""
    if not reference.strip():
        return 0
    if not _LETTERS.search(reference):
        return max(1, len(_OPERATOR.findall(reference)))
    return len(segment(reference))


def value_words(name: str, value: str) -> str:
    """Write a part's value as a reader would."""
    if name == "steps":
        more = " or more" if value == str(MANY_STEPS) else ""
        return f"{value} step{'' if value == '1' else 's'}{more}"
    if name == "level":
        return value if value.lower().startswith("level") else f"level {value}"
    return value.replace("_", " ")


def compared_with_first(models: Sequence[str]) -> str | None:
    """Return the model whose difference to the first one stands in the tables: the tuned one.

    Args:
        models: The models of the tables, in order.

    Returns:
        Without a tuned model behind the first, the last one; None where there is one model alone.
    """
    others = models[1:]
    return "tuned" if "tuned" in others else others[-1] if others else None


def breakdowns(
    benchmarks: Mapping[str, Sequence[Generations]], models: Sequence[str]
) -> list[Breakdown]:
    """Break accuracies down by the parts of the benchmarks.

    Args:
        benchmarks: A benchmark's key on the page to the generations of its models.
        models: The models of the tables, in order.

    Returns:
        A table for each part that some benchmark has several values of. Kinds of answer are
        counted over the rows of all benchmarks together.
    """
    rows = {
        key: list(_common(files, models))
        for key, files in benchmarks.items()
        if set(models) <= {one.model for one in files}
    }
    second = compared_with_first(models)
    against = None if second is None else models.index(second)
    made = []
    for name, title in DIMENSIONS.items():
        if name == "kind":
            pools = [("", "All benchmarks", [row for found in rows.values() for row in found])]
        else:
            pools = [(key, wording.benchmark_key_title(key), found) for key, found in rows.items()]
        groups = tuple(group for pool in pools for group in _groups(name, *pool, against))
        if groups:
            made.append(Breakdown(name, title, groups))
    return made


def _common(
    files: Sequence[Generations], models: Sequence[str]
) -> Iterator[tuple[dict[str, str], list[bool]]]:
    """Yield the parts of each row that all models answered, and which of them have it right."""
    by_model = {one.model: {str(row["id"]): row for row in one.rows} for one in files}
    for key, row in by_model[models[0]].items():
        answers = [by_model[model].get(key) for model in models]
        statuses = [answer.get("status") for answer in answers if answer is not None]
        if len(statuses) == len(models) and "error" not in statuses:
            yield parts_of(row), [status == "correct" for status in statuses]


def _groups(
    name: str,
    key: str,
    title: str,
    rows: Sequence[tuple[dict[str, str], list[bool]]],
    against: int | None,
) -> Iterator[Group]:
    found: dict[str, list[list[bool]]] = {}
    for parts, right in rows:
        if name in parts:
            found.setdefault(parts[name], []).append(right)
    if len(found) < 2:
        return
    for value in sorted(found, key=_order):
        by_model = list(zip(*found[value], strict=True))
        difference = (
            None
            if against is None
            else paired_bootstrap(by_model[0], by_model[against], resamples=2_000)
        )
        yield Group(
            benchmark=key,
            title=title,
            value=value,
            words=value_words(name, value),
            rows=len(found[value]),
            accuracies=tuple(_accuracy(right) for right in by_model),
            difference=difference,
        )


def _order(value: str) -> tuple[int, float, str]:
    return (0, float(value), "") if value.isdecimal() else (1, 0.0, value)


def _accuracy(right: Sequence[Any]) -> Estimate:
    low, high = wilson_interval(sum(right), len(right))
    return Estimate(sum(right) / len(right), low, high)
