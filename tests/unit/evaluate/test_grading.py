"""Grading what is stored: solutions, programs, and both together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dualtune.evaluate.grading import failed, grade_programs, grade_solutions, join_hybrid
from dualtune.evaluate.store import Program, Row
from dualtune.sources.benchmarks import BenchmarkRow

SOURCES = {
    row.id: row
    for row in (
        BenchmarkRow("n", "How many?", "7", "number"),
        BenchmarkRow("c", "Which? A) 3 B) 7", "B", "choice", options=("3", "7")),
        BenchmarkRow("l", "Simplify.", r"\frac{1}{2}", "latex", subject="Algebra", level="5"),
    )
}


def row(row_id: str, *outputs: str, **more: Any) -> Row:
    source = SOURCES[row_id]
    given: Any = {
        "id": row_id,
        "question": source.question,
        "prompt": "p",
        "outputs": list(outputs),
        "truncated": [False] * len(outputs),
        "gold": "of another day",
        "reference": "",
        "extracted": None,
        "status": "",
        "strict": False,
    }
    return given | more  # type: ignore[no-any-return]


def ran(answer: str | None, status: str = "ok") -> Program:
    return Program(status=status, answer=answer, error="")


def test_solutions_of_every_kind() -> None:
    rows = grade_solutions(
        [
            row("n", "So 3 + 4 = 7. The answer is 7."),
            row("c", "The answer is B."),
            row("l", r"So it is $\boxed{0.5}$."),
            row("n", "I do not know."),
        ],
        SOURCES,
    )
    assert [r["status"] for r in rows] == ["correct", "correct", "correct", "no_answer"]
    assert [r["strict"] for r in rows[:3]] == [True, True, True]
    assert rows[2]["gold"] == r"\frac{1}{2}", "the gold of today, whatever was stored"
    assert (rows[2]["kind"], rows[2]["subject"], rows[2]["level"]) == ("latex", "Algebra", "5")
    assert rows[1]["options"] == ["3", "7"]
    assert "status_all" not in rows[0]


def test_several_outputs_have_a_status_each() -> None:
    (graded,) = grade_solutions(
        [row("n", "The answer is 8.", "The answer is 7.", "None.")], SOURCES
    )
    assert (graded["status"], graded["extracted"]) == ("wrong", "8")
    assert graded["status_all"] == ["wrong", "correct", "no_answer"]
    assert graded["extracted_all"] == ["8", "7", None]


@pytest.mark.parametrize(
    ("row_id", "answer", "status"),
    [
        ("n", "7", "correct"),
        ("n", "7.0", "correct"),
        ("n", "8", "wrong"),
        ("c", "7", "correct"),  # the option that has the value
        ("c", "B", "correct"),
        ("l", "1/2", "correct"),
        ("n", "", "no_answer"),
        ("n", None, "no_answer"),
    ],
)
def test_programs_are_graded_by_what_they_print(
    row_id: str, answer: str | None, status: str
) -> None:
    (graded,) = grade_programs(
        [row(row_id, "print(7)")], SOURCES, run=lambda outputs: [ran(answer) for _ in outputs]
    )
    assert graded["status"] == status
    assert graded["program"]["answer"] == answer
    assert graded["outputs"] == ["print(7)"], "the row keeps what the model wrote"


def test_an_answer_of_a_program_that_failed_does_not_count() -> None:
    (graded,) = grade_programs(
        [row("n", "x")], SOURCES, run=lambda _: [ran("7", status="timed_out")]
    )
    assert graded["status"] == "no_answer"


def test_programs_run_once() -> None:
    asked: list[str] = []

    def run(outputs: Sequence[str]) -> list[Program]:
        asked.extend(outputs)
        return [ran("7") for _ in outputs]

    first = grade_programs([row("n", "one", "two"), row("c", "three")], SOURCES, run=run)
    assert asked == ["one", "two", "three"]
    asked.clear()
    assert grade_programs(first, SOURCES, run=run) == first
    assert asked == []
    # One more sample: the row is run anew, the other not.
    more = {**first[0], "outputs": ["one", "two", "four"], "truncated": [False] * 3}
    grade_programs([more, first[1]], SOURCES, run=run)  # type: ignore[list-item]
    assert asked == ["one", "two", "four"]


def test_hybrid_takes_the_solution_where_a_program_gives_no_answer() -> None:
    results = iter([ran("7"), ran(None, "error"), ran("8"), ran("7")])
    programs = grade_programs(
        [row("n", "a", "b"), row("c", "c", "d")],
        SOURCES,
        run=lambda outputs: [next(results) for _ in outputs],
    )
    assert [failed(r, samples=2) for r in programs] == [True, False]
    assert not failed(programs[0], samples=1)
    solutions = grade_solutions(
        [row("n", "The answer is 1.", "The answer is 7.", "x", prompt="cot")], SOURCES
    )
    joined = join_hybrid(programs, {r["id"]: r for r in solutions}, samples=2)
    assert joined[0]["decoded"] == ["pot", "cot"]
    assert joined[0]["outputs"] == ["a", "The answer is 7."]
    assert joined[0]["status_all"] == ["correct", "correct"]
    assert joined[0]["prompt"] == "p"
    assert joined[1]["decoded"] == ["pot", "pot"]
    assert (joined[1]["status"], joined[1]["extracted"]) == ("wrong", programs[1]["extracted"])
    # A wrong program is no reason for a solution: it gave an answer.
    assert joined[1]["outputs"] == ["c", "d"]
