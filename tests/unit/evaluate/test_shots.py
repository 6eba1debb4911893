"""Solved examples: they state what they ask for, and grade correct."""

from __future__ import annotations

import pytest

from dualtune.errors import BadInput
from dualtune.evaluate.harness import check_settings
from dualtune.evaluate.shots import Shot, shots_for
from dualtune.grade.pool import GradeRow, grade_rows
from dualtune.recipe import Eval
from dualtune.sources.formats.choices import find_options


@pytest.mark.parametrize(("kind", "count"), [("number", 8), ("choice", 4), ("latex", 4)])
def test_every_example_grades_correct(kind: str, count: int) -> None:
    shots = shots_for(kind)  # type: ignore[arg-type]
    assert len(shots) == count
    assert all(shot.source.startswith("arXiv") for shot in shots)
    rows = [_row(str(n), shot) for n, shot in enumerate(shots)]
    assert [(g.status, g.strict) for g in grade_rows(rows)] == [("correct", True)] * count


def test_mixed_sets_show_numbers() -> None:
    assert shots_for("mixed") == shots_for("number")


def _row(name: str, shot: Shot) -> GradeRow:
    return GradeRow(
        id=name,
        output=shot.solution,
        gold=shot.answer.strip("$"),
        kind=shot.kind,
        question=shot.question,
        options=find_options(shot.question) if shot.kind == "choice" else (),
    )


def test_a_benchmark_named_for_its_domain_alone_needs_no_examples() -> None:
    settings = Eval(benchmarks=("gsm8k",), domains={"math": "in"}, shots=8)
    check_settings(settings)
    with pytest.raises(BadInput, match="there are 4 solved examples for math"):
        check_settings(settings.model_copy(update={"benchmarks": ("gsm8k", "math")}))
