"""Loading a benchmark, and the check that it is the whole of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from dualtune.errors import BadInput
from dualtune.recipe import EvalFile
from dualtune.sources.benchmarks.files import locate, read_json_rows
from dualtune.sources.benchmarks.further import FURTHER_READERS, read_own
from dualtune.sources.benchmarks.known import Exclusion, excluded
from dualtune.sources.benchmarks.readers import READERS
from dualtune.sources.benchmarks.registry import (
    SYNTHETIC_ROWS,
    Benchmark,
    SyntheticSplit,
    find_benchmark,
)
from dualtune.sources.benchmarks.rows import BenchmarkRow, rows_checksum
from dualtune.sources.synthetic import generate

_READERS = {**READERS, **FURTHER_READERS}
SYNTHETIC_SEED = 2403_18295  # the benchmarks' own, so that no recipe's seed changes a test set


def load_benchmark(
    name: str,
    *,
    data_dir: str | Path | None = None,
    limit: int | None = None,
    files: Mapping[str, EvalFile] | None = None,
    exclude: Collection[Exclusion] = (),
) -> tuple[BenchmarkRow, ...]:
    """Load a benchmark and check that it is the whole of it.

    Args:
        name: Its name, such as ``svamp``.
        data_dir: The folder of benchmark files, or the folder that holds it as ``bench``;
            None: the folder that ``DUALTUNE_DATA`` names, then the one that
            ``dualtune fetch benchmarks`` fills.
        limit: Return the first so many rows only, after the check of all of them.
        files: The recipe's ``eval.files``, a user's own test sets.
        exclude: Leave the rows of these lists out (``known``), before the limit.

    Returns:
        The rows, in the file's order; those of MATH and MMLU-Math, whose files are sorted by
        subject, in the order of a hash of the question.

    Raises:
        BadInput: If the name is unknown, the file is missing or unreadable, or its rows are not
            those expected.
    """
    benchmark = find_benchmark(name, files=files)
    if files and name in files:
        return read_own(name, files[name])[:limit]
    if benchmark.split is not None:
        return _generated(benchmark.split, SYNTHETIC_ROWS if limit is None else limit)
    assert benchmark.file is not None
    file = locate(name, benchmark.file, data_dir, remedy=how_to_get(benchmark))
    rows = read_benchmark(benchmark, file)
    without = excluded(name, exclude)
    return tuple(row for row in rows if row.id not in without)[:limit]


def how_to_get(benchmark: Benchmark) -> str:
    """Say how to get the file of a benchmark."""
    if benchmark.hub is None:
        return f"Run 'dualtune fetch benchmarks {benchmark.name}'."
    name, split = benchmark.hub
    return (
        f'Write it from the hub: python -c "from datasets import load_dataset; '
        f"load_dataset('{name}', split='{split}').to_json('{benchmark.file}')\"."
    )


def read_benchmark(benchmark: Benchmark, file: Path) -> tuple[BenchmarkRow, ...]:
    """Read the rows of a benchmark from a file, and check them.

    Raises:
        BadInput: If the file is unreadable, or its rows are not those expected.
    """
    rows = _READERS[benchmark.name](read_json_rows(file), file)
    _check(benchmark, rows, file)
    return rows


def _generated(split: SyntheticSplit, count: int) -> tuple[BenchmarkRow, ...]:
    problems = generate(split, count=count, seed=SYNTHETIC_SEED)
    return tuple(
        BenchmarkRow(
            id=p.id, question=p.question, gold=p.answer, kind="number", reference=p.rationale
        )
        for p in problems
    )


def _check(benchmark: Benchmark, rows: Sequence[BenchmarkRow], file: Path) -> None:
    if len(rows) != benchmark.rows:
        raise BadInput(
            f"{file} holds {len(rows)} rows, {benchmark.title} has {benchmark.rows}. Use the "
            "whole test set; eval.limit evaluates a part of it."
        )
    if benchmark.checksum is None:
        return
    found = rows_checksum(rows)
    if found != benchmark.checksum:
        raise BadInput(
            f"the rows of {file} are not those of {benchmark.title}: checksum {found[:16]}, "
            f"expected {benchmark.checksum[:16]}. Download the file anew."
        )
