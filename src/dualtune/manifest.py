"""A run's manifest.json: what a reader needs to repeat it, and what is known of its stages."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dualtune
from dualtune.errors import BadInput
from dualtune.files import write_whole

_PACKAGES = (
    "accelerate",
    "datasets",
    "lm_eval",
    "numpy",
    "pyarrow",
    "tokenizers",
    "torch",
    "transformers",
)


@dataclass(slots=True)
class Manifest:
    """What a run folder says of itself: versions, seeds, data and stages."""

    path: Path
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, run: Path) -> Manifest:
        """Read the manifest of a run, or start one."""
        path = run / "manifest.json"
        if not path.exists():
            return cls(path)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{path} is not valid JSON ({error}). Remove it: stages then run again."
            ) from error
        if not isinstance(values, dict):
            raise BadInput(f"{path} holds no JSON object. Remove it: stages then run again.")
        return cls(path, values)

    def stage(self, name: str) -> dict[str, Any]:
        """Return what is known of a stage."""
        found: dict[str, Any] = self.values.get("stages", {}).get(name, {})
        return found

    def finish(self, name: str, *, fingerprint: str, seconds: float) -> None:
        """Note that a stage is done."""
        self.values.setdefault("stages", {})[name] = {
            "fingerprint": fingerprint,
            "seconds": round(seconds, 1),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        self.save()

    def save(self) -> None:
        """Write the file whole or not at all.

        Raises:
            BadInput: If it cannot be written.
        """
        try:
            write_whole(self.path, json.dumps(self.values, indent=2) + "\n")
        except OSError as error:
            raise BadInput(unwritable(self.path.parent, error)) from error


def environment() -> dict[str, Any]:
    """Return versions and platform, for the manifest."""
    return {
        "dualtune": dualtune.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "packages": _versions(),
    }


def file_entry(path: Path) -> dict[str, Any]:
    """Return the name and the SHA-256 of an input file."""
    with path.open("rb") as stream:
        return {
            "path": path.name,
            "sha256": hashlib.file_digest(stream, "sha256").hexdigest(),
        }


def folder_stamp(folder: Path | str) -> str:
    """Return what changes when the files of a folder do, without reading them."""
    # Sizes and times say whether a folder of gigabytes has to be read again.
    path = Path(folder)
    if not path.is_dir():
        return str(folder)
    entries = sorted((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in path.iterdir())
    return fingerprint({"files": entries})


def fingerprint(values: dict[str, Any]) -> str:
    """Return the SHA-256 of some JSON values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def unwritable(run: Path, error: OSError) -> str:
    """Word the message for a run folder that cannot be written."""
    return (
        f"run: cannot write to {run}: {error}. Free some space, or choose another folder with "
        "--run."
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
