"""What each of two ranks runs for test_distributed.py: several trainings in one launch.

    python -m tests.unit.lm.ranks FOLDER MODEL JSON

JSON maps the name of a run to settings of ``train``, of its adapter under ``adapter``; ``die_at``
ends both processes with kill -9 in that step, ``signal_at`` sends SIGTERM to rank 1.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from dualtune.lm.launch import Launch, find_place
from dualtune.lm.train import Stopped, tune
from dualtune.lm.trainer import DualTrainer
from tests.unit.lm.test_train import PROBLEMS, recipe_for


def main(folder: Path, model: Path, runs: dict[str, dict[str, Any]]) -> None:
    torch.set_num_threads(1)
    place = find_place()
    assert place is not None
    with Launch(place) as launch:
        for name, settings in runs.items():
            run = folder / name
            run.mkdir(exist_ok=True)
            train_one(run, model, settings, launch)


def train_one(run: Path, model: Path, settings: dict[str, Any], launch: Launch) -> None:
    die_at = settings.pop("die_at", None)
    signal_at = settings.pop("signal_at", None)
    real = DualTrainer.training_step
    calls = 0

    def watched(self: DualTrainer, wrapped: Any, inputs: Any, items: Any = None) -> Any:
        nonlocal calls
        calls += 1
        if calls == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if calls == signal_at and self.ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        value = real(self, wrapped, inputs, items)
        if calls == 2:
            note(run, self, wrapped)
        return value

    DualTrainer.training_step = watched  # type: ignore[method-assign]
    try:
        tune(
            recipe_for(model, run, **settings),
            run,
            train=PROBLEMS[:12],
            validation=PROBLEMS[12:],
            launch=launch,
        )
    except Stopped as stopped:
        (run / f"stopped-{launch.place.rank}").write_text(str(stopped))
    finally:
        DualTrainer.training_step = real  # type: ignore[method-assign]


def note(run: Path, trainer: DualTrainer, wrapped: Any) -> None:
    """Write down what this rank holds in the middle of training."""
    parameters = list(trainer.model.parameters())
    optimiser = trainer._plain_optimiser()
    moments = [s["exp_avg"] for s in optimiser.state.values()]
    # An adapter is a shell around the model that is divided.
    inner = wrapped.get_base_model() if hasattr(wrapped, "get_base_model") else wrapped
    told = {
        "wrapped": type(inner).__name__,
        "sharded": [isinstance(p, DTensor) for p in parameters],
        "moments_sharded": [isinstance(m, DTensor) for m in moments],
        "numbers": sum(p.numel() for p in parameters),
        "held": sum((p.to_local() if isinstance(p, DTensor) else p).numel() for p in parameters),
    }
    (run / f"held-{trainer.ranks.rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
