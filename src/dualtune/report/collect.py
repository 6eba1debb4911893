"""Read the files of a run folder, whatever stages have finished.

The report reads nothing but the run folder, so that a folder copied to another machine still
makes its page. A stage that has not run leaves its part empty, and the page says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from dualtune.errors import BadInput
from dualtune.evaluate.results import Generations, Results, read_evaluation, read_generations
from dualtune.files import Json, read_json, read_jsonl, read_text, read_yaml

REJECTED_SHOWN = 5
"""How many rejected rows the page quotes; ``rejected.jsonl`` holds them all."""

_SIGNS_OF_A_RUN = ("recipe.yaml", "manifest.json", "build.json", "train.json", "eval.json")


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What a run folder holds. A file that is not there is an empty mapping or sequence.

    Attributes:
        folder: The run folder.
        recipe_text: ``recipe.yaml`` as it stands.
        recipe: The same, parsed.
        manifest: Versions, seeds, data hashes, stages.
        build: ``build.json``.
        audit: ``audit/audit.json``.
        train: ``train.json``.
        log: The lines of ``train.jsonl``.
        evaluation: ``eval.json``: model, then benchmark, to its result; what the recipe asks for.
        generations: ``eval/<model>/<benchmark>.<mode>.jsonl`` of these: the rows that a result
            counts, or what is there of one that is not finished.
        rejected: The first rejected rows.
    """

    folder: Path
    recipe_text: str = ""
    recipe: Json = field(default_factory=dict)
    manifest: Json = field(default_factory=dict)
    build: Json = field(default_factory=dict)
    audit: Json = field(default_factory=dict)
    train: Json = field(default_factory=dict)
    log: Sequence[Json] = ()
    evaluation: Results = field(default_factory=dict)
    generations: Sequence[Generations] = ()
    rejected: Sequence[Json] = ()

    @property
    def instances(self) -> Path:
        """The Parquet file of the training instances of epoch 0, there or not."""
        return self.folder / "instances" / "train.parquet"


def collect(run: Path) -> RunFiles:
    """Read a run folder.

    Args:
        run: The folder that a recipe's ``run`` key names.

    Returns:
        What is there; stages that have not run are empty.

    Raises:
        BadInput: If the folder is missing, is no run, or holds a file that cannot be read.
    """
    if not run.is_dir():
        raise BadInput(f"run folder not found: {run}. Give the folder that a recipe names as run.")
    if not any((run / name).is_file() for name in _SIGNS_OF_A_RUN):
        raise BadInput(
            f"{run} holds no run: none of {', '.join(_SIGNS_OF_A_RUN)} is there. "
            "Run `dualtune run RECIPE.yaml` first."
        )
    evaluation = read_evaluation(run)
    return RunFiles(
        folder=run,
        recipe_text=read_text(run / "recipe.yaml"),
        recipe=read_yaml(run / "recipe.yaml"),
        manifest=read_json(run / "manifest.json"),
        build=read_json(run / "build.json"),
        audit=read_json(run / "audit" / "audit.json"),
        train=read_json(run / "train.json"),
        log=tuple(read_jsonl(run / "train.jsonl")),
        evaluation=evaluation,
        generations=tuple(read_generations(run, evaluation)),
        rejected=tuple(islice(read_jsonl(run / "rejected.jsonl"), REJECTED_SHOWN)),
    )
