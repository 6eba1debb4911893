"""What the instances of all tasks have in common: their ids, their streams, their prompts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from dualtune.records import Instance, Masked, Message, Problem, TaskName
from dualtune.tasks.choices import stream_seed
from dualtune.tasks.prompts import with_system


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass over the Problems.

    Attributes:
        seed: The recipe's seed.
        epoch: Named in the ids.
        system: System prompt, if any.
        fresh_masks: Whether the masks depend on the epoch.
    """

    seed: int
    epoch: int = 0
    system: str | None = None
    fresh_masks: bool = True

    def stream(self, name: str, problem: Problem) -> tuple[int, Random]:
        """Return the seed of a random stream of a Problem, and the stream."""
        seed = stream_seed(self.seed, self.epoch if self.fresh_masks else 0, name, problem.id)
        return seed, Random(seed)

    def instance(
        self,
        problem: Problem,
        task: TaskName,
        index: int,
        *,
        content: str,
        target: str,
        masked: tuple[Masked, ...] = (),
        stream: int = 0,
        before: tuple[Message, ...] = (),
    ) -> Instance:
        """Return an instance.

        Args:
            problem: What it is derived from.
            task: Its task.
            index: Its place among the Problem's instances of the task.
            content: The user turn that the target answers.
            target: What the model is to write.
            masked: What was masked.
            stream: The seed of the stream that chose the masks.
            before: The turns before it, the system prompt left out.
        """
        return Instance(
            id=f"{problem.id}/{task}/{self.epoch}/{index}",
            source_id=problem.id,
            task=task,
            prompt=with_system((*before, Message("user", content)), self.system),
            target=target,
            masked=masked,
            seed=stream,
        )


def count_fewer(skipped: Counter[str], cause: str, wanted: int, got: int) -> None:
    """Count the instances that were asked for beyond the distinct choices there are."""
    if got < wanted:
        skipped[cause] += wanted - got
