"""Processes that work beside this one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path

# Turns that a waiting OpenMP thread spins before it sleeps: about a tenth of a millisecond. One
# training step of SmolLM2-135M on two idle cores took 11.3 s without a turn and 8.0 s with these;
# with another busy process it took 15.7 s and 24.1 s.
SPIN = 10_000
# Share of the cores that may be busy for the machine to count as idle, and how long that is
# looked at (seconds).
IDLE = 0.2
LOOK = 0.1


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_thread_waiting(environment: MutableMapping[str, str]) -> None:
    """Say how OpenMP's threads wait for one another; what the user has set stays.

    Threads that spin for long while they wait (the runtime's default) make training three times
    slower on a CPU that others use as well; threads that sleep at once are slow to wake up. So
    they sleep, after a short spin where nothing else is running.

    Args:
        environment: Of this process, before torch is loaded, which is when it is read.
    """
    if "OMP_WAIT_POLICY" in environment or "GOMP_SPINCOUNT" in environment:
        return
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    busy = busy_share(LOOK)
    if busy is not None and busy < IDLE:
        environment["GOMP_SPINCOUNT"] = str(SPIN)


def busy_share(seconds: float) -> float | None:
    """Return the share of this machine's processor time that is used; None where none tells.

    Args:
        seconds: How long to look.
    """
    first = _times()
    time.sleep(seconds)
    second = _times()
    if first is None or second is None or second[1] == first[1]:
        return None
    return 1 - (second[0] - first[0]) / (second[1] - first[1])


def _times() -> tuple[int, int] | None:
    """Return idle and all processor time since the machine started (Linux)."""
    with suppress(OSError):
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        spent = [int(part) for part in line.split()[1:9]]
        return spent[3] + spent[4], sum(spent)
    return None


@contextmanager
def without_main() -> Iterator[None]:
    """Start processes that do not run the program's main file again.

    ``multiprocessing`` runs it in each process that it does not fork, for what is pickled from
    there. What our workers get is pickled from this package alone, so a notebook, a program on
    standard input, or a script without ``if __name__ == "__main__":`` can start them.
    """
    main = sys.modules["__main__"]
    spec, file = main.__spec__, getattr(main, "__file__", None)
    main.__spec__ = None
    with suppress(AttributeError):
        del main.__file__
    try:
        yield
    finally:
        main.__spec__ = spec
        if file is not None:
            main.__file__ = file
