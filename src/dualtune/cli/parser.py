"""What the command line takes: commands, arguments, options and their help."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

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
    "report": ("write the HTML page of a run", "RECIPE.yaml|RUN"),
    "export": ("write the instances for another trainer", "RECIPE.yaml"),
    "fetch": ("download the test sets (nothing named: all)", ""),
    "tasks": ("print the folder of the lm-evaluation-harness task pack", ""),
}
# The argument of a command: its meaning
_ARGUMENTS = {
    "RECIPE.yaml": "the recipe",
    "RECIPE.yaml|RUN": "a recipe, or the folder of a run",
    "RECIPE.yaml|DATA": "a recipe, or a data file (its keys: --data.train.format, ...)",
}
_FIX = "drop: write clean.jsonl without the Problems that an error was found in"
_MODELS = (
    "what to evaluate: base, tuned, a model's or a run's folder, a hub id; NAME=MODEL names it "
    "(backend openai: names on the server)"
)
_EXPORTS = ("trl", "llamafactory", "axolotl", "alpaca", "verl", "parquet")


def make_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of all commands.

    Args:
        arguments: What is to be parsed: a command's help lists the recipe's keys, which are
            looked up only where it is asked for.
    """
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
        add(
            "--from", dest="mirror", metavar="URL", help="a folder of the files (http, https, file)"
        )
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
    output = "where the rows go; - for stdout; rejected ones: OUT.rejected.jsonl"
    add("--output", required=True, metavar="OUT.jsonl", help=output)
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
