"""Processes that torchrun or ``accelerate launch`` started, until and unless they train together.

The first rank runs a command as if it were alone: it builds, audits and evaluates. The others
wait for its call, through the launcher's key-value store and before any process group exists, so
that no collective can time out over an hour of preparation. Only training takes all of them.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dualtune.errors import BadInput, DualtuneError

if TYPE_CHECKING:
    from dualtune.lm.distributed import Ranks

log = logging.getLogger(__name__)

# What launchers tell a process; libraries that find these take it for one of several.
_SEEN_BY_LIBRARIES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
_NEEDED = ("RANK", "MASTER_ADDR", "MASTER_PORT")
_HOW = "torchrun --nproc-per-node N --no-python dualtune train RECIPE.yaml"
# What accelerate launch asks accelerate to do with the model, which is done here.
_WRAPPERS = {"ACCELERATE_USE_FSDP": "--use_fsdp", "ACCELERATE_USE_DEEPSPEED": "--use_deepspeed"}
# Keys of the store.
_CALL, _END, _LEFT = "dualtune/call", "dualtune/end", "dualtune/left"
_FAILURES = "dualtune/failures"
_POLL = 0.2  # seconds between two looks at the store
# The others leave so many seconds after the one that tells the error: a launcher ends all
# processes when the first one has gone.
_GRACE = 1.5


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process stands among those that were launched together.

    Attributes:
        rank: From 0, over all machines.
        local_rank: From 0, on this machine: which GPU is its own.
        size: Processes in all.
        local_size: Processes on this machine.
    """

    rank: int
    local_rank: int
    size: int
    local_size: int


def find_place() -> Place | None:
    """Read what the launcher says of this process.

    Returns:
        None where it runs alone.

    Raises:
        BadInput: If there are several processes without the variables by which they meet, or
            accelerate is to wrap the model in a way of its own.
    """
    size = _number("WORLD_SIZE", 1)
    if size == 1:
        return None
    missing = [name for name in _NEEDED if not os.environ.get(name)]
    if missing:
        raise BadInput(
            f"WORLD_SIZE is {size}, but {', '.join(missing)} is not set, so the processes cannot "
            f"meet. Start them with {_HOW} (or accelerate launch), or unset WORLD_SIZE."
        )
    for name, flag in _WRAPPERS.items():
        if os.environ.get(name, "").lower() == "true":
            raise BadInput(
                f"accelerate launch was given {flag} (or its configuration says so), but dualtune "
                "divides the model itself: leave it out, and set train.parallel: fsdp."
            )
    rank = _number("RANK", 0)
    if not 0 <= rank < size:
        raise BadInput(f"RANK is {rank}, but WORLD_SIZE is {size}: ranks go from 0 to {size - 1}.")
    local_rank = _number("LOCAL_RANK", rank)
    return Place(rank, local_rank, size, _number("LOCAL_WORLD_SIZE", size))


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError as error:
        raise BadInput(f"{name} is {text!r}, which is no number. Start with {_HOW}.") from error


class Launch:
    """This process among those launched together; a context that speaks with one voice.

    Where the processes fail, one of them raises its error and the others exit without a word.
    """

    def __init__(self, place: Place, *, store: Any = None) -> None:
        """Meet the other processes.

        Args:
            place: Of this process.
            store: A key-value store of torch.distributed; None takes the launcher's.
        """
        from torch.distributed.rendezvous import rendezvous

        self.place = place
        if store is None:
            meeting: Any = rendezvous("env://")
            store, _, _ = next(meeting)
        self.store = store
        self._trainings = 0
        self._hidden = {n: os.environ[n] for n in _SEEN_BY_LIBRARIES if n in os.environ}
        if not self.is_first:
            # What all ranks find alike is told once.
            logging.getLogger("dualtune").setLevel(logging.ERROR)

    @property
    def is_first(self) -> bool:
        """Say whether this is the rank that prepares, logs and writes."""
        return self.place.rank == 0

    def call(self, fingerprint: str) -> None:
        """Call the waiting ranks to training; they have the same recipe.

        Args:
            fingerprint: Of the training, for its checkpoints.
        """
        self.store.set(_CALL, fingerprint)

    def wait(self) -> str | None:
        """Wait, for hours if need be, until the first rank calls or ends.

        Returns:
            The fingerprint of the training, or None where there is nothing to train.
        """
        while True:
            # A rank that has failed ends this one as well.
            if self.store.check([_FAILURES]):
                raise DualtuneError("another process of this launch failed")
            if self.store.check([_CALL]):
                return str(self.store.get(_CALL).decode())
            if self.store.check([_END]):
                return None
            time.sleep(_POLL)

    @contextmanager
    def together(self, device: str, *, parallel: str) -> Iterator[Ranks]:
        """Open the process group in which all ranks train.

        Args:
            device: ``cpu`` (gloo) or ``cuda`` (NCCL for tensors on GPUs, gloo for the rest).
            parallel: The recipe's ``train.parallel``.

        Yields:
            The ranks.

        Raises:
            BadInput: If this machine has fewer GPUs than processes.
        """
        from torch.distributed.distributed_c10d import PrefixStore

        from dualtune.lm.distributed import process_group

        self._trainings += 1
        store = PrefixStore(f"training-{self._trainings}", self.store)
        os.environ.update(self._hidden)
        with process_group(self.place, store, device=device, parallel=parallel) as ranks:
            yield ranks
        if self.is_first:
            _hide()

    def __enter__(self) -> Self:
        if self.is_first:
            _hide()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._leave()
            return
        try:
            tells = self.store.add(_FAILURES, 1) == 1
        except RuntimeError:  # the store has gone with the process that kept it
            tells = False
        if tells:
            if _is_lost_peer(error):
                raise DualtuneError(
                    "another process of this launch ended without a word (killed, or out of "
                    "memory); the launcher says which. The same command goes on from the last "
                    "checkpoint."
                ) from error
            return
        time.sleep(_GRACE)
        raise SystemExit(getattr(error, "exit_code", 1))

    def _leave(self) -> None:
        """Leave in peace: the first rank last, since it may be the one that keeps the store."""
        if not self.is_first:
            with suppress(RuntimeError):  # the store has gone with the process that kept it
                self.store.add(_LEFT, 1)
            return
        self.store.set(_END, "")
        until = time.monotonic() + 10 * _GRACE
        others = self.place.size - 1
        while self.store.add(_LEFT, 0) < others and time.monotonic() < until:
            time.sleep(_POLL)


def _hide() -> None:
    """Let libraries that the first rank uses by itself see one process."""
    for name in _SEEN_BY_LIBRARIES:
        os.environ.pop(name, None)


def _is_lost_peer(error: BaseException) -> bool:
    """Say whether a collective failed since a process at its other end has gone."""
    from torch.distributed import DistError

    # Gloo raises plain RuntimeErrors.
    said = str(error)
    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and ("gloo" in said or "Connection closed" in said)
    )
