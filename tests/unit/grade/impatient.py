"""The grader of ``hostile`` in processes that give a row that sleeps two seconds, no more."""

from __future__ import annotations

from dualtune.grade import Grade, worker
from tests.unit.grade import hostile

# Read by the keeper, which imports this module to find the grader.
worker.WALL_FACTOR, worker.WALL_MORE = 1, 1


def grade_impatiently(output: str, gold: str, kind: str, **given: object) -> Grade:
    """Grade as ``hostile.grade`` does."""
    return hostile.grade(output, gold, kind, **given)
