"""Grading generations: solutions as they are, programs by what they print.

No model is needed, so rows are graded with the grader of today whenever they are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dualtune.evaluate.store import Program, Row
from dualtune.grade.pool import Graded, GradeRow, grade_rows
from dualtune.sources.benchmarks import BenchmarkRow

RunPrograms = Callable[[Sequence[str]], Sequence[Program]]
Sources = Mapping[str, BenchmarkRow]

_ANSWERED = "ok"  # the status of a program that ran to its end


def grade_solutions(rows: Sequence[Row], sources: Sources) -> list[Row]:
    """Grade rows whose outputs are solutions (mode cot).

    Args:
        rows: Complete rows of a benchmark.
        sources: The benchmark's rows by id.

    Returns:
        The rows with extracted answers and statuses.
    """
    return _graded(rows, sources, lambda row: [text or "" for text in row["outputs"]])


def grade_programs(rows: Sequence[Row], sources: Sources, *, run: RunPrograms) -> list[Row]:
    """Run the programs that outputs are, and grade what they print (mode pot).

    A program that was run before is not run again: its row holds what became of it.

    Args:
        rows: Complete rows of a benchmark.
        sources: The benchmark's rows by id.
        run: Runs the programs of outputs, in their order.
    """
    new = [row for row in rows if len(row.get("programs", ())) != len(row["outputs"])]
    ran = iter(run([text or "" for row in new for text in row["outputs"]]))
    held = {row["id"]: [next(ran) for _ in row["outputs"]] for row in new}
    with_programs = [_with_programs(r, held.get(r["id"], r.get("programs", []))) for r in rows]
    return _graded(
        with_programs, sources, lambda row: [_spoken(program) for program in row["programs"]]
    )


def failed(row: Row, *, samples: int) -> bool:
    """Say whether a program of a row gave no answer, so that hybrid decoding needs solutions."""
    return not all(map(_answered, row["programs"][:samples]))


def join_hybrid(
    programs: Sequence[Row], solutions: Mapping[str, Row], *, samples: int
) -> list[Row]:
    """Take each program that answers, and the solution where it does not.

    That is the hybrid decoding of MAmmoTH (Yue et al. 2023, arXiv 2309.05653, section 2.4).

    Args:
        programs: Graded rows of mode pot.
        solutions: Graded rows of mode cot, at least of those rows where a program failed; by id.
        samples: Outputs a row; rows may hold more, made for a larger number.
    """
    joined = []
    for row in programs:
        parts = [
            _Part(row, i, "pot") if _answered(program) else _Part(solutions[row["id"]], i, "cot")
            for i, program in enumerate(row["programs"][:samples])
        ]
        joined.append(_joined(row, parts))
    return joined


@dataclass(frozen=True, slots=True)
class _Part:
    """One output of a hybrid row, taken from a row of its decoding."""

    row: Row
    sample: int
    decoded: str

    @property
    def extracted(self) -> str | None:
        every = self.row.get("extracted_all", [self.row["extracted"]])
        return every[self.sample]

    @property
    def status(self) -> str:
        every = self.row.get("status_all", [self.row["status"]])
        return every[self.sample]


def _joined(row: Row, parts: Sequence[_Part]) -> Row:
    first = parts[0]
    joined: Row = {
        **row,
        "prompt": first.row["prompt"],
        "outputs": [part.row["outputs"][part.sample] for part in parts],
        "truncated": [part.row["truncated"][part.sample] for part in parts],
        "extracted": first.extracted,
        "status": first.status,
        "strict": first.row["strict"],
        "decoded": [part.decoded for part in parts],
    }
    if len(parts) > 1:
        joined["extracted_all"] = [part.extracted for part in parts]
        joined["status_all"] = [part.status for part in parts]
    return joined


def _with_programs(row: Row, programs: Sequence[Program]) -> Row:
    return {**row, "program": programs[0], "programs": list(programs)}


def _answered(program: Program) -> bool:
    return program["status"] == _ANSWERED and bool((program["answer"] or "").strip())


def _spoken(program: Program) -> str:
    """Say a program's answer in the words that a solution would."""
    return f"The answer is {(program['answer'] or '').strip()}." if _answered(program) else ""


def _graded(
    rows: Sequence[Row], sources: Sources, texts: Callable[[Row], Sequence[str]]
) -> list[Row]:
    def asked() -> Iterator[GradeRow]:
        for row in rows:
            source = sources[row["id"]]
            for text in texts(row):
                yield GradeRow(
                    id=row["id"],
                    output=text,
                    gold=source.gold,
                    kind=source.kind,
                    question=source.question,
                    options=source.options,
                )

    grades = grade_rows(asked())
    return [
        _with_grades(row, sources[row["id"]], [next(grades) for _ in row["outputs"]])
        for row in rows
    ]


def _with_grades(row: Row, source: BenchmarkRow, grades: Sequence[Graded]) -> Row:
    first = grades[0]
    graded: Row = {
        **row,
        "gold": source.gold,
        "reference": source.reference,
        "kind": source.kind,
        "options": list(source.options),
        "subject": source.subject,
        "level": source.level,
        "extracted": first.extracted,
        "status": first.status,
        "strict": first.strict,
    }
    if len(grades) > 1:
        graded["extracted_all"] = [grade.extracted for grade in grades]
        graded["status_all"] = [grade.status for grade in grades]
    return graded
