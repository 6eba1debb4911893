"""Training and validation Problems, told apart before any Instance is derived.

The question decides alone: the same question stands on one side however often it occurs, and a
Problem stays on its side when rows are added, removed or put in another order.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from dualtune.records import Problem

# Spaces and sentence punctuation; a point or comma inside a number, and operators, stay.
_FILLING = re.compile(r"""[\s;:!?'"`‘’“”…]+|[.,](?!\d)""")


def normalise(question: str) -> str:
    """Return what two spellings of the same question share.

    Case, width, spacing and sentence punctuation do not count: "How many are there ?" is
    "how many are there?". Numbers and operators do.
    """
    folded = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(_FILLING.sub(" ", folded).split())


def question_key(question: str) -> int:
    """Return a 64-bit hash of the normalised question, the same on every machine."""
    digest = hashlib.sha256(normalise(question).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big")


def in_validation(question: str, share: float, *, seed: int) -> bool:
    """Say whether a question belongs to validation.

    Args:
        question: The question.
        share: The share of questions that do, on average, in [0, 1).
        seed: Another seed chooses others.
    """
    if share <= 0:
        return False
    digest = hashlib.sha256(f"validation/{seed}/{normalise(question)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def split_problems(
    problems: Iterable[Problem], share: float, *, seed: int
) -> tuple[list[Problem], list[Problem]]:
    """Split Problems into training and validation, each in the order given.

    Args:
        problems: What to split.
        share: The share of questions held out, on average, in [0, 1).
        seed: Another seed holds others out.

    Returns:
        Training Problems, validation Problems.
    """
    train: list[Problem] = []
    validation: list[Problem] = []
    for problem in problems:
        held_out = in_validation(problem.question, share, seed=seed)
        (validation if held_out else train).append(problem)
    return train, validation
