"""All instances of a Problem: a pure function of the Problem, settings, seed and epoch."""

from __future__ import annotations

from collections import Counter

from dualtune.recipe import Tasks, tasks_at
from dualtune.records import Derived, Instance, Problem
from dualtune.tasks.instances import Pass
from dualtune.tasks.ir import ir_instances
from dualtune.tasks.irsp import irsp_instances
from dualtune.tasks.masking import unmask
from dualtune.tasks.prompts import between, ir_opening, irsp_continuation, irsp_opening
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
        tasks: The recipe's ``tasks``; of a schedule, the phase of the epoch counts.
        seed: The recipe's seed.
        epoch: Which pass over the data the instances are for.
        system: System prompt of every instance; None leaves it to the chat template.

    Returns:
        The instances in order solve, irsp, ir, and what was not derived by cause.
    """
    tasks = tasks_at(tasks, epoch)
    one_pass = Pass(seed, epoch, system, tasks.fresh_masks)
    instances: list[Instance] = []
    skipped: Counter[str] = Counter()
    if tasks.solve:
        instances.append(solve_instance(problem, one_pass))
    if tasks.irsp.per_problem:
        made, causes = irsp_instances(problem, tasks.irsp, one_pass)
        instances += made
        skipped.update(causes)
    if tasks.ir.per_problem:
        made, causes = ir_instances(problem, tasks.ir, one_pass)
        instances += made
        skipped.update(causes)
    return Derived(instances=tuple(instances), skipped=tuple(sorted(skipped.items())))


def masked_text(instance: Instance, problem: Problem) -> str:
    """Return the masked rationale (IRSP) or question (IR) as the prompt shows it.

    Args:
        instance: An IRSP or IR instance.
        problem: The Problem that it was derived from.

    Raises:
        ValueError: If nothing is masked in it, or it does not belong to the Problem.
    """
    *turns, last = instance.prompt
    said = "".join([turn.content for turn in turns if turn.role == "assistant"])
    if said:
        opening = irsp_continuation(problem.kind)
    elif instance.task == "irsp":
        opening = irsp_opening(problem.question, problem.kind)
    elif instance.task == "ir":
        opening = ir_opening(problem.rationale, problem.kind)
    else:
        raise ValueError(f"nothing is masked in {instance.id} (task {instance.task})")
    shown = between(last.content, opening)
    # Behind the last step white space is put in, where a marker stands for nothing there.
    if shown is None or not problem.rationale.startswith(said.rstrip()):
        raise ValueError(f"{instance.id} was not derived from the Problem {problem.id}")
    return said + shown


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
