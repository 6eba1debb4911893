"""The weights of the best epoch, kept beside the checkpoints and beyond their rotation.

A run that goes on from a checkpoint has to know the best epoch as of that checkpoint, since the
epochs after it are trained again. So the best weights of every checkpoint that is kept are kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from dualtune.errors import BadInput
from dualtune.lm.checkpoints import CHECKPOINT, fault_of, numbered

_NAME = "best-"


def best_folder(checkpoints: Path, step: int) -> Path:
    """Return the folder of the weights of a step."""
    return checkpoints / f"{_NAME}{step}"


def check_best(checkpoints: Path, step: int | None) -> None:
    """Find out before training goes on whether the best weights so far are there.

    Args:
        checkpoints: The run's ``checkpoints``.
        step: The best step so far, or None.

    Raises:
        BadInput: If they are missing or damaged.
    """
    if step is None:
        return
    folder = best_folder(checkpoints, step)
    fault = fault_of(folder)
    if fault is not None:
        raise BadInput(
            f"the best weights so far, {folder}, cannot be used: {fault}. Remove {checkpoints} to "
            "train again from the start, or set train.keep: last."
        )


def remove_unneeded(checkpoints: Path, best_step: Callable[[int | None], int | None]) -> None:
    """Remove the weights that neither this run nor one resumed from a checkpoint will ask for.

    Args:
        checkpoints: The run's ``checkpoints``.
        best_step: Returns the best step up to a step, or up to now.
    """
    needed = {best_step(None), *map(best_step, numbered(checkpoints, CHECKPOINT))}
    for step, folder in numbered(checkpoints, _NAME).items():
        if step not in needed:
            shutil.rmtree(folder)
