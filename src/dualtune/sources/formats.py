"""What the columns of a row mean: a row in, a Problem or a Rejected out.

``gsm8k``: ``question``, and ``answer`` with calculator annotations and a last line ``#### 42``.
``mawps_cot``: ``item_id, question, answer_cot, answer_value``, the rationale ending in
"Therefore, the answer is <203>." ``columns``: any names, by the mapping of the recipe.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput, nearest
from dualtune.recipe import Columns, Source
from dualtune.records import Annotation, Problem, Rejected
from dualtune.sources.files import Row, row_text, shorten
from dualtune.text.answers import split_final_answer, strip_annotations
from dualtune.text.numbers import parse_number

RowReader = Callable[[Row], Problem | Rejected]

# Relative difference below which two values are one float computed in two ways.
FLOAT_DUST = Fraction(1, 10**12)

_MAWPS_COLUMNS = ("question", "answer_cot", "answer_value")
_TRAILING_ZEROS = re.compile(r"(-?\d+)\.0+")
_DECIMAL = re.compile(r"\.(\d+)")


class _UnfitError(Exception):
    """A row that cannot become a Problem: a cause and what to tell the user."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def choose_format(source: Source, first: Row) -> tuple[str, RowReader]:
    """Decide how the rows of a source are read.

    Args:
        source: The source; ``format: auto`` lets the first row decide.
        first: The first readable row; its columns are those that are there.

    Returns:
        What was taken, in words for the log, and the function from a row to its Problem.

    Raises:
        BadInput: If a column that the format needs is not there; names the nearest.
    """
    columns, there = source.columns, tuple(map(str, first.values))
    taken: str = source.format
    mapped = columns != Columns()
    if taken == "auto":
        taken = "columns" if mapped else _recognise(there, first)
        if taken == "columns" and not mapped:
            # The usual names of an answer and an id column need no mapping.
            columns = Columns(
                answer="answer" if "answer" in there else None, id="id" if "id" in there else None
            )
    # Without the folder: what is built does not depend on where the file lies.
    label = Path(source.path).name if source.path else source.hub or ""
    if taken == "gsm8k":
        _need(("question", "answer"), there, where=label, hint="format gsm8k")
        return "gsm8k (question, answer with ####)", lambda row: _guarded(row, label, _gsm8k)
    if taken == "mawps_cot":
        _need(_MAWPS_COLUMNS, there, where=label, hint="format mawps_cot")
        return f"mawps_cot ({', '.join(_MAWPS_COLUMNS)})", lambda row: _guarded(row, label, _mawps)
    used = {key: name for key, name in columns.model_dump().items() if name is not None}
    _need(tuple(used.values()), there, where=label, hint="data.train.columns", keys=tuple(used))
    told = ", ".join(f"{key}: {name}" for key, name in used.items())
    return f"columns ({told})", lambda row: _guarded(row, label, _mapped(columns))


def problem_id(question: str, rationale: str) -> str:
    """Return the id of a row without one: a hash of its question and rationale."""
    return hashlib.sha256(f"{question}\0{rationale}".encode()).hexdigest()[:16]


def tidy_number(text: str) -> str:
    """Return ``203.0`` as ``203``; any other text as it is."""
    whole = _TRAILING_ZEROS.fullmatch(text)
    return whole[1] if whole else text


def disagrees(stated: str, given: str) -> bool:
    """Say whether two readable answers to one row differ beyond rounding.

    The one with fewer decimals may be the other one rounded or cut off at its last digit; a whole
    number is never taken for a rounded one. ``6%`` agrees with 6 and with 0.06, since data sets
    write both. Texts that are not numbers are not compared.

    Args:
        stated: The answer at the end of the rationale.
        given: The answer of the row.
    """
    left, right = parse_number(stated), parse_number(given)
    if left is None or right is None:
        return False
    digits = [len(m[1]) for m in map(_DECIMAL.search, (stated, given)) if m]
    whole = [t for t, v in ((stated, left), (given, right)) if "." not in t and v.denominator == 1]
    room = Fraction(0) if whole or not digits else Fraction(1, 10 ** min(digits))
    # Binary floats written out differ in their last digits: 0.8333333333333333 and …334.
    room = max(room, abs(right) * FLOAT_DUST)
    pairs = [(left, right)]
    if ("%" in stated) != ("%" in given):
        scale = Fraction(100) if "%" in stated else Fraction(1, 100)
        pairs.append((left * scale, right))
    return not any(a == b or abs(a - b) < room for a, b in pairs)


def _recognise(there: tuple[str, ...], first: Row) -> str:
    if set(_MAWPS_COLUMNS) <= set(there):
        return "mawps_cot"
    if {"question", "answer"} <= set(there) and "####" in str(first.values["answer"]):
        return "gsm8k"
    return "columns"


def _need(
    wanted: tuple[str, ...],
    there: tuple[str, ...],
    *,
    where: str,
    hint: str,
    keys: tuple[str, ...] = (),
) -> None:
    for index, name in enumerate(wanted):
        if name not in there:
            setting = f"{hint}.{keys[index]}" if keys else hint
            close = nearest(name, there)
            close = close if "did you mean" in close else ""
            raise BadInput(
                f"{where} has no column {name!r} ({setting}){close}. "
                f"Its columns are: {', '.join(there) or 'none'}."
            )


def _guarded(row: Row, source: str, read: Callable[[Row, str], Problem]) -> Problem | Rejected:
    try:
        return read(row, source)
    except _UnfitError as error:
        message = f"{row.where}: {error.message}"
        return Rejected(row.where, error.reason, message, _storable(row_text(row.values)))


def _gsm8k(row: Row, source: str) -> Problem:
    question = _text(row, "question", "question")
    text, annotations = strip_annotations(_text(row, "answer", "rationale"))
    rationale, answer = split_final_answer(text)
    if answer is None:
        raise _UnfitError(
            "no_answer",
            f"the row has no answer: its text ends in {shorten(text[-60:])!r}. "
            "End it with a line '#### 42', or remove the row.",
        )
    kept = tuple(a for a in annotations if a.start <= len(rationale))
    return _problem(row, source, None, question, rationale, answer, annotations=kept)


def _mawps(row: Row, source: str) -> Problem:
    question = _text(row, "question", "question")
    text = _text(row, "answer_cot", "rationale")
    given = _answer(row, "answer_value")
    rationale, stated = split_final_answer(text)
    _check_agreement(stated, given)
    if rationale and not any(c.isdecimal() for c in rationale):
        # The published file holds nine such: "This question was already answered earlier."
        raise _UnfitError(
            "no_reasoning",
            f"the rationale holds no number, so no reasoning: {shorten(rationale)!r}. "
            "Write one, or remove the row.",
        )
    key = "item_id" if "item_id" in row.values else None
    return _problem(row, source, key, question, rationale, given)


def _mapped(columns: Columns) -> Callable[[Row, str], Problem]:
    def read(row: Row, source: str) -> Problem:
        question = _text(row, columns.question, "question")
        text, annotations = strip_annotations(_text(row, columns.rationale, "rationale"))
        rationale, stated = split_final_answer(text)
        if columns.answer is not None:
            answer = _answer(row, columns.answer)
            _check_agreement(stated, answer)
        elif stated is not None:
            answer = stated
        else:
            raise _UnfitError(
                "no_answer",
                f"no answer found: the rationale ends in {shorten(text[-60:])!r}. End it with "
                "'The answer is X.' or '#### X', or name the answer's column in "
                "data.train.columns.answer.",
            )
        kept = tuple(a for a in annotations if a.start <= len(rationale))
        return _problem(row, source, columns.id, question, rationale, answer, annotations=kept)

    return read


def _problem(
    row: Row,
    source: str,
    id_column: str | None,
    question: str,
    rationale: str,
    answer: str,
    *,
    annotations: tuple[Annotation, ...] = (),
) -> Problem:
    if not rationale.strip():
        raise _UnfitError(
            "empty_rationale",
            "the rationale holds nothing but the final answer. Write its steps, or remove the row.",
        )
    own = None if id_column is None else row.values.get(id_column)
    if isinstance(own, float | Decimal):
        own = _whole_id(own)
    if own is not None and not isinstance(own, str | int):
        raise _UnfitError("wrong_type", f"column {id_column!r} holds {_shown(own)}, not an id.")
    name = str(own).strip() if own is not None else ""
    _check_storable(name, str(id_column))
    return Problem(
        id=name or problem_id(question, rationale),
        question=question,
        rationale=rationale,
        answer=answer,
        source=source,
        annotations=annotations,
    )


def _whole_id(value: float | Decimal) -> int | float | Decimal | None:
    """Undo what pandas does to a column of whole numbers with gaps: 17.0, and NaN for none."""
    if math.isnan(value):
        return None
    whole = math.isfinite(value) and value == int(value)
    return int(value) if whole else value


def _text(row: Row, column: str, part: str) -> str:
    value = _value(row, column)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _UnfitError(
            f"empty_{part}",
            f"the {part} (column {column!r}) is empty. Fill it in, or remove the row.",
        )
    if not isinstance(value, str):
        raise _UnfitError(
            "wrong_type",
            f"the {part} (column {column!r}) must be text, not {_shown(value)}.",
        )
    _check_storable(value, column)
    # One line break everywhere: steps are told apart by lines.
    return value.replace("\r\n", "\n").strip()


def _answer(row: Row, column: str) -> str:
    value = _value(row, column)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _UnfitError(
            "no_answer",
            f"the row has no answer: column {column!r} is empty. Fill it in, or remove the row.",
        )
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _UnfitError(
            "wrong_type",
            f"the answer (column {column!r}) must be text or a number, not {_shown(value)}.",
        )
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise _UnfitError(
                "no_answer", f"the answer (column {column!r}) is {value}, not a number."
            )
        # Through the shortest decimal form: 0.1 stays 0.1, 1e22 is written out.
        return tidy_number(format(Decimal(str(value)), "f"))
    text = str(value).strip()
    _check_storable(text, column)
    # A column may hold the statement "#### 24", or be a CSV's, where 24.0 is text.
    _, stated = split_final_answer(strip_annotations(text)[0])
    return tidy_number(stated or text)


def _value(row: Row, column: str) -> Any:
    if column not in row.values:
        close = nearest(column, tuple(map(str, row.values)))
        close = close if "did you mean" in close else ""
        raise _UnfitError(
            "missing_column",
            f"the row has no column {column!r}{close}; "
            f"it has: {', '.join(map(str, row.values)) or 'none'}.",
        )
    return row.values[column]


def _check_agreement(stated: str | None, given: str) -> None:
    if stated is not None and disagrees(stated, given):
        raise _UnfitError(
            "answer_mismatch",
            f"the rationale ends in {stated!r}, but the row's answer is {given!r}. "
            "Correct one of them, or remove the row.",
        )


def _check_storable(text: str, column: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _UnfitError(
            "wrong_encoding",
            f"column {column!r} holds half a character ({text[error.start]!r} at position "
            f"{error.start + 1}), which no UTF-8 file can hold.",
        ) from None


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _shown(value: object) -> str:
    return f"{type(value).__name__} {shorten(repr(value))}"
