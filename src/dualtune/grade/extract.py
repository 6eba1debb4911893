r"""Find what a model gave as its answer.

An answer is clear where the text says so: ``The answer is X``, ``Answer: X``, ``#### X``,
``<answer>X</answer>``, ``\boxed{X}``, or a line ``A: X``. The last clear answer wins. What a model
thinks aloud between ``<think>`` and ``</think>`` is not its answer, nor is what it recites from
the prompt.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from dualtune.text.answers import strip_annotations

Form = Literal["stated", "marked", "boxed"]

MAX_ANSWER = 200  # characters of one answer: what is longer is prose, not an answer
MAX_FORMULA = 1000  # characters of one answer where LaTeX is graded
MAX_EMPTY = 50  # markers without an answer that are passed over, from the end
MIN_RECITED = 20  # characters of a question that are recognised when an output repeats it

_CLEAR = re.compile(
    r"""(?imx)
    (?P<marked>\#\#\#\#|<answer>)
    | (?P<boxed>\\f?boxed[ ]?\{)
    | (?P<bare>\\f?boxed[ ]+(?=[\w-]))
    | (?P<stated>\banswers?
        (?:[ ](?:to|for)[ ][^.:=\n]{1,80}?)?              # the answer to the question
        \*{0,2}[ ]?(?:\b(?:is|are)\b|[=:])[ ]?[:=]?)
    | (?P<line>^[ \t]{0,8}A:)
    """
)
_SENTENCE_END = re.compile(r"(?<!\b[Rr]s)[.!?](?=[\s*\"')\]>$}]|\Z)|\n|</answer>")
_BULLET = re.compile(r"[-*•][ \t]+(?=\S)")
# Untuned models copy the instruction, "The answer is X.": that states nothing, and must not hide
# the number that they arrived at. They may give it a unit: "x apples".
_PLACEHOLDER = re.compile(
    r"[\[<$({\"'* ]*[XxYy][\])>$}\"'*%]*(?:[ ]+[A-Za-z'-]+){0,8}[\])>$}\"'* ]*"
)
# "Our answer is correct" judges an answer and states none.
_VERDICT = re.compile(
    r"(?i)(?:.*\banswer is )?(?:in)?(?:correct|right|wrong|reasonable|valid)\W*\Z"
)
_BOXED = re.compile(r"\\f?boxed[ ]?\{")
_FORMULA_SIGN = re.compile(r"[\d\\$]")
_PLACEHOLDER_BOX = re.compile(
    r"(?i)(?:\\text\{)?[\s<\[]*(?:(?:your|the|final)[ ])*(?:answer|result|solution)[\s>\]]*\}?"
    r"|\.\.\.|\\l?dots|…|_+"
)
MAX_ASKED = 60  # characters of the X in a closing "The answer is X."
_ASKED = re.compile(r"(?i)(?:\A|(?<=[\s*]))the answer is ")
_TAG = re.compile(r"(?i)<(/?)(?:think|thinking|thought|reasoning)>")
# "and", "or" or a comma, and what the next value is called: $x = \boxed{1}$ and $x = \boxed{2}$.
_BETWEEN_BOXES = re.compile(
    r"[$\s]*(?:,|(?:,\s*)?(?:\\text\s*\{\s*)?\b(?:and|or)\b(?:\s*\})?)[$\s]*(?:[A-Za-z]\s*=\s*)?"
)
_MATH = re.compile(r"\s*[:*]*\s*(\$\$?|\\\[|\\\()")
_CLOSING = {"$": "$", "$$": "$$", r"\[": r"\]", r"\(": r"\)"}


@dataclass(frozen=True, slots=True)
class Stated:
    """A clear answer.

    Attributes:
        text: The answer as it stands there, without the words around it.
        form: How it was marked.
        at: Where its marker stands in the output.
    """

    text: str
    form: Form
    at: int = field(default=0, compare=False)


def visible(output: str, question: str = "") -> str:
    """Return what of an output may hold the answer.

    Args:
        output: What a model wrote.
        question: What it was asked; an output that repeats it word for word has not answered.

    Returns:
        The output without what stands in ``<think>`` blocks and without the repeated question. Of
        a block that is never closed, all that follows is thinking; before a closing tag that was
        never opened (the prompt did that), all that precedes it.
    """
    if len(question) >= MIN_RECITED and question in output:
        output = output.replace(question, " ")
    if "<" not in output:
        return output
    kept: list[str] = []
    depth = start = 0
    for tag in _TAG.finditer(output):
        if tag[1]:
            if depth == 0:
                kept.clear()
            depth = max(depth - 1, 0)
            start = tag.end()
        else:
            if depth == 0:
                kept.append(output[start : tag.start()])
            depth += 1
    if depth == 0:
        kept.append(output[start:])
    return "".join(kept)


def last_clear_answer(
    output: str, *, formula: bool = False, is_gold: Callable[[str], bool] | None = None
) -> Stated | None:
    """Return the last answer that a text marks as its answer.

    Args:
        output: What a model wrote.
        formula: Whether answers are formulas: they may be longer, fill a display of several
            lines, and stand in several boxes joined by "and".
        is_gold: Tells whether a placeholder (``X``) is what the gold answer says.

    Returns:
        The answer's text, up to the end of its sentence (or the closing brace of a box); None
        where the text marks none. A marker with nothing after it marks none.
    """
    text, _ = strip_annotations(output)
    limit = MAX_FORMULA if formula else MAX_ANSWER
    for match in reversed(deque(_CLEAR.finditer(text), maxlen=MAX_EMPTY)):
        if match["boxed"]:
            inner = _braced(text, match.end(), limit)
            if inner and (not _PLACEHOLDER_BOX.fullmatch(inner) or (is_gold and is_gold(inner))):
                whole = _boxes(text, match.start(), inner) if formula else inner
                return Stated(whole, "boxed", match.start())
            continue
        if match["bare"]:
            bare = re.split(r"[\s$]", text[match.end() :][:limit], maxsplit=1)[0]
            return Stated(bare, "boxed", match.start())
        answer = _statement(text, match.end(), limit, formula=formula)
        if not answer or _VERDICT.match(answer):
            continue
        if _PLACEHOLDER.fullmatch(answer) and not (is_gold and is_gold(answer)):
            continue
        if formula and _BOXED.search(text, 0, match.start()) and not _FORMULA_SIGN.search(answer):
            continue  # "so the answer is positive", after a box
        return Stated(answer, "marked" if match["marked"] else "stated", match.start())
    return None


def asked_form(output: str, *, formula: bool = False) -> str | None:
    """Return the answer where the text ends in the form that the prompt asks for.

    Args:
        output: What a model wrote.
        formula: Whether the answer may be a longer formula.

    Returns:
        The ``X`` of a closing ``The answer is X.``, else None.
    """
    limit = MAX_FORMULA if formula else MAX_ANSWER
    tail = output.rstrip()[-limit:]
    last = None
    for last in _ASKED.finditer(tail):  # noqa: B007 the last one counts
        pass
    answer = tail[last.end() :] if last else ""
    if not answer or "\n" in answer or len(answer) > (limit if formula else MAX_ASKED):
        return None
    return answer.strip().removesuffix(".").strip("* ") or None


def _statement(text: str, start: int, limit: int, *, formula: bool) -> str:
    """Return the rest of a sentence, or the next line where this one announces it."""
    display = _MATH.match(text, start)
    if display is not None and (formula or display[1] != "$"):  # "$5" may be money
        closed = text.find(_CLOSING[display[1]], display.end(), start + limit)
        if closed >= 0:
            end = _SENTENCE_END.search(text, closed + len(display[1]), start + limit)
            stop = end.start() if end else min(len(text), start + limit)
            return text[start:stop].strip(" \t\r\n*:")
    for _ in range(2):
        line_end = text.find("\n", start, start + limit)
        line_end = line_end if line_end >= 0 else min(len(text), start + limit)
        line = text[start:line_end].strip(" \t*:")
        announces = text[start:line_end].rstrip(" \t*").endswith(":")
        if line and not (announces and not any(c.isdigit() for c in line)):
            break
        rest = text[line_end : line_end + limit]
        start = line_end + len(rest) - len(rest.lstrip())
        if (bullet := _BULLET.match(text, start)) is not None:
            start = bullet.end()
    end = _SENTENCE_END.search(text, start, start + limit)
    stop = end.start() if end else min(len(text), start + limit)
    return text[start:stop].strip(" \t\r\n*:")


def _braced(text: str, start: int, limit: int) -> str:
    """Return the text up to the brace that closes one opened before ``start``."""
    depth = 1
    for at in range(start, min(len(text), start + limit)):
        if text[at - 1] != "\\":
            depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[start:at].strip()
    return ""


def _boxes(text: str, start: int, last: str) -> str:
    r"""Join ``\boxed{-2}$ and $\boxed{1}`` to one answer of two values."""
    inner = [last]
    earlier = list(_BOXED.finditer(text[max(0, start - MAX_FORMULA) : start]))
    offset = max(0, start - MAX_FORMULA)
    for match in reversed(earlier[-8:]):
        content = _braced(text, offset + match.end(), MAX_FORMULA)
        end = text.find("}", offset + match.end() + len(content)) + 1
        if not content or not _BETWEEN_BOXES.fullmatch(text, end, start):
            break
        inner.append(content)
        start = offset + match.start()
    return ", ".join(reversed(inner))
