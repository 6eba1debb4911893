"""Solve: question to rationale and answer."""

from __future__ import annotations

from dualtune.records import Instance, Problem
from dualtune.tasks.prompts import solve_messages, solve_target


def solve_instance(problem: Problem, *, epoch: int, system: str | None) -> Instance:
    """Return the solve instance of a Problem.

    Args:
        problem: The Problem.
        epoch: Named in the id; the text does not depend on it.
        system: System prompt, if any.
    """
    return Instance(
        id=f"{problem.id}/solve/{epoch}/0",
        source_id=problem.id,
        task="solve",
        prompt=solve_messages(problem.question, system=system),
        target=solve_target(problem.rationale, problem.answer),
    )
