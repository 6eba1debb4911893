"""The command line: a command a stage, no logic of its own."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from dualtune.cli.commands import COMMANDS
from dualtune.cli.parser import make_parser
from dualtune.errors import DualtuneError
from dualtune.processes import set_thread_waiting

__all__ = ["main"]

# Commands that run a model: what they set before torch is loaded costs others a tenth of a second.
_COMPUTING = ("run", "train", "eval")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        0 if the work was done, 2 for bad input, 130 if interrupted, else 1.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = make_parser(arguments)
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


def _dispatch(options: argparse.Namespace, overrides: list[str]) -> None:
    """Run a command; of several processes the first one does, and the others train with it."""
    from dualtune.lm.launch import Launch, find_place

    options.launch = None
    place = find_place()
    if place is None:
        COMMANDS[options.command](options, overrides)
        return
    with Launch(place) as options.launch:
        if options.launch.is_first:
            COMMANDS[options.command](options, overrides)
        elif options.command in ("run", "train"):
            from dualtune.recipe import load_recipe
            from dualtune.run import follow

            follow(load_recipe(options.recipe, overrides), options.launch)
