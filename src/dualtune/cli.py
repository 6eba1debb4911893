"""The command line: a command a stage, no logic of its own."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dualtune.errors import DualtuneError

# name: (what it does, what its argument is)
_COMMANDS = {
    "run": ("run all stages of a recipe; finished ones are skipped", "RECIPE.yaml"),
    "build": ("derive the instances of a recipe's Problems and write them to disk", "RECIPE.yaml"),
    "preview": ("show a few Problems with their instances, masks and labels", "RECIPE.yaml"),
    "train": ("tune the model (builds first where needed)", "RECIPE.yaml"),
    "eval": ("evaluate the untuned and the tuned model", "RECIPE.yaml"),
    "report": ("write the HTML page of a run", "RECIPE.yaml"),
    "tasks": ("print the folder of the lm-evaluation-harness task pack", ""),
}


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
    # Read when torch is loaded. Threads that spin while they wait make training three times
    # slower on a CPU that others use as well; sleeping ones cost a few percent on an idle one.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        _handlers()[options.command](options, overrides)
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
            sub.add_argument("recipe", metavar=argument, help="the recipe")
        if name == "preview":
            sub.add_argument("--count", type=_count, default=3, help="Problems shown (default 3)")
    return parser


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
        "preview": _preview,
        "train": _train,
        "eval": _eval,
        "report": _report,
        "tasks": _tasks,
    }


def _run(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.recipe import load_recipe
    from dualtune.run import Pipeline
    from dualtune.summary import print_summary

    pipeline = Pipeline.open(load_recipe(options.recipe, overrides))
    pipeline.everything()
    print_summary(pipeline.run)


def _build(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.recipe import load_recipe
    from dualtune.run import Pipeline
    from dualtune.summary import print_build

    pipeline = Pipeline.open(load_recipe(options.recipe, overrides))
    pipeline.build()
    print_build(pipeline.run)


def _preview(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.recipe import load_recipe
    from dualtune.run import preview_recipe

    preview_recipe(load_recipe(options.recipe, overrides), count=options.count)


def _train(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.recipe import load_recipe
    from dualtune.run import Pipeline
    from dualtune.summary import print_training

    pipeline = Pipeline.open(load_recipe(options.recipe, overrides))
    pipeline.train()
    print_training(pipeline.run)


def _eval(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.recipe import load_recipe
    from dualtune.run import Pipeline
    from dualtune.summary import print_accuracy

    pipeline = Pipeline.open(load_recipe(options.recipe, overrides))
    if pipeline.recipe.eval.baseline:
        pipeline.evaluate(model="base")
    pipeline.evaluate(model="tuned")
    print_accuracy(pipeline.run)


def _report(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.recipe import load_recipe
    from dualtune.report.page import write_report

    target = Path(options.recipe)
    run = target if target.is_dir() else Path(load_recipe(target, overrides).run).expanduser()
    sys.stdout.write(f"{write_report(run)}\n")


def _tasks(options: argparse.Namespace, overrides: list[str]) -> None:
    from dualtune.evaluate.pack import FOLDER

    sys.stdout.write(f"{FOLDER}\n")


if __name__ == "__main__":
    sys.exit(main())
