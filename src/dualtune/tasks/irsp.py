"""Intermediate Reasoning State Prediction: predict masked steps of a rationale."""

from __future__ import annotations

from collections import Counter
from random import Random

from dualtune.recipe import Irsp
from dualtune.records import Instance, Problem
from dualtune.tasks.choices import draw_subsets, stream_seed
from dualtune.tasks.masking import is_maskable, mask
from dualtune.tasks.prompts import irsp_messages, masked_target
from dualtune.text.steps import segment


def irsp_instances(
    problem: Problem,
    settings: Irsp,
    *,
    seed: int,
    epoch: int,
    system: str | None,
    mask_epoch: int,
) -> tuple[list[Instance], Counter[str]]:
    """Derive the IRSP instances of a Problem.

    Policy ``random`` masks ``settings.masks`` steps of each of ``settings.per_problem`` instances,
    no two alike; at least one step stays visible. Policy ``each`` gives one instance a step.

    Args:
        problem: The Problem.
        settings: The recipe's ``tasks.irsp``.
        seed: The recipe's seed.
        epoch: Named in the id.
        system: System prompt, if any.
        mask_epoch: Epoch that the random stream depends on: 0 where masks are not fresh.

    Returns:
        The instances, and how many were not made by cause: ``one_step`` (a Problem whose
        rationale has no second step), ``fewer_choices`` (instances asked for beyond the distinct
        choices), ``marker_in_text`` (a Problem that holds a marker already).
    """
    skipped: Counter[str] = Counter()
    if not is_maskable(problem.question, problem.rationale):
        skipped["irsp.marker_in_text"] += 1
        return [], skipped
    steps = segment(problem.rationale)
    if len(steps) < 2:
        skipped["irsp.one_step"] += 1
        return [], skipped
    stream = stream_seed(seed, mask_epoch, "irsp", problem.id)
    if settings.policy == "each":
        chosen: list[tuple[int, ...]] = [(i,) for i in range(len(steps))]
    else:
        size = min(settings.masks, len(steps) - 1)
        wanted = settings.per_problem
        chosen = draw_subsets(len(steps), size=size, count=wanted, rng=Random(stream))
        if len(chosen) < wanted:
            skipped["irsp.fewer_choices"] += wanted - len(chosen)
    instances = []
    for index, picks in enumerate(chosen):
        masked_rationale, masked = mask(
            problem.rationale, [steps[i] for i in picks], where="rationale"
        )
        instances.append(
            Instance(
                id=f"{problem.id}/irsp/{epoch}/{index}",
                source_id=problem.id,
                task="irsp",
                prompt=irsp_messages(problem.question, masked_rationale, masked, system=system),
                target=masked_target(masked),
                masked=masked,
                seed=stream,
            )
        )
    return instances, skipped
