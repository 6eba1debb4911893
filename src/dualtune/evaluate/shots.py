"""Solved examples for few-shot prompts, by kind of answer.

Published chain-of-thought prompts: those of Wei et al. (arXiv 2201.11903, appendix G: arithmetic
word problems in table 20, AQuA in table 21) for numbers and choices, and Minerva's for MATH
(Lewkowycz et al., arXiv 2206.14858, appendix D.2), whose displayed equations are written in the
line. Options have capital letters, and every answer is stated as dualtune's prompt asks for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from dualtune.grade import AnswerKind


@dataclass(frozen=True, slots=True)
class Shot:
    """A solved example.

    Attributes:
        kind: The kind of its answer.
        question: The question, as in ``BenchmarkRow``.
        rationale: The steps, without the statement of the answer.
        answer: The answer.
        source: Where it was published.
    """

    kind: AnswerKind
    question: str
    rationale: str
    answer: str
    source: str

    @property
    def solution(self) -> str:
        """The whole output, in the form that solve asks for."""
        return f"{self.rationale}\nThe answer is {self.answer}."


def shots_for(kind: AnswerKind) -> tuple[Shot, ...]:
    """Return the examples of a kind of benchmark; ``mixed`` has those of numbers."""
    wanted = "number" if kind == "mixed" else kind
    return tuple(shot for shot in _all_shots() if shot.kind == wanted)


@lru_cache(maxsize=1)
def _all_shots() -> tuple[Shot, ...]:
    text = (files(__package__) / "shots.jsonl").read_text(encoding="utf-8")
    return tuple(Shot(**json.loads(line)) for line in text.splitlines())
