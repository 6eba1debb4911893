"""Read the Problems, instances and lengths of a built run for its data page.

The files are read in two passes, a row group at a time, so that a run of millions of Problems
costs time but not memory: the first measures all and chooses which Problems stand on the page,
the second reads those alone, Problems and instances side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualtune.build.store import SPLITS, Split, instances_file, problems_file
from dualtune.build.tables import instances_of, problems_of
from dualtune.errors import BadInput
from dualtune.files import read_jsonl
from dualtune.records import (
    TASK_NAMES,
    Finding,
    Instance,
    Kind,
    Problem,
    Step,
)
from dualtune.text.program import ProgramError
from dualtune.text.steps import segment

if TYPE_CHECKING:
    import pyarrow as pa

PAGE_PROBLEMS = 20_000
"""Problems on the page at most."""

PAGE_CHARACTERS = 60_000_000
"""Characters of their questions and rationales at most: long reasoning fills a page sooner."""

STEP_PROBLEMS = 20_000
"""Problems whose steps are counted; the first of them say enough."""

REJECTED_EXAMPLES = 3
"""Rejected rows that are quoted of each cause."""


@dataclass(frozen=True, slots=True)
class ShownProblem:
    """One Problem of the page.

    Attributes:
        problem: The Problem.
        split: Whether it is trained on or held out.
        instances: Its instances of epoch 0.
        findings: What the audit found in it.
    """

    problem: Problem
    split: Split
    instances: tuple[Instance, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which Problems stand on the page.

    Attributes:
        ids: Their ids.
        total: Problems of the run, held-out ones included.
        with_findings: Those of the run that have a finding.
        with_findings_shown: Those of them that are on the page.
    """

    ids: frozenset[str]
    total: int
    with_findings: int
    with_findings_shown: int


@dataclass(slots=True)
class Measures:
    """Lengths of the training Problems and their instances: how often each one occurs.

    Attributes:
        question: Characters of the questions.
        rationale: Characters of the rationales.
        steps: Steps of the first ``STEP_PROBLEMS`` rationales.
        target: Task to the characters of its targets.
    """

    question: Counter[int] = field(default_factory=Counter)
    rationale: Counter[int] = field(default_factory=Counter)
    steps: Counter[int] = field(default_factory=Counter)
    target: dict[str, Counter[int]] = field(
        default_factory=lambda: {task: Counter() for task in TASK_NAMES}
    )


def steps_of(rationale: str, kind: Kind) -> tuple[Step, ...]:
    """Return the steps of a rationale, text or program; none of a program that does not parse."""
    try:
        return segment(rationale, kind)
    except ProgramError:
        return ()


def is_built(run: Path) -> bool:
    """Say whether a run folder holds the Problems and instances of a build."""
    return problems_file(run, "train").is_file() and instances_file(run, "train").is_file()


def measure(run: Path) -> Measures:
    """Count the lengths of all training Problems and their targets.

    Raises:
        BadInput: If a file cannot be read.
    """
    import pyarrow.compute as pc

    found = Measures()
    counted = 0
    for table in _groups(problems_file(run, "train"), ["question", "rationale", "kind"]):
        found.question.update(_lengths(table["question"]))
        found.rationale.update(_lengths(table["rationale"]))
        if counted < STEP_PROBLEMS:
            rows = table.slice(0, STEP_PROBLEMS - counted)
            counted += rows.num_rows
            found.steps.update(
                len(steps_of(row["rationale"], row["kind"])) for row in rows.to_pylist()
            )
    for table in _groups(instances_file(run, "train"), ["task", "target"]):
        for task, counts in found.target.items():
            counts.update(_lengths(table.filter(pc.equal(table["task"], task))["target"]))
    return found


def choose(run: Path, flagged: Collection[str]) -> Choice:
    """Choose the Problems of the page: those with findings, then the others, in file order.

    Args:
        run: The run folder.
        flagged: Ids of the Problems with findings.

    Raises:
        BadInput: If a file cannot be read.
    """
    import pyarrow.compute as pc

    taken: dict[bool, list[tuple[str, int]]] = {True: [], False: []}
    room = {True: PAGE_CHARACTERS, False: PAGE_CHARACTERS}
    total, with_findings = 0, 0
    for split in SPLITS:
        for table in _groups(problems_file(run, split), ["id", "question", "rationale"]):
            sizes = pc.add(pc.utf8_length(table["question"]), pc.utf8_length(table["rationale"]))
            total += table.num_rows
            for key, size in zip(table["id"].to_pylist(), sizes.to_pylist(), strict=True):
                marked = key in flagged
                with_findings += marked
                if room[marked] > 0 and len(taken[marked]) < PAGE_PROBLEMS:
                    taken[marked].append((key, size))
                    room[marked] -= size
    ids: list[str] = []
    left = PAGE_CHARACTERS
    for key, size in taken[True] + taken[False]:
        if len(ids) == PAGE_PROBLEMS or left < size:
            break
        ids.append(key)
        left -= size
    shown = min(len(ids), len(taken[True]))
    return Choice(frozenset(ids), total, with_findings, shown)


def read_shown(
    run: Path, ids: Collection[str], findings: Mapping[str, tuple[Finding, ...]]
) -> Iterator[ShownProblem]:
    """Yield the chosen Problems with their instances and findings: training ones first.

    Args:
        run: The run folder.
        ids: Which Problems.
        findings: The findings by Problem.

    Raises:
        BadInput: If a file cannot be read, or the instances are not in the Problems' order.
    """
    for split in SPLITS:
        groups = groupby(_instances(run, split, ids), key=attrgetter("source_id"))
        source_id, own = next(groups, (None, iter(())))
        for table in _chosen(problems_file(run, split), "id", ids):
            for problem in problems_of(table):
                instances: tuple[Instance, ...] = ()
                if source_id == problem.id:
                    instances = tuple(own)
                    source_id, own = next(groups, (None, iter(())))
                yield ShownProblem(problem, split, instances, findings.get(problem.id, ()))
        if source_id is not None:
            raise BadInput(
                f"{instances_file(run, split)}: the instances of {source_id} do not stand in the "
                "order of the Problems. Build it again with dualtune build."
            )


def rejected_examples(run: Path, causes: Mapping[str, int]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the first rejected rows of each cause.

    Args:
        run: The run folder.
        causes: Rows rejected by cause, from ``build.json``.

    Raises:
        BadInput: If ``rejected.jsonl`` cannot be read.
    """
    wanted = {cause: min(number, REJECTED_EXAMPLES) for cause, number in causes.items() if number}
    found: dict[str, list[Mapping[str, Any]]] = {cause: [] for cause in wanted}
    missing = sum(wanted.values())
    for row in read_jsonl(run / "rejected.jsonl"):
        if not missing:
            break
        reason = row.get("reason", "")
        if len(found.get(reason, ())) < wanted.get(reason, 0):
            found[reason].append(row)
            missing -= 1
    return found


def _instances(run: Path, split: Split, ids: Collection[str]) -> Iterator[Instance]:
    """Yield the instances of some Problems, in the order of the Problems."""
    for table in _chosen(instances_file(run, split), "source_id", ids):
        yield from instances_of(table)


def _lengths(texts: pa.ChunkedArray) -> dict[int, int]:
    """Return how many of the texts have each length, in characters."""
    import pyarrow.compute as pc

    counts = pc.value_counts(pc.utf8_length(texts)).to_pylist()
    return {row["values"]: row["counts"] for row in counts}


def _groups(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yield some columns of a Parquet file, a row group at a time; none if it is not there."""
    if not path.is_file():
        return
    for file, group in _open(path):
        yield file.read_row_group(group, columns=columns)


def _chosen(path: Path, key: str, ids: Collection[str]) -> Iterator[pa.Table]:
    """Yield the rows whose ``key`` is among ``ids``, a row group at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not path.is_file():
        return
    wanted = pa.array(sorted(ids), pa.string())
    for file, group in _open(path):
        hits = pc.is_in(file.read_row_group(group, columns=[key])[key], value_set=wanted)
        if pc.any(hits).as_py():
            yield file.read_row_group(group).filter(hits)


def _open(path: Path) -> Iterator[tuple[Any, int]]:
    """Yield the open file with the number of each of its row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file, group
    except (OSError, pa.ArrowException, KeyError) as error:
        raise BadInput(
            f"cannot read {path}: {error}. Build it again with dualtune build."
        ) from error
