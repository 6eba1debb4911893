"""Optimiser steps: which Problems, derived, encoded and packed ahead of the model.

An optimiser step holds whole Problems with all their instances. What it holds is a pure function
of the Problems, the settings, the seed and the step's number, so that a run can be resumed, moved
to other pack sizes or prepared by any number of workers without a change of the result.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch.utils.data import Dataset

from dualtune.lm.encode import Encoder, LabelError
from dualtune.lm.packing import Pack, plain_packs, trie_packs
from dualtune.lm.trie import Labelled
from dualtune.recipe import Tasks, tasks_at
from dualtune.records import TASK_NAMES, Instance, Problem, TaskName
from dualtune.tasks.derive import derive
from dualtune.tasks.mix import is_kept

# Instances that were left out, by task and cause; the cause MIXED was asked for.
Dropped = Counter[tuple[TaskName, str]]
MIXED = "mix"


@dataclass(frozen=True, slots=True)
class Layout:
    """How steps are laid out in memory; none of it changes a result.

    Attributes:
        tokens_per_pack: Tokens computed at once.
        tokens_per_row: Longest row; None for one row a pack.
        trie: Share prefixes; otherwise plain padded rows.
    """

    tokens_per_pack: int
    tokens_per_row: int | None = None
    trie: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One optimiser step.

    Attributes:
        packs: What is computed, in turn.
        weight: Weighted label tokens of the whole step: what the loss is divided by.
        instances: Instances by task.
        dropped: Instances that were left out, by cause.
    """

    packs: tuple[Pack, ...]
    weight: float
    instances: dict[str, int]
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def tokens_total(self) -> int:
        """Tokens of all instances, shared prefixes counted each time."""
        return sum(pack.tokens_total for pack in self.packs)

    @property
    def tokens_distinct(self) -> int:
        """Tokens that are computed."""
        return sum(pack.tokens_distinct for pack in self.packs)

    @property
    def predictions(self) -> int:
        """Positions that the head is computed at."""
        return sum(len(np.unique(pack.index.numpy())) for pack in self.packs)

    @property
    def pairs(self) -> int:
        """Query-key pairs that are visible, sliding windows not considered."""
        # A node sees its ancestors and itself: one more than its depth.
        return sum(int(pack.depth.sum()) + pack.tokens_distinct for pack in self.packs)


@dataclass(frozen=True, slots=True)
class Preparer:
    """Turns Problems into labelled sequences and steps.

    Attributes:
        encoder: Of the model's tokenizer.
        tasks: The recipe's tasks, with their schedule.
        seed: The recipe's seed.
        system: System prompt, or None.
        max_length: Longer instances are left out.
        layout: How steps are laid out.
        rates: The share of each task's instances that is kept (``tasks.mix``); None keeps all.
    """

    encoder: Encoder
    tasks: Tasks
    seed: int
    system: str | None
    max_length: int
    layout: Layout
    rates: Mapping[TaskName, float] | None = None

    def groups(
        self, problem: Problem, epoch: int, dropped: Dropped
    ) -> list[list[tuple[Instance, Labelled]]]:
        """Derive and encode the instances of a Problem.

        Args:
            problem: The Problem.
            epoch: Decides the phase of the schedule, and the masks where they are fresh each
                epoch.
            dropped: Counts what is left out.

        Returns:
            Two groups whose members share long prefixes: solve and IRSP, and IR.
        """
        tasks = tasks_at(self.tasks, epoch)
        drawn = derive(
            problem,
            tasks,
            seed=self.seed,
            epoch=epoch if tasks.fresh_masks else 0,
            system=self.system,
        )
        forward: list[tuple[Instance, Labelled]] = []
        reverse: list[tuple[Instance, Labelled]] = []
        weights = tasks.weights.model_dump()
        for instance in drawn.instances:
            task = instance.task
            weight = weights[task]
            if weight == 0:
                continue
            if self.rates is not None and not is_kept(
                instance.id, self.rates[task], seed=self.seed, epoch=epoch
            ):
                dropped[task, MIXED] += 1
                continue
            try:
                encoded = self.encoder.encode(instance)
            except LabelError as error:
                dropped[task, error.cause] += 1
                continue
            if len(encoded.ids) > self.max_length:
                dropped[task, "too_long"] += 1
                continue
            labels = len(encoded.ids) - encoded.label_start
            labelled = Labelled(
                ids=encoded.ids,
                label_start=encoded.label_start,
                weight=weight / labels if tasks.weighting == "rows" else weight,
                task=TASK_NAMES.index(task),
            )
            (reverse if task == "ir" else forward).append((instance, labelled))
        return [group for group in (forward, reverse) if group]

    def step(self, problems: Sequence[Problem], epoch: int) -> Step:
        """Prepare an optimiser step from its Problems."""
        dropped: Dropped = Counter()
        groups = [g for p in problems for g in self.groups(p, epoch, dropped)]
        labelled = [[one for _, one in group] for group in groups]
        flat = [one for group in labelled for one in group]
        layout = self.layout
        if not flat:
            packs = []
        elif layout.trie:
            packs = trie_packs(
                labelled,
                tokens_per_pack=layout.tokens_per_pack,
                tokens_per_row=layout.tokens_per_row,
            )
        else:
            packs = plain_packs(flat, tokens_per_pack=layout.tokens_per_pack)
        return Step(
            packs=tuple(packs),
            weight=float(sum(one.weight * (len(one.ids) - one.label_start) for one in flat)),
            instances=dict(Counter(i.task for group in groups for i, _ in group)),
            dropped=dict(by_cause(dropped)),
        )


class Steps(Dataset[Step]):
    """All optimiser steps of a run, epoch after epoch, as a map-style data set."""

    def __init__(
        self, problems: Sequence[Problem], preparer: Preparer, *, per_step: int, epochs: int
    ) -> None:
        """Plan the steps.

        Args:
            problems: The Problems of an epoch.
            preparer: Prepares a step.
            per_step: Problems in a step.
            epochs: Passes over the Problems.
        """
        self.problems = problems
        self.preparer = preparer
        self.per_step = per_step
        self.per_epoch = -(-len(problems) // per_step)
        self.epochs = epochs
        self._order: tuple[int, list[Problem]] | None = None

    def __len__(self) -> int:
        return self.per_epoch * self.epochs

    def __getitem__(self, index: int) -> Step:
        return self.preparer.step(self.problems_of(index), self.epoch_of(index))

    def epoch_of(self, index: int) -> int:
        """Return the epoch of a step."""
        return index // self.per_epoch

    def problems_of(self, index: int) -> list[Problem]:
        """Return the Problems of a step."""
        epoch, number = divmod(index, self.per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, epoch_order(self.problems, self.preparer.seed, epoch)
        first = number * self.per_step
        return self._order[1][first : first + self.per_step]


def by_cause(dropped: Dropped) -> Counter[str]:
    """Count by cause alone what was left out; what the mix leaves out is named by task."""
    causes: Counter[str] = Counter()
    for (task, cause), count in dropped.items():
        causes[f"{MIXED}.{task}" if cause == MIXED else cause] += count
    return causes


def epoch_order(problems: Sequence[Problem], seed: int, epoch: int) -> list[Problem]:
    """Return the Problems in the order of an epoch.

    Args:
        problems: In any order: the result depends on their ids, not on their places.
        seed: The recipe's seed.
        epoch: From 0.
    """

    def key(problem: Problem) -> bytes:
        return hashlib.sha256(f"{seed}|{epoch}|{problem.id}".encode()).digest()

    return sorted(problems, key=key)
