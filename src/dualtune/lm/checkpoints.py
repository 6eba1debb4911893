"""Checkpoints that can be trusted: sealed when they are whole, checked before they are used."""

from __future__ import annotations

import json
import logging
import shutil
import zlib
from pathlib import Path

from dualtune.errors import BadInput
from dualtune.files import write_whole

log = logging.getLogger(__name__)

# Sizes and checksums of a checkpoint's files; written last, so that it stands for all of them.
SEAL = "seal.json"
# As the Trainer calls them, before the step.
CHECKPOINT = "checkpoint-"
# In a checkpoint of FSDP2: the folders of the parts that the ranks wrote.
SHARDED_WEIGHTS, SHARDED_OPTIMISER = "sharded_weights", "sharded_optimiser"
_CHUNK = 1 << 22


def newest_checkpoint(folder: Path, *, fingerprint: str) -> Path | None:
    """Find the checkpoint to go on from.

    Checkpoints of another fingerprint are removed, and so are those that a kill left unfinished
    or whose files are not the ones that were written.

    Args:
        folder: The run's ``checkpoints``.
        fingerprint: What they have to belong to.

    Returns:
        The newest whole checkpoint, or None.
    """
    mark = folder / "fingerprint"
    # Written once and never again: a kill or a full disk in the middle of it would leave a mark
    # that fits no run, and good checkpoints would be removed for it.
    if not mark.is_file() or mark.read_text(encoding="utf-8") != fingerprint:
        of_others = numbered(folder, CHECKPOINT)
        if of_others:
            log.warning(
                "removing %d checkpoints of other settings, data or weights (the last of step %d)",
                len(of_others),
                max(of_others),
            )
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        mark.write_text(fingerprint, encoding="utf-8")
    for path in reversed(numbered(folder, CHECKPOINT).values()):
        fault = fault_of(path)
        if fault is None:
            return path
        log.warning("removing %s: %s", path.name, fault)
        shutil.rmtree(path)
    return None


def seal(checkpoint: Path) -> None:
    """Note the size and checksum of every file of a checkpoint that was written to its end."""
    files = {
        str(file.relative_to(checkpoint)): _stamp(file)
        for file in sorted(checkpoint.rglob("*"))
        if file.is_file() and file.name != SEAL
    }
    write_whole(checkpoint / SEAL, json.dumps(files, indent=1) + "\n")


def remove_older(folder: Path, *, keep: int) -> None:
    """Remove all but the newest checkpoints; called once the newest of them is sealed.

    Args:
        folder: The run's ``checkpoints``.
        keep: How many stay.
    """
    for path in list(numbered(folder, CHECKPOINT).values())[:-keep]:
        shutil.rmtree(path)


def fault_of(checkpoint: Path) -> str | None:
    """Say what is wrong with a checkpoint; None where it is as it was sealed."""
    try:
        files = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "it was not written to its end"
    for name, stamp in files.items():
        file = checkpoint / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != stamp[0]:
            return f"{name} has {file.stat().st_size} bytes, not {stamp[0]}"
        if _stamp(file) != stamp:
            return f"{name} does not hold what was written (checksum)"
    return None


def check_layout(checkpoint: Path, *, sharded: bool) -> None:
    """Refuse a checkpoint of the other layout: of all weights, or of the parts of several ranks.

    Args:
        checkpoint: What is resumed from.
        sharded: Whether training goes on under FSDP2.

    Raises:
        BadInput: If it was written the other way.
    """
    was_sharded = (checkpoint / SHARDED_WEIGHTS).is_dir()
    if was_sharded != sharded:
        before, other = ("fsdp", "auto") if was_sharded else ("auto (or ddp)", "fsdp")
        raise BadInput(
            f"{checkpoint} was written under train.parallel: {before}, and cannot be resumed from "
            f"under {other}. Set train.parallel as it was, or remove {checkpoint.parent} to start "
            "again."
        )


def numbered(folder: Path, name: str) -> dict[int, Path]:
    """Return the folders called by a name and a step, lowest step first.

    Args:
        folder: The run's ``checkpoints``.
        name: What stands before the step. A folder with more behind it is a user's copy.
    """
    found = {path.name.removeprefix(name): path for path in folder.glob(f"{name}*")}
    return {int(step): found[step] for step in sorted(filter(str.isdecimal, found), key=int)}


def _stamp(file: Path) -> list[int]:
    """Return size and CRC-32: enough to find what disks and cut-off copies do, and quick."""
    crc = 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return [file.stat().st_size, crc]
