"""Problems and Instances as Parquet: the schema, tables from records and back, safe writing.

The schema is plain, so that any tool reads it: text columns, and lists of structs for the turns
of a prompt and for what was masked.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from dualtune.errors import BadInput, DualtuneError
from dualtune.records import Annotation, Instance, Masked, Message, Problem, Rejected

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation")

REJECTED = "rejected.jsonl"
REPORT = "build.json"
# Where a build writes until it is complete.
_STAGE = ".build"

PROBLEM_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("rationale", pa.string()),
        ("answer", pa.string()),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("options", pa.list_(pa.string())),
        (
            "annotations",
            pa.list_(pa.struct([("start", pa.int64()), ("text", pa.string())])),
        ),
    ]
)
INSTANCE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source_id", pa.string()),
        ("task", pa.string()),
        (
            "prompt",
            pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
        ),
        ("target", pa.string()),
        (
            "masked",
            pa.list_(
                pa.struct(
                    [
                        ("marker", pa.string()),
                        ("text", pa.string()),
                        ("start", pa.int64()),
                        ("end", pa.int64()),
                        ("where", pa.string()),
                        ("kind", pa.string()),
                    ]
                )
            ),
        ),
        ("seed", pa.int64()),
    ]
)


def problems_file(folder: Path, split: Split) -> Path:
    """Return where the Problems of a split lie in a run folder."""
    return folder / "problems" / f"{split}.parquet"


def instances_file(folder: Path, split: Split) -> Path:
    """Return where the Instances of a split lie in a run folder."""
    return folder / "instances" / f"{split}.parquet"


def problem_table(problems: Sequence[Problem]) -> pa.Table:
    """Return Problems as a table of ``PROBLEM_SCHEMA``."""
    columns: dict[str, list[Any]] = {
        "options": [list(p.options) for p in problems],
        "annotations": [
            [{"start": a.start, "text": a.text} for a in p.annotations] for p in problems
        ],
    }
    return _table(problems, columns, PROBLEM_SCHEMA)


def instance_table(instances: Sequence[Instance]) -> pa.Table:
    """Return Instances as a table of ``INSTANCE_SCHEMA``."""
    columns: dict[str, list[Any]] = {
        "prompt": [[{"role": m.role, "content": m.content} for m in i.prompt] for i in instances],
        "masked": [
            [
                {
                    "marker": m.marker,
                    "text": m.text,
                    "start": m.start,
                    "end": m.end,
                    "where": m.where,
                    "kind": m.kind,
                }
                for m in i.masked
            ]
            for i in instances
        ],
    }
    return _table(instances, columns, INSTANCE_SCHEMA)


def read_problems(run: Path, split: Split) -> list[Problem]:
    """Read the Problems of a built run.

    Args:
        run: The run folder.
        split: ``train`` or ``validation``.

    Returns:
        The Problems, in source order.

    Raises:
        BadInput: If nothing was built there, or the file cannot be read.
    """
    return [
        Problem(
            **row
            | {
                "options": tuple(row["options"]),
                "annotations": tuple(Annotation(**a) for a in row["annotations"]),
            }
        )
        for row in _rows(problems_file(run, split), PROBLEM_SCHEMA)
    ]


def read_instances(run: Path, split: Split) -> list[Instance]:
    """Read the Instances of epoch 0 of a built run.

    Args:
        run: The run folder.
        split: ``train`` or ``validation``.

    Returns:
        The Instances, in the order of their Problems.

    Raises:
        BadInput: If nothing was built there, or the file cannot be read.
    """
    return [
        Instance(
            **row
            | {
                "prompt": tuple(Message(**m) for m in row["prompt"]),
                "masked": tuple(Masked(**m) for m in row["masked"]),
            }
        )
        for row in _rows(instances_file(run, split), INSTANCE_SCHEMA)
    ]


def write_rejected(file: Any, row: Rejected) -> None:
    """Append a rejected row to an open ``rejected.jsonl``."""
    values = {"where": row.where, "reason": row.reason, "message": row.message, "raw": row.raw}
    file.write(json.dumps(values, ensure_ascii=False) + "\n")


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write ``build.json``."""
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    (folder / REPORT).write_text(text, encoding="utf-8")


@contextmanager
def staged(run: Path) -> Iterator[Path]:
    """Open a folder to build in, inside the run folder; it is gone afterwards.

    What an interrupted build left there is removed first.

    Raises:
        DualtuneError: If writing fails in the block: full disk, no permission. The run folder
            is as it was.
    """
    stage = run / _STAGE
    try:
        shutil.rmtree(stage, ignore_errors=True)
        for split in SPLITS:
            problems_file(stage, split).parent.mkdir(parents=True, exist_ok=True)
            instances_file(stage, split).parent.mkdir(parents=True, exist_ok=True)
        yield stage
    except OSError as error:
        raise _write_error(run, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def publish(stage: Path, run: Path) -> None:
    """Move a complete build from its stage into the run folder, over an earlier one.

    ``build.json`` goes last and the earlier one is removed first, so that it is there exactly
    if the files beside it belong together.
    """
    (run / REPORT).unlink(missing_ok=True)
    for split in SPLITS:
        for file in (problems_file, instances_file):
            target = file(run, split)
            target.parent.mkdir(parents=True, exist_ok=True)
            file(stage, split).replace(target)
    for name in (REJECTED, REPORT):
        (stage / name).replace(run / name)


def _table(records: Sequence[Any], columns: Mapping[str, list[Any]], schema: pa.Schema) -> pa.Table:
    arrays = [
        pa.array(
            columns[field.name]
            if field.name in columns
            else [getattr(record, field.name) for record in records],
            type=field.type,
        )
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _rows(file: Path, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(file) as table:
            names = table.schema_arrow.names
            if names != schema.names:
                raise BadInput(
                    f"{file} has the columns {', '.join(names)}, not {', '.join(schema.names)}: "
                    "it is from another version. Build it again with dualtune build."
                )
            for batch in table.iter_batches():
                yield from batch.to_pylist()
    except FileNotFoundError:
        raise BadInput(f"{file} is not there: run dualtune build with the recipe first.") from None
    except (OSError, pa.ArrowException) as error:
        raise BadInput(
            f"cannot read {file}: {error}. Build it again with dualtune build."
        ) from error


def _write_error(run: Path, error: OSError) -> DualtuneError:
    where = error.filename or run
    left = "What an earlier build left there is unchanged."
    # Arrow's own errors carry the number in their text alone.
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return DualtuneError(
            f"no space left on the disk while writing {where}. Free some, or set run: to a folder "
            f"on another disk. {left}"
        )
    return BadInput(
        f"cannot write {where}: {error.strerror or error}. Set run: to a folder that can be "
        f"written. {left}"
    )
