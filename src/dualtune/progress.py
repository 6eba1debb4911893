"""One progress bar for long work: on rank 0, quiet where stderr is not a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def is_quiet() -> bool:
    """Say whether bars are off: not a terminal, or not the first rank."""
    return not sys.stderr.isatty() or os.environ.get("RANK", "0") != "0"


@contextmanager
def bar(what: str, *, total: int | None, unit: str = "rows", initial: int = 0) -> Iterator[Any]:
    """Open a progress bar; call ``.update(n)`` on what is yielded.

    Args:
        what: The work, a word or two.
        total: How many units there are; None where it is not known.
        unit: What is counted.
        initial: How many were done before, by a run that this one resumes.
    """
    from tqdm import tqdm

    with tqdm(
        total=total, desc=what, unit=unit, initial=initial, disable=is_quiet(), dynamic_ncols=True
    ) as shown:
        yield shown


def track(rows: Iterable[T], what: str, *, total: int | None = None) -> Iterator[T]:
    """Yield ``rows`` under a progress bar."""
    with bar(what, total=total) as shown:
        for row in rows:
            yield row
            shown.update(1)
