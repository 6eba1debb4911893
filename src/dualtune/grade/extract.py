r"""Find what a model gave as its answer.

An answer is clear where the text says so: ``The answer is X``, ``Answer: X``, ``#### X``,
``\boxed{X}``, or a line ``A: X``. The last clear answer wins; without one, the last number does.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Literal

from dualtune.text.answers import strip_annotations

Form = Literal["stated", "marked", "boxed"]

MAX_ANSWER = 200  # characters of one answer: what is longer is prose, not an answer
MAX_EMPTY = 50  # markers without an answer that are passed over, from the end

_CLEAR = re.compile(
    r"""(?imx)
    (?P<marked>\#\#\#\#)
    | (?P<boxed>\\f?boxed[ ]?\{)
    | (?P<stated>\banswers?
        (?:[ ](?:to|for)[ ][^.:=\n]{1,80}?)?              # the answer to the question
        \*{0,2}[ ]?(?:\b(?:is|are)\b|[=:])[ ]?[:=]?)
    | (?P<line>^[ \t]{0,8}A:)
    """
)
_SENTENCE_END = re.compile(r"[.!?](?=[\s*\"')\]>$}]|\Z)|\n")
# Untuned models copy the instruction, "The answer is X.": that states nothing, and must not hide
# the number that they arrived at. They may give it a unit: "x apples".
_PLACEHOLDER = re.compile(
    r"[\[<$({\"'* ]*[XxYy][\])>$}\"'*%]*(?:[ ]+[A-Za-z'-]+){0,8}[\])>$}\"'* ]*"
)
_ASKED = re.compile(r"(?i)(?:\A|[\s*])the answer is (?P<answer>[^\n]{1,60})\Z")


@dataclass(frozen=True, slots=True)
class Stated:
    """A clear answer.

    Attributes:
        text: The answer as it stands there, without the words around it.
        form: How it was marked.
    """

    text: str
    form: Form


def last_clear_answer(output: str) -> Stated | None:
    """Return the last answer that a text marks as its answer.

    Args:
        output: What a model wrote.

    Returns:
        The answer's text, up to the end of its sentence (or the closing brace of a box); None
        where the text marks none. A marker with nothing after it marks none.
    """
    text, _ = strip_annotations(output)
    for match in reversed(deque(_CLEAR.finditer(text), maxlen=MAX_EMPTY)):
        if match["boxed"]:
            inner = _braced(text, match.end())
            if inner:
                return Stated(inner, "boxed")
            continue
        answer = _statement(text, match.end())
        if answer and not _PLACEHOLDER.fullmatch(answer):
            return Stated(answer, "marked" if match["marked"] else "stated")
    return None


def asked_form(output: str) -> str | None:
    """Return the answer where the text ends in the form that the prompt asks for.

    Args:
        output: What a model wrote.

    Returns:
        The ``X`` of a closing ``The answer is X.``, else None.
    """
    match = _ASKED.search(output.rstrip()[-MAX_ANSWER:])
    if match is None:
        return None
    answer = match["answer"].strip()
    return answer.removesuffix(".").strip("* ") or None


def _statement(text: str, start: int) -> str:
    """Return the rest of a sentence, or the next line where this one announces it."""
    for _ in range(2):
        line_end = text.find("\n", start, start + MAX_ANSWER)
        line_end = line_end if line_end >= 0 else min(len(text), start + MAX_ANSWER)
        line = text[start:line_end].strip(" \t*:")
        announces = text[start:line_end].rstrip(" \t*").endswith(":")
        if line and not (announces and not any(c.isdigit() for c in line)):
            break
        rest = text[line_end : line_end + MAX_ANSWER]
        start = line_end + len(rest) - len(rest.lstrip())
    end = _SENTENCE_END.search(text, start, start + MAX_ANSWER)
    stop = end.start() if end else min(len(text), start + MAX_ANSWER)
    return text[start:stop].strip(" \t\r\n*:")


def _braced(text: str, start: int) -> str:
    """Return the text up to the brace that closes one opened before ``start``."""
    depth = 1
    for at in range(start, min(len(text), start + MAX_ANSWER)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[start:at].strip()
    return ""
