"""Plain Parquet columns, for anything that reads tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dualtune.build.export.facts import Facts
from dualtune.build.export.layout import MESSAGES, Layout, LeftOut, Place, turns
from dualtune.records import Instance

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source_id", pa.string()),
        ("task", pa.string()),
        ("prompt", pa.string()),
        ("target", pa.string()),
        ("masked", pa.list_(pa.string())),
        ("masked_kind", pa.list_(pa.string())),
        ("messages", MESSAGES),
    ]
)


def _row(instance: Instance, place: Place) -> Mapping[str, Any] | LeftOut:
    return {
        "id": instance.id,
        "source_id": instance.source_id,
        "task": instance.task,
        "prompt": instance.prompt[-1].content,
        "target": instance.target,
        "masked": [part.text for part in instance.masked],
        "masked_kind": [part.kind for part in instance.masked],
        "messages": [*turns(instance.prompt), {"role": "assistant", "content": instance.target}],
    }


def _files(facts: Facts) -> dict[str, str]:
    return {}


def _usage(facts: Facts) -> str:
    return (
        "`prompt` is the user's last turn and `target` the answer; `messages` holds both, with "
        "all turns before them and the system prompt where there is one; `masked` and "
        "`masked_kind` say what the markers stand "
        'for.\n\n```python\nimport pandas\n\nrows = pandas.read_parquet("train.parquet")\n```'
    )


LAYOUT = Layout(
    row=_row,
    files=_files,
    usage=_usage,
    lost=("Rendering, labels and loss weights are up to whoever reads the table.",),
    schema=SCHEMA,
)
