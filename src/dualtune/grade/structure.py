r"""Read a short answer into its structure: a number, a list, an interval, a matrix, an equation.

``(1,2)`` is kept as brackets around two items, which a point and an open interval share; what is
compared is the structure, then the items by value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from dualtune.grade.formula import Node, read_formula
from dualtune.grade.normalise import plain_numerals, without_degrees
from dualtune.grade.spelling import MAX_LENGTH, clean, closes_at_end, split_outside, top_level
from dualtune.grade.tokens import Unreadable
from dualtune.grade.values import exact_value, symbols
from dualtune.text.numbers import find_numbers, parse_number

Form = Literal[
    "number", "formula", "infinity", "text", "time", "base", "bag", "tuple", "union", "matrix",
    "named", "relation", "ratio", "opaque",
]  # fmt: skip

MAX_DEPTH = 12  # of structures in structures


@dataclass(frozen=True, slots=True)
class Answer:
    r"""An answer as it was read.

    Attributes:
        form: ``bag`` is an unordered list or set, ``tuple`` an ordered list in brackets,
            ``named`` is ``x = 5`` with its value as the one item, ``relation`` any other equation
            or inequality with its sides as items, ``base`` a numeral such as ``1011_2``,
            ``opaque`` what could not be read.
        text: The answer in one spelling; two alike texts are alike answers.
        items: Parts, in order.
        detail: Brackets of a tuple, name of a ``named``, signs of a relation, columns of a
            matrix, base of a numeral, sign of an infinity.
        values: Of a number: its value; two for a percent, 3/4 and 75.
        node: Of a formula or an equation (as left minus right).
    """

    form: Form
    text: str
    items: tuple[Answer, ...] = ()
    detail: str = ""
    values: tuple[Fraction, ...] = ()
    node: Node | None = None


_TEXT_COMMAND = r"\\(?:text|textbf|textit|textrm|textsf|mbox|mathrm|mathbf|mathit|mathsf|rm|hbox)"
_WHOLE_TEXT = re.compile(rf"{_TEXT_COMMAND}\s*\{{([^{{}}]*)\}}\Z")
_ANY_TEXT = re.compile(rf"{_TEXT_COMMAND}\s*\{{([^{{}}]*)\}}")
_CONJUNCTION = re.compile(
    rf"\s*,?\s*(?:{_TEXT_COMMAND}\s*\{{\s*,?\s*(?:and|or)\s*\}}|(?<=[\s\d)}}])(?:and|or)\b)\s*"
)
_UNIT_TEXT = re.compile(rf"(?:\s*{_TEXT_COMMAND}\s*\{{[^{{}}]*\}}(?:\s*\^\s*\{{?[23]\}}?)?\.?)+\Z")
_UNIT_WORDS = re.compile(
    r"\s*(?<![A-Za-z\\])(?:[a-zA-Z]{2,}\.?|m|g|s|L|l)(?:[ /^-]+[A-Za-z.]+){0,4}(?:\s?\^?\s?[23])?\Z"
)
_SHORT_UNIT = re.compile(
    r"(?<=[\d)}])\s+(?:sq\.?\s*)?(?:(?:km|mi|m)\s?/\s?(?:hr?|s|min)"
    r"|[cmk]m|ft|in|yd|mi|kg|mg|lbs?|oz|ml|mph|kmp?h|kph|hrs?|min|secs?|m|g|s)"
    r"(?:\s?\^?\s?\{?[23]\}?)?\Z"
)
_MATRIX = re.compile(
    r"\\begin\{(?:[pbB]?matrix|smallmatrix|array)\}(.*)\\end\{[a-zB]+\}\Z", re.DOTALL
)
_ARRAY_COLUMNS = re.compile(r"\A\s*\{[lcr| ]*\}")
_VARIABLE = re.compile(r"\\?[A-Za-z]+|[A-Za-z]_\w")
_BASE = re.compile(r"(-?[0-9A-Z]+(?:\.[0-9A-Z]+)?)\s*_\s*(?:\{\s*(\d{1,2})\s*\}|(\d))\Z")
_TIME = re.compile(r"(?i)(\d{1,2})(?::(\d{2}))?\s*([ap])\.?\s?m\b\.?\Z|(\d{1,2}):(\d{2})\Z")
_RATIO = re.compile(r"[^:]+(?::[^:]+)+\Z")
_PERCENT = re.compile(r"\s*(?:\\?%|percent\b|per cent\b|\\text\s*\{\s*percent\s*\})\Z")
_INFINITY = re.compile(r"([+-]?)\s*(?:\\infty|infinity|inf|oo)\Z")
_NAME = re.compile(r"(?:\\?[A-Za-z]+|[A-Za-z])(?:_\w|_\{\w+\})?'?(?:\s*\(\s*[A-Za-z]\s*\))?\Z")
_MEMBER = re.compile(r"(.{1,20}?)\s*\\in(?![A-Za-z])\s*")
_RELATION = re.compile(r"\\(?:le|ge|ne)(?![A-Za-z])|<=|>=|!=|[<>=]")
_SIGNS = {r"\le": "<=", r"\ge": ">=", r"\ne": "!=", "=": "=", "<": "<", ">": ">"}
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?\Z")
_ARTICLE = re.compile(r"\A(?:the|an?|it'?s|it is)\s+(?=\S)")
_EDGES = " \t\r\n.,;:!?\"'`*()[]"


@lru_cache(maxsize=8192)
def read_structure(answer: str) -> Answer:
    r"""Read an answer.

    Args:
        answer: What stood in the box or behind "The answer is": ``\frac{1}{2}``, ``(1,-2]``,
            ``\text{Evelyn}``, ``x = 5``.

    Returns:
        Its structure; ``opaque`` where it could not be read.
    """
    cleaned = clean(answer)
    if not cleaned or len(cleaned) > MAX_LENGTH:
        return Answer("opaque", cleaned[:MAX_LENGTH])
    return _read(cleaned, 0)


def _read(text: str, depth: int) -> Answer:
    text = text.strip()
    if not text or depth > MAX_DEPTH:
        return Answer("opaque", text)
    if (inner := _WHOLE_TEXT.match(text)) is not None:
        return _of_words(inner[1].strip(), depth)
    for reader in (_time, _base, _number, _infinity, _matrix):
        found = reader(text, depth)
        if found is not None:
            return found
    for split in (_relation, _union, _several, _bracketed, _plus_minus, _ratio):
        found = split(text, depth)
        if found is not None:
            return found
    unit = _SHORT_UNIT.search(text)
    if unit is not None:  # before 5 cm becomes a product of c and m
        return _read(text[: unit.start()], depth + 1)
    return _formula(text) or _without_unit(text, depth) or _words(text)


def _of_words(text: str, depth: int) -> Answer:
    r"""Read what stood in ``\text{...}``: a number, a list of letters, else words."""
    if not text:
        return Answer("opaque", "")
    for reader in (_time, _number):
        found = reader(text, depth)
        if found is not None:
            return found
    parts = [part.strip(" ()") for part in text.split(",")]
    if len(parts) > 1 and all(len(part) == 1 or part.isdigit() for part in parts):
        return Answer("bag", text, tuple([_read(part, depth + 1) for part in parts]))
    quantity = _without_unit(text, depth)
    return quantity if quantity and quantity.form == "number" else _words(text)


def _words(text: str) -> Answer:
    plain = _ANY_TEXT.sub(lambda m: f" {m[1]} ", text)
    if re.search(r"[\\^_=<>{}|+*/]", plain):
        return Answer("opaque", _squeezed(text))
    plain = " ".join(plain.casefold().split()).strip(_EDGES)
    plain = _ARTICLE.sub("", plain)
    return Answer("text", plain) if plain else Answer("opaque", _squeezed(text))


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _number(text: str, depth: int) -> Answer | None:
    bare = without_degrees(plain_numerals(text)).strip()
    percent = _PERCENT.search(bare)
    if percent is not None:
        inner = _number(bare[: percent.start()], depth + 1) if depth < MAX_DEPTH else None
        if inner is None or len(inner.values) != 1:
            return None
        return Answer("number", text, values=(inner.values[0] / 100, inner.values[0]))
    value = parse_number(bare)
    if value is None:
        return None
    numbers = find_numbers(bare)
    if "\\" in bare and not re.fullmatch(r"[-\s\d.,{}/+]*(?:\\frac)?[-\s\d.,{}/+]*", bare):
        return None
    if bare.rstrip(".")[-1:] == "!" or len(numbers) > 1:
        return None
    return Answer("number", text, values=(value,), node=Node("number", value=value))


def _infinity(text: str, depth: int) -> Answer | None:
    match = _INFINITY.match(text)
    return Answer("infinity", text, detail="-" if match[1] == "-" else "+") if match else None


def _time(text: str, depth: int) -> Answer | None:
    plain = " ".join(_ANY_TEXT.sub(lambda m: f" {m[1]} ", text).split())
    match = _TIME.match(plain)
    if match is None:
        return None
    hour, minute = int(match[1] or match[4]), int(match[2] or match[5] or 0)
    if hour > 24 or minute > 59 or (match[3] is None and match[5] is None):
        return None
    half = (match[3] or "").lower()
    return Answer("time", text, detail=f"{hour}:{minute:02d}{half}")


def _base(text: str, depth: int) -> Answer | None:
    match = _BASE.match(text)
    if match is None or not any(c.isdigit() for c in match[1]):
        return None
    return Answer("base", match[1].lstrip("0") or "0", detail=match[2] or match[3])


def _matrix(text: str, depth: int) -> Answer | None:
    match = _MATRIX.match(text)
    if match is None or r"\begin" in match[1]:
        return None
    body = _ARRAY_COLUMNS.sub("", match[1])
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", body) if row.strip()]
    cells = [[_read(cell, depth + 1) for cell in row.split("&")] for row in rows]
    if not cells or len({len(row) for row in cells}) != 1:
        return Answer("opaque", _squeezed(text))
    return Answer(
        "matrix", text, tuple([cell for row in cells for cell in row]), detail=str(len(cells[0]))
    )


def _union(text: str, depth: int) -> Answer | None:
    parts = split_outside(text, re.compile(r"\\cup(?![A-Za-z])|(?<=[)\]}])\s*U\s*(?=[(\[\\])"))
    if len(parts) < 2:
        return None
    return Answer("union", text, tuple([_read(part, depth + 1) for part in parts]))


_COMMA = re.compile(r",|;")


def _several(text: str, depth: int) -> Answer | None:
    joined = _CONJUNCTION.sub(",", text)
    if _THOUSANDS.match(joined):
        return None
    parts = [part for part in split_outside(joined, _COMMA) if part.strip()]
    if len(parts) < 2:
        return None
    items = _items(parts, depth)
    if any(item.form == "text" and len(item.text) > 1 for item in items) and joined != text:
        return None  # "black and white" is one answer
    return Answer("bag", text, items)


def _items(parts: list[str], depth: int) -> tuple[Answer, ...]:
    r"""Read the parts of a list, in which ``1 \pm \sqrt 5`` is two."""
    items: list[Answer] = []
    for part in parts:
        if part.strip():
            read = _read(part, depth + 1)
            items += read.items if read.form == "bag" and r"\pm" in part else (read,)
    return tuple(items)


def _plus_minus(text: str, depth: int) -> Answer | None:
    if r"\pm" not in text and "+-" not in text and "+/-" not in text:
        return None
    signs = re.compile(r"\\pm(?![A-Za-z])|\+/?-")
    pair = tuple([_read(signs.sub(sign, text), depth + 1) for sign in "+-"])
    return Answer("bag", text, pair)


# {x | x < 3} and {x in R : x < 3} are x < 3.
_BUILDER = re.compile(
    r"\s*([A-Za-z])\s*(?:\\in\s*\(-\\infty,\\infty\)\s*)?(?:\\mid\b|\\vert\b|\||:)(.*\1.*)\Z",
    re.DOTALL,
)


def _bracketed(text: str, depth: int) -> Answer | None:
    opening = r"\{" if text.startswith(r"\{") else text[:1]
    closing = r"\}" if text.endswith(r"\}") else text[-1:]
    if opening not in (r"\{", "(", "[") or closing not in (r"\}", ")", "]"):
        return None
    if not closes_at_end(text, len(opening) - 1):
        return None
    inner = text[len(opening) : -len(closing)]
    parts = split_outside(inner, _COMMA)
    if opening == r"\{" and (builder := _BUILDER.match(inner)) is not None:
        return _read(builder[2], depth + 1)
    if opening == r"\{":
        items = _items(split_outside(_CONJUNCTION.sub(",", inner), _COMMA), depth)
        return Answer("bag", text, items) if closing == r"\}" else None
    if len(parts) > 1:
        items = tuple([_read(part, depth + 1) for part in parts])
        return Answer("tuple", text, items, detail=opening + closing)
    if opening == "[":
        return Answer("bag", text, (_read(inner, depth + 1),)) if closing == "]" else None
    return _read(inner, depth + 1) if closing == ")" else None


def _ratio(text: str, depth: int) -> Answer | None:
    if ":" not in text or not _RATIO.match(text):
        return None
    items = tuple([_read(part, depth + 1) for part in text.split(":")])
    if any(item.form not in ("number", "formula") for item in items):
        return None
    return Answer("ratio", text, items)


def _relation(text: str, depth: int) -> Answer | None:
    member = _MEMBER.match(text)
    if member is not None and _NAME.match(member[1].strip()):
        inner = _read(text[member.end() :], depth + 1)
        return Answer("named", text, (inner,), detail=_squeezed(member[1]))
    signs = [_SIGNS.get(sign, sign) for sign in top_level(text, _RELATION)]
    if not signs:
        return None
    if len(split_outside(_CONJUNCTION.sub(",", text), _COMMA)) > 1:
        return None  # a list of equations
    sides = [side.strip() for side in split_outside(text, _RELATION)]
    if not all(sides):
        return Answer("opaque", _squeezed(text))
    if set(signs) == {"="}:
        return _equation(text, sides, depth)
    return _inequality(text, sides, signs, depth)


def _equation(text: str, sides: list[str], depth: int) -> Answer:
    last = _read(sides[-1], depth + 1)
    node = _difference(sides) if len(sides) == 2 else None
    first = _WHOLE_TEXT.match(sides[0])
    if first is not None or _NAME.match(sides[0]):
        name = _squeezed(first[1] if first else sides[0])
        return Answer("named", text, (last,), detail=name, node=node)
    if node is not None and symbols(node):
        return Answer("relation", text, detail="=", node=node)
    if last.form in ("number", "formula") and len(sides) >= 2:
        return last  # 5 + 6 = 11
    return Answer("opaque", _squeezed(text))


def _difference(sides: list[str]) -> Node | None:
    try:
        left, right = (read_formula(side) for side in sides)
    except Unreadable:
        return None
    return Node("add", (left, Node("neg", (right,))))


def _inequality(text: str, sides: list[str], signs: list[str], depth: int) -> Answer:
    if signs[0] in (">", ">="):
        sides, signs = sides[::-1], [_FLIPPED[sign] for sign in signs[::-1]]
    items = tuple([_read(side, depth + 1) for side in sides])
    variables = [i for i, side in enumerate(sides) if _VARIABLE.fullmatch(side)]
    bounds = [item for i, item in enumerate(items) if i not in variables]
    constant = all(
        b.form in ("number", "formula", "infinity") and not _variables(b) for b in bounds
    )
    if len(variables) == 1 and constant:
        name, at = sides[variables[0]], variables[0]
        interval = _interval(items, signs, at)
        if interval is not None:
            return Answer("named", text, (interval,), detail=name)
    return Answer("relation", text, items, detail=" ".join(signs))


def _interval(items: tuple[Answer, ...], signs: list[str], at: int) -> Answer | None:
    """Return the interval of ``a < x <= b``, ``x < b`` or ``a <= x``; a union for ``x != a``."""
    low, high = Answer("infinity", "", detail="-"), Answer("infinity", "", detail="+")
    if signs == ["!="]:
        point = items[1 - at]
        left = Answer("tuple", "", (low, point), detail="()")
        return Answer("union", "", (left, Answer("tuple", "", (point, high), detail="()")))
    if any(sign not in ("<", "<=") for sign in signs) or len(items) > 3:
        return None
    if (len(items) == 3) != (at == 1 and len(signs) == 2):
        return None
    below, above = items[at - 1] if at else low, items[at + 1] if at + 1 < len(items) else high
    opening = "[" if at and signs[at - 1] == "<=" else "("
    closing = "]" if at < len(signs) and signs[at] == "<=" else ")"
    return Answer("tuple", "", (below, above), detail=opening + closing)


def _variables(answer: Answer) -> bool:
    return answer.node is not None and bool(symbols(answer.node))


def _formula(text: str) -> Answer | None:
    # A run of letters is a word before it is a product: "no" is not n times o.
    if re.fullmatch(r"[A-Za-z]{2,}(?: [A-Za-z]+)*", text) and not text.isupper():
        return None
    text = _BRACED_DEGREES.sub(r"^\\circ", text)
    if not _ANGLE.search(text):
        text = _ANY_DEGREES.sub("", text)
    try:
        node = read_formula(text)
    except Unreadable:
        return None
    value = exact_value(node)
    if value is not None:
        return Answer("number", text, values=(value,), node=node)
    return Answer("formula", text, node=node)


_BRACED_DEGREES = re.compile(r"\^\s*\{\s*\\circ\s*\}|°")
_ANGLE = re.compile(r"(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_ANY_DEGREES = re.compile(r"\s*\^\s*(?:\{\s*\\circ\s*\}|\\circ)\s*\Z|°\Z")


def _without_unit(text: str, depth: int) -> Answer | None:
    for unit in (_UNIT_TEXT, _UNIT_WORDS):
        match = unit.search(text)
        if match is None or not match.start():
            continue
        rest = text[: match.start()].strip()
        if unit is _UNIT_WORDS and not re.search(r"[\d)}]\Z", rest):
            continue
        found = _read(rest, depth + 1)
        if found.form in ("number", "formula", "ratio", "bag"):
            return found
    return None
