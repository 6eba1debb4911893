"""What is found out before training: what each task supervises, and that packing is exact."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dualtune.errors import BadInput
from dualtune.lm.steps import MIXED, Dropped, Preparer
from dualtune.lm.support import verify_packing
from dualtune.lm.trie import Labelled
from dualtune.progress import track
from dualtune.recipe import phases, wanted
from dualtune.records import TASK_NAMES, Problem, TaskName

log = logging.getLogger(__name__)

# How many Problems the preflight encodes to tell what each task supervises, over all phases.
PREFLIGHT = 2000
# A larger share of dropped instances is warned about.
MANY_DROPPED = 0.05
# Among how many Problems the check of packing looks for instances that share prefixes.
VERIFY_AMONG = 32
_HEADINGS = ("task", "instances", "label tokens", "of Problems", "median", "longest", "left out")


@dataclass(frozen=True, slots=True)
class Supervised:
    """What one task supervises in one epoch of the Problems that were looked at.

    Attributes:
        problems: Problems with an instance that can be trained on.
        label_tokens: Label tokens of all instances.
        lengths: Tokens of each instance.
        dropped: Instances that are left out, by cause; ``mix`` is ``tasks.mix``'s doing.
    """

    problems: int
    label_tokens: int
    lengths: tuple[int, ...]
    dropped: Mapping[str, int]

    @property
    def lost(self) -> int:
        """Instances that are left out without having been asked for."""
        return sum(count for cause, count in self.dropped.items() if cause != MIXED)

    @property
    def lost_share(self) -> float:
        """Their share of the instances that were asked for."""
        return self.lost / max(self.lost + len(self.lengths), 1)

    @property
    def causes(self) -> str:
        """What is left out, in words."""
        return ", ".join(f"{n} {cause}" for cause, n in sorted(self.dropped.items())) or "none"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What training will supervise.

    Attributes:
        problems: Problems that were looked at.
        of: Problems there are.
        phases: What each task supervises, by the first epoch of each phase of the schedule.
    """

    problems: int
    of: int
    phases: Mapping[int, Mapping[TaskName, Supervised]]

    @property
    def lengths(self) -> dict[str, list[int]]:
        """Tokens of each instance by task, of the first phase that has the task."""
        found: dict[str, list[int]] = {name: [] for name in TASK_NAMES}
        for tasks in self.phases.values():
            for name, supervised in tasks.items():
                found[name] = found[name] or list(supervised.lengths)
        return found

    @property
    def busiest(self) -> int:
        """The first epoch of the phase with the most tokens."""
        return max(self.phases, key=self.work)

    def work(self, epoch: int) -> int:
        """Return the tokens of an epoch, to weigh epochs against each other."""
        start = max(first for first in self.phases if first <= epoch)
        return sum(sum(one.lengths) for one in self.phases[start].values())

    def summary(self) -> dict[str, Any]:
        """Return what train.json says of it."""
        return {
            "problems": self.problems,
            "of": self.of,
            "phases": [
                {
                    "from_epoch": epoch,
                    "tasks": {
                        name: {
                            "instances": len(one.lengths),
                            "problems": one.problems,
                            "label_tokens": one.label_tokens,
                            "dropped": dict(one.dropped),
                        }
                        for name, one in tasks.items()
                    },
                }
                for epoch, tasks in self.phases.items()
            ],
        }


def check_labels(
    preparer: Preparer, problems: Sequence[Problem], *, epochs: int = 1, max_dropped: float = 1.0
) -> Preflight:
    """Encode the Problems (a sample of them, where they are many) before training.

    Each instance is encoded as training will, which checks that its label tokens decode to its
    target. Of a schedule, the first epoch of each phase is looked at.

    Args:
        preparer: Encodes them.
        problems: What will be trained on.
        epochs: Of the run.
        max_dropped: The largest share of a task's instances that may be left out, from 0 to 1.

    Returns:
        What each task supervises.

    Raises:
        BadInput: If a task that is asked for has no instance left, or more of its instances are
            left out than may be; with what was left out by cause.
    """
    stages = phases(preparer.tasks, epochs)
    sample = problems[:: max(1, len(problems) * len(stages) // PREFLIGHT)]
    found = {epoch: _supervised(preparer, sample, epoch) for epoch, _ in stages}
    preflight = Preflight(len(sample), len(problems), found)
    for epoch, tasks in stages:
        log.info("%s", _table(preflight, epoch))
        asked = [n for n in wanted(tasks) if preparer.rates is None or preparer.rates[n]]
        for name in asked:
            _check(name, found[epoch][name], preparer, max_dropped=max_dropped)
    return preflight


def _supervised(
    preparer: Preparer, problems: Sequence[Problem], epoch: int
) -> dict[TaskName, Supervised]:
    dropped: Dropped = Counter()
    lengths: dict[TaskName, list[int]] = {name: [] for name in TASK_NAMES}
    labels: Counter[TaskName] = Counter()
    having: Counter[TaskName] = Counter()
    for problem in track(problems, "check labels", total=len(problems)):
        pairs = [pair for group in preparer.groups(problem, epoch, dropped) for pair in group]
        for instance, labelled in pairs:
            lengths[instance.task].append(len(labelled.ids))
            labels[instance.task] += len(labelled.ids) - labelled.label_start
        having.update({instance.task for instance, _ in pairs})
    return {
        name: Supervised(
            problems=having[name],
            label_tokens=labels[name],
            lengths=tuple(lengths[name]),
            dropped={cause: n for (task, cause), n in dropped.items() if task == name},
        )
        for name in TASK_NAMES
    }


def _check(
    name: TaskName, supervised: Supervised, preparer: Preparer, *, max_dropped: float
) -> None:
    """Refuse a task of which too little is left; warn where much is lost."""
    kept, lost = len(supervised.lengths), supervised.lost
    remedy = _remedy(supervised, preparer)
    if not kept and not lost:
        raise BadInput(
            f"no {name} instance can be derived from these Problems; dualtune build says why, in "
            f"build.json under masks_skipped. Turn the task off ({_OFF[name]}), or give other data."
        )
    if not kept:
        raise BadInput(
            f"no {name} instance is left to train on (left out: {supervised.causes}). {remedy}"
        )
    told = f"{lost} of {kept + lost} {name} instances are left out ({supervised.causes})"
    if supervised.lost_share > max_dropped:
        raise BadInput(
            f"{told}, a share of {supervised.lost_share:.2f}; train.max_dropped allows "
            f"{max_dropped:g}. {remedy} Or raise train.max_dropped to train on the rest."
        )
    if supervised.lost_share > MANY_DROPPED:
        log.warning("%s. %s", told, remedy)


_OFF = {
    "solve": "tasks.solve: false",
    "irsp": "tasks.irsp.per_problem: 0",
    "ir": "tasks.ir.per_problem: 0",
}


def _remedy(supervised: Supervised, preparer: Preparer) -> str:
    if "too_long" in supervised.dropped:
        return (
            f"train.max_length is {preparer.max_length} tokens: raise it, or look at the data with "
            "dualtune preview."
        )
    return "Look at the data with dualtune preview."


def _table(preflight: Preflight, epoch: int) -> str:
    """Return what each task supervises as a text of a few lines."""
    rows = [_HEADINGS]
    for name, one in preflight.phases[epoch].items():
        if one.lengths or one.dropped:
            rows.append(
                (
                    name,
                    f"{len(one.lengths):,}",
                    f"{one.label_tokens:,}",
                    f"{one.problems:,}",
                    f"{np.median(one.lengths):.0f}" if one.lengths else "-",
                    f"{max(one.lengths):,}" if one.lengths else "-",
                    one.causes,
                )
            )
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADINGS))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, len(row) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    which = f" (from epoch {epoch} on)" if len(preflight.phases) > 1 else ""
    title = (
        f"what an epoch supervises{which}, counted on {preflight.problems:,} of "
        f"{preflight.of:,} Problems (lengths in tokens; each label decodes to its target):"
    )
    return "\n  ".join([title, *lines])


def verify_on_model(
    model: Any, preparer: Preparer, problems: Sequence[Problem], *, epoch: int = 0
) -> None:
    """Prove on the real model that packing is exact, with instances that do share prefixes.

    Args:
        model: The model, on its device.
        preparer: Encodes them.
        problems: What will be trained on.
        epoch: Whose instances are taken.
    """
    groups: list[list[Labelled]] = []
    branching = 0
    for problem in problems[:VERIFY_AMONG]:
        found = [[one for _, one in g] for g in preparer.groups(problem, epoch, Counter())]
        groups.extend(found)
        branching += sum(len(group) > 1 for group in found)
        # Solve alone never branches within a Problem; its system prompt is shared between two.
        if len(groups) >= 2 and branching >= min(2, len(groups) - 1):
            break
    if groups:
        verify_packing(model, groups)
