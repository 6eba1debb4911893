"""The command line: a command a stage, no logic of its own."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dualtune.errors import BadInput, DualtuneError
from dualtune.processes import set_thread_waiting

if TYPE_CHECKING:
    from dualtune.run import Pipeline

# name: (what it does, what its argument is)
_COMMANDS = {
    "run": ("run all stages of a recipe; finished ones are skipped", "RECIPE.yaml"),
    "build": ("derive the instances of a recipe's Problems and write them to disk", "RECIPE.yaml"),
    "audit": ("look for what is wrong with a data set", "RECIPE.yaml|DATA"),
    "preview": ("show a few Problems with their instances, masks and labels", "RECIPE.yaml"),
    "plan": ("say what training will cost, before it starts", "RECIPE.yaml"),
    "train": ("tune the model (builds first where needed)", "RECIPE.yaml"),
    "eval": ("evaluate the untuned and the tuned model", "RECIPE.yaml"),
    "compare": ("compare two models row by row: intervals, paired tests, what differs", ""),
    "grade": ("grade a file of outputs that any tool wrote", ""),
    "report": ("write the HTML page of a run", "RECIPE.yaml"),
    "export": ("write the instances for another trainer", "RECIPE.yaml"),
    "fetch": ("download the test sets (nothing named: all)", ""),
    "tasks": ("print the folder of the lm-evaluation-harness task pack", ""),
}
# The argument of a command: its meaning
_ARGUMENTS = {
    "RECIPE.yaml": "the recipe",
    "RECIPE.yaml|DATA": "a recipe, or a data file (its keys: --data.train.format, ...)",
}
# Commands that run a model: what they set before torch is loaded costs others a tenth of a second.
_COMPUTING = ("run", "train", "eval")
_FIX = "drop: write clean.jsonl without the Problems that an error was found in"
_MODELS = (
    "what to evaluate: base, tuned, a model's or a run's folder, a hub id; NAME=MODEL names it "
    "(backend openai: names on the server)"
)
_EXPORTS = ("trl", "llamafactory", "axolotl", "alpaca", "verl", "parquet")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        0 if the work was done, 2 for bad input, 130 if interrupted, else 1.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(arguments)
    options, overrides = parser.parse_known_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("dualtune").setLevel(logging.INFO)
    if options.command in _COMPUTING:
        set_thread_waiting(os.environ)
    try:
        _dispatch(options, overrides)
        sys.stdout.flush()  # here, where a reader that has gone is no error
    except DualtuneError as error:
        if options.debug:
            raise
        sys.stderr.write(f"dualtune {options.command}: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing finished is lost: the same command goes on\n")
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dualtune",
        description="Dual instruction tuning of language models on mathematical reasoning.",
        epilog="dualtune COMMAND --help lists every key of the recipe.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    wants_help = any(a in ("-h", "--help") for a in arguments)
    for name, (what, argument) in _COMMANDS.items():
        # The list of keys needs the recipe's schema, which is not free to import.
        epilog = _keys() if wants_help and argument and arguments[0] == name else None
        sub = commands.add_parser(
            name,
            help=what,
            description=what,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        if argument:
            sub.usage = f"dualtune {name} {argument} [--section.key value ...]"
            sub.add_argument("recipe", metavar=argument, help=_ARGUMENTS[argument])
        _add_options(name, sub)
    return parser


def _add_options(command: str, parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    if command == "preview":
        add("--count", type=_count, default=3, metavar="N", help="Problems shown (default 3)")
    elif command == "audit":
        add(
            "--against",
            nargs="+",
            default=[],
            metavar="PATH",
            help="files whose questions must not stand in the data",
        )
        add("--output", metavar="DIR", help="default: RUN/audit, or DATA-audit")
        add("--fix", choices=["none", "drop"], default="none", help=_FIX)
        add("--allow-code", action="store_true", help="run programs (PoT): audit.allow_code")
    elif command == "plan":
        add("--devices", type=_count, default=1, metavar="N", help="devices that share the work")
        add("--config", metavar="PATH", help="config.json of a model that is out of reach")
    elif command in ("run", "train"):
        add("--push", metavar="ID", help="upload the tuned model to the hub as this model")
        add("--private", action="store_true", help="make the model on the hub private")
    elif command == "compare":
        parser.usage = "dualtune compare RUN_A RUN_B | RUN --models A B | --a RUN ... --b RUN ..."
        add("runs", nargs="*", metavar="RUN", help="two runs, or one with --models")
        add("--a", nargs="+", default=[], metavar="RUN", help="runs of one recipe, one a seed")
        add("--b", nargs="+", default=[], metavar="RUN", help="those of the other recipe")
        add("--models", nargs=2, metavar=("A", "B"), help="default: tuned tuned; base tuned of one")
        add("--output", metavar="FILE", help="write the figures as JSON, such as compare.json")
    elif command == "grade":
        _add_grade_options(parser)
    elif command == "eval":
        add("--models", nargs="+", default=[], metavar="MODEL", help=_MODELS)
        add("--allow-code", action="store_true", help="run programs (PoT): eval.allow_code")
    elif command == "fetch":
        parser.usage = "dualtune fetch benchmarks [NAME ...] [--from URL] [--to DIR]"
        add("what", choices=["benchmarks"], help="what to download")
        add("names", nargs="*", metavar="NAME", help="test sets, such as svamp")
        add("--from", dest="mirror", metavar="URL", help="a folder of the files, for a mirror")
        add("--to", metavar="DIR", help="default: where the other commands look for them")
    elif command == "export":
        add("--format", choices=_EXPORTS, required=True, help="whose layout")
        add("--output", metavar="DIR", help="where to (default: RUN/export/FORMAT)")
        add("--push", metavar="ID", help="upload it to the hub as this data set")
        add("--private", action="store_true", help="make the data set on the hub private")
        add("--license", default="unknown", metavar="ID", help="licence of the data, for its card")


def _add_grade_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    parser.usage = "dualtune grade FILE.jsonl --output OUT.jsonl [--columns output=NAME ...]"
    add("file", metavar="FILE.jsonl", help="rows with id, output, gold, kind; - for stdin")
    add("--output", required=True, metavar="OUT.jsonl", help="where the rows go; - for stdout")
    columns = "other names of id, output, gold, kind, question, options: gold=doc.answer"
    add("--columns", nargs="+", default=[], metavar="OURS=NAME", help=columns)
    kinds = ("number", "latex", "choice", "mixed")
    add("--kind", choices=kinds, help="of the rows that have no column for it")
    add("--workers", type=_count, default=0, metavar="N", help="processes (default: all cores)")
    add("--seconds", type=float, default=5.0, metavar="S", help="CPU time a row (default 5)")


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


def _version() -> str:
    from dualtune import __version__

    return __version__


def _keys() -> str:
    from dualtune.recipe import describe_keys

    rows = list(describe_keys())
    width = max(len(key) for key, *_ in rows)
    lines = ["keys of a recipe (type, default, meaning); each can be given as --key value:", ""]
    for key, kind, default, meaning in rows:
        lines.append(f"  {key:<{width}}  {kind}, {default}: {meaning}")
    return "\n".join(lines)


def _handlers() -> dict[str, Callable[[argparse.Namespace, list[str]], None]]:
    return {
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


def _dispatch(options: argparse.Namespace, overrides: list[str]) -> None:
    """Run a command; of several processes the first one does, and the others train with it."""
    from dualtune.lm.launch import Launch, find_place

    options.launch = None
    place = find_place()
    if place is None:
        _handlers()[options.command](options, overrides)
        return
    with Launch(place) as options.launch:
        if options.launch.is_first:
            _handlers()[options.command](options, overrides)
        elif options.command in ("run", "train"):
            from dualtune.recipe import load_recipe
            from dualtune.run import follow

            follow(load_recipe(options.recipe, overrides), options.launch)


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
    run = target if target.is_dir() else Path(load_recipe(target, overrides).run).expanduser()
    sys.stdout.write(f"{write_report(run)}\n")


def _fetch(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.errors import BadInput
    from dualtune.sources.fetch import fetch_benchmarks

    if overrides:
        raise BadInput(f"unexpected argument {overrides[0]!r}")
    folder = Path(options.to).expanduser() if options.to else None
    for fetched in fetch_benchmarks(options.names, folder=folder, mirror=options.mirror):
        sys.stdout.write(f"{fetched.name}: {fetched.outcome}: {fetched.file}\n")


def _tasks(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.evaluate.pack import FOLDER

    sys.stdout.write(f"{FOLDER}\n")


if __name__ == "__main__":
    sys.exit(main())
