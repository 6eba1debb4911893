"""Rows of the splits: which story, how deep, and which side of the split a question may be on.

================  ==============================================  =========================
split             stories                                         steps
================  ==============================================  =========================
``train``         the 12 types of ``TRAIN_TYPES``                 1 to 4
``test``          the same 12                                     1 to 4, in the same shares
``ood_types``     the 4 types of ``HELD_OUT_TYPES``               1 to 4, in the same shares
``ood_depth``     the 12 types of ``TRAIN_TYPES``                 5 and 6
================  ==============================================  =========================

No two splits share a question, by construction. ``train`` and everything else are kept apart by a
hash of the numbers that a question holds, in their order: a question whose hash falls on the
other side is drawn again. A training question with other names or in other words therefore stands
in no other split either. ``test``, ``ood_types`` and ``ood_depth`` differ by type or by depth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from dualtune.errors import BadInput, nearest
from dualtune.records import Problem
from dualtune.sources.synthetic import blends, counting, held_out, measures, money, people, shares
from dualtune.sources.synthetic.scene import Scene

Split = Literal["train", "test", "ood_types", "ood_depth"]
Story = Callable[[Scene, int], None]

SPLITS: tuple[Split, ...] = ("train", "test", "ood_types", "ood_depth")

TRAIN_TYPES: Mapping[str, Story] = {
    "gain_loss": counting.gain_loss,
    "rates": money.rates,
    "prices": money.prices,
    "comparison": counting.comparison,
    "fractions": shares.fractions,
    "ages": people.ages,
    "groups": counting.groups,
    "distance": measures.distance,
    "mixtures": blends.mixtures,
    "exchanges": counting.exchanges,
    "work": people.work,
    "area": measures.area,
}
HELD_OUT_TYPES: Mapping[str, Story] = {
    "averages": held_out.averages,
    "legs_and_wheels": held_out.legs_and_wheels,
    "patterns": held_out.patterns,
    "savings": held_out.savings,
}

# How often each depth comes: shallow ones most, so that a small model finds a foothold.
_SHALLOW = (1,) * 4 + (2,) * 7 + (3,) * 6 + (4,) * 3
_DEEP = (5, 5, 5, 6, 6)
# Share of the rows with a number that the rationale does not use.
_ASIDE_SHARE = 0.065

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_RESULT = re.compile(r"= \$?(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Row:
    """One generated row with what it was drawn as.

    Attributes:
        problem: The Problem.
        story: The story type.
        depth: The number of steps.
        aside: Whether the question holds a number that has nothing to do with the answer.
    """

    problem: Problem
    story: str
    depth: int
    aside: bool


def generate(split: str, *, count: int, seed: int = 0) -> Iterator[Problem]:
    """Generate word problems with exact rationales.

    Row ``index`` depends on ``(split, seed, index)`` alone, so a longer run begins with the
    shorter one.

    Args:
        split: One of ``SPLITS``.
        count: How many.
        seed: Another seed gives other problems; across seeds too, splits share no question.

    Yields:
        Problems ``synthetic-<split>-<seed>-<index>``, story types taking turns in drawn order.

    Raises:
        BadInput: If there is no such split.
    """
    for index in range(count):
        yield draw_row(split, index, seed=seed).problem


def sample_text(rows: int = 500) -> str:
    """Return the packaged sample, ``sample.jsonl``: the first training rows of seed 0.

    ``python -m dualtune.sources.synthetic > src/dualtune/sources/sample.jsonl`` writes it anew.

    Args:
        rows: How many.

    Returns:
        JSON lines ``{id, question, rationale, answer}``.
    """
    lines = (
        {"id": p.id, "question": p.question, "rationale": p.rationale, "answer": p.answer}
        for p in generate("train", count=rows)
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


def draw_row(split: str, index: int, *, seed: int = 0) -> Row:
    """Draw the row at an index of a split, with its story type and depth.

    Args:
        split: One of ``SPLITS``.
        index: Its place, from 0.
        seed: The seed of the split.

    Returns:
        The row, the same for the same arguments on every machine and Python version.

    Raises:
        BadInput: If there is no such split.
    """
    if split not in SPLITS:
        raise BadInput(f"unknown synthetic split {split!r}{nearest(split, SPLITS)}")
    types = HELD_OUT_TYPES if split == "ood_types" else TRAIN_TYPES
    names = tuple(types)
    # Each block of rows holds every story type once: even short excerpts are balanced.
    block, place = divmod(index, len(names))
    story = Scene(_seed(split, seed, "order", block)).sample(names, len(names))[place]
    scene = Scene(_seed(split, seed, "row", index))
    depth = scene.pick(_DEEP if split == "ood_depth" else _SHALLOW)
    while True:
        types[story](scene, depth)
        aside = scene.chance(_ASIDE_SHARE) and _put_aside(scene, story)
        question = " ".join(scene.said)
        if _is_train(question) == (split == "train"):
            break
        scene.clear()
    found = _RESULT.findall(scene.steps[-1])
    problem = Problem(
        id=f"synthetic-{split}-{seed}-{index}",
        question=question,
        rationale="\n".join(scene.steps),
        answer=found[-1],
        source="synthetic",
    )
    return Row(problem=problem, story=story, depth=depth, aside=aside)


def _seed(*parts: object) -> int:
    digest = sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _is_train(question: str) -> bool:
    """Say on which side of the split the numbers of a question fall."""
    numbers = " ".join(_NUMBER.findall(question))
    return sha256(numbers.encode()).digest()[0] % 2 == 0


# Sentences with a number that no story needs; the first lot is about the first person named.
_ABOUT_PERSON = (
    "{name} is in grade {n}.",
    "{name} lives at number {n} on a quiet street.",
    "{name} has {n} cousins.",
    "{name} has a brother who is {n} years old.",
)
_ABOUT_DAY = (
    "The date is May {n}.",
    "It is {n} degrees outside.",
    "The bus ride home takes {n} minutes.",
    "A clock in the room shows {n} o'clock.",
)


def _put_aside(scene: Scene, story: str) -> bool:
    """Put an irrelevant number into the question, one that the rationale does not hold."""
    used = set(_NUMBER.findall("\n".join((*scene.said, *scene.steps))))
    free = [n for n in range(3, 13) if str(n) not in used]
    if not free:
        return False
    number = scene.pick(free)
    name = scene.met[0].name if scene.met and story != "ages" else ""
    if name and scene.said[0].startswith((f"{name} ", f"{name}'s ")):
        scene.said.insert(0, scene.pick(_ABOUT_PERSON).format(name=name, n=number))
    else:
        scene.said.insert(len(scene.said) - 1, scene.pick(_ABOUT_DAY).format(n=number))
    return True
