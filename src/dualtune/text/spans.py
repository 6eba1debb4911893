"""What may be masked in a question: numbers, quantities with their noun, clauses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dualtune.records import Span
from dualtune.text.numbers import Number, find_numbers
from dualtune.text.steps import sentences

MIN_CLAUSE_WORDS = 3

# A number behind one of these is a name: "Grade 5", "Room 12". Capitalised only: "Day 2".
_LABEL = re.compile(
    r"(?:\b(?i:grade|room|route|chapter|flight|highway|apartment|apt\.?|figure|question|problem"
    r"|exercise|interstate|channel)|\b(?:Day|Week|Month|Level|Phase|Stage|Round|Step|Team|Group"
    r"|Class|Box|Bag|Part|Section|Size|Track|Lane|Gate|Building|Unit|Type|Number|No\.|Lot|Page"
    r"|Street|Avenue|Train|Bus|Year|Option|Version|Model|Apollo|Player|Machine|Tank|Store|Shop"
    r"|House|Person|School|District|Volume|Book|Season|Episode|Test|Quiz|Game)|#) ?\Z"
)
_TIME = re.compile(r"\d{1,2}:\d{2}(?!\d)")
_HALF_OF_A_GAME = re.compile(r"\b(?:first|second|other|better|1st|2nd) \Z")

_FUNCTION = frozenset(
    "a an the this that these those of in on at to for from by with without into onto over under "
    "per each every and or but nor so than then as if when while where who whom whose which what "
    "how is are was were be been being am has have had having do does did will would can could "
    "shall should may might must not no he she it they we you i his her its their our your my him "
    "them us me more less fewer many much some any all both only just also too there here after "
    "before during until since because about between through out up down off again away "
    "altogether total left".split()
)
_IRREGULAR = frozenset(
    "people children men women feet teeth mice geese sheep fish deer dice cents dollars kg km cm "
    "mm ml lbs lb oz mph ft percent salmon shrimp policemen firemen fishermen grandchildren".split()
)
_NOT_PLURAL = frozenset(
    "is was has does its this his us as yes less plus minus across always perhaps various "
    "previous serious famous delicious gorgeous precious bus gas glass class dress".split()
)
_NEXT_WORDS = re.compile(r"(?:[ -][A-Za-z][A-Za-z']*){1,4}")
_COMPARED = re.compile(r"(?: times)? as (?:many|much|[a-z]+)(?: [a-z]+s)?(?= as\b|[ ,.?])")
_OF_NOUN = re.compile(r" of ([a-z]+)(?![a-z])")
_RATE = re.compile(r" (?:an?|per|each|every) [a-z]+\b(?!')| each\b|/[a-z]+\b")

_BREAK = re.compile(
    r"""(?x)
    [ ]?[,;:][”"']?[ ]+(?:(?:and|but|or|so|yet)[ ])?(?:then[ ])?
    | [ ](?:and|but|while|because|if|when|whereas|since)[ ](?:then[ ])?
    """
)
_LEAD = re.compile(r"(?:(?:and|but|or|so|yet|then|if|when|while|because|since|also|now)\b[ ,]*)+")
_TRAIL = re.compile(r"[\s.,;:!?\"'”’)\]]*\Z")
_WORD = re.compile(r"[A-Za-z0-9$]")
_BETWEEN = re.compile(r"\b(?i:between|both)(?: \S+){1,3}\Z")


def find_spans(question: str, numbers: Sequence[Number] | None = None) -> tuple[Span, ...]:
    """Find the spans of a question that may be masked.

    Numbers: the numeral without its ``$`` or ``%``. Quantities: a number with its sign, unit or
    noun ("5 red marbles", "twice as many", "$12 an hour"). Clauses: text between sentence ends,
    commas and conjunctions, without the conjunction. Spans of different kinds may overlap.

    Args:
        question: The question.
        numbers: ``find_numbers(question)`` where the caller has it already.

    Returns:
        The spans in order of start, number before quantity before clause.
    """
    found = find_numbers(question) if numbers is None else numbers
    spans: list[Span] = []
    for number in found:
        if _is_name(question, number):
            continue
        spans.append(Span(number.text, number.start, number.end, "number", (number.value,)))
        end = _quantity_end(question, number)
        if number.full_start < number.start or end > number.end:
            start = number.full_start
            spans.append(Span(question[start:end], start, end, "quantity", (number.value,)))
    for start, end in _clauses(question, found):
        values = tuple([n.value for n in found if start <= n.start and n.end <= end])
        spans.append(Span(question[start:end], start, end, "clause", values))
    spans.sort(key=lambda s: (s.start, s.end))
    return tuple(spans)


def _is_name(question: str, number: Number) -> bool:
    """Tell a number that names something (a room, a time, a game's half) from one that counts."""
    start, end = number.start, number.end
    around = question[max(start - 1, 0) : end + 1]
    if ":" in around:
        for match in _TIME.finditer(question, max(start - 3, 0), end + 3):
            if match.start() < end and start < match.end():
                return True
    before = question[max(start - 12, 0) : start]
    if number.text.lower() == "half" and _HALF_OF_A_GAME.search(before):
        return True
    return number.form == "digits" and _LABEL.search(before) is not None


def _quantity_end(question: str, number: Number) -> int:
    end = number.full_end
    if number.form == "money":
        rate = _RATE.match(question, end)
        return rate.end() if rate else end
    if number.form == "percent":
        return end
    compared = _COMPARED.match(question, end)
    if compared is not None:
        return compared.end()
    words = _NEXT_WORDS.match(question, end)
    if words is None:
        return end
    at = end
    first = -1
    for word in re.findall(r"[ -][A-Za-z][A-Za-z']*", words.group()):
        bare = word[1:].lower()
        if bare in _FUNCTION or "'" in bare:
            break
        at += len(word)
        if first < 0:
            first = at
        if _is_plural(bare):
            return _with_of(question, at)
    if first > 0 and (number.value in (1, 0) or abs(number.value) < 1 or question[end] == "-"):
        return first
    return end


def _is_plural(word: str) -> bool:
    if word in _IRREGULAR:
        return True
    return len(word) > 2 and word.endswith("s") and word[-2] not in "su" and word not in _NOT_PLURAL


def _with_of(question: str, at: int) -> int:
    of = _OF_NOUN.match(question, at)
    return of.end() if of and of[1] not in _FUNCTION else at


def _clauses(question: str, numbers: Sequence[Number]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in sentences(question):
        start = first
        for stop, resume in (*_breaks(question, first, last, numbers), (last, last)):
            clause = _trim(question, start, stop)
            if clause is not None and clause != _trim(question, 0, len(question)):
                found.append(clause)
            start = resume
    return found


def _breaks(
    question: str, first: int, last: int, numbers: Sequence[Number]
) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    start = first
    for match in _BREAK.finditer(question, first, last):
        a, b = match.span()
        if any(n.start < b and a < n.end for n in numbers):
            continue
        bare = question[a] == " " and question[a + 1 : a + 2] not in (",", ";", ":")
        if bare and not (
            question.count(" ", start, a) >= MIN_CLAUSE_WORDS - 1
            and question.count(" ", b, last) >= MIN_CLAUSE_WORDS - 1
            and not _BETWEEN.search(question, start, a)
        ):
            continue
        kept.append((a, b))
        start = b
    return kept


def _trim(question: str, start: int, end: int) -> tuple[int, int] | None:
    lead = _LEAD.match(question[start : start + 24].lower())
    if lead:
        start += lead.end()
    trail = _TRAIL.search(question, start, end)
    if trail:
        end = trail.start()
    words = sum(1 for w in question[start:end].split(" ") if _WORD.search(w))
    return (start, end) if words >= MIN_CLAUSE_WORDS else None
