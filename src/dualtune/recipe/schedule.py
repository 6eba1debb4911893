"""The curriculum: which tasks are derived in which epochs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, Field

from dualtune.recipe.section import Section
from dualtune.records import TASK_NAMES, TaskName

if TYPE_CHECKING:
    from dualtune.recipe.tasks import Tasks

S = TypeVar("S", bound=BaseModel)


class PhaseWeights(Section):
    """Loss weights of a phase."""

    solve: float | None = Field(None, ge=0, description="weight of solve; null: tasks.weights'")
    irsp: float | None = Field(None, ge=0, description="weight of irsp; null: tasks.weights'")
    ir: float | None = Field(None, ge=0, description="weight of ir; null: tasks.weights'")


class Phase(Section):
    """What of the tasks is different from an epoch on, until the next phase begins."""

    from_epoch: int = Field(ge=0, description="first epoch of the phase, from 0")
    solve: bool | None = Field(None, description="derive the solve instance; null: tasks.solve")
    irsp: int | None = Field(
        None, ge=0, description="irsp instances a Problem, 0 for none; null: tasks.irsp.per_problem"
    )
    ir: int | None = Field(
        None, ge=0, description="ir instances a Problem, 0 for none; null: tasks.ir.per_problem"
    )
    weights: PhaseWeights = Field(default_factory=PhaseWeights, description="loss weights")


def tasks_at(tasks: Tasks, epoch: int) -> Tasks:
    """Return the tasks of an epoch.

    Args:
        tasks: The recipe's ``tasks``, with or without a schedule.
        epoch: From 0.

    Returns:
        The same settings with the keys of the epoch's phase put in and no schedule. A phase
        changes the ``tasks`` section and not the phase before it.
    """
    if not tasks.schedule:
        return tasks
    begun = [phase for phase in tasks.schedule if phase.from_epoch <= epoch]
    if not begun:
        return tasks.model_copy(update={"schedule": ()})
    phase = begun[-1]
    return tasks.model_copy(
        update={
            "schedule": (),
            "solve": tasks.solve if phase.solve is None else phase.solve,
            "irsp": _with(tasks.irsp, per_problem=phase.irsp),
            "ir": _with(tasks.ir, per_problem=phase.ir),
            "weights": _with(tasks.weights, **phase.weights.model_dump()),
        }
    )


def phases(tasks: Tasks, epochs: int) -> tuple[tuple[int, Tasks], ...]:
    """Return the first epoch and the tasks of each phase that a run goes through.

    Args:
        tasks: The recipe's ``tasks``.
        epochs: Of the run.
    """
    starts = sorted({0, *(p.from_epoch for p in tasks.schedule if p.from_epoch < epochs)})
    return tuple((epoch, tasks_at(tasks, epoch)) for epoch in starts)


def held_out_tasks(tasks: Tasks, epochs: int) -> Tasks:
    """Return what held-out Problems are asked: every task that the run trains at some time.

    The same in all epochs, so that their losses can be compared.

    Args:
        tasks: The recipe's ``tasks``.
        epochs: Of the run.
    """
    if not tasks.schedule:
        return tasks
    found = [at for _, at in phases(tasks, epochs)]
    weights = {
        name: max(getattr(at.weights, name) for at in found)
        for name in type(tasks.weights).model_fields
    }
    return tasks.model_copy(
        update={
            "schedule": (),
            "solve": any(at.solve for at in found),
            "irsp": _with(tasks.irsp, per_problem=max(at.irsp.per_problem for at in found)),
            "ir": _with(tasks.ir, per_problem=max(at.ir.per_problem for at in found)),
            "weights": _with(tasks.weights, **weights),
        }
    )


def wanted(tasks: Tasks) -> list[TaskName]:
    """Return the tasks that are derived and have a weight, in their order.

    Args:
        tasks: Of one epoch.
    """
    derived = {"solve": tasks.solve, "irsp": tasks.irsp.per_problem, "ir": tasks.ir.per_problem}
    return [name for name in TASK_NAMES if derived[name] and getattr(tasks.weights, name)]


def check_schedule(tasks: Tasks) -> None:
    """Check a schedule as far as the ``tasks`` section alone can tell.

    Args:
        tasks: The section.

    Raises:
        ValueError: If phases are out of order, one leaves no task, or shares are fixed as well.
    """
    starts = [phase.from_epoch for phase in tasks.schedule]
    for before, after in itertools.pairwise(starts):
        if after <= before:
            raise ValueError(
                f"schedule: a phase from epoch {after} stands behind one from epoch {before}; "
                "give the phases in the order of their from_epoch, each once"
            )
    if starts and tasks.mix.solve is not None:
        raise ValueError(
            "schedule and mix both say how much there is of each task: leave one of them out"
        )
    for epoch in starts:
        if not wanted(tasks_at(tasks, epoch)):
            raise ValueError(
                f"schedule: the phase from epoch {epoch} trains nothing: set solve: true, or irsp "
                "or ir above 0, with a weight above 0"
            )


def check_epochs(tasks: Tasks, epochs: int) -> None:
    """Check that a run reaches every phase.

    Args:
        tasks: The ``tasks`` section.
        epochs: Of the run.

    Raises:
        ValueError: If a phase begins when training is over.
    """
    for phase in tasks.schedule:
        if phase.from_epoch >= epochs:
            raise ValueError(
                f"tasks.schedule: a phase begins at epoch {phase.from_epoch}, but with "
                f"train.epochs {epochs} the last epoch is {epochs - 1} (they count from 0): raise "
                "train.epochs or leave the phase out"
            )


def _with(section: S, **values: Any) -> S:
    """Return a section with those values changed that are given."""
    return section.model_copy(update={k: v for k, v in values.items() if v is not None})
