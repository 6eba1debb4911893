"""Numbers in text: the one home of reading a number.

Masks ask which numbers a question holds and whether its rationale holds their values; the audit
and the grader read numbers through the same functions, so that all of them agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from dualtune.text.numerals import Token, number_words, read_digits, tokens

Form = Literal["digits", "fraction", "percent", "money", "word"]
Ratio = tuple[int, int]  # a value in lowest terms: hashes in C, unlike a Fraction


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
        parts: Values that its parts have by themselves: 3 and 1/4 of ``3/4``, 2 and 12 of
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


class Held(NamedTuple):
    """The values that a rationale holds, for the rule of answerable masks."""

    ratios: frozenset[Ratio]

    def holds(self, number: Number) -> bool:
        """Tell whether a number's value is there, or else all of its parts are."""
        if abs(number.value).as_integer_ratio() in self.ratios:
            return True
        parts = number.parts
        return bool(parts) and all(p.as_integer_ratio() in self.ratios for p in parts)


_PERCENT = re.compile(r"\s?\\?%|[ -]per ?cent\b")
# What a rationale holds, by form; each starts with a set or a literal, for speed.
_PLAIN = re.compile(
    r"[.\d](?:(?<=\d)(?:(?<![a-z_\d].)|(?<=\dx.))(?:\d{0,2}+(?:,\d{3})++(?!\d)|\d*+)(?:\.\d++)?"
    r"(?!(?:st|nd|rd|th)\b)|(?<=\.)(?<![\w)\].].)\d++)"
)
_DIVISOR = re.compile(r"(?:[/÷]|divided by) ?\$?(\d{1,3}(?:,\d{3})++(?:\.\d++)?|\d++(?:\.\d++)?)")
_RATIO = re.compile(r"(?<![\w.,/])(\d++)/(\d++)(?![\d/]|\.\d)")
_MIXED = re.compile(r"(?<![\w.,/])(\d{1,4}+) (\d{1,4}+)/(\d{1,4}+)(?![\d/]|\.\d)")
_PERCENTS = re.compile(r"(?<![\w.,])(\d[\d,]*+(?:\.\d++)?)(?:\s?\\?%|[ -]per ?cent\b)")

# `one` counts before a noun; after and before these words it is a pronoun.
_PRONOUN_BEFORE = frozenset(
    "a the this that these those each which every another last next first second other no any "
    "some new old big small same right wrong".split()
)
_PRONOUN_AFTER = frozenset(
    "of another is was are were has had can could will would who that which in on at to for from "
    "by and or but than as with it he she they the so if how what when where do does did".split()
)
_COUNT_BEFORE = frozenset("is are was were equals exactly least most just only = be".split())
# "a third" is a fraction before these, and else an ordinal: "a third friend".
_PART_AFTER = frozenset(
    "of as the that this more less his her its their my your our full bigger larger".split()
)
_WORD_BEFORE = re.compile(r"([A-Za-z']+|=) \Z")
_WORD_AFTER = re.compile(r"[ -]([A-Za-z']+)")


class _Reading(NamedTuple):
    """A number before its sign, currency and percent are looked at."""

    start: int
    end: int
    value: Fraction
    parts: tuple[Fraction, ...]
    form: Form


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
    lowered = _lower(text)
    return tuple([_finish(text, lowered, reading) for reading in _readings(lowered)])


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


def held_values(text: str) -> Held:
    """Return every value that a rationale holds.

    A number counts with its value and with its parts (``25%`` holds 1/4 and 25), and a division by
    n holds n and 1/n: ``48/2`` holds 48, 2, 1/2 and 24, and answers "half". Signs do not count.

    Args:
        text: The visible rationale.

    Returns:
        The values, to be asked with ``Held.holds``.
    """
    lowered = _lower(text)
    ratios: set[Ratio] = set()
    for digits in set(_PLAIN.findall(lowered)):
        ratios.update(_ratios(digits, False))
    for digits in set(_DIVISOR.findall(lowered)):
        ratios.update(_ratios(digits, True))
    if "/" in lowered:
        for top, bottom in set(_RATIO.findall(lowered)):
            ratios.update(_quotient(top, bottom))
        for whole, top, bottom in _MIXED.findall(lowered):
            for n, d in _quotient(top, bottom):
                ratios.add((Fraction(whole) + Fraction(n, d)).as_integer_ratio())
    if "%" in lowered or "per" in lowered:
        for digits in set(_PERCENTS.findall(lowered)):
            ratios.update(_quotient(digits, "100"))
    # Number words, and forms that are rarer still, take the full reading.
    if not lowered.isascii() or "\\" in lowered or number_words(lowered):
        for reading in _readings(lowered):
            value = reading.value
            ratios.add(value.as_integer_ratio())
            ratios.update([part.as_integer_ratio() for part in reading.parts])
            if _PERCENT.match(lowered, reading.end):
                ratios.add((value / 100).as_integer_ratio())
    return Held(frozenset(ratios))


@lru_cache(maxsize=65536)
def _ratios(digits: str, divides: bool) -> tuple[Ratio, ...]:
    """Read a numeral, with its reciprocal where it divides."""
    value = read_digits(digits)
    if value is None:
        return ()
    n, d = value.as_integer_ratio()
    return ((n, d), (d, n)) if divides and n else ((n, d),)


@lru_cache(maxsize=65536)
def _quotient(top: str, bottom: str) -> tuple[Ratio, ...]:
    above, below = read_digits(top), read_digits(bottom)
    if above is None or not below:
        return ()
    return ((above / below).as_integer_ratio(),)


def _lower(text: str) -> str:
    """Lower a text without moving a character: a few capitals lengthen when lowered."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join([c.lower() if c.isascii() else c for c in text])


def _readings(lowered: str) -> Iterator[_Reading]:
    found = tokens(lowered)
    at = 0
    last = len(found) - 1
    while at <= last:
        token = found[at]
        kind = token.kind
        # Most numbers of a rationale are digits beside digits: nothing to join.
        if kind == "digits" and (at == last or found[at + 1].kind == "digits"):
            yield _Reading(token.start, token.end, token.value, token.parts, "digits")
            at += 1
            continue
        reading: _Reading | None
        if kind == "times":
            reading, used = _Reading(token.start, token.end, token.value, (), "word"), 1
        elif kind == "part" or kind == "scale":
            reading, used = _read_bare(lowered, found, at)
        else:
            reading, used = _read_cardinal(lowered, found, at)
        at += used
        if reading is not None:
            yield reading


def _gap(lowered: str, left: Token, right: Token) -> str:
    return lowered[left.end : right.start] if right.start - left.end < 8 else "\n"


def _read_cardinal(lowered: str, found: list[Token], at: int) -> tuple[_Reading | None, int]:
    """Read "12", "two hundred and five", "3 dozen", "two thirds", "one and a half"."""
    first = found[at]
    value, used = _add_up(lowered, found, at)
    last = found[at + used - 1]
    form: Form = "word"
    if first.kind == "digits" or first.kind == "fraction":
        form = first.kind
    parts = first.parts
    if used > 1:
        multiplied = used == 2 and last.kind == "scale" and last.value not in (100, 1000)
        parts = (first.value, last.value) if multiplied else ()
    following = found[at + used] if at + used < len(found) else None
    if following is not None and following.kind == "part":
        gap = _gap(lowered, last, following)
        if gap in (" and a ", " and one ") or (gap == " and " and following.value == 2):
            total = value + 1 / following.value
            return _Reading(first.start, following.end, total, (), form), used + 1
        if form != "fraction" and _is_denominator(lowered, value, gap, following):
            part = 1 / following.value
            parts = (value, part)
            total = value * part
            return _Reading(first.start, following.end, total, parts, form), used + 1
    if used == 1 and following is not None and form != "fraction":
        mixed = _and_fraction(lowered, found, at)
        if mixed is not None:
            end, part, used = mixed
            return _Reading(first.start, end, value + part, (), form), used
    if used == 1 and form == "word" and value == 1 and not _counts(lowered, first):
        return None, 1
    return _Reading(first.start, last.end, value, parts, form), used


def _is_denominator(lowered: str, value: Fraction, gap: str, part: Token) -> bool:
    """Tell the denominator of "two thirds" from "760 quarters", which are coins."""
    if gap == "-":
        return True
    word = lowered[part.start : part.end]
    if gap != " " or not (value == 1 or (word[-1] == "s" and value < part.value)):
        return False
    if not word.startswith("quarter"):
        return True
    after = _WORD_AFTER.match(lowered, part.end)
    return value == 1 or (after is not None and after[1] in _PART_AFTER)


def _and_fraction(lowered: str, found: list[Token], at: int) -> tuple[int, Fraction, int] | None:
    """Read the end of "two and three quarters" or "2 and 3/4": end, value, tokens used."""
    second = found[at + 1]
    if second.kind not in ("small", "fraction") or _gap(lowered, found[at], second) != " and ":
        return None
    if second.kind == "fraction":
        return (second.end, second.value, 2) if second.value < 1 else None
    third = found[at + 2] if at + 2 < len(found) else None
    if third is None or third.kind != "part" or _gap(lowered, second, third) not in (" ", "-"):
        return None
    value = second.value / third.value
    return (third.end, value, 3) if value < 1 else None


def _read_bare(lowered: str, found: list[Token], at: int) -> tuple[_Reading | None, int]:
    """Read a part or scale without a numeral before it: half, a third of, a dozen."""
    first = found[at]
    article = re.fullmatch(r"(?:.*[^\w])?a ", lowered[max(first.start - 3, 0) : first.start], re.S)
    start = first.start - 2 if article else first.start
    if first.kind == "scale":
        if not article and first.value != 12:
            return None, 1
        value, used = _add_up(lowered, found, at) if first.value != 12 else (first.value, 1)
        return _Reading(start, found[at + used - 1].end, value, (), "word"), used
    word = lowered[first.start : first.end]
    if word == "half":
        following = found[at + 1] if at + 1 < len(found) else None
        if (
            following is not None
            and following.kind == "scale"
            and _gap(lowered, first, following) in (" ", "-", " a ")
        ):
            return _Reading(first.start, following.end, following.value / 2, (), "word"), 2
        return _Reading(first.start, first.end, Fraction(1, 2), (), "word"), 1
    after = _WORD_AFTER.match(lowered, first.end)
    if article and word[-1] != "s" and after and after[1] in _PART_AFTER:
        return _Reading(start, first.end, 1 / first.value, (), "word"), 1
    return None, 1


def _add_up(lowered: str, found: list[Token], at: int) -> tuple[Fraction, int]:
    """Add up a chain such as "two hundred and five thousand": its value, and tokens used."""
    first = last = found[at]
    if at + 1 == len(found) or first.kind == "fraction":
        return first.value, 1
    total = Fraction(0)
    group = first.value
    # The next word of a chain adds less than this: a unit after tens, tens after a hundred.
    floor = 10 if first.kind == "tens" else first.value if first.kind == "scale" else Fraction(0)
    used = 1
    for i in range(at + 1, len(found)):
        token = found[i]
        if token.kind == "scale":
            if _gap(lowered, last, token) not in (" ", "-"):
                break
            if last.kind == "scale" and token.value <= last.value:
                break
            group *= token.value
            if token.value > 100:
                total, group = total + group, Fraction(0)
            floor = token.value
        elif token.kind in ("small", "tens") and 0 < token.value < floor:
            gap = _gap(lowered, last, token)
            if last.kind == "scale":
                if last.value == 12 or first.kind == "digits" or gap not in (" ", "-", " and "):
                    break
            elif gap not in (" ", "-"):
                break
            group += token.value
            floor = Fraction(10 if token.kind == "tens" else 0)
        else:
            break
        last = token
        used += 1
    return total + group, used


def _counts(lowered: str, token: Token) -> bool:
    """Tell a counting "one" from the pronoun."""
    before = _WORD_BEFORE.search(lowered, max(token.start - 20, 0), token.start)
    previous = before[1] if before else ""
    if previous in _PRONOUN_BEFORE:
        return False
    after = _WORD_AFTER.match(lowered, token.end)
    if after is None or after[1] in _PRONOUN_AFTER:
        return previous in _COUNT_BEFORE
    return True


def _finish(text: str, lowered: str, reading: _Reading) -> Number:
    """Look at what stands around a numeral: sign, currency, percent."""
    start, end, value, parts, form = reading
    full_start, full_end = start, end
    before = text[start - 1 : start]
    if before in _CURRENCY or (before == " " and text[start - 2 : start - 1] in _CURRENCY):
        full_start, form = start - (1 if before != " " else 2), "money"
    if (
        full_start
        and text[full_start - 1] in "-−"
        and form != "word"
        and _is_negative(text[max(full_start - 25, 0) : full_start - 1])
    ):
        full_start -= 1
        value = -value
        if text[full_start - 1 : full_start] in _CURRENCY:  # "$-5"
            full_start, form = full_start - 1, "money"
    if lowered[end : end + 1] in _PERCENT_STARTS:
        percent = _PERCENT.match(lowered, end)
        if percent is not None:
            full_end, form = percent.end(), "percent"
            parts = (abs(value),)
            value /= 100
    return Number(start, end, text[start:end], value, form, full_start, full_end, parts)


_PERCENT_STARTS = frozenset(" %\\-")
_CURRENCY = frozenset("$€£¥₹")


def _is_negative(before: str) -> bool:
    """Tell the sign in "= -5" from the operator in "8 -5" and the hyphen in "5-3"."""
    if not before:
        return True
    if not before[-1].isspace():
        return not (before[-1].isalnum() or before[-1] in ")]%.,}-−")
    visible = before.rstrip()
    return not visible or not (visible[-1].isdigit() or visible[-1] in ")]%}")
