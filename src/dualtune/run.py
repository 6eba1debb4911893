"""The stages of a recipe in their order, each skipped when its inputs have not changed.

A stage is known by a fingerprint of its settings, its input files and the stages before it. It is
kept in the run's manifest.json, together with what a reader needs to repeat the run.
"""

from __future__ import annotations

import errno
import importlib.util
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dualtune
from dualtune.errors import BadInput, DualtuneError, nearest
from dualtune.grade.number import RULES
from dualtune.manifest import (
    Manifest,
    environment,
    file_entry,
    fingerprint,
    folder_stamp,
    unwritable,
)
from dualtune.recipe import Recipe, Source, dump_recipe
from dualtune.records import Problem
from dualtune.sources.benchmarks import load_benchmark

log = logging.getLogger(__name__)

# What has to be there for a stage to count as done.
_BUILT = (
    "build.json",
    "problems/train.parquet",
    "problems/validation.parquet",
    "instances/train.parquet",
)
_TRAINED = ("model/config.json", "train.json", "train.jsonl")

# Settings of training that change neither what is learnt nor in which order: after a run has
# filled the memory or the disk, they can be lowered and the same run goes on.
_NOT_LEARNT_FROM = {
    "device",
    "keep_checkpoints",
    "logging_steps",
    "save_steps",
    "tokens_per_pack",
    "workers",
}

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class Pipeline:
    """A recipe, its run folder, and the stages that are done there."""

    recipe: Recipe
    run: Path
    manifest: Manifest
    fresh: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, recipe: Recipe) -> Pipeline:
        """Make the run folder and write down recipe, versions and data.

        Raises:
            BadInput: If an input is missing or the folder cannot be written.
        """
        run = Path(recipe.run).expanduser()
        data = [file_entry(p) for p in _input_files(recipe.data.train)]
        try:
            run.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(unwritable(run, error)) from error
        manifest = Manifest.open(run)
        for entry, before in zip(data, manifest.values.get("data", []), strict=False):
            if entry["sha256"] == before.get("sha256") and "rows" in before:
                entry["rows"] = before["rows"]
        model = {"id": _model_name(recipe)}
        known = manifest.values.get("model", {})
        manifest.values.update(
            {
                **environment(),
                "seed": recipe.seed,
                "data": data,
                "model": known if known.get("id") == model["id"] else model,
            }
        )
        manifest.save()
        return cls(recipe, run, manifest)

    def build(self) -> None:
        """Build Problems and Instances."""
        self._stage("build", self._build_key(), _BUILT, self._build)

    def train(self) -> None:
        """Tune the model; builds first if that is not done."""
        self.build()
        self._stage("train", self._train_key(), _TRAINED, self._train)

    def check_evaluation(self) -> None:
        """Find out before an hour of training what would stop the evaluation or report after it.

        Raises:
            BadInput: If a benchmark is unknown or its file is missing, a limit names no chosen
                benchmark, or an extra is not installed.
        """
        settings = self.recipe.eval
        for name in settings.limits:
            if name not in settings.benchmarks:
                raise BadInput(
                    f"eval.limits: {name!r} is not among eval.benchmarks"
                    f"{nearest(name, settings.benchmarks)}"
                )
        for name in settings.benchmarks:
            load_benchmark(name, data_dir=settings.data_dir, limit=1)
        needed = {"jinja2": "report", "plotly": "report"}
        if settings.benchmarks:
            needed["lm_eval"] = "eval"
        for module, extra in needed.items():
            if importlib.util.find_spec(module) is None:
                raise BadInput(f"{module} is not installed. Run: pip install 'dualtune[{extra}]'")

    def evaluate(self, *, model: str = "tuned") -> None:
        """Evaluate ``base`` or ``tuned``; nothing to do without benchmarks."""
        settings = self.recipe.eval
        if not settings.benchmarks:
            log.info("eval_%s: the recipe names no benchmarks", model)
            return
        if model == "tuned" and not self._is_tuned():
            raise BadInput(
                f"{self.run} holds no model that this recipe tuned (none, or one of other "
                "settings or data): run dualtune train first."
            )
        key = self._eval_key(model)
        rows = [f"eval/{model}/{b}.{settings.mode}.jsonl" for b in settings.benchmarks]
        self._stage(f"eval_{model}", key, (*rows, "eval.json"), lambda: self._evaluate(model))

    def report(self) -> Path:
        """Write report.html from what the run folder holds."""
        from dualtune.report.page import write_report

        page = self.run / "report.html"
        inputs = [self.manifest.stage(n).get("fingerprint") for n in self._stages()]
        key = fingerprint({"stages": inputs, "version": dualtune.__version__})
        self._stage("report", key, (page.name,), lambda: write_report(self.run))
        return page

    def everything(self) -> Path:
        """Run every stage in its order.

        Returns:
            The report.
        """
        self.check_evaluation()
        self.build()
        if self.recipe.eval.baseline:
            self.evaluate(model="base")
        self.train()
        self.evaluate(model="tuned")
        return self.report()

    def _stages(self) -> tuple[str, ...]:
        return ("build", "eval_base", "train", "eval_tuned")

    def _stage(self, name: str, key: str, outputs: Sequence[str], work: Callable[[], Any]) -> None:
        there = all((self.run / output).exists() for output in outputs)
        if there and self.manifest.stage(name).get("fingerprint") == key:
            log.info("%s: up to date", name)
            return
        log.info("%s: starting", name)
        self._write_recipe()
        started = time.monotonic()
        before = self.manifest.stage(name)
        seconds_before = before.get("seconds", 0.0) if before.get("unfinished") == key else 0.0
        self.manifest.values.setdefault("stages", {})[name] = {
            "unfinished": key,
            "seconds": seconds_before,
        }
        self.manifest.save()
        try:
            work()
        except (DualtuneError, KeyboardInterrupt):
            self._note_seconds(name, seconds_before + time.monotonic() - started)
            raise
        except OSError as error:
            if error.errno not in _DISK_FULL:
                raise
            raise DualtuneError(
                f"{name}: the disk is full: {error}. Free some space and give the same command "
                "again; it goes on where it stopped."
            ) from error
        seconds = seconds_before + time.monotonic() - started
        self.manifest.finish(name, fingerprint=key, seconds=seconds)
        self.fresh.append(name)
        log.info("%s: done in %s", name, _duration(seconds))

    def _write_recipe(self) -> None:
        # Where a stage starts: a command that changes nothing must not describe what others made.
        try:
            (self.run / "recipe.yaml").write_text(dump_recipe(self.recipe), encoding="utf-8")
        except OSError as error:
            raise BadInput(unwritable(self.run, error)) from error

    def _note_seconds(self, name: str, seconds: float) -> None:
        self.manifest.values["stages"][name]["seconds"] = round(seconds, 1)
        # What stopped the stage is what the user has to read.
        with suppress(BadInput):
            self.manifest.save()

    def _is_tuned(self) -> bool:
        tuned = self.manifest.stage("train").get("fingerprint")
        return tuned == self._train_key() and (self.run / "model" / "config.json").exists()

    def _build(self) -> None:
        from dualtune.build.engine import build

        report = build(self.recipe, self.run)
        data = self.manifest.values["data"]
        if len(data) == 1:  # the rows of several files are counted together
            data[0]["rows"] = report.rows_read

    def _train(self) -> None:
        from dualtune.build.engine import read_problems
        from dualtune.lm.train import tune

        tune(
            self.recipe,
            self.run,
            train=read_problems(self.run, "train"),
            validation=read_problems(self.run, "validation"),
            fingerprint=self._train_key(),
        )

    def _evaluate(self, model: str) -> None:
        from dualtune.evaluate.harness import evaluate_model
        from dualtune.lm.models import resolve_model

        folder = self.run / "model" if model == "tuned" else resolve_model(self.recipe.model)
        evaluate_model(
            folder,
            model,
            settings=self.recipe.eval,
            model=self.recipe.model,
            run=self.run,
            train_source=train_source(self.recipe),
        )

    def _build_key(self) -> str:
        recipe = self.recipe
        return fingerprint(
            {
                "data": recipe.data.model_dump(mode="json"),
                "files": [entry["sha256"] for entry in self.manifest.values["data"]],
                "tasks": recipe.tasks.model_dump(mode="json"),
                "system": recipe.model.system,
                "seed": recipe.seed,
                "version": dualtune.__version__,
            }
        )

    def _train_key(self) -> str:
        recipe = self.recipe
        return fingerprint(
            {
                "build": self._build_key(),
                "train": recipe.train.model_dump(mode="json", exclude=_NOT_LEARNT_FROM),
                "model": recipe.model.model_dump(mode="json", exclude={"cache_dir"}),
                "weights": self._base_digest(),
            }
        )

    def _eval_key(self, model: str) -> str:
        recipe = self.recipe
        return fingerprint(
            {
                "model": self._train_key() if model == "tuned" else self._base_digest(),
                "prompt": recipe.model.prompt,
                "system": recipe.model.system,
                "grading": RULES,
                "eval": recipe.eval.model_dump(mode="json", exclude={"batch_size", "baseline"}),
                "trained_on": train_source(recipe),
                "version": dualtune.__version__,
            }
        )

    def _base_digest(self) -> str:
        """Return the hash of the untuned model, read once for a model folder."""
        from dualtune.lm.models import resolve_model, weights_digest

        known = self.manifest.values["model"]
        folder = resolve_model(self.recipe.model)
        stamp = folder_stamp(folder)
        name = _model_name(self.recipe)
        if known.get("id") == name and known.get("stamp") == stamp:
            return str(known["sha256"])
        digest = weights_digest(folder)
        self.manifest.values["model"] = {
            "id": name,
            "sha256": digest,
            "stamp": stamp,
        }
        self.manifest.save()
        return digest


def run_recipe(recipe: Recipe) -> Path:
    """Run all stages of a recipe: build, evaluate, train, evaluate, report.

    Args:
        recipe: The recipe.

    Returns:
        The report page.

    Raises:
        BadInput: If the recipe or its data cannot be used.
        DualtuneError: If a stage fails; the same call goes on where it stopped.
    """
    return Pipeline.open(recipe).everything()


def preview_recipe(recipe: Recipe, *, count: int = 3) -> None:
    """Show the first Problems of a recipe with all their instances on the terminal.

    Args:
        recipe: The recipe.
        count: How many Problems.
    """
    from itertools import islice

    from rich.console import Console

    from dualtune.build.preview import encoded_view, preview
    from dualtune.lm.encode import Encoder
    from dualtune.lm.models import load_tokenizer, resolve_model
    from dualtune.sources.readers import read

    encoder = Encoder(load_tokenizer(resolve_model(recipe.model)), recipe.model.prompt)
    problems = (row for row in read(recipe.data.train) if isinstance(row, Problem))
    preview(
        list(islice(problems, count)),
        tasks=recipe.tasks,
        seed=recipe.seed,
        console=Console(),
        system=recipe.model.system,
        encode=lambda instance: encoded_view(encoder, instance),
    )


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


def _model_name(recipe: Recipe) -> str:
    # The manifest goes with the results, so it holds no path of the machine that made them.
    path = Path(recipe.model.id).expanduser()
    return path.name if path.is_absolute() or path.exists() else recipe.model.id


def _input_files(source: Source) -> list[Path]:
    from dualtune.sources.readers import input_files

    return input_files(source)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)} min {rest:.0f} s" if minutes else f"{rest:.1f} s"
