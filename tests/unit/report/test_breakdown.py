"""Accuracies by kind of answer, steps, level and subject."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualtune.evaluate.results import Generations
from dualtune.intervals import wilson_interval
from dualtune.report.breakdown import (
    breakdowns,
    compared_with_first,
    count_steps,
    parts_of,
    value_words,
)
from dualtune.report.browse import by_benchmark
from dualtune.report.collect import collect

from .fake_eval import write_nine


@pytest.mark.parametrize(
    ("reference", "steps"),
    [
        ("", 0),
        ("First 3 + 4 = 7.\nThen 7 - 2 = 5.", 2),
        ("( 76.0 - 25.0 )", 1),  # SVAMP's equations: their operations
        ("( ( 8.0 - 2.0 ) / -3.0 )", 2),
        ("4", 1),
        ("We add. We divide by $2.5$. So it is 3.", 3),
    ],
)
def test_steps_of_a_reference(reference: str, steps: int) -> None:
    assert count_steps(reference) == steps


def test_parts_of_old_and_new_rows() -> None:
    assert parts_of({"id": "a"}) == {}
    new = {"kind": "latex", "level": "5", "subject": "Algebra", "reference": "We add. " * 40}
    assert parts_of(new) == {"kind": "latex", "steps": "8", "level": "5", "subject": "Algebra"}


def test_values_in_words() -> None:
    assert value_words("steps", "1") == "1 step"
    assert value_words("steps", "8") == "8 steps or more"
    assert value_words("level", "Level 5") == "Level 5"
    assert value_words("subject", "college_mathematics") == "college mathematics"


def rows(*letters: str) -> list[dict[str, object]]:
    words = {"r": "correct", "w": "wrong", "e": "error"}
    return [{"id": str(i), "level": text[0], "status": words[text[1]]}
            for i, text in enumerate(letters)]  # fmt: skip


def test_groups_count_rows_that_all_models_answered_and_that_could_be_graded() -> None:
    base = Generations("base", "math", "cot", rows("1r", "1w", "2w", "2e", "1w"))
    tuned = Generations("tuned", "math", "cot", rows("1r", "1r", "2r", "2r"))
    (found,) = breakdowns(by_benchmark([base, tuned], {}), ["base", "tuned"])
    one, two = found.groups
    assert (found.name, one.words, one.rows, two.rows) == ("level", "level 1", 2, 1)
    assert [a.value for a in one.accuracies] == [0.5, 1]
    assert (one.accuracies[1].low, one.accuracies[1].high) == wilson_interval(2, 2)
    assert one.difference is not None
    assert one.difference.value == 0.5


def test_with_several_models_the_difference_is_that_of_tuning() -> None:
    assert compared_with_first(["base", "tuned", "a-third"]) == "tuned"
    assert compared_with_first(["base", "a", "b"]) == "b"
    assert compared_with_first(["tuned"]) is None
    models = {"base": "1w 2w", "tuned": "1r 2r", "a-third": "1w 2r"}
    made = [Generations(m, "math", "cot", rows(*text.split())) for m, text in models.items()]
    (found,) = breakdowns(by_benchmark(made, {}), list(models))
    assert [g.difference and g.difference.value for g in found.groups] == [1.0, 1.0]


def test_a_benchmark_of_one_level_is_not_broken_down() -> None:
    alone = Generations("base", "math", "cot", rows("1r", "1w"))
    assert breakdowns(by_benchmark([alone], {}), ["base"]) == []


def test_nine_benchmarks(tmp_path: Path) -> None:
    files = collect(write_nine(tmp_path, rows=40))
    groups = by_benchmark(files.generations, files.evaluation)
    found = {one.name: one for one in breakdowns(groups, ["base", "tuned"])}
    assert list(found) == ["kind", "level", "subject"]
    kinds = {g.words: g.rows for g in found["kind"].groups}
    # One row of each benchmark has a right answer that cannot be read.
    assert kinds == {"choice": 3 * 39, "latex": 39, "mixed": 2 * 39, "number": 3 * 39}
    assert sum(group.rows for group in found["level"].groups) == 39
