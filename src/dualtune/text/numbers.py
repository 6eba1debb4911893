"""Numbers in text: the one home of reading a number.

Masks ask which numbers a question holds and whether its rationale holds their values; the audit
and the grader read numbers through the same functions, so that all of them agree.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

Form = Literal["digits", "fraction", "percent", "money", "word"]

MAX_DIGITS = 60  # a longer run of digits is no quantity, and costs quadratic time to read


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text.

    Attributes:
        start: First character of the numeral itself, without ``$``, ``%`` or a minus sign.
        end: One past its last character.
        text: ``text[start:end]``: ``48``, ``1,000``, ``1 1/2``, ``2.5 million``, ``a dozen``.
        value: What it is worth: 15 % is 3/20, ``-$5`` is -5, ``half`` is 1/2.
        form: How it is written.
        full_start: First character with the currency or minus sign.
        full_end: One past the last character with the percent sign or word.
        parts: Values that its parts have by themselves: 3 and 4 of ``3/4``, 2 and 12 of
            ``2 dozen``, 15 of ``15%``. Empty where there are none.
    """

    start: int
    end: int
    text: str
    value: Fraction
    form: Form
    full_start: int
    full_end: int
    parts: tuple[Fraction, ...] = ()


_SMALL = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split(),
        range(20),
        strict=True,
    )
)
_TENS = dict(
    zip(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(),
        range(20, 100, 10),
        strict=True,
    )
) | {"fourty": 40}
_SCALES = {
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
}
_PARTS = {"half": 2, "halves": 2, "third": 3, "fourth": 4, "quarter": 4, "fifth": 5, "sixth": 6}
_PARTS |= {"seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "hundredth": 100}
_PARTS |= {f"{word}s": n for word, n in _PARTS.items() if n > 2}
_TIMES = {"twice": 2, "double": 2, "doubled": 2, "doubles": 2, "thrice": 3, "triple": 3}
_TIMES |= {"tripled": 3, "triples": 3, "quadruple": 4, "quadrupled": 4, "quadruples": 4}

_VULGAR = "".join(
    c for c in map(chr, (*range(0xBC, 0xBF), *range(0x2150, 0x215F))) if unicodedata.numeric(c, 0)
)
_WORDS = sorted({*_SMALL, *_TENS, *_SCALES, *_PARTS, *_TIMES}, key=len, reverse=True)
_TOKEN = re.compile(
    rf"""(?x)
    (?<![A-Za-z_\d])
    (?: (?P<whole>(?:\d{{1,3}}(?:,\d{{3}})++(?!\d)|\d++)(?:\.\d++)?)
        (?!(?:st|nd|rd|th)\b)
        (?: /(?P<den>\d++)(?![\d/]|\.\d)
          | [ ](?P<mixed_num>\d{{1,4}}+)/(?P<mixed_den>\d{{1,4}}+)(?![\d/]|\.\d)
          | [ ]?(?P<vulgar>[{_VULGAR}])
        )?
      | (?<![\w)\].])(?P<tail>\.\d++)
      | (?P<alone>[{_VULGAR}])
      | \\[dt]?frac\{{(?P<frac_num>\d++)\}}\{{(?P<frac_den>\d++)\}}
      | (?P<word>{"|".join(_WORDS)})(?![A-Za-z])
    )
    | (?<=\d[x])(?P<factor>\d++(?:\.\d++)?)      # 4x12
    """
)
_PERCENT = re.compile(r"\s?\\?%|[ -]per ?cent\b")
_CURRENCY = re.compile(r"[$€£¥₹] ?\Z")
_LIST_MARK = re.compile(r"(?:^|\n)[ \t]*(?:[Ss]tep )?\Z")

# `one` counts before a noun, and is a pronoun after and before these.
_PRONOUN_BEFORE = frozenset(
    "a the this that these those each which every another last next first second other no any "
    "some new old big small same right wrong only".split()
)
_PRONOUN_AFTER = frozenset(
    "of another is was are were has had can could will would who that which in on at to for from "
    "by and or but than as with it he she they the so if how what when where do does did".split()
)
_COUNT_BEFORE = frozenset("is are was were equals exactly least most just only = be".split())
_PART_AFTER = frozenset(
    "of as the that this more less his her its their my your our full bigger larger".split()
)
_WORD_BEFORE = re.compile(r"([A-Za-z']+|=) \Z")
_WORD_AFTER = re.compile(r"[ -]([A-Za-z']+)")


def find_numbers(text: str) -> tuple[Number, ...]:
    """Find the numbers of a text, in order and without overlap.

    Reads digits (``1,000``, ``.5``), money (``$12``), percents (``15%``, ``15 percent``),
    fractions (``3/4``, ``1 1/2``, ``½``, a LaTeX fraction), and number words (``twenty-three``,
    ``two thirds``, ``half``, ``twice``, ``2 dozen``, ``2.5 million``). Ordinals (``3rd``) and
    ``one`` as a pronoun are no numbers.

    Args:
        text: Any text.

    Returns:
        The numbers.
    """
    return tuple(_Reader(text).numbers())


def parse_number(text: str) -> Fraction | None:
    """Read a text that is one number and nothing else.

    Args:
        text: ``"$1,000"``, ``"75%"``, ``"3/4"``, ``"-5"``, ``"twenty-three"``, ``"one"``.

    Returns:
        Its exact value, or None where the text is anything else.
    """
    body = text.strip()
    if body.lower() == "one":
        return Fraction(1)
    numbers = find_numbers(body)
    if len(numbers) != 1:
        return None
    (number,) = numbers
    rest = body[: number.full_start] + body[number.full_end :]
    return number.value if rest.strip() in ("", "+", ".") else None


def held_values(text: str) -> frozenset[Fraction]:
    """Return every value that a rationale holds, for the rule of answerable masks.

    A number counts with its value and with its parts (``48/2`` holds 48, 2 and 24; ``25%`` holds
    1/4 and 25), and a division by n also holds 1/n: "half" is answered by ``48 / 2``.

    Args:
        text: The visible rationale.

    Returns:
        The values.
    """
    values: set[Fraction] = set()
    for number in find_numbers(text):
        values.add(number.value)
        values.update(number.parts)
    for match in _DIVISOR.finditer(text):
        divisor = _digits(match["n"])
        if divisor:
            values.add(1 / divisor)
    return frozenset(values)


def is_held(number: Number, held: frozenset[Fraction]) -> bool:
    """Tell whether a rationale that holds these values holds this number.

    Args:
        number: A number of the question.
        held: ``held_values`` of the rationale.

    Returns:
        True if its value is among them, or all of its parts are.
    """
    if number.value in held:
        return True
    return bool(number.parts) and all(part in held for part in number.parts)


_DIVISOR = re.compile(r"(?:[/÷]|divided by) ?\$?(?P<n>\d[\d,]{0,20}(?:\.\d{1,20})?)(?<!,)")


@lru_cache(maxsize=65536)
def _digits(text: str) -> Fraction | None:
    """Read a plain numeral; the memo is worth it because small numbers recur."""
    if len(text) > MAX_DIGITS:
        return None
    return Fraction(text.replace(",", ""))


@dataclass(slots=True)
class _Token:
    start: int
    end: int
    kind: str  # digits, fraction, small, tens, scale, part, times
    value: Fraction
    parts: tuple[Fraction, ...] = ()


class _Reader:
    """Joins the tokens of one text into numbers."""

    def __init__(self, text: str) -> None:
        self.text = text
        lowered = text.lower()
        # Some capitals lengthen when lowered: then only ASCII is lowered, to keep offsets.
        self.lowered = lowered if len(lowered) == len(text) else _ascii_lower(text)

    def numbers(self) -> Iterator[Number]:
        tokens = list(self._tokens())
        at = 0
        while at < len(tokens):
            start, end, value, parts, word, used = self._read(tokens, at)
            at += used
            if start >= 0:
                yield self._finish(start, end, value, parts, word)

    def _tokens(self) -> Iterator[_Token]:
        for match in _TOKEN.finditer(self.lowered):
            group = match.lastgroup
            if group == "word":
                yield _word_token(match)
            else:
                yield from _numeral_tokens(match)

    def _gap(self, left: _Token, right: _Token) -> str:
        return self.lowered[left.end : right.start] if right.start - left.end < 8 else "\n"

    def _read(
        self, tokens: list[_Token], at: int
    ) -> tuple[int, int, Fraction, tuple[Fraction, ...], bool, int]:
        """Read one number from tokens[at:]: start (-1: none), end, value, parts, word, used."""
        first = tokens[at]
        if first.kind == "times":
            return first.start, first.end, first.value, (), True, 1
        if first.kind in ("part", "scale"):
            return self._read_bare(tokens, at)
        value, used = self._cardinal(tokens, at)
        last = tokens[at + used - 1]
        word = first.kind in ("small", "tens")
        parts = first.parts if used == 1 else tuple(t.value for t in tokens[at : at + used])
        if word and used > 1 and last.kind != "scale":
            parts = ()
        following = tokens[at + used] if at + used < len(tokens) else None
        if following is not None and following.kind == "part":
            gap = self._gap(last, following)
            if gap in (" and a ", " and one ") or (gap == " and " and following.value == 2):
                value += 1 / following.value
                return first.start, following.end, value, (), word, used + 1
            if gap in (" ", "-") and first.kind != "fraction" and following.value != 0:
                plural = self.lowered[following.end - 1] == "s" or value == 1
                if plural:
                    parts = (value, following.value)
                    value /= following.value
                    return first.start, following.end, value, parts, word, used + 1
        if following is not None and used == 1 and following.kind in ("small", "fraction"):
            mixed = self._and_fraction(tokens, at, following)
            if mixed is not None:
                return first.start, mixed[0], value + mixed[1], (), word, mixed[2]
        if word and used == 1 and first.value == 1 and not self._counts(first):
            return -1, 0, value, (), True, 1
        return first.start, last.end, value, parts, word, used

    def _and_fraction(
        self, tokens: list[_Token], at: int, second: _Token
    ) -> tuple[int, Fraction, int] | None:
        """Read the end of "two and three quarters" or "2 and 3/4": end, value, tokens used."""
        if self._gap(tokens[at], second) != " and ":
            return None
        if second.kind == "fraction":
            return (second.end, second.value, 2) if second.value < 1 else None
        third = tokens[at + 2] if at + 2 < len(tokens) else None
        if third is None or third.kind != "part" or self._gap(second, third) not in (" ", "-"):
            return None
        value = second.value / third.value
        return (third.end, value, 3) if value < 1 else None

    def _read_bare(
        self, tokens: list[_Token], at: int
    ) -> tuple[int, int, Fraction, tuple[Fraction, ...], bool, int]:
        """Read a part or scale without a numeral before it: half, a third of, a dozen."""
        first = tokens[at]
        lowered = self.lowered
        article = 2 if lowered[max(first.start - 2, 0) : first.start] == "a " else 0
        if article and lowered[first.start - 3 : first.start - 2].isalpha():
            article = 0
        if first.kind == "scale":
            if not article and first.value != 12:
                return -1, 0, first.value, (), True, 1
            value = first.value
            used = 1
            if article and first.value != 12:
                value, used = self._cardinal(tokens, at)
            return first.start - article, tokens[at + used - 1].end, value, (), True, used
        word = lowered[first.start : first.end]
        if word == "half":
            following = tokens[at + 1] if at + 1 < len(tokens) else None
            if (
                following is not None
                and following.kind == "scale"
                and self._gap(first, following) in (" ", "-", " a ")
            ):
                return first.start, following.end, following.value / 2, (), True, 2
            return first.start, first.end, Fraction(1, 2), (), True, 1
        after = _WORD_AFTER.match(lowered, first.end)
        if article and word[-1] != "s" and after and after[1] in _PART_AFTER:
            return first.start - 2, first.end, 1 / first.value, (), True, 1
        return -1, 0, first.value, (), True, 1

    def _cardinal(self, tokens: list[_Token], at: int) -> tuple[Fraction, int]:
        """Add up a chain such as "two hundred and five thousand": value, tokens used."""
        first = tokens[at]
        total = Fraction(0)
        group = first.value
        last = first
        floor = 1 if first.kind == "small" else 10 if first.kind == "tens" else 0
        used = 1
        for token in tokens[at + 1 :]:
            gap = self._gap(last, token)
            if token.kind == "scale" and gap in (" ", "-"):
                if last.kind == "scale" and token.value <= last.value:
                    break
                if token.value in (100, 12):
                    group *= token.value
                    floor = int(token.value)
                else:
                    total, group = total + group * token.value, Fraction(0)
                    floor = int(token.value)
            elif (
                token.kind in ("small", "tens")
                and last.kind in ("tens", "scale")
                and first.kind in ("small", "tens", "scale")
                and (gap in (" ", "-") or (gap == " and " and last.kind == "scale"))
                and 0 < token.value < floor
                and last.value != 12
            ):
                group += token.value
                floor = 1 if token.kind == "small" else 10
            else:
                break
            last = token
            used += 1
        return total + group, used

    def _counts(self, token: _Token) -> bool:
        """Tell a counting "one" from the pronoun."""
        if self.lowered[token.start : token.end] != "one":
            return True
        before = _WORD_BEFORE.search(self.lowered, max(token.start - 20, 0), token.start)
        previous = before[1] if before else ""
        after = _WORD_AFTER.match(self.lowered, token.end)
        if previous in _PRONOUN_BEFORE and previous != "only":
            return False
        if after is None or after[1] in _PRONOUN_AFTER:
            return previous in _COUNT_BEFORE
        return True

    def _finish(
        self, start: int, end: int, value: Fraction, parts: tuple[Fraction, ...], word: bool
    ) -> Number:
        text = self.text
        form: Form = "word" if word else "digits"
        if not word and ("/" in text[start:end] or (parts and "frac" in text[start:end])):
            form = "fraction"
        full_start, full_end = start, end
        before = text[start - 1 : start]
        if before and before in "$€£¥₹ ":
            sign = _CURRENCY.search(text, max(start - 2, 0), start)
            if sign is not None:
                full_start, form = sign.start(), "money"
        if not word and full_start and text[full_start - 1] in "-−" and self._negative(full_start):
            full_start -= 1
            value = -value
        after = text[end : end + 1]
        if after and after in "% \\-":
            percent = _PERCENT.match(self.lowered, end)
            if percent is not None:
                full_end, form = percent.end(), "percent"
                parts = (value,)
                value /= 100
        return Number(start, end, text[start:end], value, form, full_start, full_end, parts)

    def _negative(self, at: int) -> bool:
        """Tell the sign in "= -5" from the operator in "8 -5" and the hyphen in "5-3"."""
        before = self.text[: at - 1][-24:]
        if not before:
            return True
        if not before[-1].isspace():
            return not (before[-1].isalnum() or before[-1] in ")]%.,}-−")
        visible = before.rstrip()
        return not visible or not (visible[-1].isdigit() or visible[-1] in ")]%}")


def _ascii_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def _word_token(match: re.Match[str]) -> _Token:
    word = match["word"]
    for kind, table in (
        ("small", _SMALL),
        ("tens", _TENS),
        ("scale", _SCALES),
        ("part", _PARTS),
        ("times", _TIMES),
    ):
        if word in table:
            return _Token(match.start(), match.end(), kind, Fraction(table[word]))
    raise AssertionError(f"the pattern matched {word!r}, which no table holds")


def _numeral_tokens(match: re.Match[str]) -> Iterable[_Token]:
    start, end = match.span()
    named = match.groupdict()
    plain = named["whole"] or named["tail"] or named["factor"]
    if plain is None:
        if named["alone"]:
            value = Fraction(unicodedata.numeric(named["alone"])).limit_denominator(100)
            return (_Token(start, end, "fraction", value),)
        top, bottom = _digits(named["frac_num"]), _digits(named["frac_den"])
        if top is None or not bottom:
            return ()
        return (_Token(start, end, "fraction", top / bottom, (top, bottom)),)
    value_or_none = _digits(plain)
    if value_or_none is None:
        return ()
    value = value_or_none
    stop = start + len(plain)
    if named["den"]:
        bottom = _digits(named["den"])
        if bottom:
            return (_Token(start, end, "fraction", value / bottom, (value, bottom)),)
        return (_Token(start, stop, "digits", value),)
    if named["mixed_den"]:
        top, bottom = _digits(named["mixed_num"]), _digits(named["mixed_den"])
        assert top is not None
        assert bottom is not None
        if not bottom:
            return (_Token(start, stop, "digits", value),)
        part = top / bottom
        if part < 1:
            return (_Token(start, end, "fraction", value + part, (value, part)),)
        second = _Token(match.start("mixed_num"), end, "fraction", part, (top, bottom))
        return (_Token(start, stop, "digits", value), second)
    if named["vulgar"]:
        part = Fraction(unicodedata.numeric(named["vulgar"])).limit_denominator(100)
        return (_Token(start, end, "fraction", value + part, (value, part)),)
    return (_Token(start, stop, "digits", value),)
