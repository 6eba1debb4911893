"""The ranks of a training run: who computes what, and what is the same for all of them.

An optimiser step is the same Problems, the same sum and the same weight for any number of ranks.
Each rank derives, encodes and packs its own share of a step's Problems; their losses, weights and
gradients are summed. Gradients go through DDP, or FSDP2 (``fully_shard``) where a model and its
optimiser do not fit on one device.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import Dataset

from dualtune.errors import BadInput, DualtuneError
from dualtune.lm.launch import Place
from dualtune.lm.loss import PackLoss
from dualtune.lm.packing import Pack
from dualtune.lm.steps import Step, Steps
from dualtune.records import TASK_NAMES, Problem

log = logging.getLogger(__name__)

T = TypeVar("T")

# How long a rank may wait for another: rank 0 writes a whole model while the others wait.
TIMEOUT = timedelta(hours=1)
# The characters of a Problem's prompt besides question and rationale, about: a system prompt and
# the marks of a chat template. Only for dealing Problems out evenly.
_PROMPT = 200


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes that train one model together; by default this one alone.

    Attributes:
        rank: Of this process, from 0.
        size: How many there are.
        local_rank: Of this process on its machine, from 0.
        sharded: Parameters, gradients and optimiser state are divided among them (FSDP2).
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    sharded: bool = False

    @property
    def is_first(self) -> bool:
        """Say whether this is the rank that logs and writes."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """Return the values of all ranks, by rank. All ranks have to call it."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of a CPU tensor over all ranks. All ranks have to call it."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def on_first(self, work: Callable[[], T]) -> T:
        """Do something on rank 0 alone, while the others wait.

        Returns:
            What it returned, on all ranks.

        Raises:
            DualtuneError: On all ranks, if it fails.
        """
        if self.size == 1:
            return work()
        done: T | None = None
        failed: DualtuneError | None = None
        if self.is_first:
            try:
                done = work()
            except DualtuneError as error:
                failed = error
        told: tuple[Any, DualtuneError | None] = self.gather((done, failed))[0]
        if told[1] is not None:
            raise told[1]
        result: T = told[0]
        return result

    def in_turns(self, work: Callable[[], T]) -> T:
        """Do something on all ranks, on those of one machine one after the other.

        Args:
            work: Must not wait for another rank.

        Returns:
            What it returned on this rank.
        """
        done: list[T] = []
        for turn in range(max(self.gather(self.local_rank)) + 1):
            if turn == self.local_rank:
                done.append(work())
            self.gather(None)
        return done[0]

    def all_or_none(self, failed: str | None) -> str | None:
        """Return the first rank's failure, if any failed. All ranks have to call it."""
        return next((found for found in self.gather(failed) if found is not None), None)

    def passes(self, packs: Sequence[Pack], *, most: int) -> Iterable[tuple[Pack, bool]]:
        """Yield the packs that a rank computes, and whether each is its last one.

        DDP's gradients meet in the last backward pass of each rank; under FSDP2 every pass takes
        all ranks, since each holds a part of the weights. A rank that has too few packs computes
        one that weighs nothing.

        Args:
            packs: The rank's own.
            most: Packs of the rank that has most of them.
        """
        at_least = int(self.size > 1 and most > 0)
        wanted = most if self.sharded else max(len(packs), at_least)
        blank = [blank_pack()] * (wanted - len(packs))
        for number, pack in enumerate((*packs, *blank), start=1):
            yield pack, number == wanted

    def keep_gradients(self, model: Any, *, last: bool) -> AbstractContextManager[Any]:
        """Return the context of a pass: DDP reduces gradients in the last one alone.

        FSDP2 reduces them in each, so that no rank ever holds the gradients of all weights.
        """
        if last or self.size == 1 or self.sharded:
            return nullcontext()
        context: AbstractContextManager[Any] = model.no_sync()
        return context


def deal(problems: Sequence[Problem], size: int) -> list[list[Problem]]:
    """Deal the Problems of a step to ranks, so that all have about the same work.

    The longest Problem goes first, each to the rank that has least (Graham 1969, longest
    processing time first). All instances of a Problem repeat its question and rationale, so their
    length stands for the work before anything is derived or encoded.

    Args:
        problems: Of one optimiser step.
        size: How many ranks there are.

    Returns:
        A share for each rank, in the order of the step; shares may be empty.
    """
    work = [_PROMPT + len(p.question) + len(p.rationale) for p in problems]
    loads = [0] * size
    shares: list[list[int]] = [[] for _ in range(size)]
    for number in sorted(range(len(problems)), key=lambda i: (-work[i], i)):
        rank = loads.index(min(loads))
        shares[rank].append(number)
        loads[rank] += work[number]
    return [[problems[i] for i in sorted(share)] for share in shares]


def warn_of_idle(ranks: Ranks, problems_per_step: int) -> None:
    """Say so where a step has fewer Problems than there are ranks: they are dealt out whole."""
    idle = ranks.size - problems_per_step
    if idle > 0:
        log.warning(
            "train.problems_per_step is %d, so %d of the %d processes have nothing to compute in "
            "a step: raise it, or start fewer",
            problems_per_step,
            idle,
            ranks.size,
        )


class Shares(Dataset[Step]):
    """One rank's share of each optimiser step, derived, encoded and packed by this rank alone."""

    def __init__(self, steps: Steps, ranks: Ranks) -> None:
        """Take a rank's share.

        Args:
            steps: All optimiser steps.
            ranks: The ranks.
        """
        self.steps = steps
        self.ranks = ranks

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Step:
        if self.ranks.size == 1:
            return self.steps[index]
        mine = deal(self.steps.problems_of(index), self.ranks.size)[self.ranks.rank]
        return self.steps.preparer.step(mine, self.steps.epoch_of(index))


def blank_pack() -> Pack:
    """Return a pack that weighs and counts nothing, for a rank that has to compute one more."""
    return Pack(
        tokens=torch.zeros((1, 2), dtype=torch.int64),
        depth=torch.arange(2)[None],
        end=None,
        index=torch.zeros(1, dtype=torch.int64),
        label=torch.zeros(1, dtype=torch.int64),
        weight=torch.zeros(1),
        task=torch.zeros(1, dtype=torch.int64),
        tokens_total=0,
        tokens_distinct=0,
        sequences=0,
    )


class LossSums:
    """Loss sums of the packs that a rank computes, kept on its device until they are asked for."""

    def __init__(self, device: torch.device) -> None:
        """Start at zero."""
        self.value = torch.zeros((), device=device)
        self.loss = torch.zeros(len(TASK_NAMES), dtype=torch.float64, device=device)
        self.tokens = torch.zeros(len(TASK_NAMES), dtype=torch.int64, device=device)

    def add(self, pack: Pack, part: PackLoss, value: Tensor) -> None:
        """Add a pack's sums; one without instances counts nothing, but its loss must be finite."""
        self.value += value.detach()
        if pack.sequences:
            self.loss += part.by_task
            self.tokens += part.tokens

    def over(
        self, ranks: Ranks, *, also: float = 0.0
    ) -> tuple[float, np.ndarray, np.ndarray, float]:
        """Return the sums over all ranks. All of them have to call it.

        Args:
            ranks: The ranks.
            also: A number to add up on the way.

        Returns:
            The value; loss and label tokens by task ``[T]``; the sum of ``also``.
        """
        parts = [self.value.double()[None], self.loss, self.tokens.double()]
        values = torch.cat(parts).cpu()
        values = ranks.total(torch.cat([values, torch.tensor([also], dtype=torch.float64)]))
        value, loss, tokens, more = torch.split(values, [1, len(TASK_NAMES), len(TASK_NAMES), 1])
        return float(value), loss.numpy(), tokens.numpy().astype(np.int64), float(more)


@contextmanager
def process_group(place: Place, store: Any, *, device: str, parallel: str) -> Iterator[Ranks]:
    """Open the process group of a training run.

    Args:
        place: Of this process.
        store: Where the ranks meet, and no other group does.
        device: ``cpu`` or ``cuda``.
        parallel: The recipe's ``train.parallel``: ``auto``, ``ddp`` or ``fsdp``.

    Yields:
        The ranks.

    Raises:
        BadInput: If this machine has fewer GPUs than processes.
    """
    from accelerate.state import AcceleratorState

    if device == "cuda":
        gpus = torch.cuda.device_count()
        if place.local_size > gpus:
            raise BadInput(
                f"{place.local_size} processes were started on this machine, which has {gpus} "
                f"GPUs. Start at most {gpus} here (torchrun --nproc-per-node {gpus}), or set "
                "train.device: cpu."
            )
        torch.cuda.set_device(place.local_rank)
    dist.init_process_group(
        # What is counted on the CPU is summed there, without waiting for the GPU.
        "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl",
        store=store,
        rank=place.rank,
        world_size=place.size,
        timeout=TIMEOUT,
    )
    ranks = Ranks(place.rank, place.size, place.local_rank, sharded=parallel == "fsdp")
    log.info("%d processes on %s: %s", ranks.size, device, "FSDP2" if ranks.sharded else "DDP")
    yield ranks
    # Where this rank has failed, the others are waiting for it inside a collective: only the end
    # of the process frees them, so nothing is tidied up then.
    dist.destroy_process_group()
    reset: Any = AcceleratorState._reset_state
    reset(reset_partial_state=True)  # an evaluation after this one is no distributed one


def wrap(model: Any, ranks: Ranks, *, device: torch.device) -> Any:
    """Let the gradients of all ranks meet.

    Args:
        model: The model; sharded already, under FSDP2.
        ranks: The ranks.
        device: This rank's.

    Returns:
        The model, under DDP wrapped.
    """
    if ranks.sharded:
        from dualtune.lm.shards import check_sharded

        check_sharded(model)
    if ranks.size == 1 or ranks.sharded:
        return model
    config = model.config
    text = config.get_text_config()
    # Vision towers see no token, and an expert may see none: DDP has to look for them.
    sparse = any(getattr(text, name, None) for name in ("num_experts", "num_local_experts"))
    return torch.nn.parallel.DistributedDataParallel(
        model,
        device_ids=[device] if device.type == "cuda" else None,
        find_unused_parameters=sparse or text is not config,
        gradient_as_bucket_view=True,
    )
