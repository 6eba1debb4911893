"""What each command does: it calls a stage, and has no logic of its own.

A stage is imported when its command runs, so that ``--help`` does not wait for torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dualtune.errors import BadInput

if TYPE_CHECKING:
    from dualtune.run import Pipeline


def _pipeline(options: argparse.Namespace, overrides: list[str]) -> Pipeline:
    from dualtune.recipe import load_recipe
    from dualtune.run import Pipeline

    return Pipeline.open(load_recipe(options.recipe, overrides), launch=options.launch)


def _run(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.summary import print_summary

    pipeline = _pipeline(options, overrides)
    _check_push(options)
    pipeline.everything()
    print_summary(pipeline.run)
    _push(pipeline, options)


def _build(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.summary import print_build

    pipeline = _pipeline(options, overrides)
    pipeline.build()
    print_build(pipeline.run)


def _audit(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.run.audit import audit_target

    audit_target(
        options.recipe,
        overrides,
        against=options.against,
        output=options.output,
        fix=options.fix,
        allow_code=options.allow_code,
    )


def _preview(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.recipe import load_recipe
    from dualtune.run import preview_recipe

    preview_recipe(load_recipe(options.recipe, overrides), count=options.count)


def _plan(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.recipe import load_recipe
    from dualtune.run.plan import plan_recipe

    plan_recipe(
        load_recipe(options.recipe, overrides),
        devices=options.devices,
        config=Path(options.config) if options.config else None,
    )


def _train(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.summary import print_training

    pipeline = _pipeline(options, overrides)
    _check_push(options)
    pipeline.train()
    print_training(pipeline.run)
    _push(pipeline, options)


def _check_push(options: argparse.Namespace) -> None:
    # Hours before the upload: what would stop it.
    if options.push is not None:
        from dualtune.upload import check_push

        check_push(options.push, kind="model")


def _push(pipeline: Pipeline, options: argparse.Namespace) -> None:
    if options.push is not None:
        pipeline.push(options.push, private=options.private)


def _eval(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.run.evaluation import evaluate_models
    from dualtune.summary import print_accuracy

    leave = ["--eval.allow_code", "true"] if options.allow_code else []
    pipeline = _pipeline(options, [*overrides, *leave])
    evaluate_models(pipeline, options.models)
    print_accuracy(pipeline.run)


def _export(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.build.export import export

    pipeline = _pipeline(options, overrides)
    pipeline.build()
    output = Path(options.output or pipeline.run / "export" / options.format)
    export(
        pipeline.run,
        format=options.format,
        output=output,
        recipe=pipeline.recipe,
        push=options.push,
        private=options.private,
        license=options.license,
    )
    sys.stdout.write(f"{output}\n")


def _compare(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.evaluate.compare import compare_runs
    from dualtune.summary import print_comparison

    if overrides:
        raise BadInput(f"compare knows no {overrides[0]!r}; see dualtune compare --help")
    found = compare_runs(
        [Path(run) for run in options.runs],
        a=[Path(run) for run in options.a],
        b=[Path(run) for run in options.b],
        models=options.models,
        output=Path(options.output) if options.output else None,
    )
    print_comparison(found)


def _grade(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.grade.file import Options, grade_file
    from dualtune.summary import print_grades

    if overrides:
        raise BadInput(f"grade knows no {overrides[0]!r}; see dualtune grade --help")
    if not 0 < options.seconds < float("inf"):
        raise BadInput(f"--seconds {options.seconds:g} is not above 0")
    summary = grade_file(
        options.file,
        options.output,
        Options(
            columns=_pairs(options.columns),
            kind=options.kind,
            workers=options.workers,
            seconds=options.seconds,
        ),
    )
    print_grades(summary, to_stderr=options.output == "-")


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    for text in texts:
        if not all(text.partition("=")):
            raise BadInput(f"--columns {text}: write OURS=NAME, such as output=response")
    return dict(text.split("=", 1) for text in texts)


def _report(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.recipe import load_recipe
    from dualtune.report.page import write_report

    target = Path(options.recipe)
    if target.is_dir() and overrides:
        raise BadInput(f"report of a run folder takes no keys: leave out {overrides[0]!r}")
    run = target if target.is_dir() else Path(load_recipe(target, overrides).run).expanduser()
    sys.stdout.write(f"{write_report(run)}\n")


def _fetch(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.sources.fetch import fetch_benchmarks

    if overrides:
        raise BadInput(f"unexpected argument {overrides[0]!r}")
    folder = Path(options.to).expanduser() if options.to else None
    for fetched in fetch_benchmarks(options.names, folder=folder, mirror=options.mirror):
        sys.stdout.write(f"{fetched.name}: {fetched.outcome}: {fetched.file}\n")


def _tasks(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.evaluate.pack import FOLDER

    if overrides:
        raise BadInput(f"unexpected argument {overrides[0]!r}")
    sys.stdout.write(f"{FOLDER}\n")


# Called with the options and the overrides of recipe keys.
COMMANDS: Mapping[str, Callable[[argparse.Namespace, list[str]], None]] = {
    "run": _run,
    "build": _build,
    "audit": _audit,
    "preview": _preview,
    "plan": _plan,
    "train": _train,
    "eval": _eval,
    "compare": _compare,
    "grade": _grade,
    "report": _report,
    "export": _export,
    "fetch": _fetch,
    "tasks": _tasks,
}
