"""What the training instances look like: their lengths by task, and a few of them in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dualtune.errors import BadInput
from dualtune.records import TASK_NAMES

LENGTH_ROWS = 20_000
"""Instances whose lengths are counted; a distribution needs no more."""

SAMPLE_ROWS = 2_000
"""Instances among which the sample Problems are chosen."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of training instances of the first epoch.

    Attributes:
        unit: ``tokens`` as the model read them, or ``characters`` before it was tuned.
        by_task: Task to the length of each instance counted, prompt and target together.
    """

    unit: Literal["tokens", "characters"]
    by_task: dict[str, list[int]]

    @property
    def counted(self) -> int:
        """How many instances were counted."""
        return sum(len(values) for values in self.by_task.values())


@dataclass(frozen=True, slots=True)
class Sample:
    """One Problem with all its instances of epoch 0."""

    source_id: str
    instances: tuple[Row, ...]


def measure_lengths(instances: Path, *, trained: Mapping[str, Any]) -> Lengths | None:
    """Return how long the training instances are.

    Args:
        instances: The Parquet file of Instances; it may be missing.
        trained: ``train.json``, whose ``lengths`` are the tokens of each instance by task.

    Returns:
        Tokens as the trainer counted them, else characters of prompt and target text; None where
        there are neither.
    """
    tokens = {task: values for task, values in (trained.get("lengths") or {}).items() if values}
    if tokens:
        return Lengths("tokens", tokens)
    if not instances.is_file():
        return None
    found: dict[str, list[int]] = {task: [] for task in TASK_NAMES}
    for rows in _batches(instances, ["task", "prompt", "target"], limit=LENGTH_ROWS):
        for row in rows:
            size = sum(len(turn["content"]) for turn in row["prompt"]) + len(row["target"])
            found[row["task"]].append(size)
    characters = {task: values for task, values in found.items() if values}
    return Lengths("characters", characters) if characters else None


def sample_problems(instances: Path, *, problems: int = 2) -> tuple[Sample, ...]:
    """Choose a few Problems that show the method: all tasks, and short enough to read.

    Args:
        instances: The Parquet file of Instances.
        problems: How many Problems.

    Returns:
        The Problems in file order, each with all its instances; none where the file is missing.
    """
    if not instances.is_file():
        return ()
    groups: dict[str, list[Row]] = {}
    columns = ["id", "source_id", "task", "prompt", "target", "masked"]
    for rows in _batches(instances, columns, limit=SAMPLE_ROWS):
        for row in rows:
            groups.setdefault(row["source_id"], []).append(row)
    if _row_count(instances) > SAMPLE_ROWS and len(groups) > 1:
        groups.popitem()  # the limit may have cut the last Problem off
    ranked = sorted(groups, key=lambda source: _readability(groups[source]))
    chosen = set(ranked[:problems])
    return tuple(
        Sample(source, tuple(sorted(rows, key=lambda r: TASK_NAMES.index(r["task"]))))
        for source, rows in groups.items()
        if source in chosen
    )


def _readability(rows: Sequence[Row]) -> tuple[int, int, float]:
    """Order Problems: those with most tasks first, then a rationale of three lines or so."""
    tasks = {row["task"] for row in rows}
    solve = next((row["target"] for row in rows if row["task"] == "solve"), rows[0]["target"])
    lines, size = solve.count("\n") + 1, sum(len(row["target"]) for row in rows)
    return -len(tasks), abs(lines - 4), abs(size - 400)


def _row_count(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def _batches(path: Path, columns: list[str], *, limit: int) -> Iterator[list[Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    left = limit
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=min(limit, 2_000), columns=columns):
                rows = batch.slice(0, left).to_pylist()
                left -= len(rows)
                yield rows
                if left <= 0:
                    return
    except (pa.ArrowInvalid, KeyError) as error:
        raise BadInput(f"{path} is not a Parquet file of instances: {error}") from error
