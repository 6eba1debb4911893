"""The transformers Trainer, given whole optimiser steps that are already packed.

The Trainer keeps the loop, the optimiser, the schedule, clipping, checkpoints and resuming. The
loss and its normalisation are ours: its own count of label tokens knows neither weights nor
siblings, and its shuffle would scatter the instances of a Problem. So is what several ranks do
together: its global batch is that of each rank times their number, and accelerate's FSDP becomes
DDP on a CPU without a word.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader
from transformers import Trainer

from dualtune.errors import DualtuneError
from dualtune.lm.best import best_folder, remove_unneeded
from dualtune.lm.checkpoints import remove_older, seal
from dualtune.lm.distributed import LossSums, Ranks, Shares, wrap
from dualtune.lm.facts import combined, facts_of
from dualtune.lm.loss import pack_loss
from dualtune.lm.offenders import find_offenders
from dualtune.lm.probe import Probe, Probed
from dualtune.lm.spikes import RECENT, SPIKE, Spikes
from dualtune.lm.steps import Step, Steps
from dualtune.lm.trainlog import TrainLog, Window
from dualtune.records import TASK_NAMES

log = logging.getLogger(__name__)

# As the Trainer calls it.
SCHEDULER = "scheduler.pt"


class DualTrainer(Trainer):
    """Trains on packed optimiser steps and logs losses by task."""

    def __init__(
        self,
        *,
        steps: Steps,
        validation: list[Step],
        train_log: TrainLog,
        keep_checkpoints: int,
        keeps_best: bool,
        probe: Probe | None,
        ranks: Ranks,
        **kwargs: Any,
    ) -> None:
        """Set up.

        Args:
            steps: All optimiser steps of the run.
            validation: This rank's share of the held-out Problems, packed; may be empty.
            train_log: Where losses go.
            keep_checkpoints: How many checkpoints stay, the newest ones.
            keeps_best: Keep the weights of the best epoch so far beside them.
            probe: What the model is asked at each validation, if anything.
            ranks: The processes that train together.
            **kwargs: For ``transformers.Trainer``.
        """
        self.steps = steps
        self.validation_steps = validation
        self.train_log = train_log
        self.keep_checkpoints = keep_checkpoints
        self.keeps_best = keeps_best
        self.probe = probe
        self.ranks = ranks
        self.wants_to_stop = False
        self.must_stop = False
        self.spikes = Spikes()
        self._last_norm = 0.0
        super().__init__(train_dataset=steps, **kwargs)

    def create_accelerator_and_postprocess(self) -> None:
        """Leave mixed precision to accelerate, and take over what concerns several ranks."""
        super().create_accelerator_and_postprocess()
        if self.ranks.size == 1 and not self.ranks.sharded:
            return
        prepare = self.accelerator.prepare_model

        def prepare_model(model: Any, **_: Any) -> Any:
            inner = prepare(model, device_placement=False, evaluation_mode=True)
            return wrap(inner, self.ranks, device=self.args.device)

        self.accelerator.prepare_model = prepare_model

    def _move_model_to_device(self, model: Any, device: torch.device) -> None:
        """Do nothing: the model was loaded where it belongs, and parts of one cannot be moved."""

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return this rank's share of the steps in their order, prepared ahead by workers."""
        workers = self.args.dataloader_num_workers
        return DataLoader(
            Shares(self.steps, self.ranks),
            batch_size=1,
            collate_fn=_only,
            num_workers=workers,
            prefetch_factor=2 if workers else None,
            worker_init_fn=_start_worker,
        )

    def training_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Accumulate the gradients of one optimiser step over its packs.

        Args:
            model: The model.
            inputs: The step, under ``step``.
            num_items_in_batch: The Trainer's own count, not used.

        Returns:
            The loss of the step, without gradient.

        Raises:
            DualtuneError: If the loss is not finite or far above that of the last steps; names the
                instances.
        """
        model.train()
        share: Step = inputs["step"]
        shares = self.ranks.gather(facts_of(share))
        step, most = combined(shares), max(x.packs for x in shares)
        sums = LossSums(self.args.device)
        for pack, last in self.ranks.passes(share.packs, most=most):
            with self.ranks.keep_gradients(model, last=last):
                part = pack_loss(model, pack.to(self.args.device), tasks=len(TASK_NAMES))
                scaled = part.weighted / step.weight
                # Gradients are averaged over the ranks, and are to be summed.
                self.accelerator.backward(scaled * self.ranks.size)
            sums.add(pack, part, scaled)
        value, loss, tokens, stops = sums.over(self.ranks, also=float(self.wants_to_stop))
        self.must_stop = stops > 0
        if not math.isfinite(value):
            self._give_up(f"the loss is {value}")
        # A step whose instances were all left out has no loss to tell spikes by.
        if step.packs and self.spikes.is_spike(value):
            self._give_up(
                f"the loss is {value:.3g}, more than {SPIKE:g} times the median of the last "
                f"{len(self.spikes.recent)} steps"
            )
        self.train_log.add(step, weighted=value, loss=loss, tokens=tokens)
        return torch.tensor(value, device=self.args.device)

    def _give_up(self, what: str) -> NoReturn:
        """Stop before the weights take a bad step, and name what it was made of."""
        number = self.state.global_step
        with self.accelerator.autocast():  # the precision that it came about in
            found = find_offenders(self.model, self.steps, number, device=self.args.device)
        raise DualtuneError(
            f"step {number + 1}: {what}. {found} Look at them with dualtune preview, lower "
            f"train.learning_rate (now {self.args.learning_rate}), or set train.precision: fp32; "
            "the last checkpoint is kept."
        )

    def validate(self) -> None:
        """Log the loss of the held-out Problems by task and the probe's accuracy, once a step."""
        step = self.state.global_step
        shares = self.ranks.gather(combined([facts_of(x) for x in self.validation_steps]))
        held, most = combined(shares), max(x.packs for x in shares)
        if not held.packs or self.train_log.has_validation(step):
            return
        started = time.monotonic()
        packs = [pack for share in self.validation_steps for pack in share.packs]
        sums = LossSums(self.args.device)
        model: Any = self.model
        model.eval()
        with torch.no_grad(), self.accelerator.autocast():
            for pack, _ in self.ranks.passes(packs, most=most):
                part = pack_loss(model, pack.to(self.args.device), tasks=len(TASK_NAMES))
                sums.add(pack, part, part.weighted)
            probed = self._probed(model)
        model.train()
        _, loss, tokens, _ = sums.over(self.ranks)
        window = Window(loss=loss, tokens=tokens, instances=held.instances)
        self.train_log.validation(
            step=step,
            epoch=self.epoch,
            window=window,
            seconds=time.monotonic() - started,
            probe=probed,
        )
        if self.args.report_to:
            told = window.by_task() | ({} if probed is None else {"probe": probed})
            self.log(_flat(told, prefix="eval_"))

    def _probed(self, model: Any) -> dict[str, Any] | None:
        """Return what the probe found, over all ranks; None where there is none."""
        if self.probe is None:
            return None
        ranks = self.ranks
        mine = self.probe.answered(model, rank=ranks.rank, size=ranks.size, sharded=ranks.sharded)
        found = [answer for share in ranks.gather(mine) for answer in share]
        right, cut = (sum(column) for column in zip(*found, strict=True))
        return Probed(correct=right, cut=cut, rows=len(found)).line()

    @property
    def epoch(self) -> float:
        """Passes over the Problems so far."""
        return self.state.global_step / self.steps.per_epoch

    def flush_log(self) -> None:
        """Write the current line of the log."""
        line = self.train_log.flush(
            step=self.state.global_step,
            epoch=self.epoch,
            learning_rate=self._get_learning_rate(),
            grad_norm=self._last_norm,
        )
        if line and self.args.report_to:
            numbers = {k: v for k, v in line.items() if isinstance(v, int | float)}
            self.log(numbers | _flat(line["tasks"]))

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        self._last_norm = float(norm.full_tensor() if isinstance(norm, DTensor) else norm)
        # The scaler of fp16 skips steps with infinite gradients by itself.
        if not math.isfinite(self._last_norm) and not self.args.fp16:
            self._give_up(f"the norm of the gradient is {self._last_norm}")
        return norm

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self.flush_log()
        folder = Path(self._get_output_dir(trial=trial))
        target = folder / f"checkpoint-{self.state.global_step}"
        self._write(target, partial(super()._save_checkpoint, model, trial))
        # Not before the seal, which is why the Trainer does not do it: a kill between the two
        # would leave no checkpoint that counts.
        self.ranks.on_first(lambda: remove_older(folder, keep=self.keep_checkpoints))
        self._remove_unneeded()

    def _write(self, target: Path, write: Callable[[], None]) -> None:
        """Write a folder on all ranks, and seal it once all have done so."""
        failed = None
        try:
            write()
        # torch and safetensors report a full disk as errors of their own.
        except (OSError, RuntimeError, SafetensorError, CheckpointException) as error:
            failed = str(error)
        # Every rank has written, or failed to: the seal stands for all of them.
        failed = self.ranks.all_or_none(failed)
        self.ranks.on_first(lambda: self._seal(target, failed))

    def keep_best(self) -> None:
        """Write the weights, if the epoch that has ended is the best so far."""
        step = self.state.global_step
        if not self.keeps_best or self.train_log.best_step() != step:
            return
        target = best_folder(Path(str(self.args.output_dir)), step)
        # Of a run that was killed after it.
        self.ranks.on_first(lambda: shutil.rmtree(target, ignore_errors=True))
        self._write(target, partial(self._write_weights, target))
        self._remove_unneeded()

    def restore_best(self) -> int:
        """Load the weights of the best epoch, and return its last step."""
        step = self.train_log.best_step()
        if step is None:  # no epoch came to its end with a validation
            return self.state.global_step
        if step != self.state.global_step:
            log.info("keeping the weights of step %d, the best epoch", step)
            self.restore(best_folder(Path(str(self.args.output_dir)), step))
        return step

    def _write_weights(self, target: Path) -> None:
        if not self.ranks.sharded:
            super().save_model(str(target), True)
            return
        from dualtune.lm.shards import save_weights

        save_weights(target, self.model)

    def _remove_unneeded(self) -> None:
        if self.keeps_best:
            folder, best_step = Path(str(self.args.output_dir)), self.train_log.best_step
            self.ranks.on_first(lambda: remove_unneeded(folder, best_step))

    def _seal(self, target: Path, failed: str | None) -> None:
        if failed is None:
            try:
                recent = json.dumps(list(self.spikes.recent))
                (target / RECENT).write_text(recent, encoding="utf-8")
                seal(target)
            except OSError as error:
                failed = str(error)
        if failed is None:
            return
        shutil.rmtree(target, ignore_errors=True)
        left = sorted(p.name for p in target.parent.glob("checkpoint-*"))
        raise DualtuneError(
            f"cannot write checkpoint {target}: {failed}. Free some disk space (or lower "
            "train.keep_checkpoints) and give the same command again; kept: "
            f"{', '.join(left) or 'no earlier checkpoint'}."
        )

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the weights of a checkpoint; parts of them go with those of the optimiser."""
        if not self.ranks.sharded:
            super().save_model(output_dir, _internal_call)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.ranks.sharded:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        from dualtune.lm.shards import save_shards

        save_shards(Path(output_dir), self.model, self._plain_optimiser())
        if self.args.should_save:
            scheduler: Any = self.lr_scheduler
            torch.save(scheduler.state_dict(), Path(output_dir) / SCHEDULER)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not self.ranks.sharded:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        from dualtune.lm.shards import load_weights

        load_weights(Path(resume_from_checkpoint), self.model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not self.ranks.sharded or checkpoint is None:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        from dualtune.lm.shards import load_optimiser

        load_optimiser(Path(checkpoint), self.model, self._plain_optimiser())
        scheduler: Any = self.lr_scheduler
        scheduler.load_state_dict(torch.load(Path(checkpoint) / SCHEDULER, weights_only=True))

    def _plain_optimiser(self) -> Any:
        return getattr(self.optimizer, "optimizer", self.optimizer)

    def restore(self, checkpoint: Path) -> None:
        """Load the weights of a checkpoint that nothing is trained on any more."""
        self._load_from_checkpoint(str(checkpoint))

    def gathered_weights(self) -> dict[str, Tensor] | None:
        """Return all weights on rank 0, where each rank holds a part of them; else None."""
        if not self.ranks.sharded:
            return None
        from dualtune.lm.shards import whole_weights

        return whole_weights(self.model)

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: the Trainer's estimate would count shared and masked tokens wrongly."""
        return 0


def _start_worker(_: int) -> None:
    # Ctrl-C, timeout and batch systems signal the whole process group. A worker that died of it
    # would end training without a checkpoint; the trainer stops its workers itself.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Workers are many enough: their tokenizers use one thread each.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    # Shared memory by file name: descriptors run out where a step has many packs.
    torch.multiprocessing.set_sharing_strategy("file_system")  # type: ignore[no-untyped-call]


def _only(batch: list[Step]) -> dict[str, Step]:
    # The Trainer looks for keys in what it is given, so a step travels in a dict.
    return {"step": batch[0]}


def _flat(tasks: Mapping[str, Mapping[str, float]], *, prefix: str = "") -> dict[str, float]:
    """Return the numbers of tasks under the names that trackers group by."""
    return {
        f"{prefix}{task}/{name}": value
        for task, values in tasks.items()
        for name, value in values.items()
        if isinstance(value, int | float)
    }
