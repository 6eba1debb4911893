"""What is known to be wrong with rows of the benchmarks, from the packaged list ``known.jsonl``.

Nothing here changes a row. ``eval.exclude`` leaves the rows of a list out, and the result says how
many; ``docs/benchmarks.md`` says how the lists came about.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal, get_args

Exclusion = Literal["wrong_labels", "overlaps", "partial_golds"]
EXCLUSIONS: tuple[Exclusion, ...] = get_args(Exclusion)


@dataclass(frozen=True, slots=True)
class KnownIssue:
    """A row that says less about a model than its set promises.

    Attributes:
        benchmark: The benchmark.
        id: The row.
        list: Which list holds it: ``wrong_labels`` (the gold is not the answer), ``overlaps`` (the
            question stands in another set, or earlier in its own), ``partial_golds`` (the question
            asks for several numbers and the gold is one).
        cause: What is wrong.
        source: Who found it.
    """

    benchmark: str
    id: str
    list: Exclusion
    cause: str
    source: str


@lru_cache(maxsize=1)
def known_issues() -> tuple[KnownIssue, ...]:
    """Return the packaged list."""
    text = (files(__package__) / "known.jsonl").read_text(encoding="utf-8")
    return tuple(KnownIssue(**json.loads(line)) for line in text.splitlines())


def excluded(name: str, lists: Collection[Exclusion]) -> Mapping[str, KnownIssue]:
    """Return the rows of a benchmark that lists leave out, by id.

    Args:
        name: The benchmark.
        lists: What ``eval.exclude`` names.
    """
    return {
        issue.id: issue
        for issue in known_issues()
        if issue.benchmark == name and issue.list in lists
    }
