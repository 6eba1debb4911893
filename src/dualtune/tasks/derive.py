"""All instances of a Problem: a pure function of the Problem, settings, seed and epoch."""

from __future__ import annotations

from collections import Counter

from dualtune.recipe import Tasks
from dualtune.records import Derived, Instance, Problem
from dualtune.tasks.ir import ir_instances
from dualtune.tasks.irsp import irsp_instances
from dualtune.tasks.masking import unmask
from dualtune.tasks.prompts import ir_frame, irsp_frame
from dualtune.tasks.solve import solve_instance


def derive(
    problem: Problem, tasks: Tasks, *, seed: int, epoch: int = 0, system: str | None = None
) -> Derived:
    """Derive the instances of a Problem.

    The random stream of each task is seeded from the recipe's seed, the epoch (0 unless
    ``tasks.fresh_masks``), the task's name and the Problem's id, and from nothing else: order,
    shards and workers change nothing.

    Args:
        problem: The Problem.
        tasks: The recipe's ``tasks``.
        seed: The recipe's seed.
        epoch: Which pass over the data the instances are for.
        system: System prompt of every instance; None leaves it to the chat template.

    Returns:
        The instances in order solve, irsp, ir, and what was not derived by cause.
    """
    instances: list[Instance] = []
    skipped: Counter[str] = Counter()
    mask_epoch = epoch if tasks.fresh_masks else 0
    if tasks.solve:
        instances.append(solve_instance(problem, epoch=epoch, system=system))
    if tasks.irsp.per_problem:
        made, causes = irsp_instances(
            problem, tasks.irsp, seed=seed, epoch=epoch, system=system, mask_epoch=mask_epoch
        )
        instances += made
        skipped += causes
    if tasks.ir.per_problem:
        made, causes = ir_instances(
            problem, tasks.ir, seed=seed, epoch=epoch, system=system, mask_epoch=mask_epoch
        )
        instances += made
        skipped += causes
    return Derived(instances=tuple(instances), skipped=tuple(sorted(skipped.items())))


def masked_text(instance: Instance, problem: Problem) -> str:
    """Return the masked rationale (IRSP) or question (IR) as the prompt shows it.

    Args:
        instance: An IRSP or IR instance.
        problem: The Problem that it was derived from.

    Raises:
        ValueError: If nothing is masked in it, or it does not belong to the Problem.
    """
    content = instance.prompt[-1].content
    if instance.task == "irsp":
        head, tail = irsp_frame(problem.question, instance.masked)
    elif instance.task == "ir":
        whole = instance.target == problem.question
        head, tail = ir_frame(
            problem.rationale, instance.masked, target="question" if whole else "spans"
        )
    else:
        raise ValueError(f"nothing is masked in {instance.id} (task {instance.task})")
    if not (content.startswith(head) and content.endswith(tail)):
        raise ValueError(f"{instance.id} was not derived from the Problem {problem.id}")
    return content[len(head) : len(content) - len(tail)]


def unmask_instance(instance: Instance, problem: Problem) -> str:
    """Return the original rationale (IRSP) or question (IR), rebuilt from the prompt.

    Args:
        instance: An IRSP or IR instance.
        problem: The Problem that it was derived from.

    Returns:
        The prompt's masked text with the masked parts put back.

    Raises:
        ValueError: If nothing is masked in it, or it does not belong to the Problem.
    """
    return unmask(masked_text(instance, problem), instance.masked)
