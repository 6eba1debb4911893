"""What is counted of an optimiser step, or of the share that one rank has of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from dualtune.lm.steps import Step


@dataclass(frozen=True, slots=True)
class Facts:
    """What is counted of an optimiser step or of one rank's share of it.

    Attributes:
        weight: Weighted label tokens: what the loss is divided by.
        packs: How many there are.
        tokens_total: Tokens of all instances.
        tokens_distinct: Tokens that are computed.
        predictions: Positions that the head is computed at.
        pairs: Query-key pairs that are visible.
        instances: Instances by task.
        dropped: Instances that were left out, by cause.
    """

    weight: float = 0.0
    packs: int = 0
    tokens_total: int = 0
    tokens_distinct: int = 0
    predictions: int = 0
    pairs: int = 0
    instances: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def facts_of(step: Step) -> Facts:
    """Count what a step, or a share of one, holds."""
    return Facts(
        weight=step.weight,
        packs=len(step.packs),
        tokens_total=step.tokens_total,
        tokens_distinct=step.tokens_distinct,
        predictions=step.predictions,
        pairs=step.pairs,
        instances=Counter(step.instances),
        dropped=Counter(step.dropped),
    )


def combined(shares: Sequence[Facts]) -> Facts:
    """Return the sum of facts: of the shares of a step, or of several steps."""
    names = [f.name for f in fields(Facts)]
    sums: dict[str, Any] = {
        name: sum((getattr(share, name) for share in shares), start=getattr(Facts(), name))
        for name in names
    }
    return Facts(**sums)
