"""A row of a benchmark, its house format, and the checksum of canonical rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dualtune.grade import AnswerKind

LETTERS = "ABCDEFGHIJ"
_CHOICES = "\nAnswer Choices: "


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One question of a benchmark.

    Attributes:
        id: The row's id, unique in its benchmark.
        question: The question as the model reads it, its options included.
        gold: The right answer as text; the letter of a multiple choice.
        kind: What kind of answer it is.
        reference: The solution that comes with the row, for reading; empty where none does.
        options: The bare texts of the options, in the order of their letters.
        subject: What the benchmark calls the row's field or type; empty where it says none.
        level: Its level of difficulty; empty where the benchmark says none.
    """

    id: str
    question: str
    gold: str
    kind: AnswerKind
    reference: str = ""
    options: tuple[str, ...] = ()
    subject: str = ""
    level: str = ""


def with_choices(question: str, options: Sequence[str]) -> str:
    """Return a question with its options, as MathInstruct and MAmmoTH's evaluation write them.

    Args:
        question: The question alone.
        options: The bare texts, ten at most.

    Returns:
        The question, a line break, and ``Answer Choices: (A) 2 (B) 4`` (``data_reader`` in
        TIGER-AI-Lab/MAmmoTH2, ``math_eval/data_loader.py``; SAT and NumGLUE come so already).
    """
    listed = " ".join(f"({a}) {o}" for a, o in zip(LETTERS, options, strict=False))
    return f"{question.strip()}{_CHOICES}{listed}"


def without_choices(row: BenchmarkRow) -> str:
    """Return the question of a row without the list of its options."""
    if not row.options:
        return row.question
    return row.question.rpartition(_CHOICES.strip())[0].strip()


def question_hash(question: str) -> str:
    """Return ten hexadecimal digits that name a question, whatever its white space."""
    return hashlib.sha256(_canonical(question).encode()).hexdigest()[:10]


def spread(rows: Iterable[BenchmarkRow]) -> tuple[BenchmarkRow, ...]:
    """Order rows by a hash of their question.

    MATH and MMLU-Math are sorted by subject: the first 300 rows of the files are algebra and
    elementary mathematics alone. In this order every beginning is a fair sample, and the order
    does not depend on the file's.
    """
    return tuple(sorted(rows, key=lambda row: (question_hash(row.question), row.id)))


def rows_checksum(rows: Sequence[BenchmarkRow]) -> str:
    """Return the SHA-256 of canonical rows: ids, questions and golds, whatever the file's form."""
    digest = hashlib.sha256()
    for row in rows:
        line = json.dumps([row.id, _canonical(row.question), row.gold], ensure_ascii=True)
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _canonical(text: str) -> str:
    return " ".join(text.split())
