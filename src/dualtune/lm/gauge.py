"""How fast training is against what the machine can do, and how much of it is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dualtune.lm.facts import Facts
from dualtune.lm.hardware import measured_peak
from dualtune.lm.plan import Shape, model_shape, useful_flops
from dualtune.lm.preflight import Preflight
from dualtune.recipe import Train


@dataclass(frozen=True, slots=True)
class Gauge:
    """What the speed of a run is held against.

    Attributes:
        peak: What the devices of all ranks multiply matrices at, FLOP/s.
        flops_of: Returns the useful FLOPs of an optimiser step.
        work: How much work each epoch is, in any unit: those of a schedule differ.
    """

    peak: float
    flops_of: Callable[[Facts], float]
    work: tuple[float, ...]

    def share_done(self, epoch: float) -> float:
        """Return the share of all work that is done after so many epochs."""
        whole = int(epoch)
        begun = (epoch - whole) * self.work[whole] if whole < len(self.work) else 0.0
        return (sum(self.work[:whole]) + begun) / sum(self.work)


def gauge_of(
    config: Any, settings: Train, preflight: Preflight, *, device: str, precision: str
) -> Gauge:
    """Measure this machine, and take the work of the epochs from the preflight.

    Args:
        config: The model's configuration.
        settings: The recipe's ``train``.
        preflight: Of the run.
        device: ``cpu`` or ``cuda``.
        precision: ``fp32``, ``bf16`` or ``fp16``.

    Returns:
        The gauge of one process alone.
    """
    frozen = settings.adapter.kind != "none"
    return Gauge(
        peak=measured_peak(device, precision),
        flops_of=partial(_step_flops, model_shape(config), frozen),
        work=tuple(float(preflight.work(epoch)) for epoch in range(settings.epochs)),
    )


def _step_flops(shape: Shape, frozen: bool, step: Facts) -> float:
    return useful_flops(
        shape,
        tokens=step.tokens_distinct,
        predictions=step.predictions,
        pairs=step.pairs,
        frozen=frozen,
    )
