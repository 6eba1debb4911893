"""The small files of a run: read with messages that say what is broken where, written whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput

Json = Mapping[str, Any]


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place and rename it, so that a kill leaves the old one or the new.

    Raises:
        OSError: If it cannot be written.
    """
    work = path.with_name(f"{path.name}.partial")
    work.write_text(text, encoding="utf-8")
    work.replace(path)


def read_text(path: Path) -> str:
    """Return the text of a file; empty where it is not there.

    Raises:
        BadInput: If it cannot be read.
    """
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error}") from error


def read_json(path: Path) -> Json:
    """Return the object in a JSON file; empty where the file is not there.

    Raises:
        BadInput: If it cannot be read or is no JSON object.
    """
    text = read_text(path)
    if not text:
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} is not valid JSON: {error}. Delete it and run again.") from error
    if not isinstance(value, dict):
        raise BadInput(f"{path} is {type(value).__name__}, not a JSON object.")
    return value


def read_yaml(path: Path) -> Json:
    """Return the mapping in a YAML file; empty where the file is not there or holds no mapping.

    Raises:
        BadInput: If it cannot be read or is no YAML.
    """
    import yaml

    text = read_text(path)
    try:
        value = yaml.safe_load(text) if text else {}
    except yaml.YAMLError as error:
        raise BadInput(f"{path} is not valid YAML: {error}") from error
    return value if isinstance(value, dict) else {}


def read_jsonl(path: Path) -> Iterator[Json]:
    """Yield the rows of a JSONL file; none where the file is not there.

    A last line that is cut off is left out: a stage that was killed while it wrote leaves one,
    and the stage writes that row again when it resumes.

    Raises:
        BadInput: If a line before the last is not a JSON object.
    """
    if not path.is_file():
        return
    broken: str | None = None
    for number, line in enumerate(_lines(path), 1):
        if broken is not None:
            raise BadInput(broken)
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            broken = f"{path}:{number} is not valid JSON: {error}. Delete the file and run again."
            continue
        if not isinstance(row, dict):
            raise BadInput(f"{path}:{number} is {type(row).__name__}, not a JSON object.")
        yield row


def _lines(path: Path) -> Iterator[str]:
    # Not str.splitlines: it would also split at U+2028, which JSON allows inside a text.
    with path.open(encoding="utf-8", errors="replace", newline="\n") as stream:
        yield from stream
