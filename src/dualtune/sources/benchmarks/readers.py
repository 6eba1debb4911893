r"""The nine test sets, from the rows of their files.

Golds and questions are read as MAmmoTH's evaluation reads them (``data_reader`` in
TIGER-AI-Lab/MAmmoTH2, ``math_eval/data_loader.py``), but that MATH's several boxes count where
the question asks for several answers, and that no gold is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput
from dualtune.grade import AnswerKind
from dualtune.sources.benchmarks.rows import (
    LETTERS,
    BenchmarkRow,
    question_hash,
    spread,
    with_choices,
)
from dualtune.sources.formats.choices import bare_options, find_options
from dualtune.sources.formats.competition import boxed_answer
from dualtune.text.answers import strip_annotations
from dualtune.text.numbers import parse_number

Reader = Callable[[Sequence[Any], Path], tuple[BenchmarkRow, ...]]


def read_gsm8k(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``question`` and ``answer``, which ends in ``#### 42``."""
    read = []
    for number, row in enumerate(rows, start=1):
        solution, mark, gold = text_of(row, "answer", file, number).rpartition("####")
        if not mark:
            raise BadInput(f"{file}, row {number}: the answer has no '#### ' line.")
        read.append(
            BenchmarkRow(
                id=f"gsm8k-{number}",
                question=text_of(row, "question", file, number),
                gold=gold.strip(),
                kind="number",
                reference=strip_annotations(solution)[0].strip(),
            )
        )
    return tuple(read)


def read_math(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    r"""Read ``problem``, ``solution``, ``level`` and ``type``; the gold is what is boxed.

    A row's id is a hash of its problem: MATH's rows carry no id of their own, and files that
    merge its 5,000 one-problem files differ in order.
    """
    return spread(_math(row, file, number) for number, row in enumerate(rows, start=1))


def _math(row: Any, file: Path, number: int) -> BenchmarkRow:
    problem = text_of(row, "problem", file, number)
    solution = text_of(row, "solution", file, number)
    gold = boxed_answer(problem, solution)
    if gold is None:
        raise BadInput(f"{file}, row {number}: the solution has no \\boxed answer.")
    return BenchmarkRow(
        id=f"math-{question_hash(problem)}",
        question=problem,
        gold=gold,
        kind="latex",
        reference=solution,
        subject=text_of(row, "type", file, number),
        level=text_of(row, "level", file, number).removeprefix("Level "),
    )


def read_aqua(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``question``, ``options`` (``A)21``), ``correct`` (a letter) and ``rationale``."""
    read = []
    for number, row in enumerate(rows, start=1):
        options = bare_options(listed_of(row, "options", file, number))
        letter = letter_of(text_of(row, "correct", file, number), options, file, number)
        read.append(
            BenchmarkRow(
                id=f"aqua-{number}",
                question=with_choices(text_of(row, "question", file, number), options),
                gold=letter,
                kind="choice",
                reference=text_of(row, "rationale", file, number),
                options=options,
            )
        )
    return tuple(read)


def read_numglue(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``question``, ``answer`` and ``type``.

    Type 3 has two options in the question and a letter as answer; three answers of type 1 are
    names of months and days; all others are numbers.
    """
    read = []
    for number, row in enumerate(rows, start=1):
        question = text_of(row, "question", file, number)
        gold = text_of(row, "answer", file, number)
        options = find_options(question, marked=True)
        if options:
            gold = letter_of(gold, options, file, number)
        read.append(
            BenchmarkRow(
                id=f"numglue-{number}",
                question=question,
                gold=gold,
                kind="choice" if options else _number_or_mixed(gold),
                options=options,
                subject=text_of(row, "type", file, number),
            )
        )
    return tuple(read)


def read_svamp(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``ID``, ``Body``, ``Question``, ``Answer``, ``Equation`` and ``Type``."""
    return tuple(
        BenchmarkRow(
            id=text_of(row, "ID", file, number),
            # The usual reading of SVAMP; bodies that end in a clause get no comma added.
            question=(
                f"{text_of(row, 'Body', file, number).strip()} "
                f"{text_of(row, 'Question', file, number).strip()}"
            ),
            gold=text_of(row, "Answer", file, number).removesuffix(".0"),
            kind="number",
            reference=text_of(row, "Equation", file, number),
            subject=text_of(row, "Type", file, number),
        )
        for number, row in enumerate(rows, start=1)
    )


def read_mathematics(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``question`` and ``answer``: a number, a list (``[3, 5]``, ``12 3 0``), ``-20*x``.

    Of its 86 questions with options (``(a) 6  (b) -3``) the answer is the value, not the letter.
    """
    return _plain(rows, file, name="mathematics")


def read_simuleq(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``question`` and ``answer``: one number, even where two unknowns are asked for."""
    return _plain(rows, file, name="simuleq")


def read_sat(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``question``, which ends in its four options, and ``answer``, a letter."""
    read = []
    for number, row in enumerate(rows, start=1):
        question = text_of(row, "question", file, number)
        options = find_options(question, marked=True)
        if len(options) != 4:
            raise BadInput(
                f"{file}, row {number}: {len(options)} options in the question, SAT-Math has 4 "
                "('Answer Choices: (A) 2 (B) 4 ...'). Download the file anew."
            )
        letter = letter_of(text_of(row, "answer", file, number), options, file, number)
        read.append(
            BenchmarkRow(
                id=f"sat-{number}", question=question, gold=letter, kind="choice", options=options
            )
        )
    return tuple(read)


def read_mmlu_math(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``question``, ``choices``, ``answer`` (their index, from 0) and ``subject``."""
    read = []
    for number, row in enumerate(rows, start=1):
        options = tuple(text.strip() for text in listed_of(row, "choices", file, number))
        index = value_of(row, "answer", file, number)
        if not isinstance(index, int) or not 0 <= index < len(options):
            raise BadInput(
                f"{file}, row {number}: answer {index!r} is no index of its {len(options)} "
                "choices, counted from 0."
            )
        read.append(
            BenchmarkRow(
                id=f"mmlu_math-{number}",
                question=with_choices(text_of(row, "question", file, number), options),
                gold=LETTERS[index],
                kind="choice",
                options=options,
                subject=text_of(row, "subject", file, number),
            )
        )
    return spread(read)


READERS: Mapping[str, Reader] = {
    "gsm8k": read_gsm8k,
    "math": read_math,
    "aqua": read_aqua,
    "numglue": read_numglue,
    "svamp": read_svamp,
    "mathematics": read_mathematics,
    "simuleq": read_simuleq,
    "sat": read_sat,
    "mmlu_math": read_mmlu_math,
}


def value_of(row: Any, column: str, file: Path, number: int) -> Any:
    """Return a column of a row.

    Raises:
        BadInput: If the row has no such column.
    """
    if not isinstance(row, dict) or column not in row:
        held = ", ".join(row) if isinstance(row, dict) else type(row).__name__
        raise BadInput(f"{file}, row {number}: no column {column!r} (it holds: {held[:120]}).")
    return row[column]


def text_of(row: Any, column: str, file: Path, number: int) -> str:
    """Return a column of a row as text.

    Raises:
        BadInput: If the row has no such column, or nothing in it.
    """
    value = value_of(row, column, file, number)
    if value is None:
        raise BadInput(f"{file}, row {number}: column {column!r} is null. Correct the row.")
    return str(value)


def listed_of(row: Any, column: str, file: Path, number: int) -> list[str]:
    """Return a column that lists the options of a row.

    Raises:
        BadInput: If it is no list of 2 to 10.
    """
    given = value_of(row, column, file, number)
    if not isinstance(given, list) or not 2 <= len(given) <= len(LETTERS):
        raise BadInput(
            f"{file}, row {number}: {column!r} must be a list of 2 to {len(LETTERS)} choices, "
            f"not {str(given)[:80]!r}."
        )
    return [str(text) for text in given]


def letter_of(given: str, options: Sequence[str], file: Path, number: int) -> str:
    """Return the letter of an answer: ``B``, ``(b)``.

    Raises:
        BadInput: If no option has it.
    """
    letter = given.strip().strip("()").upper()
    if len(letter) != 1 or letter not in LETTERS[: len(options)]:
        raise BadInput(
            f"{file}, row {number}: the answer {given[:40]!r} is no letter of its {len(options)} "
            "options."
        )
    return letter


def _plain(rows: Sequence[Any], file: Path, *, name: str) -> tuple[BenchmarkRow, ...]:
    read = []
    for number, row in enumerate(rows, start=1):
        gold = text_of(row, "answer", file, number).removesuffix(".0")
        read.append(
            BenchmarkRow(
                id=f"{name}-{number}",
                question=text_of(row, "question", file, number),
                gold=gold,
                kind=_number_or_mixed(gold),
            )
        )
    return tuple(read)


def _number_or_mixed(gold: str) -> AnswerKind:
    return "mixed" if parse_number(gold) is None else "number"
