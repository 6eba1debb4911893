"""What happens between steps: the log, validation, the bar, patience, and signals."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from dualtune.progress import bar

if TYPE_CHECKING:
    from dualtune.lm.trainer import DualTrainer

log = logging.getLogger(__name__)

# Seconds in which a second signal is the same one.
ECHO = 2.0


class Evidence(TrainerCallback):
    """Logs, validates and shows progress as training goes on; stops it where asked to."""

    def __init__(self, trainer: DualTrainer, *, logging_steps: int, patience: int | None) -> None:
        """Watch a trainer.

        Args:
            trainer: What is watched.
            logging_steps: Steps between two lines of the log.
            patience: Stop after so many epochs without a better loss or accuracy; None: never.
        """
        self.trainer = trainer
        self.logging_steps = logging_steps
        self.patience = patience
        self.ran_out_of_patience = False
        self._bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Validate before the first step and open the bar."""
        # A resumed state brings the interval of the run that was stopped.
        state.save_steps = args.save_steps
        if state.global_step == 0:
            self.trainer.validate()
        self._context = bar("train", total=state.max_steps, unit="step", initial=state.global_step)
        self._bar = self._context.__enter__()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Log by the step, validate at the end of each epoch."""
        trainer = self.trainer
        self._bar.update(1)
        told = trainer.train_log.window.by_task().items()
        shown = {name: f"{task['loss']:.3f}" for name, task in told}
        share = trainer.train_log.peak_share
        self._bar.set_postfix(shown | ({} if share is None else {"of peak": f"{share:.0%}"}))
        if state.global_step % self.logging_steps == 0 or state.global_step == state.max_steps:
            trainer.flush_log()
        if state.global_step % trainer.steps.per_epoch == 0:
            trainer.validate()
            trainer.keep_best()
            if self.must_stop_at(state.global_step):
                trainer.flush_log()
                control.should_training_stop = True

    def must_stop_at(self, step: int) -> bool:
        """Say whether patience has run out at a step, and keep it in ``ran_out_of_patience``."""
        trainer = self.trainer
        if (
            self.patience
            and step % trainer.steps.per_epoch == 0
            and trainer.train_log.epochs_without_gain() >= self.patience
        ):
            better = "higher accuracy" if trainer.train_log.goal == "accuracy" else "lower loss"
            log.info("no %s for %d epochs: stopping", better, self.patience)
            self.ran_out_of_patience = True
        return self.ran_out_of_patience

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar."""
        self._context.__exit__(None, None, None)


class StopOnSignal(TrainerCallback):
    """Ctrl-C and SIGTERM finish the step, save a checkpoint and stop; twice: at once.

    A signal to one rank stops all of them, after the same step.
    """

    def __init__(self, trainer: DualTrainer) -> None:
        """Start without a signal."""
        self.trainer = trainer
        self.received: float | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Save and stop if a signal came, here or to another rank."""
        trainer = self.trainer
        if trainer.must_stop or (trainer.ranks.size == 1 and self.received is not None):
            control.should_save = True
            control.should_training_stop = True

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Catch the signals while training runs; the handlers before are put back."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        try:
            before = {n: signal.signal(n, self._receive) for n in numbers}
        except ValueError:  # not the main thread: signals stay with who owns them
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        # A launcher passes on the Ctrl-C that the terminal sent to all already.
        echo = self.trainer.ranks.size > 1 and self.received is not None
        if self.received is not None and not (echo and time.monotonic() - self.received < ECHO):
            raise KeyboardInterrupt
        self.received = time.monotonic()
        self.trainer.wants_to_stop = True
        log.warning("stopping after this step; a checkpoint is saved (again to stop at once)")
