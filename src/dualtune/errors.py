"""Errors that a user can act on."""

from __future__ import annotations


class DualtuneError(Exception):
    """Something a user can mend. The message says what, where, which value, and the remedy.

    The command line prints it without a traceback and exits with ``exit_code``.
    """

    exit_code = 1


class BadInput(DualtuneError):
    """A bad recipe, file, row, model or argument: exit code 2, nothing was written over."""

    exit_code = 2


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """Say which known name the user may have meant.

    Args:
        name: The unknown name.
        known: The valid names.

    Returns:
        `` (did you mean 'x'?)`` with the closest name, else the list of valid names.
    """
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (valid: {', '.join(sorted(known))})" if known else ""
