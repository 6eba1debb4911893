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
from typing import TYPE_CHECKING, Any

import dualtune
from dualtune.errors import BadInput, DualtuneError, nearest
from dualtune.manifest import Manifest, environment, file_entry, fingerprint, unwritable
from dualtune.recipe import Eval, Recipe, Source, dump_recipe
from dualtune.run import keys
from dualtune.sources.benchmarks import load_benchmark

if TYPE_CHECKING:
    from dualtune.lm.launch import Launch

log = logging.getLogger(__name__)

# What has to be there for a stage to count as done.
_BUILT = (
    "build.json",
    "problems/train.parquet",
    "problems/validation.parquet",
    "instances/train.parquet",
)
_AUDITED = ("audit/audit.json", "audit/findings.jsonl")
# The model's folder is renamed into place whole; what it holds depends on the adapter.
_TRAINED = ("model", "train.json", "train.jsonl")

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class Pipeline:
    """A recipe, its run folder, and the stages that are done there."""

    recipe: Recipe
    run: Path
    manifest: Manifest
    fresh: list[str] = field(default_factory=list)
    launch: Launch | None = None

    @classmethod
    def open(cls, recipe: Recipe, *, launch: Launch | None = None) -> Pipeline:
        """Make the run folder and write down recipe, versions and data.

        Args:
            recipe: The recipe.
            launch: Of this process, where it is the first of several; the others ``follow``.

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
        model = {"id": keys.model_name(recipe)}
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
        return cls(recipe, run, manifest, launch=launch)

    def build(self) -> None:
        """Build Problems and Instances."""
        self._stage("build", keys.build_key(self.recipe, self.manifest), _BUILT, self._build)

    def audit(self) -> None:
        """Look for what is wrong with the data; what is found is told and stops nothing."""
        key = keys.audit_key(self.recipe, self.manifest)
        self._stage("audit", key, _AUDITED, self._audit)

    def train(self) -> None:
        """Tune the model; builds first if that is not done."""
        self.build()
        self._stage("train", keys.train_key(self.recipe, self.manifest), _TRAINED, self._train)
        if "train" in self.fresh or not (self.run / "model" / "README.md").exists():
            self._describe()

    def push(self, repo: str, *, private: bool = False) -> None:
        """Upload the tuned model to the hub, with its card.

        Args:
            repo: Id of the model on the hub, ``owner/name``.
            private: Make it private where it is new.

        Raises:
            BadInput: If there is no model that this recipe tuned, or it cannot be shared.
            DualtuneError: If the hub cannot be reached or refuses.
        """
        from dualtune.lm.push import push_model

        self.check_tuned()
        log.info("uploaded to %s", push_model(self.run, repo, private=private))

    def check_evaluation(self) -> None:
        """Find out before an hour of training what would stop the evaluation or report after it.

        Raises:
            BadInput: If a benchmark is unknown or its file is missing, a limit names no chosen
                benchmark, or an extra is not installed.
        """
        from dualtune.evaluate.harness import check_settings

        settings = self.recipe.eval
        for name in settings.limits:
            if name not in settings.benchmarks:
                raise BadInput(
                    f"eval.limits: {name!r} is not among eval.benchmarks"
                    f"{nearest(name, settings.benchmarks)}"
                )
        for name in settings.benchmarks:
            load_benchmark(name, data_dir=settings.data_dir, limit=1, files=settings.files)
        if settings.benchmarks:
            check_settings(settings)
            _refuse_server(settings)
        needed = {"jinja2": "report", "plotly": "report"}
        for module, extra in needed.items():
            if importlib.util.find_spec(module) is None:
                raise BadInput(f"{module} is not installed. Run: pip install 'dualtune[{extra}]'")

    def evaluate(self, *, model: str = "tuned", folder: Path | str | None = None) -> None:
        """Evaluate a model; nothing to do without benchmarks.

        Args:
            model: ``base``, ``tuned``, or the name of a model from elsewhere.
            folder: Where that model is: its folder, its hub id, or its name on a server.

        Raises:
            BadInput: If there is no such model, or what is needed to evaluate it.
        """
        settings = self.recipe.eval
        if settings.benchmarks and folder is None:
            _refuse_server(settings)
        if not settings.benchmarks:
            log.info("eval_%s: the recipe names no benchmarks", model)
            return
        if model == "tuned":
            self.check_tuned()
        key = keys.eval_key(self.recipe, self.manifest, model=model, folder=folder)
        rows = [f"eval/{model}/{b}.{settings.mode}.jsonl" for b in settings.benchmarks]
        made = (*rows, "eval.json")
        self._stage(f"eval_{model}", key, made, lambda: self._evaluate(model, folder))
        if model == "tuned" and "eval_tuned" in self.fresh:
            self._describe()  # its card tells the accuracy

    def report(self) -> Path:
        """Write report.html from what the run folder holds."""
        from dualtune.report.page import write_report

        page = self.run / "report.html"
        names = dict.fromkeys((*self._stages(), *self.manifest.values.get("stages", {})))
        inputs = [self.manifest.stage(n).get("fingerprint") for n in names if n != "report"]
        key = fingerprint({"stages": inputs, "version": dualtune.__version__})
        self._stage("report", key, (page.name, "data.html"), lambda: write_report(self.run))
        return page

    def everything(self) -> Path:
        """Run every stage in its order.

        Returns:
            The report.
        """
        self.check_evaluation()
        self.build()
        if self.recipe.audit.enabled:
            self.audit()
        if self.recipe.eval.baseline:
            self.evaluate(model="base")
        self.train()
        self.evaluate(model="tuned")
        return self.report()

    def _stages(self) -> tuple[str, ...]:
        return ("build", "audit", "eval_base", "train", "eval_tuned")

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

    def _describe(self) -> None:
        from dualtune.lm.push import describe_model

        describe_model(self.run)

    def check_tuned(self) -> None:
        """Find out whether this recipe's tuned model is there.

        Raises:
            BadInput: If it is not.
        """
        if not self._is_tuned():
            raise BadInput(
                f"{self.run} holds no model that this recipe tuned (none, or one of other "
                "settings or data): run dualtune train first."
            )

    def _is_tuned(self) -> bool:
        tuned = self.manifest.stage("train").get("fingerprint")
        return tuned == keys.train_key(self.recipe, self.manifest) and (self.run / "model").is_dir()

    def _build(self) -> None:
        from dualtune.build.engine import build

        report = build(self.recipe, self.run)
        data = self.manifest.values["data"]
        if len(data) == 1:  # the rows of several files are counted together
            data[0]["rows"] = report.rows_read

    def _audit(self) -> None:
        from dualtune.audit.run import audit

        audit(
            self.recipe.data.train,
            self.recipe.audit,
            output=self.run / "audit",
            data_dir=self.recipe.eval.data_dir,
            seed=self.recipe.seed,
        )

    def _train(self) -> None:
        key = keys.train_key(self.recipe, self.manifest)
        if self.launch is not None:
            self.launch.call(key)
        _tune(self.recipe, key, self.launch)

    def _evaluate(self, model: str, folder: Path | str | None) -> None:
        from dualtune.evaluate.harness import evaluate_model
        from dualtune.lm.models import resolve_model

        if folder is None:
            folder = self.run / "model" if model == "tuned" else resolve_model(self.recipe.model)
        evaluate_model(
            folder,
            model,
            settings=self.recipe.eval,
            model=self.recipe.model,
            run=self.run,
            train_source=keys.train_source(self.recipe),
            seed=self.recipe.seed,
        )


def follow(recipe: Recipe, launch: Launch) -> None:
    """Train with the first rank of a launch when it calls; it does everything else by itself.

    Args:
        recipe: The recipe, the same as the first rank's.
        launch: Of this process, which is not the first.

    Raises:
        DualtuneError: If another rank fails, or training does.
    """
    called = launch.wait()
    if called is not None:
        _tune(recipe, called, launch)


def _tune(recipe: Recipe, key: str, launch: Launch | None) -> None:
    from dualtune.build.engine import read_problems
    from dualtune.lm.train import tune

    run = Path(recipe.run).expanduser()
    tune(
        recipe,
        run,
        train=read_problems(run, "train"),
        validation=read_problems(run, "validation"),
        fingerprint=key,
        launch=launch,
    )


def run_recipe(recipe: Recipe) -> Path:
    """Run all stages of a recipe: build, evaluate, train, evaluate, report.

    Where torchrun or ``accelerate launch`` started several processes, all of them call this.

    Args:
        recipe: The recipe.

    Returns:
        The report page.

    Raises:
        BadInput: If the recipe or its data cannot be used.
        DualtuneError: If a stage fails; the same call goes on where it stopped.
    """
    from dualtune.lm.launch import Launch, find_place

    place = find_place()
    if place is None:
        return Pipeline.open(recipe).everything()
    with Launch(place) as launch:
        if launch.is_first:
            return Pipeline.open(recipe, launch=launch).everything()
        follow(recipe, launch)
    return Path(recipe.run).expanduser() / "report.html"


def _refuse_server(settings: Eval) -> None:
    if settings.backend == "openai":
        raise BadInput(
            "eval.backend openai evaluates what a server serves, not this run's models: "
            "dualtune eval RECIPE [--models NAME ...], with their names on the server."
        )


def _input_files(source: Source) -> list[Path]:
    from dualtune.sources.readers import input_files

    return input_files(source)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)} min {rest:.0f} s" if minutes else f"{rest:.1f} s"
