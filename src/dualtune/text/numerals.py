"""The tokens that numbers are made of: numerals and number words. ``numbers`` joins them."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

TokenKind = Literal["digits", "fraction", "small", "tens", "scale", "part", "times"]

MAX_DIGITS = 60  # a longer run of digits is no quantity, and costs quadratic time to read


class Token(NamedTuple):
    """A numeral or number word.

    Attributes:
        start: First character.
        end: One past the last.
        kind: ``digits`` (``1,000``, ``.5``), ``fraction`` (``3/4``, ``1 1/2``, ``½``), ``small``
            (zero to nineteen), ``tens``, ``scale`` (hundred, dozen, million), ``part`` (half,
            thirds), ``times`` (twice, doubled).
        value: What it is worth alone; of a ``part`` its denominator.
        parts: 3 and 1/4 of 3/4, 1 and 1/2 of 1 1/2; empty where there are none.
    """

    start: int
    end: int
    kind: TokenKind
    value: Fraction
    parts: tuple[Fraction, ...] = ()


def _table(kind: TokenKind, words: dict[str, int]) -> dict[str, tuple[TokenKind, Fraction]]:
    return {word: (kind, Fraction(value)) for word, value in words.items()}


def _counted(words: str, start: int, step: int = 1) -> dict[str, int]:
    return {word: start + i * step for i, word in enumerate(words.split())}


_SMALL = _counted(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen",
    0,
)
_TENS = _counted("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10) | {"fourty": 40}
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000} | {
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_PARTS = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4}
for _n, _word in enumerate("third fourth fifth sixth seventh eighth ninth tenth".split(), start=3):
    _PARTS |= {_word: _n, f"{_word}s": _n}
_PARTS |= {"twelfth": 12, "twelfths": 12, "hundredth": 100, "hundredths": 100}
_TIMES = {"twice": 2, "double": 2, "doubled": 2, "doubles": 2} | {
    "thrice": 3,
    "triple": 3,
    "tripled": 3,
    "triples": 3,
    "quadruple": 4,
    "quadrupled": 4,
    "quadruples": 4,
}
_WORDS = (
    _table("small", _SMALL)
    | _table("tens", _TENS)
    | _table("scale", _SCALES)
    | _table("part", _PARTS)
    | _table("times", _TIMES)
)

_VULGAR = {
    c: Fraction(unicodedata.numeric(c)).limit_denominator(100)
    for c in map(chr, (*range(0xBC, 0xBF), *range(0x2150, 0x215F)))
}
_ANY_VULGAR = "".join(_VULGAR)

# All quantifiers over long runs are possessive, so that no input costs more than linear time.
_TOKEN = re.compile(
    rf"""(?x)
    (?<![A-Za-z_\d])
    (?: (?P<whole>(?:\d{{1,3}}(?:,\d{{3}})++(?!\d)|\d++)(?:\.\d++)?)
        (?!(?:st|nd|rd|th)\b)                          # ordinals are no numbers
        (?: /(?P<den>\d++)(?![\d/]|\.\d)
          | [ ](?P<mixed_num>\d{{1,4}}+)/(?P<mixed_den>\d{{1,4}}+)(?![\d/]|\.\d)
          | [ ]?(?P<vulgar>[{_ANY_VULGAR}])
        )?
      | (?<![\w)\].])(?P<tail>\.\d++)
      | (?P<alone>[{_ANY_VULGAR}])
      | \\[dt]?frac\{{(?P<frac_num>\d++)\}}\{{(?P<frac_den>\d++)\}}
      | (?P<word>{"|".join(sorted(_WORDS, key=len, reverse=True))})(?![A-Za-z])
    )
    | (?<=\dx)(?P<factor>\d++(?:\.\d++)?)              # 4x12
    """
)


def tokens(lowered: str) -> list[Token]:
    """Find the numerals and number words of a text.

    Args:
        lowered: The text in small letters.

    Returns:
        The tokens in order.
    """
    found: list[Token] = []
    for match in _TOKEN.finditer(lowered):
        group = match.lastgroup
        start, end = match.span()
        if group == "whole" or group == "tail" or group == "factor":
            value = read_digits(match[group])
            if value is not None:
                found.append(Token(start, end, "digits", value))
        elif group == "word":
            kind, value = _WORDS[match["word"]]
            found.append(Token(start, end, kind, value))
        else:
            found.extend(_fractions(match))
    return found


@lru_cache(maxsize=65536)
def read_digits(text: str) -> Fraction | None:
    """Read a plain numeral such as ``1,000.5``; None where it has more than MAX_DIGITS.

    The memo pays because small numbers recur in every rationale.
    """
    return Fraction(text.replace(",", "")) if len(text) <= MAX_DIGITS else None


def _fractions(match: re.Match[str]) -> list[Token]:
    """Read a match with a fraction; what looks like one and is none gives its numerals."""
    start, end = match.span()
    if match["alone"]:
        return [Token(start, end, "fraction", _VULGAR[match["alone"]])]
    if match["frac_num"]:
        return _over(start, end, match, "frac_num", "frac_den")
    whole = read_digits(match["whole"])
    if whole is None:
        return []
    plain = Token(start, match.end("whole"), "digits", whole)
    if match["vulgar"]:
        part = _VULGAR[match["vulgar"]]
        return [Token(start, end, "fraction", whole + part, (whole, part))]
    if match["den"]:
        if match.string[start - 1 : start] == "/":  # 12/4/2 is a chain of divisions
            bottom = read_digits(match["den"])
            return [plain] + ([Token(match.start("den"), end, "digits", bottom)] if bottom else [])
        return _over(start, end, match, "whole", "den") or [plain]
    second = _over(match.start("mixed_num"), end, match, "mixed_num", "mixed_den")
    if second and second[0].value < 1:
        part = second[0].value
        return [Token(start, end, "fraction", whole + part, (whole, part))]
    return [plain, *second]


def _over(start: int, end: int, match: re.Match[str], top: str, bottom: str) -> list[Token]:
    above, below = read_digits(match[top]), read_digits(match[bottom])
    if above is None or not below:
        return []
    return [Token(start, end, "fraction", above / below, (above, 1 / below))]
