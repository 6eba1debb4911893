"""Are two answers the same? By structure, then by exact value; three-valued, for what is unread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import zip_longest

from dualtune.grade.formula import Node
from dualtune.grade.structure import Answer
from dualtune.grade.values import proportional, same_value

CUT_OFF_DECIMALS = 8  # a gold with so many decimals was cut off by whoever printed it
FEW_DECIMALS = 4  # with so many it may have been: what has more must round or cut to it

_DECIMALS = re.compile(r"\.(\d+)")
_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "eleven": 11, "twelve": 12, "sixteen": 16,
}  # fmt: skip
_ASKED_BASE = re.compile(r"(?i)\bbase[ -]\$?\{?(\d+|[a-z]+)|\b(binary|octal|hexadecimal)\b")

Same = bool | None


def meets(values: tuple[Fraction, ...], wanted: tuple[Fraction, ...], gold: str) -> bool:
    """Tell whether a number is the gold one, at the precision that the gold was printed with.

    Args:
        values: Of the answer; two for a percent, 3/4 and 75.
        wanted: Of the gold, likewise.
        gold: The gold as printed.

    Returns:
        Whether they are equal: exactly; or, where the gold has 8 decimals or more, within one unit
        of its last; or, where it has 4 to 7 (3, for what no decimals can express, 2/3), if the
        answer has more and rounds or cuts to it.
    """
    if len(values) == len(wanted) == 2:
        return values[0] == wanted[0]  # 75 % is not 0.75 %
    if any(value in wanted for value in values):
        return True
    decimals = _DECIMALS.search(gold)
    if decimals is None or len(decimals[1]) < FEW_DECIMALS - 1:
        return False
    places = len(decimals[1])
    if places >= CUT_OFF_DECIMALS:
        # The last printed digit may be rounded or cut: both lie within one unit of it.
        unit = Fraction(1, 10**places)
        return any(abs(value - target) <= unit for value in values for target in wanted)
    return any(_shortens_to(v, target, places) for v in values for target in wanted)


def _shortens_to(value: Fraction, target: Fraction, places: int) -> bool:
    scaled = abs(value) * 10**places
    if scaled.denominator == 1 or (value < 0) != (target < 0):
        return False  # printed with as few decimals: it is what it is
    if places < FEW_DECIMALS and _terminates(value):
        return False
    shown = abs(target) * 10**places
    return shown in (int(scaled), int(scaled + Fraction(1, 2)))


def _terminates(value: Fraction) -> bool:
    rest = value.denominator
    for factor in (2, 5):
        while rest % factor == 0:
            rest //= factor
    return rest == 1


def same_answer(answer: Answer, gold: Answer, question: str = "") -> Same:
    """Tell whether an answer means what the gold means.

    Args:
        answer: The answer as read.
        gold: The gold as read.
        question: The question, which may say in which base to answer.

    Returns:
        None where that cannot be told, because part of either is opaque or too large to compute.
    """
    if answer.form == gold.form and _spelt(answer) == _spelt(gold) != "":
        return True
    for one, other, swapped in ((answer, gold, False), (gold, answer, True)):
        named = one.form == "named" and other.form not in ("named", "relation")
        listed = one.form == "bag" and other.form != "bag"  # {5}, or "x + 1 or 1 + x"
        inner = one.items if named or listed else ()
        if inner:
            pairs = [(other, part) if swapped else (part, other) for part in inner]
            return _all(same_answer(left, right, question) for left, right in pairs)
    if "opaque" in (answer.form, gold.form):
        return None
    if answer.node is not None and gold.node is not None and _has_value(answer, gold):
        if answer.form == gold.form == "number":
            return meets(answer.values, gold.values, gold.text)
        return same_value(answer.node, gold.node)
    if {answer.form, gold.form} == {"base", "number"}:
        based, plain = (answer, gold) if answer.form == "base" else (gold, answer)
        return based.text == plain.text and based.detail == _asked_base(question)
    if {answer.form, gold.form} == {"text", "formula"}:
        letters, formula = (answer, gold) if answer.form == "text" else (gold, answer)
        return formula.text.casefold().strip("()") == letters.text
    if {answer.form, gold.form} == {"tuple", "matrix"}:
        return _vector(answer, gold, question)
    if answer.form != gold.form:
        return _equation_of(answer, gold)
    compare = _BY_FORM.get(answer.form)
    return compare(answer, gold, question) if compare else False


def _spelt(answer: Answer) -> str:
    return f"{''.join(answer.text.split())} {answer.detail}" if answer.text else ""


def _has_value(answer: Answer, gold: Answer) -> bool:
    return all(side.form in ("number", "formula") for side in (answer, gold))


def _asked_base(question: str) -> str:
    match = _ASKED_BASE.search(question)
    if match is None:
        return ""
    if match[2]:
        return {"binary": "2", "octal": "8", "hexadecimal": "16"}[match[2].lower()]
    return match[1] if match[1].isdigit() else str(_BASES.get(match[1].lower(), ""))


def _vector(answer: Answer, gold: Answer, question: str) -> Same:
    """Compare a row or column of a matrix with a list in round brackets."""
    matrix, listed = (answer, gold) if answer.form == "matrix" else (gold, answer)
    if listed.detail != "()" or int(matrix.detail) not in (1, len(matrix.items)):
        return False
    return _in_order(answer, gold, question)


def _equation_of(answer: Answer, gold: Answer) -> Same:
    """Compare ``y = 2x + 3`` with ``2x - y + 3 = 0``."""
    if {answer.form, gold.form} != {"named", "relation"}:
        return False
    return _proportional(answer.node, gold.node)


def _proportional(left: Node | None, right: Node | None) -> Same:
    if left is None or right is None:
        return None
    return proportional(left, right)


def _numbers(answer: Answer, gold: Answer, question: str) -> Same:
    return meets(answer.values, gold.values, gold.text)


def _named(answer: Answer, gold: Answer, question: str) -> Same:
    if answer.detail == gold.detail:
        same = same_answer(answer.items[0], gold.items[0], question)
        if same is not False:
            return same
    elif answer.node is None or gold.node is None:
        return False
    return _proportional(answer.node, gold.node) is True


def _relations(answer: Answer, gold: Answer, question: str) -> Same:
    if answer.detail != gold.detail:
        return False
    if answer.detail == "=":
        return _proportional(answer.node, gold.node)
    return _in_order(answer, gold, question)


def _tuples(answer: Answer, gold: Answer, question: str) -> Same:
    return _in_order(answer, gold, question) if answer.detail == gold.detail else False


def _in_order(answer: Answer, gold: Answer, question: str) -> Same:
    if len(answer.items) != len(gold.items):
        return False
    pairs = zip_longest(answer.items, gold.items)
    return _all(same_answer(a, b, question) for a, b in pairs)


def _in_any_order(answer: Answer, gold: Answer, question: str) -> Same:
    if len(answer.items) != len(gold.items):
        return False
    left: list[Answer] = list(gold.items)
    unsure = False
    for item in answer.items:
        found, doubtful = _take(item, left, question)
        unsure |= doubtful
        if not found and not doubtful:
            return False
    return None if unsure else True


def _take(item: Answer, left: list[Answer], question: str) -> tuple[bool, bool]:
    """Take what equals an item out of a list; also tell whether that could not be told."""
    doubtful = False
    for at, candidate in enumerate(left):
        same = same_answer(item, candidate, question)
        if same:
            del left[at]
            return True, False
        doubtful |= same is None
    return False, doubtful


def _all(results: Iterable[Same]) -> Same:
    unsure = False
    for same in results:
        if same is False:
            return False
        unsure |= same is None
    return None if unsure else True


def _by_text(answer: Answer, gold: Answer, question: str) -> Same:
    return answer.text == gold.text and answer.detail == gold.detail


def _by_detail(answer: Answer, gold: Answer, question: str) -> Same:
    return answer.detail == gold.detail


_BY_FORM: dict[str, Callable[[Answer, Answer, str], Same]] = {
    "number": _numbers,
    "infinity": _by_detail,
    "time": _by_detail,
    "text": _by_text,
    "base": _by_text,
    "bag": _in_any_order,
    "union": _in_any_order,
    "tuple": _tuples,
    "matrix": _tuples,
    "ratio": _in_order,
    "named": _named,
    "relation": _relations,
}
