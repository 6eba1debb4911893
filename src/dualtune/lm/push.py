"""The tuned model's folder made ready to be shared, and pushed to the hub.

Beside the weights stand a model card, the recipe and the manifest, without the paths, addresses
and names of keys of the machine that made them.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dualtune.build.export.facts import read_facts
from dualtune.errors import BadInput
from dualtune.evaluate.results import read_evaluation
from dualtune.files import read_json, write_whole
from dualtune.lm.card import Tuned, base_license, model_card
from dualtune.lm.models import resolve_model
from dualtune.upload import push_folder

log = logging.getLogger(__name__)

CARD = "README.md"
_ADAPTER = "adapter_config.json"
# Folders of a machine, which another one does not have.
_PLACES = frozenset(("data_dir", "cache_dir"))
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")


def describe_model(run: Path, *, address: str = "path/to/this/folder") -> Path:
    """Write model card, recipe and manifest into the folder of a run's tuned model.

    Args:
        run: The run folder, whose model is trained.
        address: What the card's examples load: an id on the hub, or a path.

    Returns:
        The model's folder.

    Raises:
        BadInput: If the run holds no tuned model, or a file of it cannot be read.
    """
    folder = run / "model"
    trained = read_json(run / "train.json")
    if not folder.is_dir() or not trained:
        raise BadInput(f"{run} holds no tuned model: run dualtune train with its recipe first.")
    facts = read_facts(run, address=address)
    name = facts.recipe.model.id
    tuned = Tuned(
        facts=facts,
        train=trained,
        evaluation=read_evaluation(run),
        address=address,
        adapter=(folder / _ADAPTER).is_file(),
        license=base_license(resolve_model(facts.recipe.model), name),
    )
    recipe = shareable(facts.recipe.model_dump(mode="json")) | {"run": _last_name(str(run))}
    text = yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)
    write_whole(folder / "recipe.yaml", text)
    write_whole(folder / "manifest.json", json.dumps(shareable(facts.manifest), indent=2) + "\n")
    write_whole(folder / CARD, model_card(tuned))
    return folder


def push_model(run: Path, repo: str, *, private: bool) -> str:
    """Upload a run's tuned model to the hub, with its card.

    Args:
        run: The run folder.
        repo: Id of the model, ``owner/name``.
        private: Make it private where it is new.

    Returns:
        Its address.

    Raises:
        BadInput: If there is no tuned model, or it is an adapter over a folder of this machine.
        DualtuneError: If the hub cannot be reached or refuses; the folder is complete then.
    """
    folder = run / "model"
    base = str(read_json(folder / _ADAPTER).get("base_model_name_or_path") or "")
    if _is_local(base):
        raise BadInput(
            f"--push {repo}: model/ holds an adapter over {base}, which nobody else has. Set "
            "train.adapter.merge: true, or tune a model that is on the hub."
        )
    return push_folder(describe_model(run, address=repo), repo, kind="model", private=private)


def shareable(values: Any) -> Any:
    """Return settings without what is of this machine alone.

    Args:
        values: JSON values.

    Returns:
        The same, where a path is its last name, the address of a server null, and settings that
        name a folder of the machine are left out, so that their defaults hold.
    """
    if isinstance(values, Mapping):
        return {k: shareable(value) for k, value in values.items() if k not in _PLACES}
    if isinstance(values, list | tuple):
        return [shareable(value) for value in values]
    if not isinstance(values, str):
        return values
    if "://" in values:
        return None
    return _last_name(values) if _is_local(values) else values


def _is_local(text: str) -> bool:
    """Tell whether a text is a path that holds a folder of this machine."""
    if text.startswith(("/", "~", "./", "../", "\\\\")) or _WINDOWS.match(text):
        return True
    return "/" in text and "\n" not in text and len(text) < 4096 and Path(text).exists()


def _last_name(text: str) -> str:
    return re.split(r"[\\/]", text.rstrip("\\/"))[-1]
