"""Texts as compact JSON for a page that holds thousands of rows.

Texts that repeat stand once in a table and are named by their place; a text that holds another one
of its row (a prompt holds its question) is a list of parts. The whole is gzipped into the page.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any


def embed(value: Any) -> str:
    """Return a value as JSON, gzipped and in base64: fit to stand in a script element.

    A lone surrogate, which a finding's evidence may quote, becomes a question mark.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    packed = gzip.compress(text.encode("utf-8", errors="replace"), 6, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def split_parts(text: str, known: Sequence[tuple[int, str]]) -> list[int | str]:
    """Cut a text at the known texts that stand in it, each at its first place.

    Args:
        text: A prompt's turn or a target.
        known: References with their texts; those named first are looked for first.

    Returns:
        References, and what stands between them. Put back together they are ``text``.
    """
    if not text:
        return []
    for place, (reference, inner) in enumerate(known):
        before, found, after = text.partition(inner) if inner else (text, "", "")
        if found:
            rest = known[place + 1 :]
            return [*split_parts(before, rest), reference, *split_parts(after, rest)]
    return [text]


class Table:
    """Texts that are written once and named by their place.

    Attributes:
        texts: The texts, by place.
    """

    def __init__(self) -> None:
        """Start with no texts."""
        self.texts: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """Return the place of a text, put in the table where it is new."""
        at = self._places.get(text)
        if at is None:
            at = self._places[text] = len(self.texts)
            self.texts.append(text)
        return at
