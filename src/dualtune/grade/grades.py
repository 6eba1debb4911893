"""What every rule of grading shares: kinds, statuses, limits and the version of the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

AnswerKind = Literal["number", "latex", "choice", "mixed"]
Status = Literal["correct", "wrong", "no_answer", "unparsed", "timed_out", "error"]

KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
STATUSES: tuple[Status, ...] = get_args(Status)

# Raise it where a rule changes a status: kept generations are then graded again.
RULES = "rules-8"

MAX_CHARACTERS = 100_000  # a longer output is not read

# The form that a prompt asks for, by kind; ``Grade.strict`` tells whether the answer stood in it.
# A boxed answer counts as asked where LaTeX is graded, because MATH's own solutions end so.
ASKED: Mapping[AnswerKind, str] = {
    "number": "The answer is X.",
    "choice": "The answer is X.",
    "mixed": "The answer is X.",
    "latex": r"The answer is X. or \boxed{X}",
}


@dataclass(frozen=True, slots=True)
class Grade:
    """How one output did.

    Attributes:
        extracted: The answer as it stood in the output; None where there was none.
        status: The lenient reading: ``correct``, ``wrong``, ``no_answer`` (nothing that could be
            an answer), ``unparsed`` (an answer that cannot be read as the kind asked for),
            ``timed_out`` (set by the worker pool), ``error`` (the gold answer cannot be read:
            the row says nothing about the model).
        strict: The output also gave it in the form that was asked for, ``ASKED``.
    """

    extracted: str | None
    status: Status
    strict: bool
