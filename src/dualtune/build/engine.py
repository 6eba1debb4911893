"""From a source to Problems and Instances on disk, with a report of what became of every row.

Rows are read, split and derived in chunks, so memory does not grow with the source. A chunk is
derived by a pure function of its Problems and the settings (``derive_chunk``): neither the chunk's
size nor the order in which chunks are worked on changes any Instance.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from dualtune.build.split import in_validation, question_key
from dualtune.build.store import (
    INSTANCE_SCHEMA,
    PROBLEM_SCHEMA,
    REJECTED,
    SPLITS,
    Split,
    instance_table,
    instances_file,
    problem_table,
    problems_file,
    publish,
    read_instances,
    read_problems,
    staged,
    write_rejected,
    write_report,
)
from dualtune.errors import BadInput
from dualtune.progress import bar
from dualtune.recipe import Recipe, Tasks
from dualtune.records import TASK_NAMES, Instance, Problem
from dualtune.sources.readers import expected_rows, read
from dualtune.tasks.derive import derive

__all__ = [
    "BuildReport",
    "Derivation",
    "DerivedChunk",
    "build",
    "derive_chunk",
    "read_instances",
    "read_problems",
]

logger = logging.getLogger(__name__)

# Problems derived and written at once.
CHUNK = 512


@dataclass(frozen=True, slots=True)
class Derivation:
    """All that decides which Instances a Problem yields.

    Attributes:
        tasks: The task settings.
        seed: The recipe's seed.
        epoch: The epoch; what lies on disk is epoch 0.
        system: The system prompt, or None for the template's own.
    """

    tasks: Tasks
    seed: int
    epoch: int = 0
    system: str | None = None


@dataclass(frozen=True, slots=True)
class DerivedChunk:
    """A chunk of Problems with their Instances, ready to be written.

    Attributes:
        problems: Table of ``PROBLEM_SCHEMA``.
        instances: Table of ``INSTANCE_SCHEMA``.
        tasks: Instances by task.
        skipped: Masks and instances that were not made, by cause.
    """

    problems: pa.Table
    instances: pa.Table
    tasks: dict[str, int]
    skipped: dict[str, int]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build read and made; ``build.json`` holds the same fields.

    ``rows_read = problems + validation_problems + rejected_rows``.

    Attributes:
        rows_read: Rows of the source.
        problems: Problems to train on.
        validation_problems: Problems held out.
        instances: Instances of the training Problems by task, in one epoch.
        validation_instances: Instances of the held-out Problems by task.
        rejected_rows: Rows that could not become a Problem.
        rejected: The same by cause.
        masks_skipped: Masks and instances of training Problems that were not made, by cause.
        validation_masks_skipped: The same of held-out Problems.
        questions_repeated: Problems whose question occurred before, in any spelling.
        settings: The settings that decided it.
        seconds: Wall time.
    """

    rows_read: int
    problems: int
    validation_problems: int
    instances: dict[str, int]
    validation_instances: dict[str, int]
    rejected_rows: int
    rejected: dict[str, int]
    masks_skipped: dict[str, int]
    validation_masks_skipped: dict[str, int]
    questions_repeated: int
    settings: dict[str, Any]
    seconds: float


@dataclass(slots=True)
class _Tally:
    """What was counted so far."""

    rows: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    instances: dict[Split, Counter[str]] = field(
        default_factory=lambda: {split: Counter() for split in SPLITS}
    )
    skipped: dict[Split, Counter[str]] = field(
        default_factory=lambda: {split: Counter() for split in SPLITS}
    )
    rejected: Counter[str] = field(default_factory=Counter)
    first_rejected: str = ""
    questions: set[int] = field(default_factory=set)
    repeated: int = 0


def build(recipe: Recipe, run: Path) -> BuildReport:
    """Read the recipe's source and write its Problems and Instances under ``run``.

    Writes ``problems/*.parquet``, ``instances/*.parquet`` (epoch 0), ``rejected.jsonl`` and
    ``build.json``. They appear together once all is written; until then an earlier build stays.

    Args:
        recipe: The checked recipe.
        run: The run folder; made if it is not there.

    Returns:
        What was read and made.

    Raises:
        BadInput: If the source cannot be read, more rows are rejected than
            ``data.max_rejected`` allows, or nothing is left to train on. The rejected rows
            stand in ``rejected.jsonl`` all the same.
        DualtuneError: If the disk is full.
    """
    started = time.perf_counter()
    tally = _Tally()
    settings = Derivation(recipe.tasks, seed=recipe.seed, system=recipe.model.system)
    with staged(run) as stage:
        try:
            _write(recipe, settings, stage, tally)
            _check(recipe, tally)
        except BadInput as error:
            if not tally.rejected:
                raise
            (stage / REJECTED).replace(run / REJECTED)
            raise BadInput(f"{error} The rejected rows: {run / REJECTED}") from error
        report = _report(recipe, tally, time.perf_counter() - started)
        write_report(stage, asdict(report))
        publish(stage, run)
    if recipe.data.validation and not report.validation_problems:
        logger.warning(
            "data.validation is %g, but no Problem of %d fell into it: there will be no "
            "validation loss. Raise it, or set it to 0.",
            recipe.data.validation,
            report.problems,
        )
    return report


def derive_chunk(problems: Sequence[Problem], settings: Derivation) -> DerivedChunk:
    """Derive the Instances of some Problems. Pure, and fit to run in another process.

    Args:
        problems: The Problems.
        settings: What decides their Instances.

    Returns:
        Tables of the Problems and of their Instances in the same order, and the counts.
    """
    instances: list[Instance] = []
    skipped: Counter[str] = Counter()
    for problem in problems:
        derived = derive(
            problem,
            settings.tasks,
            seed=settings.seed,
            epoch=settings.epoch,
            system=settings.system,
        )
        instances.extend(derived.instances)
        skipped.update(dict(derived.skipped))
    return DerivedChunk(
        problems=problem_table(problems),
        instances=instance_table(instances),
        tasks=dict(Counter(instance.task for instance in instances)),
        skipped=dict(skipped),
    )


def _write(recipe: Recipe, settings: Derivation, stage: Path, tally: _Tally) -> None:
    with ExitStack() as stack:
        rejected = stack.enter_context((stage / REJECTED).open("w", encoding="utf-8"))
        writers = {
            (split, file): stack.enter_context(
                pq.ParquetWriter(file(stage, split), schema, compression="zstd")
            )
            for split in SPLITS
            for file, schema in ((problems_file, PROBLEM_SCHEMA), (instances_file, INSTANCE_SCHEMA))
        }
        for split, problems in _chunks(recipe, rejected, tally):
            chunk = derive_chunk(problems, settings)
            writers[split, problems_file].write_table(chunk.problems)
            writers[split, instances_file].write_table(chunk.instances)
            tally.problems[split] += len(problems)
            tally.instances[split].update(chunk.tasks)
            tally.skipped[split].update(chunk.skipped)


def _chunks(
    recipe: Recipe, rejected: IO[str], tally: _Tally
) -> Iterator[tuple[Split, list[Problem]]]:
    """Read the source and yield its Problems, split, in chunks of one split each."""
    waiting: dict[Split, list[Problem]] = {split: [] for split in SPLITS}
    data = recipe.data
    with bar("build", total=expected_rows(data.train)) as shown:
        for item in read(data.train):
            tally.rows += 1
            shown.update(1)
            if not isinstance(item, Problem):
                write_rejected(rejected, item)
                tally.rejected[item.reason] += 1
                tally.first_rejected = tally.first_rejected or item.message
                continue
            key = question_key(item.question)
            tally.repeated += key in tally.questions
            tally.questions.add(key)
            held_out = in_validation(item.question, data.validation, seed=recipe.seed)
            split: Split = "validation" if held_out else "train"
            waiting[split].append(item)
            if len(waiting[split]) == CHUNK:
                yield split, waiting[split]
                waiting[split] = []
        for split, problems in waiting.items():
            if problems:
                yield split, problems


def _check(recipe: Recipe, tally: _Tally) -> None:
    bad, limit = tally.rejected.total(), recipe.data.max_rejected
    if tally.rows and bad / tally.rows > limit:
        raise BadInput(
            f"{bad} of {tally.rows} rows are rejected ({bad / tally.rows:.1%}), more than "
            f"data.max_rejected allows ({limit:.1%}). By cause: {_counted(tally.rejected)}. "
            f"The first: {tally.first_rejected} Mend the rows, or raise data.max_rejected."
        )
    if not tally.problems["train"]:
        raise BadInput(
            f"all {tally.problems['validation']} Problems fell into validation: lower "
            f"data.validation ({recipe.data.validation:g}) or give more rows."
        )
    if not tally.instances["train"].total():
        raise BadInput(
            f"no instance could be derived from {tally.problems['train']} Problems. By cause: "
            f"{_counted(tally.skipped['train'])}. Turn another task on under tasks."
        )


def _counted(causes: Counter[str]) -> str:
    return ", ".join(f"{cause} {count}" for cause, count in causes.most_common()) or "none"


def _report(recipe: Recipe, tally: _Tally, seconds: float) -> BuildReport:
    def by_task(split: Split) -> dict[str, int]:
        return {task: tally.instances[split][task] for task in TASK_NAMES}

    def by_cause(causes: Counter[str]) -> dict[str, int]:
        return dict(sorted(causes.items()))

    return BuildReport(
        rows_read=tally.rows,
        problems=tally.problems["train"],
        validation_problems=tally.problems["validation"],
        instances=by_task("train"),
        validation_instances=by_task("validation"),
        rejected_rows=tally.rejected.total(),
        rejected=by_cause(tally.rejected),
        masks_skipped=by_cause(tally.skipped["train"]),
        validation_masks_skipped=by_cause(tally.skipped["validation"]),
        questions_repeated=tally.repeated,
        settings={
            "data": recipe.data.model_dump(mode="json"),
            "tasks": recipe.tasks.model_dump(mode="json"),
            "system": recipe.model.system,
            "seed": recipe.seed,
        },
        seconds=round(seconds, 3),
    )
