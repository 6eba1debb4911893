"""Problems as compact JSON for the data page.

A Problem's question and rationale stand again in the prompt of each of its instances. The page
holds them once: a prompt or target is a list of parts, each either a text of a common table or a
reference to a text of the Problem. Joining the parts gives the text back, character by character.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dualtune.build.store import SPLITS
from dualtune.records import TASK_NAMES, Finding, Instance, Masked, Problem, Step
from dualtune.report.data_collect import ShownProblem, steps_of
from dualtune.report.pack import Table, split_parts

QUESTION, RATIONALE, MASKED, ANSWERS = -1, -2, -3, -4
"""The parts that refer to a Problem: its question, its rationale, the one of them that is masked
with its markers, and what was masked, one a line."""

WHERE = ("question", "rationale")

_LAST_BMP = "\uffff"


def pack_problems(problems: Iterable[ShownProblem]) -> dict[str, Any]:
    """Return Problems as the page's script reads them.

    Args:
        problems: The Problems of the page.

    Returns:
        ``strings``, the table of texts, and ``problems``, one list each: ``[id, question,
        rationale, answer, kind, source, split, options, instances, findings]``, where kind,
        source and a finding's kind and severity are places in ``strings`` and split is a place in
        ``store.SPLITS``. An instance is ``[task, name, turns, target, masked]``: the place of its
        task in ``TASK_NAMES``, what its id adds to the Problem's, turns of ``[role, parts]``,
        parts, and masks of ``[start, end, where, kind, marker]``. A finding is ``[kind, severity,
        evidence, where, start, end, step]``. Offsets are in UTF-16 units, as a browser counts;
        those that are not known are null.
    """
    table = Table()
    packed = [_problem(one, table) for one in problems]
    return {"strings": table.texts, "problems": packed}


def _problem(one: ShownProblem, table: Table) -> list[Any]:
    problem = one.problem
    return [
        problem.id,
        problem.question,
        problem.rationale,
        problem.answer,
        table.place(problem.kind),
        table.place(problem.source),
        SPLITS.index(one.split),
        list(problem.options),
        [_instance(instance, problem, table) for instance in one.instances],
        [_finding(finding, problem, table) for finding in one.findings],
    ]


def _instance(instance: Instance, problem: Problem, table: Table) -> list[Any]:
    known = [
        (MASKED, _with_markers(problem, instance.masked)),
        (RATIONALE, problem.rationale),
        (QUESTION, problem.question),
    ]
    answers = (ANSWERS, "\n".join(part.text for part in instance.masked))

    def parts(text: str, known: Sequence[tuple[int, str]]) -> list[int]:
        cut = split_parts(text, known)
        return [table.place(part) if isinstance(part, str) else part for part in cut]

    return [
        TASK_NAMES.index(instance.task),
        table.place(instance.id.removeprefix(f"{problem.id}/")),
        [[table.place(turn.role), parts(turn.content, known)] for turn in instance.prompt],
        parts(instance.target, [answers, *known]),
        [_masked(part, problem, table) for part in instance.masked],
    ]


def _masked(part: Masked, problem: Problem, table: Table) -> list[int]:
    text = problem.question if part.where == "question" else problem.rationale
    return [
        utf16_offset(text, part.start),
        utf16_offset(text, part.end),
        WHERE.index(part.where),
        table.place(part.kind),
        table.place(part.marker),
    ]


def _finding(finding: Finding, problem: Problem, table: Table) -> list[Any]:
    text = problem.question if finding.where == "question" else problem.rationale
    start, end = _range(finding, text, problem)
    return [
        table.place(finding.kind),
        table.place(finding.severity),
        finding.evidence,
        WHERE.index(finding.where),
        None if start is None else utf16_offset(text, start),
        None if end is None else utf16_offset(text, end),
        finding.step,
    ]


def _range(finding: Finding, text: str, problem: Problem) -> tuple[int | None, int | None]:
    """Return where a finding is: its own range, else that of its step."""
    start, end = finding.start, finding.end
    if start is not None and end is not None and 0 <= start <= end <= len(text):
        return start, end
    if finding.step is None or finding.where != "rationale":
        return None, None
    steps: Sequence[Step] = steps_of(problem.rationale, problem.kind)
    if not 0 <= finding.step < len(steps):
        return None, None
    return steps[finding.step].start, steps[finding.step].end


def _with_markers(problem: Problem, masked: Sequence[Masked]) -> str:
    """Return the masked text with its markers, by the same rule as the page's script."""
    if not masked:
        return ""
    text = problem.question if masked[0].where == "question" else problem.rationale
    pieces: list[str] = []
    last = 0
    for part in sorted(masked, key=lambda part: part.start):
        pieces += (text[last : part.start], part.marker)
        last = part.end
    return "".join([*pieces, text[last:]])


def utf16_offset(text: str, offset: int) -> int:
    """Turn an offset in characters into one in UTF-16 units, which emoji take two of."""
    if text.isascii():
        return offset
    return offset + sum(char > _LAST_BMP for char in text[:offset])
