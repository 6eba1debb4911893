"""The far side of the pool: a keeper process that forks a grader for each chunk of rows.

The keeper has one thread, has loaded what grading needs once, and never grades a model's text
itself: a fork of it is ready in milliseconds, and its death costs nobody anything. The grader
goes through its rows one by one, under limits that the kernel enforces:

- time: a timer of its own CPU time (``ITIMER_PROF``), set anew for each row, whose signal ends the
  process wherever it is, in C code too. CPU time and not wall time, so that a busy machine changes
  no status. A row that neither computes nor ends (it sleeps) meets a generous wall limit.
- memory: ``RLIMIT_AS``.

A row that ends its grader is ``timed_out``, and a new grader goes on with the row after it. A row
that broke its grader in another way than by time is first tried again, alone in a fresh one: what
the rows before it left in memory decides no status.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import pickle
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import NoReturn

from dualtune.grade import AnswerKind, Grade

# output, gold, kind, question, options
Row = tuple[str, str, AnswerKind, str, tuple[str, ...]]
# extracted, status, strict, CPU seconds, and what ended the grader ("" where nothing did)
Result = tuple[str | None, str, bool, float, str]
Grader = Callable[..., Grade]

READY = b"ready"
TIME = "its time limit"

WALL_FACTOR, WALL_MORE = 10, 60  # the wall limit, from the CPU limit: for rows that sleep
SEND_EVERY = 0.02  # seconds of work between two reports to the keeper
_COUNT = struct.Struct("<I")
_AT = struct.Struct("<Q")
_PR_SET_PDEATHSIG = 1
# Output and gold that make grading load all it ever needs, sympy included, before the first fork.
_WARM_UP = (r"The answer is $\boxed{\sum_{k=1}^{3} k}$.", r"\sum_{j=1}^{3} j")


@dataclass(frozen=True, slots=True)
class Task:
    """A chunk of rows and how it is graded.

    Attributes:
        seconds: CPU time that a row may take.
        memory: Bytes of address space that a grader may take.
        rows: The rows.
    """

    seconds: float
    memory: int
    rows: Sequence[Row]


def pack(results: Sequence[Result]) -> bytes:
    """Return results as one message: their number, and the pickled list."""
    return _COUNT.pack(len(results)) + pickle.dumps(list(results), pickle.HIGHEST_PROTOCOL)


def unpack(message: bytes) -> list[Result]:
    """Return the results of a message."""
    results: list[Result] = pickle.loads(memoryview(message)[_COUNT.size :])
    return results


def main(descriptor: int) -> None:
    """Serve a pool over a socket until it closes its end.

    Args:
        descriptor: The socket's file descriptor.
    """
    pool = Connection(descriptor)
    progress = mmap.mmap(-1, _AT.size)  # shared with the graders: the row at hand
    warm = False
    # A grader that cannot be imported ends us here, before any row is blamed for it.
    grader: Grader = pool.recv()
    pool.send_bytes(READY)
    while True:
        try:
            task: Task = pool.recv()
        except (EOFError, ConnectionResetError):
            return
        if not warm and any(row[2] != "number" for row in task.rows):
            kind = next(row[2] for row in task.rows if row[2] != "number")
            grader(*_WARM_UP, kind, question="", options=())
            gc.collect()
            gc.freeze()  # so that collections in the graders copy none of these pages
            warm = True
        _serve(grader, task, pool, progress)


def _serve(grader: Grader, task: Task, pool: Connection, progress: mmap.mmap) -> None:
    """Grade a chunk to its end, with as many graders as that takes."""
    sent = 0
    doomed: dict[int, Result] = {}  # rows that ended their grader, and what they get for it
    breaks = {len(task.rows)}  # rows that a fresh grader starts with
    while sent < len(task.rows):
        first = sent
        started = time.monotonic()
        rows = range(first, min(stop for stop in breaks if stop > first))
        sent, cause = _run_grader(grader, task, rows, doomed, pool, progress)
        if not cause:
            continue
        at: int = _AT.unpack_from(progress)[0]
        if cause == TIME or at == first:
            seconds = task.seconds if cause == TIME else time.monotonic() - started
            doomed[at] = (None, "timed_out", False, seconds, cause)
        else:
            breaks.add(at)


def _run_grader(
    grader: Grader,
    task: Task,
    rows: range,
    doomed: dict[int, Result],
    pool: Connection,
    progress: mmap.mmap,
) -> tuple[int, str]:
    """Fork a grader for some rows and pass on what it reports.

    Returns:
        The row after the last that was reported, and what ended the grader before its end.
    """
    receiver, sender = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        _be_grader(grader, task, rows, doomed, sender, progress)
    sender.close()
    sent = rows.start
    wall = WALL_FACTOR * task.seconds + WALL_MORE
    silent = 0  # counted in turns of a second, so that time in which all of us are frozen is none
    spent = 0.0  # its CPU time at its last report
    late = False
    with receiver:
        while True:
            # The pool sends nothing before it has all results; then it may send the next chunk.
            watched = [receiver, pool] if sent < rows.stop else [receiver]
            ready = wait(watched, timeout=1.0)
            if pool in ready:  # it has gone
                os.kill(pid, signal.SIGKILL)
                os._exit(1)
            if receiver not in ready:
                silent += 1
                # The timer should have ended it before; where it did not, we do.
                late = late or silent > wall or _cpu_time(pid) > spent + task.seconds + 1
                if late:
                    os.kill(pid, signal.SIGKILL)
                continue
            try:
                message = receiver.recv_bytes()
            except (EOFError, ConnectionResetError):
                break
            silent, spent = 0, _cpu_time(pid)
            sent += _COUNT.unpack_from(message)[0]
            pool.send_bytes(message)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == 0 and sent == rows.stop:
        return sent, ""
    if code in (-signal.SIGPROF, -signal.SIGXCPU) or late:
        return sent, TIME
    return sent, f"signal {-code}" if code < 0 else f"exit code {code}"


def _cpu_time(pid: int) -> float:
    """Return the CPU seconds of a process that was not waited for; 0 where nothing tells."""
    if sys.platform != "linux":
        return 0.0
    # The kernel's number of the clock that counts a process: see clock_getcpuclockid(3).
    with suppress(OSError):  # it has ended
        return time.clock_gettime((~pid << 3) | 2)
    return 0.0


def _be_grader(
    grader: Grader,
    task: Task,
    rows: range,
    doomed: dict[int, Result],
    sender: Connection,
    progress: mmap.mmap,
) -> NoReturn:
    """Grade rows in a fork of the keeper, and end."""
    code = 1
    try:
        _set_limits(task.memory)
        _grade(grader, task, rows, doomed, sender, progress)
        code = 0
    finally:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, MemoryError):
            with suppress(OSError, ValueError):
                sys.stderr.write(f"grading a row failed: {type(error).__name__}: {error}\n")
                sys.stderr.flush()
        os._exit(code)  # whatever was raised: a fork must never go on as its keeper


def _grade(
    grader: Grader,
    task: Task,
    rows: range,
    doomed: dict[int, Result],
    sender: Connection,
    progress: mmap.mmap,
) -> None:
    results: list[Result] = []
    clock = time.process_time
    started = reported = clock()
    for index in rows:
        if index in doomed:
            results.append(doomed[index])
            continue
        _AT.pack_into(progress, 0, index)
        output, gold, kind, question, options = task.rows[index]
        signal.setitimer(signal.ITIMER_PROF, task.seconds, task.seconds)
        grade = grader(output, gold, kind, question=question, options=options)
        now = clock()
        results.append((grade.extracted, grade.status, grade.strict, now - started, ""))
        started = now
        if now - reported > SEND_EVERY:
            signal.setitimer(signal.ITIMER_PROF, 0)
            sender.send_bytes(pack(results))
            results.clear()
            started = reported = clock()
    signal.setitimer(signal.ITIMER_PROF, 0)
    sender.send_bytes(pack(results))


def _set_limits(memory: int) -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process, whatever it is doing
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Where the machine runs out of memory all the same, this one goes, not its keeper.
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
