"""Which models are evaluated, and what results call them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dualtune.errors import BadInput
from dualtune.evaluate.store import write_atomically

RESERVED = ("base", "tuned")
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to evaluate.

    Attributes:
        name: What results and folders call it.
        model: Its folder, hub id, or name on a server; ``base`` or ``tuned`` stand for themselves.
    """

    name: str
    model: Path | str


def name_models(
    models: Sequence[str], *, run: Path, resolve: Callable[[str], Path | str]
) -> list[Subject]:
    """Give each model a name that is safe as a folder's and means nothing else in this run.

    A name once given stays its model's: ``eval/names.json`` keeps them, so that the same command
    finds its generations again, and a model of the same name from elsewhere gets another one.

    Args:
        models: ``base``, ``tuned``, or a model: a folder, a run's folder (for its ``model/``), a
            hub id; ``NAME=MODEL`` chooses the name.
        run: The run's folder.
        resolve: Finds a model; raises BadInput where there is none.

    Raises:
        BadInput: If a model is given twice, a chosen name is taken or unsafe, or there is no such
            model.
    """
    file = run / "eval" / "names.json"
    taken = _read_names(file)
    subjects = []
    for given in models:
        if given in RESERVED:
            subjects.append(Subject(given, given))
            continue
        chosen, model = _split(given)
        found = resolve(model)
        identity = _identity(found)
        name = chosen or _known(taken, identity) or _free(_safe(model), taken)
        if chosen in RESERVED:
            raise BadInput(
                f"--models: {given!r}: {chosen!r} is the name of the run's own model. Choose "
                "another name."
            )
        if chosen and taken.get(chosen, identity) != identity:
            raise BadInput(
                f"--models: {chosen!r} names another model in {run / 'eval'}: choose another name."
            )
        taken[name] = identity
        subjects.append(Subject(name, found))
    _refuse_twice(subjects)
    if any(s.name not in RESERVED for s in subjects):
        write_atomically(file, json.dumps(taken, indent=2, sort_keys=True).encode() + b"\n")
    return subjects


def find_model(given: str) -> Path | str:
    """Find a model to evaluate.

    Args:
        given: A model's folder, a run's folder, or a hub id.

    Returns:
        The folder that holds the model, or the hub id.

    Raises:
        BadInput: If a folder holds no model, or the text is neither a folder nor a hub id.
    """
    folder = _path(given)
    for candidate in (folder, folder / "model"):
        if any((candidate / f).is_file() for f in ("config.json", "adapter_config.json")):
            return candidate
    if folder.is_dir():
        raise BadInput(
            f"--models: {folder} holds no model (no config.json there or in {folder.name}/model). "
            "Give a model's folder, the folder of a run that has trained, or a hub id."
        )
    if given.startswith((".", "~", "/")) or given.count("/") != 1:
        raise BadInput(
            f"--models: {given!r} is neither a folder, a hub id (owner/name), base nor tuned."
        )
    return given


def _split(given: str) -> tuple[str | None, str]:
    name, equals, model = given.partition("=")
    if not equals or _path(given).exists():
        return None, given
    if not model or not re.fullmatch(r"[\w-][\w.-]*", name):
        raise BadInput(
            f"--models: {given!r} is no NAME=MODEL: a name holds letters, digits, '-', '_' and '.'."
        )
    return name, model


def _identity(model: Path | str) -> str:
    # Hashed: what goes with results names no path of the machine that made them.
    text = str(model.resolve()) if isinstance(model, Path) else model
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _safe(model: str) -> str:
    """Return the last telling part of a path or id, with nothing that a file system minds."""
    parts = [part for part in _path(model).parts if part not in ("/", ".", "..")]
    if len(parts) > 1 and parts[-1] == "model":
        parts.pop()  # every run calls it so
    name = re.sub(r"[^\w.-]+", "-", parts[-1] if parts else "").strip("-.")
    return name[:_LONGEST] or "model"


def _known(taken: Mapping[str, str], identity: str) -> str | None:
    return next((name for name, held in taken.items() if held == identity), None)


def _free(name: str, taken: Mapping[str, str]) -> str:
    names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 4))]
    # Compared without case: some file systems know none.
    used = {held.casefold() for held in (*taken, *RESERVED)}
    return next(free for free in names if free.casefold() not in used)


def _refuse_twice(subjects: Sequence[Subject]) -> None:
    names = [subject.name for subject in subjects]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"--models: given twice: {', '.join(twice)}. Name each model once.")


def _read_names(file: Path) -> dict[str, str]:
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{file} cannot be read ({error}). Move it away; models are then named anew."
        ) from error
    if not isinstance(names, dict):
        raise BadInput(f"{file} is no JSON object. Move it away; models are then named anew.")
    return {str(name): str(identity) for name, identity in names.items()}


def _path(given: str) -> Path:
    """Return a path with ``~`` replaced; ``~nobody`` of no such user stays as it is."""
    with suppress(RuntimeError):
        return Path(given).expanduser()
    return Path(given)
