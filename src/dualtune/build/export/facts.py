"""What is known of a run: what the settings beside an export and its card say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dualtune.build.store import REPORT, Split
from dualtune.errors import BadInput
from dualtune.recipe import Recipe, load_recipe

AUDIT = Path("audit") / "audit.json"
_PACKAGED_MODEL = ("smollm2-135m", "HuggingFaceTB/SmolLM2-135M-Instruct")
_UNKNOWN_MODEL = "path/to/your/model"


@dataclass(frozen=True, slots=True)
class Facts:
    """A run, as its exports describe it.

    Attributes:
        recipe: The resolved recipe.
        built: ``build.json``.
        manifest: ``manifest.json``; empty where there is none.
        audit: ``audit/audit.json``; empty where no audit was made.
        rows: Rows of the export by split and task; empty until they are written.
        left_out: Instances that were left out, by cause.
        address: What ``load_dataset`` takes for the export from inside its folder: its id on the
            hub, or ``../NAME``.
    """

    recipe: Recipe
    built: Mapping[str, Any]
    manifest: Mapping[str, Any]
    audit: Mapping[str, Any]
    rows: Mapping[Split, Mapping[str, int]]
    left_out: Mapping[str, int]
    address: str

    def written(
        self, rows: Mapping[Split, Mapping[str, int]], left_out: Mapping[str, int]
    ) -> Facts:
        """Return the facts with what was written."""
        return replace(self, rows=rows, left_out=left_out)

    def count(self, split: Split) -> int:
        """Return how many rows a split of the export has."""
        return sum(self.rows.get(split, {}).values())

    @property
    def model(self) -> str:
        """The model's hub id; a placeholder where the recipe names a local one."""
        name = self.recipe.model.id
        if name == _PACKAGED_MODEL[0]:
            return _PACKAGED_MODEL[1]
        local = Path(name).expanduser()
        if local.is_absolute() or local.exists() or name.count("/") != 1 or name.startswith("."):
            return _UNKNOWN_MODEL
        return name

    @property
    def names_its_model(self) -> bool:
        """Whether the model has an id on the hub, and is no folder or file of a machine."""
        return self.model != _UNKNOWN_MODEL

    @property
    def rows_per_step(self) -> int:
        """Rows that stand for the Problems of an optimiser step of the recipe."""
        problems = max(int(self.built["problems"]), 1)
        share = self.count("train") / problems
        return max(round(self.recipe.train.problems_per_step * share), 1)

    @property
    def data_name(self) -> str:
        """The source of the Problems by name, without the folders of a machine."""
        source = self.recipe.data.train
        if source.hub:
            return source.hub
        if source.synthetic:
            return f"dualtune's generator of word problems ({source.synthetic})"
        name = str(source.path)
        return name if name.startswith("builtin:") else Path(name).name


def read_facts(run: Path, *, recipe: Recipe | None = None, address: str) -> Facts:
    """Read what a run says of itself.

    Args:
        run: The run folder.
        recipe: The recipe that it is exported with; by default the one in the run folder, which
            says how it was built and may be older.
        address: What ``load_dataset`` takes for the export from inside its folder.

    Returns:
        The facts, with no rows yet.

    Raises:
        BadInput: If nothing was built there, or a file cannot be read.
    """
    if not (run / REPORT).is_file():
        raise BadInput(f"{run} holds no {REPORT}: run dualtune build with the recipe first.")
    return Facts(
        recipe=recipe or load_recipe(run / "recipe.yaml"),
        built=_json(run / REPORT),
        manifest=_json(run / "manifest.json"),
        audit=_json(run / AUDIT),
        rows={},
        left_out={},
        address=address,
    )


def _json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(
            f"cannot read {file}: {error}. Run the stage that writes it again."
        ) from None
    if not isinstance(values, dict):
        raise BadInput(f"{file} holds no JSON object. Run the stage that writes it again.")
    return values
