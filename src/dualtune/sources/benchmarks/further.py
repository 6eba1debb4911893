"""Sets beside the nine: MATH-500, GSM8K-Platinum, AIME, and files of a user's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput
from dualtune.grade import AnswerKind
from dualtune.recipe import EvalFile
from dualtune.records import Rejected
from dualtune.sources.benchmarks.readers import (
    Reader,
    letter_of,
    listed_of,
    read_gsm8k,
    text_of,
    value_of,
)
from dualtune.sources.benchmarks.rows import LETTERS, BenchmarkRow, question_hash, with_choices
from dualtune.sources.files import read_rows
from dualtune.sources.formats.choices import bare_options, find_options
from dualtune.text.numbers import parse_number

# The keys of eval.files that name a column.
_COLUMNS = ("question", "answer", "options", "id", "subject", "level")
_SOLUTION = re.compile(r"#### |\\boxed\b")  # what a bare answer never holds
_AIME_LAST = 999  # an AIME answer is an integer from 0 to this


def read_math500(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``problem``, ``solution``, ``answer``, ``subject`` and ``level``.

    The 500 problems of MATH that PRM800K (arXiv 2305.20050) left for testing. Ids are MATH's, so
    results of the two sets pair by row.
    """
    return tuple(
        BenchmarkRow(
            id=f"math-{question_hash(text_of(row, 'problem', file, number))}",
            question=text_of(row, "problem", file, number),
            gold=text_of(row, "answer", file, number),
            kind="latex",
            reference=text_of(row, "solution", file, number),
            subject=text_of(row, "subject", file, number),
            level=text_of(row, "level", file, number),
        )
        for number, row in enumerate(rows, start=1)
    )


def read_gsm8k_platinum(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read GSM8K's columns and ``cleaning_status`` (arXiv 2502.03461)."""
    return tuple(
        replace(
            read,
            id=f"gsm8k_platinum-{number}",
            subject=str(row.get("cleaning_status", "")),
        )
        for number, (read, row) in enumerate(zip(read_gsm8k(rows, file), rows, strict=True), 1)
    )


def read_aime(rows: Sequence[Any], file: Path) -> tuple[BenchmarkRow, ...]:
    """Read ``problem`` (or ``question``), ``answer`` and, where it is there, ``solution``.

    Raises:
        BadInput: If an answer is no integer from 0 to 999.
    """
    read = []
    for number, row in enumerate(rows, start=1):
        column = "question" if isinstance(row, dict) and "problem" not in row else "problem"
        question = text_of(row, column, file, number)
        answer = text_of(row, "answer", file, number).strip()
        if not (answer.isdecimal() and int(answer) <= _AIME_LAST):
            raise BadInput(
                f"{file}, row {number}: an AIME answer is an integer from 0 to {_AIME_LAST}, not "
                f"{answer[:40]!r}."
            )
        read.append(
            BenchmarkRow(
                id=f"{file.stem}-{question_hash(question)}",
                question=question,
                gold=str(int(answer)),
                kind="number",
                reference=str(row.get("solution") or ""),
            )
        )
    return tuple(read)


FURTHER_READERS: Mapping[str, Reader] = {
    "math500": read_math500,
    "gsm8k_platinum": read_gsm8k_platinum,
    "aime24": read_aime,
    "aime25": read_aime,
}


def read_own(name: str, settings: EvalFile) -> tuple[BenchmarkRow, ...]:
    """Read a file of a user's own.

    Args:
        name: What the recipe calls it.
        settings: Its path and columns, as in ``eval.files``.

    Returns:
        The rows in file order. Ids are ``<name>-<row>`` without a column for them.

    Raises:
        BadInput: If the file cannot be read, has no rows, a row lacks a column, its gold is empty
            or not of the kind said, or two rows have the same id: rows of a test set are never
            left out silently.
    """
    file = Path(settings.path).expanduser()
    read: list[BenchmarkRow] = []
    for number, row in enumerate(read_rows(file), start=1):
        if isinstance(row, Rejected):
            raise BadInput(f"eval.files.{name}: {file}, row {number}: {row.message}")
        read.append(_own_row(name, settings, row.values, file, number))
    if not read:
        raise BadInput(f"eval.files.{name}: {file} holds no rows.")
    repeated = [key for key, times in Counter(row.id for row in read).items() if times > 1]
    if repeated:
        raise BadInput(
            f"eval.files.{name}: {file} holds several rows of the id {repeated[0]!r}. Name another "
            "column in id, or none: rows are numbered then."
        )
    return tuple(read)


def _own_row(
    name: str, settings: EvalFile, values: Mapping[str, Any], file: Path, number: int
) -> BenchmarkRow:
    for key in _COLUMNS:
        column = getattr(settings, key)
        if column is not None and column not in values:
            raise BadInput(
                f"eval.files.{name}: {file}, row {number}: no column {column!r} (it holds: "
                f"{', '.join(values)[:120]}). Name the right one: eval.files.{name}.{key}."
            )
    question = text_of(values, settings.question, file, number)
    gold = text_of(values, settings.answer, file, number).strip()
    options: tuple[str, ...] = ()
    if settings.options is not None:
        options = bare_options(listed_of(values, settings.options, file, number))
        question = with_choices(question, options)
    elif settings.kind == "choice":
        options = find_options(question)
    if settings.kind == "choice":
        gold = _choice(name, values, settings, gold, options, file, number)
    kind: AnswerKind = settings.kind
    if not question.strip():
        raise BadInput(
            f"eval.files.{name}: {file}, row {number}: the question in {settings.question!r} is "
            "empty. Correct the row."
        )
    if _SOLUTION.search(gold):
        raise BadInput(
            f"eval.files.{name}: {file}, row {number}: {settings.answer!r} holds a solution, "
            f"'…{gold[-40:]}'. Name a column of the answer alone, such as 42: no output would "
            "equal a solution."
        )
    if not gold or (kind == "number" and parse_number(gold) is None):
        remedy = ", or say kind: mixed (words, lists, formulas)" if gold else ""
        raise BadInput(
            f"eval.files.{name}: {file}, row {number}: {settings.answer!r} holds {gold[:40]!r}, no "
            f"answer of kind {kind}. Correct the row{remedy}."
        )
    return BenchmarkRow(
        id=f"{name}-{number}"
        if settings.id is None
        else text_of(values, settings.id, file, number),
        question=question,
        gold=gold,
        kind=kind,
        options=options,
        subject=_optional(values, settings.subject, file, number),
        level=_optional(values, settings.level, file, number),
    )


def _choice(
    name: str,
    values: Mapping[str, Any],
    settings: EvalFile,
    gold: str,
    options: Sequence[str],
    file: Path,
    number: int,
) -> str:
    if not options:
        raise BadInput(
            f"{file}, row {number}: kind choice, but the question holds no options such as "
            "'(A) 2 (B) 4'. Name the column of the options."
        )
    index = value_of(values, settings.answer, file, number)
    read = [letter for letter, text in zip(LETTERS, options, strict=False) if text == gold]
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(options):
        read.append(LETTERS[index])  # as MMLU has it
    letter = gold.strip("()").upper()
    if len(letter) == 1 and letter in LETTERS[: len(options)]:
        read.append(letter)
    if len(set(read)) > 1:
        raise BadInput(
            f"eval.files.{name}: {file}, row {number}: the answer {gold!r} can be read as option "
            f"{' or '.join(sorted(set(read)))} (a letter, an option's text, an index from 0). "
            "Write a letter that is no option's text."
        )
    return read[0] if read else letter_of(gold, options, file, number)


def _optional(values: Mapping[str, Any], column: str | None, file: Path, number: int) -> str:
    if column is None or value_of(values, column, file, number) is None:
        return ""
    return text_of(values, column, file, number)
