"""One spelling for answers in LaTeX, and cutting them up outside of their brackets."""

from __future__ import annotations

import re

from dualtune.grade.normalise import plain_characters

MAX_LENGTH = 2000  # characters of an answer

_REALS = r"(-\infty,\infty)"
_SYMBOLS = {
    "≤": r"\le ",
    "≥": r"\ge ",
    "≠": r"\ne ",
    "∞": r"\infty ",
    "∪": r"\cup ",
    "±": r"\pm ",
    "∈": r"\in ",
    "π": r"\pi ",
    "²": "^2",
    "³": "^3",
    "⁴": "^4",
    "×": r"\times ",
    "ℝ": r"\mathbb{R}",
    "∅": r"\emptyset ",
    "⟨": "(",
    "⟩": ")",
}
_CLEAN = re.compile(
    r"""(?x)
    (?P<row>\\\\(?:\[[^\]]*\])?)                   # the end of a matrix row stays
    | \\[!](?P<none>) | \\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])(?P<bare>\.?)
    | (?P<space>\\[,;:\s]|~|\\q?quad(?![A-Za-z])|\\(?:displaystyle|textstyle|limits)(?![A-Za-z]))
    | (?P<dollar>\\?\$|\\[()\[\]])
    | \\[dtc](?P<frac>frac|binom)(?![A-Za-z])
    | (?P<angle>\\[lr]angle)(?![A-Za-z])
    | \\(?P<brace>[lr]brace)(?![A-Za-z])
    | \\(?P<empty>varnothing)(?![A-Za-z])
    | \\(?P<compare>leqslant|geqslant|leq|geq|neq|lt|gt)(?![A-Za-z])
    | (?P<reals>\\mathbb\s*\{?\s*R\s*\}?|\\R(?![A-Za-z])|\\Reals(?![A-Za-z]))
    """
)
_COMPARE = {
    "leqslant": r"\le ",
    "geqslant": r"\ge ",
    "leq": r"\le ",
    "geq": r"\ge ",
    "neq": r"\ne ",
    "lt": "<",
    "gt": ">",
}
# A box, and bold type.
_BOX = re.compile(r"\\(?:f?boxed|mathbf|boldsymbol)\s*\{(.*)\}\Z", re.DOTALL)
# An interval that is open where its bracket points away from it.
_OPEN_END = re.compile(r"(?:\A|\\cup\s*|\\in\s*)\]|\[\s*(?:\Z|\\cup)")
_ENDS = re.compile(r"([\[\]])(\s*[^\s\[\](),;][^\[\](),;]*[,;][^\[\](),;]+)([\[\]])")


def clean(answer: str) -> str:
    r"""Return an answer in one spelling: no ``$``, ``\left``, ``\dfrac``, spacing or emphasis."""
    if len(answer) > 4 * MAX_LENGTH:
        return answer
    text = plain_characters(answer)
    if not text.isascii():
        for symbol, command in _SYMBOLS.items():
            text = text.replace(symbol, command)
    text = re.sub(r"(?<=\d)(?:,?\\[,!;:]|\{,\})\s*(?=\d{3}(?!\d))", "", text)
    if "\\" in text or "$" in text or "~" in text:
        text = _CLEAN.sub(_cleaned, text)
    text = " ".join(text.split()).strip('*`"“” ')
    while text.endswith((".", ",", ";")):
        text = text[:-1].rstrip("* ")
    box = _BOX.match(text)
    if box and closes_at_end(text, box.start(1) - 1):
        return clean(box[1])
    return _european(text)


def _european(text: str) -> str:
    r"""Write the open ends of ``]-\infty, 3]`` as ``(-\infty, 3]``."""
    if not _OPEN_END.search(text):
        return text
    return _ENDS.sub(
        lambda m: ("(" if m[1] == "]" else "[") + m[2] + (")" if m[3] == "[" else "]"), text
    )


def _cleaned(match: re.Match[str]) -> str:
    kind = match.lastgroup
    found = match[kind] if kind else ""
    if kind == "row":
        return found
    if kind == "frac":
        return "\\" + found
    if kind == "angle":
        return "(" if found[1] == "l" else ")"
    if kind == "brace":
        return r"\{" if found[0] == "l" else r"\}"
    if kind == "empty":
        return r"\emptyset "
    if kind == "compare":
        return _COMPARE[found]
    if kind == "reals":
        return _REALS
    return " " if kind == "space" else ""


def top_level(text: str, pattern: re.Pattern[str]) -> list[str]:
    """Return what a pattern matches outside of all brackets."""
    return [match[0].strip() for match in _outside(text, pattern)]


def split_outside(text: str, pattern: re.Pattern[str]) -> list[str]:
    """Split a text where a pattern matches outside of all brackets."""
    parts, last = [], 0
    for match in _outside(text, pattern):
        parts.append(text[last : match.start()])
        last = match.end()
    return [*parts, text[last:]]


def _outside(text: str, pattern: re.Pattern[str]) -> list[re.Match[str]]:
    """Return the matches outside of all brackets."""
    found = list(pattern.finditer(text))
    if not found or not re.search(r"[(\[{]", text):
        return found
    depths, depth = [], 0
    for c in text:
        if c in ")]}":
            depth -= 1
        depths.append(depth)
        if c in "([{":
            depth += 1
    return [match for match in found if depths[match.start()] == 0]


def closes_at_end(text: str, opening: int) -> bool:
    """Tell whether the bracket at a place is closed by the last character, and not before."""
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth == 0:
            return at == len(text) - 1
    return False
