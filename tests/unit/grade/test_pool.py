"""Grading in processes that can be killed: nothing is lost, whatever a row does to its process."""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualtune.errors import DualtuneError
from dualtune.grade import MAX_CHARACTERS, grade
from dualtune.grade.pool import FEW, Graded, GradeRow, _chunks, grade_rows
from dualtune.grade.worker import Grader
from tests.unit.grade import hostile, impatient

BREAKING = ("hang", "segfault", "exit", "memory", "raise", "stack", "ignore signals")


def _rows(count: int, *, every: int) -> list[GradeRow]:
    """Make rows of which one in ``every`` breaks its process, each in another way."""
    kinds = itertools.cycle(BREAKING)
    return [
        GradeRow(
            id=f"row {at}",
            output=next(kinds) if at % every == every // 2 else f"The answer is {at % 5}.",
            gold=str(at % 3),
            kind="number",
        )
        for at in range(count)
    ]


def _expected(row: GradeRow) -> str:
    return "timed_out" if row.output in BREAKING else grade(row.output, row.gold, "number").status


def test_a_few_numbers_are_graded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    rows = [GradeRow(str(at), f"It is {at}", "3", "number") for at in range(FEW - 1)]
    graded = list(grade_rows(rows))
    assert [row.id for row in graded] == [row.id for row in rows]
    assert [row.id for row in graded if row.status == "correct"] == ["3"]


def test_processes_give_what_this_process_gives() -> None:
    outputs = ("The answer is $1,000.", "#### 7", "so 1/3", "none", "\ud800 7", "")
    rows = [GradeRow(f"{at}", outputs[at % 6], "7", "number") for at in range(2000)]
    rows[1500] = GradeRow("1500", "7 " * 60_000, "7", "number")
    graded = list(grade_rows(rows, workers=2))
    assert len(graded) == 2000
    for row, got in zip(rows, graded, strict=True):
        alone = grade(row.output, row.gold)
        assert (got.id, got.extracted, got.status, got.strict) == (
            row.id, alone.extracted, alone.status, alone.strict,
        )  # fmt: skip


def test_questions_and_choices_reach_the_processes() -> None:
    recited = "A rope of 7 metres is cut. How long is it?"
    rows = [
        GradeRow("recited", recited, "7", "number", question=recited),
        GradeRow(
            "chosen", "It is 7 metres.", "B", "choice", options=("A) 5 metres", "B) 7 metres")
        ),
    ]
    for row, got in zip(rows * 2, grade_rows(rows * 2, workers=1), strict=True):
        alone = grade(row.output, row.gold, row.kind, question=row.question, options=row.options)
        blind = grade(row.output, row.gold, row.kind)
        assert (got.extracted, got.status) == (alone.extracted, alone.status)
        assert (got.extracted, got.status) != (blind.extracted, blind.status)


def test_what_hangs_on_the_order_of_sets_is_the_same_in_every_process() -> None:
    row = GradeRow("0", "hash", "1", "number")
    runs = [list(grade_rows([row], workers=1, grader=hostile.grade)) for _ in range(2)]
    assert runs[0][0].extracted == runs[1][0].extracted


def test_hostile_rows_cost_nobody_else_and_statuses_never_change() -> None:
    rows = _rows(1500, every=100)
    seen: list[list[Graded]] = []

    def run(workers: int) -> None:
        seen.append(list(grade_rows(rows, workers=workers, seconds=0.2, grader=hostile.grade)))

    run(1)
    thread = threading.Thread(target=run, args=(4,))
    thread.start()
    thread.join()
    for graded in seen:
        assert [row.id for row in graded] == [row.id for row in rows]
        assert [row.status for row in graded] == [_expected(row) for row in rows]
    assert [_without_time(g) for g in seen[0]] == [_without_time(g) for g in seen[1]]


def _without_time(graded: Graded) -> tuple[object, ...]:
    return graded.id, graded.extracted, graded.status, graded.strict


def test_a_hang_costs_its_limit_of_cpu_time() -> None:
    rows = [GradeRow("0", "hang", "1", "number"), GradeRow("1", "It is 1", "1", "number")]
    hung, other = grade_rows(rows, workers=1, seconds=0.3, grader=hostile.grade)
    assert (hung.status, hung.seconds) == ("timed_out", 0.3)
    assert other.status == "correct"
    assert other.seconds < 0.1


@pytest.mark.parametrize(
    ("output", "grader"),
    # The first is ended by its CPU time, long before its wall limit; the second has only that.
    [("block signals", hostile.grade), ("sleep", impatient.grade_impatiently)],
)
def test_what_the_timer_does_not_end_the_keeper_does(
    output: str, grader: Grader, caplog: pytest.LogCaptureFixture
) -> None:
    outputs = ["It is 1", output, "It is 1"]
    rows = [GradeRow(str(at), output, "1", "number") for at, output in enumerate(outputs)]
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="dualtune"):
        graded = list(grade_rows(rows, workers=1, seconds=0.5, grader=grader))
    assert [row.status for row in graded] == ["correct", "timed_out", "correct"]
    assert "row 1: grading was ended by its time limit" in caplog.text
    assert graded[1].seconds == 0.5
    assert time.monotonic() - started < 30


def test_a_row_that_kills_the_keeper_costs_itself(caplog: pytest.LogCaptureFixture) -> None:
    outputs = ["It is 1", "It is 1", "kill the keeper", "It is 1"]
    rows = [GradeRow(str(at), output, "1", "number") for at, output in enumerate(outputs)]
    with caplog.at_level(logging.WARNING, logger="dualtune"):
        graded = list(grade_rows(rows, workers=1, grader=hostile.grade))
    assert [row.status for row in graded] == ["correct", "correct", "timed_out", "correct"]
    assert "row 2: grading was ended by its keeper's death" in caplog.text


def test_a_row_is_blamed_only_if_keepers_die_on_it_alone_twice(tmp_path: Path) -> None:
    # Twice: once among others, once alone. That may be the machine, short of memory.
    rows = [
        GradeRow("0", "It is 1", "1", "number"),
        GradeRow("1", f"kill the keeper 2 {tmp_path / 'twice'}", "1", "number"),
        GradeRow("2", f"kill the keeper 9 {tmp_path / 'always'}", "1", "number"),
    ]
    graded = list(grade_rows(rows, workers=1, grader=hostile.grade))
    assert [row.status for row in graded] == ["correct", "correct", "timed_out"]


def test_keepers_that_die_one_after_the_other_end_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dualtune.grade.pool.MAX_DEATHS", 3)
    killing, fine = (
        GradeRow(output, output, "1", "number") for output in ("kill the keeper", "It is 1")
    )
    graded = list(grade_rows([killing, fine, killing, fine], workers=1, grader=hostile.grade))
    assert [row.status for row in graded] == ["timed_out", "correct"] * 2
    with pytest.raises(DualtuneError, match="killed 4 times in a row"):
        list(grade_rows([killing, killing, fine], workers=1, grader=hostile.grade))


def test_what_earlier_rows_left_in_memory_decides_nothing() -> None:
    rows = [GradeRow(str(at), "leak", "1", "number") for at in range(20)]
    graded = list(grade_rows(rows, workers=1, memory=500 << 20, grader=hostile.grade))
    assert {row.status for row in graded} == {"no_answer"}


def test_no_more_rows_are_taken_than_are_under_way() -> None:
    taken = 0

    def rows() -> Iterator[GradeRow]:
        nonlocal taken
        for taken in itertools.count():
            yield GradeRow(str(taken), f"It is {taken}", "1", "number")

    graded = grade_rows(rows(), workers=1)
    assert [next(graded).id for _ in range(3000)] == [str(at) for at in range(3000)]
    assert taken < 3000 + 20 * 1024
    graded.close()  # type: ignore[attr-defined]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")
def test_memory_is_limited_as_asked() -> None:
    rows = [GradeRow("0", "a gigabyte", "1", "number"), GradeRow("1", "It is 1", "1", "number")]
    for memory, status in ((3 << 29, "correct"), (1 << 29, "timed_out")):
        graded = list(grade_rows(rows, workers=1, memory=memory, grader=hostile.grade))
        assert [row.status for row in graded] == [status, "correct"]


def test_nobody_runs_far_ahead_of_a_row_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dualtune.grade.pool.AHEAD", 2)
    taken = 0

    def rows() -> Iterator[GradeRow]:
        nonlocal taken
        for taken in itertools.count():
            yield GradeRow(str(taken), "hang" if taken == 0 else "It is 1", "1", "number")

    graded = grade_rows(rows(), workers=2, seconds=1, grader=hostile.grade)
    assert next(graded).status == "timed_out"
    assert taken <= 5 * 1024
    graded.close()  # type: ignore[attr-defined]


def test_nothing_runs_on_when_the_caller_stops() -> None:
    rows = (GradeRow(str(at), "It is 1", "1", "number") for at in itertools.count())
    before = _children()
    graded = grade_rows(rows, workers=2, grader=hostile.grade)
    next(graded)
    assert _children() - before
    graded.close()  # type: ignore[attr-defined]
    assert not _children() - before


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
def test_nothing_runs_on_when_the_caller_is_killed() -> None:
    program = (
        "import sys\n"
        "from dualtune.grade.pool import GradeRow, grade_rows\n"
        "from tests.unit.grade import hostile\n"
        "rows = [GradeRow('0', 'hang', '1', 'number')] * 1000\n"
        "for row in grade_rows(rows, workers=1, seconds=60, grader=hostile.grade):\n"
        "    pass\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 60
    below: set[int] = set()
    while len(below) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        keepers = _children(caller.pid)
        below = keepers | {pid for keeper in keepers for pid in _children(keeper)}
    assert len(below) == 2  # a keeper and its grader, which hangs
    caller.kill()
    caller.wait()
    while any(_alive(pid) for pid in below) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in below)


def _children(pid: int | None = None) -> set[int]:
    tasks = Path(f"/proc/{pid or os.getpid()}/task")
    found: set[int] = set()
    for children in tasks.glob("*/children"):
        found.update(map(int, children.read_text().split()))
    return {child for child in found if _alive(child)}


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_chunks_are_cut_by_the_rows_alone() -> None:
    numbers = [GradeRow(str(at), "x", "1", "number") for at in range(3000)]
    formulas = [GradeRow(str(at), "x", "1", "latex") for at in range(200)]
    long = [GradeRow(str(at), "x" * 90_000, "1", "number") for at in range(9)]
    assert [len(chunk) for chunk in _chunks(numbers)] == [1024, 1024, 952]
    assert [len(chunk) for chunk in _chunks(formulas)] == [64, 64, 64, 8]
    assert [len(chunk) for chunk in _chunks(long)] == [3, 3, 3]
    assert [len(chunk) for chunk in _chunks(iter(numbers))] == [1024, 1024, 952]


def test_an_output_that_is_too_long_is_not_sent_whole() -> None:
    rows = [GradeRow("0", "The answer is 7. " + "x" * 50 * MAX_CHARACTERS, "7", "number")]
    (graded,) = grade_rows(rows, workers=1, grader=hostile.grade)
    assert graded.status == grade(rows[0].output, "7").status == "unparsed"


def test_bad_arguments() -> None:
    row = GradeRow("x", "1", "1", "essay")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="row x: answers of kind 'essay'"):
        list(grade_rows([row]))
    for limits in ({"seconds": 0.0}, {"memory": 0}, {"workers": -1}):
        with pytest.raises(ValueError, match="limits"):
            list(grade_rows([row], **limits))  # type: ignore[arg-type]


def test_a_grader_that_cannot_be_imported_is_no_rows_fault(tmp_path: Path) -> None:
    program = (
        "from dualtune.grade import Grade\n"
        "from dualtune.grade.pool import GradeRow, grade_rows\n"
        "def grade(*_, **__): return Grade(None, 'wrong', strict=False)\n"
        "list(grade_rows([GradeRow('0', '1', '1', 'number')], grader=grade))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert "DualtuneError: a process for grading cannot be started" in done.stderr


def test_a_grader_that_breaks_off_by_itself_is_no_rows_fault() -> None:
    rows = [GradeRow("0", "It is 1", "1", "number"), GradeRow("1", "It is 1", "1", "mixed")]
    with pytest.raises(DualtuneError, match="a process for grading broke off"):
        list(grade_rows(rows, workers=1, grader=hostile.grade))
