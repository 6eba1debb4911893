r"""Rewrite what a number or a formula may look like into the one form that the readers know.

Nothing is read here, only respelled: Unicode minus signs and spaces, the thousands separators of
other countries, ``\frac{-1}{2}``, degrees. Each rewrite keeps the value.
"""

from __future__ import annotations

import re

# Minus signs and dashes, fraction slashes, full-width forms that models write.
_CHARACTERS = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "‒": "-",
        "﹣": "-",
        "－": "-",
        "⁄": "/",
        "∕": "/",
        "／": "/",
        "，": ",",
        "．": ".",
        "％": "%",
        "＝": "=",
        "（": "(",
        "）": ")",
        "＄": "$",
        "\u200b": "",
        "\u2060": "",
        "\ufeff": "",
    }
)
_SPACES = "\u00a0\u2000-\u200a\u202f\u205f\u3000"
_WIDE_SPACE = re.compile(f"[{_SPACES}]")
# 1 234 567 with a thin or unbreakable space, 1'234'567 in Switzerland.
_GROUPED = re.compile(rf"(?<![\d.,])\d{{1,3}}(?:[{_SPACES}'’]\d{{3}})+(?!\d|[{_SPACES}'’]\d)")
_GROUPED_BLANK = re.compile(r"(?<![\d.,/])(?<!\d )\d{1,3}(?: \d{3})+(?![\d/]| \d|,\d)")
_POINTED = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?!\d|\.\d)")  # 1.234.567
_COMMA_DECIMAL = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+),(\d{1,2})(?![\d,]|\.\d)")  # 1.234,5
_INDIAN = re.compile(r"(?<![\d.,])\d{1,2}(?:,\d{2})+,\d{3}(?![\d,]\d)")  # 12,34,567
_LATEX_GROUPED = re.compile(r"(?<=\d)(?:,?\\[,!;:]|\{,\}|~)\s*(?=\d{3}(?!\d))")
_DEGREES = re.compile(r"\s*(?:\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|\\degree(?![A-Za-z])|°)")
_SIGNED_TOP = re.compile(r"\\([dtc]?)frac\s*\{\s*-\s*(\d+(?:\.\d+)?)\s*\}")


def plain_characters(text: str) -> str:
    """Return a text with one kind of minus sign, slash and space."""
    if text.isascii():
        return text
    text = text.translate(_CHARACTERS)
    text = _GROUPED.sub(_without_separators, text)
    return _WIDE_SPACE.sub(" ", text)


def plain_numerals(answer: str) -> str:
    r"""Respell the numerals of a short answer.

    Args:
        answer: ``1 234 567``, ``1.234,56``, ``10,\!000``, ``\frac{-1}{2}``, ``45^\circ``.

    Returns:
        The same answer with bare or comma-separated digits, the minus sign before the fraction,
        and no degree sign.
    """
    answer = plain_characters(answer)
    answer = _GROUPED.sub(_without_separators, answer)
    answer = _COMMA_DECIMAL.sub(lambda m: m[1].replace(".", "") + "." + m[2], answer)
    for separated in (_POINTED, _INDIAN, _GROUPED_BLANK):
        answer = separated.sub(_without_separators, answer)
    if "\\" not in answer and "{" not in answer and "°" not in answer:
        return answer
    answer = _LATEX_GROUPED.sub("", answer)
    answer = _SIGNED_TOP.sub(r"-\\\1frac{\2}", answer)
    return without_degrees(answer)


def without_degrees(answer: str) -> str:
    r"""Leave ``^\circ`` and ``°`` out: the question says what is measured."""
    return _DEGREES.sub("", answer)


def _without_separators(match: re.Match[str]) -> str:
    return "".join([c for c in match[0] if c.isdigit()])
