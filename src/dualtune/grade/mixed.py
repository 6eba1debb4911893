"""Grade answers of sets that mix kinds: numbers, lists, expressions, words, choices.

The gold says which: ``8.5`` is graded as a number, ``[3, 5]`` as a list, ``-9*u`` as a formula,
``True`` or ``August`` as words, a letter as a choice where the question has options.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from dualtune.grade.choice import LETTERS, bare_options, grade_choice, inline_options, read_choice
from dualtune.grade.extract import Stated, asked_form, last_clear_answer, visible
from dualtune.grade.grades import MAX_CHARACTERS, Grade
from dualtune.grade.latex import compare
from dualtune.grade.number import gold_values, grade_number
from dualtune.grade.spelling import clean
from dualtune.grade.structure import read_structure

Shape = Literal["choice", "number", "list", "ordered", "truth", "other"]

_NUMERAL = re.compile(r"[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?%?")
_LIST = re.compile(r"\[.*\]", re.DOTALL)
_ORDERED = re.compile(r"[-\d./]+(?:\s+[-\d./]+)+")
_TRUTH = {"true": "true", "yes": "true", "false": "false", "no": "false"}
_TRUTH_WORD = re.compile(r"(?<!not )\b(true|false|yes|no)\b", re.IGNORECASE)
_TRUTH_FIRST = re.compile(
    r"(true|false|yes|no)(?:[,;:]|\s(?:because|since|as|it)\b).*", re.IGNORECASE | re.DOTALL
)
_SEPARATORS = re.compile(r"\s*(?:,\s*and\b|,|;|\band\b|\s)\s*")
_LAST_LIST = re.compile(r"\[[^\[\]\n]{0,300}\]")


def grade_mixed(output: str, gold: str, question: str = "", options: tuple[str, ...] = ()) -> Grade:
    """Grade an answer whose kind the gold tells.

    Args:
        output: What the model wrote.
        gold: The right answer: ``"8.5"``, ``"[3, 5]"``, ``"-9*u"``, ``"12 3 0"``, ``"August"``.
        question: What was asked; options that it lists may be answered by letter.
        options: Options, where the row has any.

    Returns:
        The extracted answer, its status and whether it stood in the asked form.
    """
    if not gold.strip() or len(gold) > MAX_CHARACTERS:
        return Grade(None, "error", strict=False)
    if len(output) > MAX_CHARACTERS:
        return Grade(None, "unparsed", strict=False)
    offered = bare_options(options) or inline_options(question)
    shape = _shape(gold, offered)
    if shape == "choice":
        return grade_choice(output, gold, question, options)
    letter = _lettered(output, question, offered)
    if letter is not None:
        stated, text = letter
        return Grade(stated.text, compare(text, gold, question), _is_strict(output, stated))
    if shape == "number":
        return grade_number(output, gold, question)
    return _grade_other(visible(output, question), gold, question, shape)


@lru_cache(maxsize=4096)
def _shape(gold: str, offered: tuple[str, ...]) -> Shape:
    text = gold.strip()
    if offered and len(text.strip("()")) == 1 and text.strip("()").upper() in LETTERS:
        return "choice"
    if _NUMERAL.fullmatch(text) or (gold_values(text) and read_structure(text).form == "number"):
        return "number"
    if _LIST.fullmatch(text):
        return "list"
    if _ORDERED.fullmatch(text):
        return "ordered"
    return "truth" if text.casefold() in _TRUTH else "other"


def _lettered(output: str, question: str, offered: tuple[str, ...]) -> tuple[Stated, str] | None:
    """Return the option that an output names by its letter alone, "(a)", and its text."""
    if not offered:
        return None
    stated = last_clear_answer(visible(output, question))
    if stated is None or not re.fullmatch(r"[\s*(]*[A-Ja-j][)\s*.]*", stated.text):
        return None
    letter = read_choice(stated.text, offered)
    return (stated, offered[LETTERS.index(letter)]) if letter else None


def _grade_other(output: str, gold: str, question: str, shape: Shape) -> Grade:
    wanted = clean(gold)
    stated = last_clear_answer(output, formula=True, is_gold=lambda text: clean(text) == wanted)
    if stated is None:
        return _grade_unmarked(output, gold, question, shape)
    status = compare(_as(shape, stated.text), _as(shape, gold), question)
    return Grade(stated.text, status, strict=_is_strict(output, stated))


def _grade_unmarked(output: str, gold: str, question: str, shape: Shape) -> Grade:
    """Grade what is not marked: the last list, the last true or false, or the last line."""
    found = None
    if shape == "list":
        lists = _LAST_LIST.findall(output[-4000:])
        found = lists[-1] if lists else None
    elif shape == "truth":
        words = _TRUTH_WORD.findall(output[-4000:])
        found = words[-1] if words else None
    if found is None:
        lines = [line.strip() for line in output[-4000:].splitlines() if line.strip()]
        if not lines:
            return Grade(None, "no_answer", strict=False)
        found = lines[-1][-300:]
        if compare(_as(shape, found), _as(shape, gold), question) != "correct":
            return Grade(None, "no_answer", strict=False)
    return Grade(found, compare(_as(shape, found), _as(shape, gold), question), strict=False)


def _as(shape: Shape, text: str) -> str:
    """Write an answer in the form in which its kind is compared."""
    bare = clean(text)
    if shape == "truth":
        first = _TRUTH_FIRST.fullmatch(bare)
        return _TRUTH.get((first[1] if first else bare).casefold(), bare)
    if shape == "list":
        inner = re.sub(r"\A(?:\\\{|[\[({])|(?:\\\}|[\])}])\Z", "", bare)
        return rf"\{{{inner}\}}"
    if shape == "ordered":
        inner = re.sub(r"\A[\[({]|[\])}]\Z", "", bare)
        inner = re.sub(r"\s*[<>]\s*", " ", inner)
        return "(" + ",".join(part for part in _SEPARATORS.split(inner) if part) + ")"
    return bare


def _is_strict(output: str, stated: Stated) -> bool:
    return stated.form == "stated" and asked_form(output, formula=True) is not None
