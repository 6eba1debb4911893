"""Grade many rows on all cores, in processes that can be killed.

What a model wrote may hang or break whatever reads it as mathematics: ``5^(5^(5^(5^5)))`` does. No
time-out inside a process is sure to end that, and signals reach the main thread alone. So each
row is graded in a process that the kernel ends at a limit (``dualtune.grade.worker``).

Why not a ready-made pool (pebble was looked at): it measures wall time, by which a busy machine
changes statuses; it loses the chunk around a row that is killed; and a new worker imports sympy
again, where a fork of a keeper has it.

The same rows get the same statuses on every run, with any number of workers, from any thread:
chunks are cut by the rows alone, a fresh grader takes each, and limits are of CPU time.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import reduction
from multiprocessing.connection import Connection, Pipe, wait
from typing import cast

from dualtune.errors import DualtuneError
from dualtune.grade import KINDS, MAX_CHARACTERS, AnswerKind, Status, grade, worker
from dualtune.processes import cores

log = logging.getLogger(__name__)

SECONDS = 5.0  # CPU time that a row may take
MEMORY = 2 << 30  # address space, in bytes, that grading may take

# A chunk ends at so many rows (a number counts one, anything else so many as it is slower), or
# characters.
CHUNK_ROWS, SLOW_ROW, CHUNK_CHARACTERS = 1024, 16, 1 << 18
AHEAD = 16  # chunks a worker that may be done before the one whose turn it is
MAX_DEATHS = 20  # keepers that may die one after the other, with no row graded between
FEW = 512  # number rows below which starting processes costs more than it saves

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
_START += "from dualtune.grade.worker import main; main(int(sys.argv[2]))"


@dataclass(frozen=True, slots=True)
class GradeRow:
    """One output to grade.

    Attributes:
        id: Names the row; it comes back with its grade.
        output: What the model wrote.
        gold: The right answer.
        kind: What kind of answer the gold is.
        question: What was asked: numbers of it that an output recites are no answer.
        options: The choices, where it is multiple choice.
    """

    id: str
    output: str
    gold: str
    kind: AnswerKind
    question: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graded:
    """How one output did.

    Attributes:
        id: The row's.
        extracted: The answer as it stood in the output; None where none was found.
        status: As in ``dualtune.grade``. ``timed_out`` means that grading met a limit, of time or
            memory, or broke its process; never the gold's fault (``error``), so it counts as not
            correct.
        strict: The output also gave its answer in the form that was asked for.
        seconds: CPU time that grading took.
    """

    id: str
    extracted: str | None
    status: Status
    strict: bool
    seconds: float


def grade_rows(
    rows: Iterable[GradeRow],
    *,
    workers: int = 0,
    seconds: float = SECONDS,
    memory: int = MEMORY,
    grader: worker.Grader = grade,
) -> Iterator[Graded]:
    """Grade rows.

    The rows are taken as they are needed, so memory does not grow with their number. A few rows
    of numbers are graded in this process: those rules take linear time and cannot hang.

    Args:
        rows: The rows.
        workers: How many processes; 0 is one a core.
        seconds: CPU time that a row may take, above 0. A row that sleeps has ten times that, and
            a minute, of wall time.
        memory: Bytes of address space that a grading process may take (Linux).
        grader: What grades a row, called as ``dualtune.grade.grade`` is: a function at the top of
            a module that the processes can import.

    Yields:
        The grades, in the order of the rows.

    Raises:
        ValueError: If a row is of a kind that is not graded, or a limit is not above 0.
        DualtuneError: If processes cannot be started.
    """
    if seconds <= 0 or memory <= 0 or workers < 0:
        raise ValueError(f"limits must be above 0: {seconds=}, {memory=}, {workers=}")
    coming = iter(rows)
    first = list(islice(coming, FEW))
    if len(first) < FEW and grader is grade and all(row.kind == "number" for row in first):
        yield from map(_grade_here, first)
        return
    pool = _Pool(workers or cores(), grader=grader, seconds=seconds, memory=memory)
    try:
        yield from pool.run(_chunks(chain(first, coming)))
    finally:
        pool.close()


def _grade_here(row: GradeRow) -> Graded:
    started = time.thread_time()
    given = grade(row.output, row.gold, row.kind, question=row.question, options=row.options)
    seconds = time.thread_time() - started
    return Graded(row.id, given.extracted, given.status, given.strict, seconds)


def _chunks(rows: Iterable[GradeRow]) -> Iterator[list[GradeRow]]:
    """Cut rows into chunks, in a way that depends on the rows alone."""
    chunk: list[GradeRow] = []
    weight = characters = 0
    for row in rows:
        if row.kind not in KINDS:
            raise ValueError(
                f"row {row.id}: answers of kind {row.kind!r} are not graded "
                f"(known: {', '.join(KINDS)})"
            )
        chunk.append(row)
        weight += 1 if row.kind == "number" else SLOW_ROW
        characters += len(row.output)
        if weight >= CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, weight, characters = [], 0, 0
    if chunk:
        yield chunk


@dataclass(slots=True)
class _Job:
    """A chunk under way.

    Attributes:
        rows: Its rows.
        results: What came so far, in their order.
        given: How many results were passed on.
        deaths: Keepers that died on it since the last result.
        singly: A keeper died on it: its rows go out one by one, to see on which.
    """

    rows: list[GradeRow]
    results: list[worker.Result] = field(default_factory=list)
    given: int = 0
    deaths: int = 0
    singly: bool = False

    @property
    def is_done(self) -> bool:
        return len(self.results) == len(self.rows)


class _Keeper:
    """A process that grades chunks, and its end of the line."""

    def __init__(self, grader: worker.Grader) -> None:
        self.line, far = Pipe()
        self.job: _Job | None = None
        with far:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps(sys.path), str(far.fileno())],
                pass_fds=[far.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us; we end it
                # The order of sets, and with it what sympy does, is the same in every run.
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
        try:
            self.line.send(grader)
            self.line.recv_bytes()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            self.close()
            raise DualtuneError(
                "a process for grading cannot be started: its own message stands above. "
                f"It was started as {sys.executable}."
            ) from None

    def ended_itself(self) -> bool:
        """Tell, of a keeper whose line is closed, whether an error of its own ended it.

        What is killed ends by a signal.
        """
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(timeout=5) > 0
        return False

    def close(self) -> None:
        """End it, and what it forked: that ends with it."""
        self.line.close()
        self.process.kill()
        self.process.wait()


class _Pool:
    """Keepers, started as there is work for them."""

    def __init__(self, count: int, *, grader: worker.Grader, seconds: float, memory: int) -> None:
        self._count, self._seconds, self._memory = count, seconds, memory
        self._grader = grader
        self._keepers: list[_Keeper] = []
        self._deaths = 0  # of keepers, since one of them last reported

    def run(self, chunks: Iterable[list[GradeRow]]) -> Iterator[Graded]:
        """Grade chunks; yields the grades in order."""
        coming = iter(chunks)
        queue: deque[_Job] = deque()  # from the one whose turn it is
        exhausted = False
        while True:
            while not exhausted and len(queue) < self._count * AHEAD:
                keeper = self._idle()
                if keeper is None:
                    break
                chunk = next(coming, None)
                if chunk is None:
                    exhausted = True
                else:
                    queue.append(_Job(chunk))
                    self._send(keeper, queue[-1])
            if not queue:
                return
            job = queue[0]
            yield from _take(job)
            if job.is_done:
                queue.popleft()
            else:
                self._receive()

    def close(self) -> None:
        """End all processes."""
        for keeper in self._keepers:
            keeper.close()
        self._keepers.clear()

    def _idle(self) -> _Keeper | None:
        for keeper in self._keepers:
            if keeper.job is None:
                return keeper
        if len(self._keepers) == self._count:
            return None
        self._keepers.append(_Keeper(self._grader))
        return self._keepers[-1]

    def _send(self, keeper: _Keeper, job: _Job) -> None:
        start = len(job.results)
        stop = start + 1 if job.singly else len(job.rows)
        rest = [_sent(row) for row in job.rows[start:stop]]
        task = worker.Task(self._seconds, self._memory, rest)
        keeper.job = job
        with suppress(BrokenPipeError, ConnectionResetError):  # it died: seen where we listen
            keeper.line.send_bytes(reduction.ForkingPickler.dumps(task))

    def _receive(self) -> None:
        """Wait until a keeper reports, and take what came."""
        busy = {keeper.line: keeper for keeper in self._keepers if keeper.job is not None}
        for line in cast("list[Connection]", wait(list(busy))):
            keeper = busy[line]
            job = keeper.job
            assert job is not None
            try:
                results = worker.unpack(line.recv_bytes())
            except (EOFError, ConnectionResetError):
                self._replace(keeper, job)
                continue
            job.deaths = self._deaths = 0
            _say_what_broke(job.rows[len(job.results) :], results)
            job.results += results
            if job.is_done:
                keeper.job = None
            elif job.singly:
                self._send(keeper, job)

    def _replace(self, keeper: _Keeper, job: _Job) -> None:
        """Start a new keeper where one was killed, from outside or for memory.

        Raises:
            DualtuneError: If it ended by itself, as where a package is missing: no row is to blame.
        """
        if keeper.ended_itself():
            raise DualtuneError(
                "a process for grading broke off: its own message stands above. No row was graded "
                f"wrong for it. It was started as {sys.executable}."
            )
        keeper.close()
        self._keepers.remove(keeper)
        self._deaths += 1
        if self._deaths > MAX_DEATHS:
            raise DualtuneError(
                f"the processes that grade were killed {self._deaths} times in a row, perhaps for "
                "memory: grade with fewer workers, or on a machine with more."
            )
        job.deaths += job.singly
        job.singly = True
        if job.deaths > 1:  # twice with this row alone: it is the row's doing
            results: list[worker.Result] = [(None, "timed_out", False, 0.0, "its keeper's death")]
            _say_what_broke(job.rows[len(job.results) :], results)
            job.results += results
            job.deaths = 0
        if not job.is_done:
            self._keepers.append(_Keeper(self._grader))
            self._send(self._keepers[-1], job)


def _take(job: _Job) -> Iterator[Graded]:
    while job.given < len(job.results):
        row, result = job.rows[job.given], job.results[job.given]
        extracted, status, strict, seconds, _ = result
        job.given += 1
        yield Graded(row.id, extracted, cast("Status", status), strict, seconds)


def _sent(row: GradeRow) -> worker.Row:
    """Return what a worker gets: no more of a text than shows that it is too long."""
    most = MAX_CHARACTERS + 1
    return row.output[:most], row.gold[:most], row.kind, row.question[:most], row.options


def _say_what_broke(rows: Sequence[GradeRow], results: Sequence[worker.Result]) -> None:
    for row, (*_, cause) in zip(rows, results, strict=False):
        if cause:
            log.warning("row %s: grading was ended by %s; it is timed_out", row.id, cause)
