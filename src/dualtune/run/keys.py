"""Fingerprints of the stages: a stage whose fingerprint is the same has nothing to do.

A fingerprint covers the settings that the stage's output depends on, the content of its input
files, and the fingerprints of the stages before it.
"""

from __future__ import annotations

from pathlib import Path

import dualtune
from dualtune.grade import RULES
from dualtune.manifest import Manifest, file_entry, fingerprint, folder_stamp
from dualtune.recipe import Recipe

# Settings of training that change neither what is learnt nor in which order: after a run has
# filled the memory or the disk, they can be lowered and the same run goes on.
_NOT_LEARNT_FROM = {
    "device",
    "gradient_checkpointing",
    "keep_checkpoints",
    "logging_steps",
    "max_dropped",
    "parallel",
    "save_steps",
    "tokens_per_pack",
    "trackers",
    "workers",
}


# Settings of evaluation that change how it gets on, and no result.
_NOT_MEASURED_BY = {
    "allow_code",
    "base_url",
    "baseline",
    "batch_size",
    "key_variable",
    "retries",
    "timeout",
}


def build_key(recipe: Recipe, manifest: Manifest) -> str:
    """Return the fingerprint of the build: data, tasks and seed, and no setting of the engine."""
    return fingerprint(
        {
            "data": recipe.data.model_dump(mode="json"),
            "files": [entry["sha256"] for entry in manifest.values["data"]],
            "tasks": recipe.tasks.model_dump(mode="json"),
            "system": recipe.model.system,
            "seed": recipe.seed,
            "version": dualtune.__version__,
        }
    )


def audit_key(recipe: Recipe, manifest: Manifest) -> str:
    """Return the fingerprint of the audit: data, checks, and the files that it looks in."""
    from dualtune.sources.test_sets import files_of_test_sets

    settings = recipe.audit
    against = [Path(name).expanduser() for name in settings.against]
    test_sets = files_of_test_sets(recipe.eval.data_dir) if settings.benchmarks else ()
    return fingerprint(
        {
            "data": recipe.data.train.model_dump(mode="json"),
            "files": [entry["sha256"] for entry in manifest.values["data"]],
            "audit": settings.model_dump(mode="json", exclude={"against", "enabled"}),
            "against": [file_entry(file)["sha256"] for file in against if file.is_file()],
            "test_sets": [file_entry(file) for file in test_sets],
            "version": dualtune.__version__,
        }
    )


def train_key(recipe: Recipe, manifest: Manifest) -> str:
    """Return the fingerprint of training: the build, what is learnt from it, and the weights."""
    return fingerprint(
        {
            "build": build_key(recipe, manifest),
            "train": recipe.train.model_dump(mode="json", exclude=_NOT_LEARNT_FROM),
            "model": recipe.model.model_dump(mode="json", exclude={"cache_dir"}),
            "weights": base_digest(recipe, manifest),
        }
    )


def eval_key(
    recipe: Recipe, manifest: Manifest, *, model: str, folder: Path | str | None = None
) -> str:
    """Return the fingerprint of an evaluation: the weights, the prompt, the rules of grading.

    Args:
        recipe: The recipe.
        manifest: Of the run.
        model: ``base``, ``tuned``, or another name.
        folder: Where a model of another name is.
    """
    if folder is not None:
        from dualtune.lm.models import weights_digest

        weights = weights_digest(folder)
    else:
        weights = (train_key if model == "tuned" else base_digest)(recipe, manifest)
    return fingerprint(
        {
            "model": weights,
            "prompt": recipe.model.prompt,
            "system": recipe.model.system,
            "grading": RULES,
            "eval": recipe.eval.model_dump(mode="json", exclude=_NOT_MEASURED_BY),
            "seed": recipe.seed if recipe.eval.temperature > 0 else None,
            "trained_on": train_source(recipe),
            "version": dualtune.__version__,
        }
    )


def base_digest(recipe: Recipe, manifest: Manifest) -> str:
    """Return the hash of the untuned model, read once for a model folder."""
    from dualtune.lm.models import resolve_model, weights_digest

    known = manifest.values["model"]
    folder = resolve_model(recipe.model)
    stamp = folder_stamp(folder)
    name = model_name(recipe)
    if known.get("id") == name and known.get("stamp") == stamp:
        return str(known["sha256"])
    digest = weights_digest(folder)
    manifest.values["model"] = {"id": name, "sha256": digest, "stamp": stamp}
    manifest.save()
    return digest


def model_name(recipe: Recipe) -> str:
    """Return the model's id, or the name of its folder or file without the folders above."""
    # The manifest goes with the results, so it holds no path of the machine that made them.
    path = Path(recipe.model.id).expanduser()
    return path.name if path.is_absolute() or path.exists() else recipe.model.id


def train_source(recipe: Recipe) -> str:
    """Name the training data, for the domain of a benchmark.

    Args:
        recipe: The recipe.

    Returns:
        The split of the generator; else the format that its rows are in, where they are in one,
        joined by ``+`` with the name of the file or hub data set.
    """
    source = recipe.data.train
    if source.synthetic:
        return "synthetic" if source.synthetic == "train" else f"synthetic_{source.synthetic}"
    if source.path == "builtin:sample":
        return "synthetic"
    if source.path is None:
        return str(source.hub)
    name = Path(source.path).name
    taken = source.format
    if taken == "auto":
        from dualtune.sources.readers import recognised_format

        return _joined(recognised_format(source), name)
    return _joined(taken, name)


def _joined(taken: str, name: str) -> str:
    return name if taken == "columns" else f"{taken}+{name}"
