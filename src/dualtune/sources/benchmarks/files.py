"""Where the files of benchmarks lie, and their rows as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dualtune.cache import cache_folder
from dualtune.errors import BadInput

VARIABLE = "DUALTUNE_DATA"  # names the folder of benchmark files where a recipe does not


def fetched_folder() -> Path:
    """Return the folder that ``dualtune fetch benchmarks`` fills."""
    return cache_folder() / "benchmarks"


def find_file(name: str, data_dir: str | Path | None = None) -> Path | None:
    """Return where a benchmark file lies, or None where it is not there.

    Args:
        name: The file's name, such as ``svamp.json``.
        data_dir: The folder of benchmark files, or the folder that holds it as ``bench``;
            None: the folder that ``DUALTUNE_DATA`` names, then the one that
            ``dualtune fetch benchmarks`` fills.
    """
    given = data_dir or os.environ.get(VARIABLE)
    folders = [Path(given).expanduser()] if given else []
    places = [place / name for folder in folders for place in (folder / "bench", folder)]
    if not data_dir:
        places.append(fetched_folder() / name)
    return next((file for file in places if file.is_file()), None)


def locate(name: str, file: str, data_dir: str | Path | None, *, remedy: str) -> Path:
    """Return the file of a benchmark.

    Args:
        name: The benchmark.
        file: Its file's name.
        data_dir: As in ``find_file``.
        remedy: How to get the file.

    Raises:
        BadInput: If it is not there, with where it was looked for and how to get it.
    """
    found = find_file(file, data_dir)
    if found is not None:
        return found
    remedy += (
        f" Or set eval.data_dir (or the variable {VARIABLE}) to the folder that holds {file}, or "
        f"to the folder that holds it as bench/{file}."
    )
    folder = data_dir or os.environ.get(VARIABLE)
    if not folder:
        raise BadInput(f"benchmark {name} needs {file}. {remedy}")
    where = "eval.data_dir" if data_dir else VARIABLE
    raise BadInput(f"benchmark {name}: no {file} in {folder} (from {where}). {remedy}")


def read_json_rows(file: Path) -> list[Any]:
    """Read a JSON array or JSON Lines, whatever the suffix says.

    Raises:
        BadInput: If the file cannot be read or is not JSON.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {file}: {error}") from error
    if text.lstrip().startswith("["):
        try:
            rows: list[Any] = json.loads(text)
        except json.JSONDecodeError as error:
            raise BadInput(f"{file} is not valid JSON: {error}. Download it anew.") from error
        return rows
    rows = []
    # Not splitlines: a JSON string may hold line ends of Unicode's, such as U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise BadInput(
                f"{file}:{number} is not valid JSON: {error}. Download the file anew."
            ) from error
    return rows
