r"""Grade an answer in LaTeX, as MATH asks for it.

Alike texts are alike answers; else both are read into their structure and compared by value; what
the project's own reader does not know goes to Math-Verify. What neither can read is unparsed, and
never equals anything but its own text.
"""

from __future__ import annotations

import re

from dualtune.grade.equal import same_answer
from dualtune.grade.extract import Stated, asked_form, last_clear_answer, visible
from dualtune.grade.grades import MAX_CHARACTERS, Grade, Status
from dualtune.grade.number import stands_alone, without_emphasis
from dualtune.grade.spelling import clean
from dualtune.grade.structure import Answer, read_structure
from dualtune.grade.symbolic import same_by_sympy
from dualtune.text.numbers import find_numbers

TAIL = 2000  # characters at the end in which an unmarked formula is looked for

_FORMULA = re.compile(
    r"\$\$(?P<display>[^$]{1,1000})\$\$|(?<!\\)\$(?P<inline>[^$\n]{1,500})(?<!\\)\$"
    r"|\\\[(?P<brackets>.{1,1000}?)\\\]|\\\((?P<round>.{1,500}?)\\\)",
    re.DOTALL,
)
_PROSE = re.compile(
    r"(?:\s|\s\()(?:because|since|which|where|when|so|as|for|if|is|are|by|after|rounded"
    r"|(?:and |but )?not)\s.*\Z|;\s+[a-z]{2,}\s.*\Z",
    re.S,
)
# A reason is cut off first: its equation reads as the answer.
_REASON = re.compile(r"(?<=[\d)}$]),?\s(?:because|since)\s.*\Z", re.S)
_INTRODUCTION = re.compile(
    r"(?i)\A(?:(?:therefore|thus|so|hence|exactly|equal to|simply|given by|just|also|now|then"
    r"|approximately|about|roughly|around)[,:]?\s+)+"
)
# "The value is 5", "there are 5", "she has 5": what stands behind the verb.
_SUBJECT = re.compile(
    r"(?i)\A(?!.*\b(?:not|either|neither|between|if|when|than|least|most)\b)"
    r"[a-z][a-z' ]{0,60}?\b(?:is|are|has|have|equals)\s+(?=[\d$\\(-])"
)
_MATH_INSIDE = re.compile(r"\$([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)


def grade_latex(output: str, gold: str, question: str = "") -> Grade:
    r"""Grade an answer that may be any formula.

    Args:
        output: What the model wrote.
        gold: The right answer in LaTeX, without ``\boxed``.
        question: What was asked.

    Returns:
        The extracted answer, its status and whether it stood in the asked form.
    """
    if not gold.strip() or len(gold) > MAX_CHARACTERS or not clean(gold):
        return Grade(None, "error", strict=False)
    if len(output) > MAX_CHARACTERS:
        return Grade(None, "unparsed", strict=False)
    output = visible(output, question)
    wanted = clean(gold)
    stated = last_clear_answer(output, formula=True, is_gold=lambda text: clean(text) == wanted)
    if stated is None:
        return _grade_unmarked(output, gold, question)
    status = compare(stated.text, gold, question)
    return Grade(stated.text, status, strict=_is_strict(output, stated))


def compare(answer: str, gold: str, question: str = "") -> Status:
    """Compare two answers that stand alone.

    Args:
        answer: The answer as it stood in the output.
        gold: The right one.
        question: What was asked.

    Returns:
        ``correct``, ``wrong``, or ``unparsed`` where the answer cannot be read.
    """
    cleaned, wanted = clean(answer), clean(gold)
    if _squeezed(cleaned) == _squeezed(wanted):
        return "correct"
    target = read_structure(gold)
    unread = False
    for candidate in _candidates(answer):
        found = read_structure(candidate)
        same = same_answer(found, target, question)
        if same:
            return "correct"
        unread |= same is None
        if _is_read(found) and all(_is_read(item) for item in found.items):
            break
    if not unread:
        # A sentence in place of a formula says nothing that can be compared.
        words = read_structure(answer)
        unlike = words.form == "text" and target.form != "text"
        prose = len(words.text.split()) > 3 or any(c.isdigit() for c in words.text)
        return "unparsed" if unlike and prose else "wrong"
    return _by_sympy(cleaned, wanted)


def _candidates(answer: str) -> list[str]:
    """Return what a statement may mean: all of it, without words before and after, its formula."""
    answer = _REASON.sub("", answer)
    exact, _, rounded = answer.replace("≈", r"\approx").partition(r"\approx")
    if rounded:  # 3\sqrt2 \approx 4.243; or x \approx 4.243
        answer = rounded if re.fullmatch(r"[\sA-Za-z$]*", exact) else exact
    readings = [answer]
    introduced = _INTRODUCTION.sub("", answer)
    shorter = _PROSE.sub("", introduced)
    if shorter != answer:
        readings.append(shorter)
    inside = [next(part for part in m.groups() if part) for m in _MATH_INSIDE.finditer(answer)]
    if len(inside) == 1:  # "the value $x = 5$"
        readings.append(inside[0])
    elif _SUBJECT.match(introduced):
        readings.append(_PROSE.sub("", _SUBJECT.sub("", introduced)))
    return readings


def _by_sympy(answer: str, gold: str) -> Status:
    same = same_by_sympy(answer, gold)
    if same is None:
        return "unparsed"
    return "correct" if same else "wrong"


def _grade_unmarked(output: str, gold: str, question: str) -> Grade:
    """Grade by the last formula, or the last number where no formula follows it."""
    tail = without_emphasis(output[-TAIL:])
    last = None
    for last in _FORMULA.finditer(tail):  # noqa: B007 the last one counts
        pass
    after = tail[last.end() :] if last else tail
    for line in reversed(after.splitlines()):
        numbers = [n for n in find_numbers(line) if n.form != "word"]
        if numbers:
            if not stands_alone(line, numbers[-1]):
                return Grade(None, "unparsed", strict=False)
            text = line[numbers[-1].full_start : numbers[-1].full_end]
            return Grade(text, compare(text, gold, question), strict=False)
    if last is None:
        unread = any(c.isdigit() for c in tail)
        return Grade(None, "unparsed" if unread else "no_answer", strict=False)
    text = next(part for part in last.groups() if part)
    return Grade(text, compare(text, gold, question), strict=False)


def _is_strict(output: str, stated: Stated) -> bool:
    if stated.form == "boxed":
        return True
    asked = asked_form(output, formula=True) if stated.form == "stated" else None
    if asked is None:
        return False
    read = read_structure(asked)
    words = read.form == "text" and not any(c.isdigit() for c in read.text)
    return words or _is_read(read)


def _is_read(answer: Answer) -> bool:
    """Tell whether an answer is a value and no words or signs that were not understood."""
    return answer.form not in ("opaque", "text")


def _squeezed(text: str) -> str:
    return "".join(text.split())
