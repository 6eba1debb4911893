"""The sheet that a story is written on: its random draws, its sentences, its steps."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import TypeVar

from dualtune.sources.synthetic.lexicon import PEOPLE, Person, Value

T = TypeVar("T")
QUARTERS = (Decimal("0.25"), Decimal("0.5"), Decimal("0.5"), Decimal("0.75"))
_THEN = ("Then", "Later,", "After that,", "Next,")


def divisors(value: Value, low: int, high: int) -> list[int]:
    """Return the whole numbers from low to high that divide the value."""
    return [n for n in range(low, high + 1) if value % n == 0]


class Scene:
    """A problem while it is being written.

    Every draw is made from ``Random.random()``, the one method whose sequence Python promises to
    keep from version to version, so that a seed gives the same problems everywhere.

    Attributes:
        met: The people of the story, in the order in which they were drawn.
        said: The sentences of the question so far.
        steps: The lines of the rationale so far.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random
        self.met: list[Person] = []
        self.said: list[str] = []
        self.steps: list[str] = []
        self._then = ""

    def clear(self) -> None:
        """Take a new sheet, further on in the same random stream."""
        self.met, self.said, self.steps, self._then = [], [], [], ""

    def between(self, low: int, high: int) -> int:
        """Draw a whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """Draw one of the options."""
        return options[int(self._random() * len(options))]

    def chance(self, share: float) -> bool:
        """Return True for the given share of draws."""
        return self._random() < share

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Draw different options, in drawn order."""
        left = list(options)
        return [left.pop(int(self._random() * len(left))) for _ in range(count)]

    def person(self) -> Person:
        """Draw somebody who has not yet been met in this story."""
        while True:
            who = self.pick(PEOPLE)
            if who not in self.met:
                self.met.append(who)
                return who

    def people(self, count: int) -> list[Person]:
        """Draw so many different people."""
        return [self.person() for _ in range(count)]

    def price(self, low: int, high: int) -> Value:
        """Draw a price in dollars: whole in half of the cases, else in quarters."""
        whole = self.between(low, high)
        return whole if self.chance(0.5) else whole + self.pick(QUARTERS)

    def then(self) -> str:
        """Draw a word that opens the next event, another one than last time."""
        self._then = self.pick([word for word in _THEN if word != self._then])
        return self._then

    def say(self, *variants: str) -> None:
        """Put one of the wordings into the question."""
        text = self.pick(variants)
        self.said.append(text[0].upper() + text[1:])

    def step(self, *variants: str) -> None:
        """Put one of the wordings, each with its equation, into the rationale as a line."""
        text = self.pick(variants)
        self.steps.append(text[0].upper() + text[1:])
