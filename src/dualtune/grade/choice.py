"""Grade a multiple-choice answer: by its letter, its option's text, or its option's value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from dualtune.grade.equal import same_answer
from dualtune.grade.extract import Stated, asked_form, last_clear_answer, visible
from dualtune.grade.grades import MAX_CHARACTERS, Grade, Status
from dualtune.grade.normalise import plain_characters
from dualtune.grade.number import read_answer
from dualtune.grade.spelling import clean
from dualtune.grade.structure import read_structure
from dualtune.text.numbers import find_numbers

LETTERS = "ABCDEFGHIJ"
_STATEMENT = 40  # characters within which a letter belongs to the statement before it
MAX_TAIL = 4000  # characters at the end in which an unmarked choice is looked for

_LABEL = re.compile(r"\s*\(?([A-Ja-j])\s?[).:\]]\s*")
_INLINE = re.compile(r"(?<!\w)[(\[]([A-Ja-j])[)\]]\s*")
_LISTED = re.compile(r"(?i)\b(?:answer choices|options|choices)\s*(?:are)?\s*:")
_OPENING = r"[\s*_$({\[\"'`]*(?:\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{[\s(]*)?"
_WORD = r"(?:(?:option|choice|answer|letter|alternative)s?\s*:?\s*)?"
# A letter is a choice where it stands alone, or in front of its option: "C", "(C) 21", "C. 21".
_LETTER = re.compile(
    rf"(?i:{_OPENING}{_WORD}){_OPENING}(?P<letter>[A-Ja-j])"
    r"(?P<close>[\s)\]}*_$\"'`]*)(?P<after>\Z|[.,:;)](?=\s|\Z|[A-Z\d$\\(-])|(?:\\\)))"
)
_BRACKETED = re.compile(r"\s*[*$]*\s*[(\[]\s*(?P<letter>[A-Ja-j])\s*[)\]]")
_SPACED = re.compile(rf"(?i:{_WORD})(?P<letter>[A-J])\s+(?P<rest>\S.*)", re.DOTALL)
# "18 (C)", "18, which is option C": the letter counts here as well.
_BEHIND = re.compile(
    r"(?:\d\D{0,30}|\bwhich\s[a-z ]{2,30})"
    r"(?:[(\[](?P<letter>[A-J])[)\]]|\b(?:option|choice)\s+[(\[]?(?P<named>[A-J])[)\]]?)"
    r"[\s.*$]*\Z"
)
_TEXT_FIRST = re.compile(r"(?P<text>.{1,200}?)\s*[(\[](?P<letter>[A-J])[)\]][\s.*]*", re.DOTALL)
_BEGINNING = 5  # characters of an option that tell it apart
_SEVERAL = re.compile(
    r"\s*[(*]*[A-Ja-j][)*]*(?:\s*(?:,|or|and|/|&)\s*(?:or\s+|and\s+)?[(*]*[A-Ja-j](?![a-z])[)*]*)+"
)
# Where nothing is stated: "ANSWER:A", "Hence (A) is correct", "option C", a closing "C".
_UNMARKED = re.compile(
    r"""(?x)
    (?i:\bans(?:wer)?\b)\s*(?i:(?:will|would|should|must)\s+be\b|is\b)?\s*[.:=,\-–—)]*\s*
      (?i:(?:option|choice)\s*)?\(?(?P<ans>[A-J])\b(?!['’]|[)*]*\?)
    | (?i:\b(?:option|choice))\s*(?i:is\b)?\s*:?\s*[(*]*(?P<option>[A-J])\b(?!['’]|[)*]*\?)
    | (?i:\b(?:option|choice))\s(?i:is\s)?[(*]*(?P<small>[a-j])(?:\)|(?=[.*]*\s*(?:\Z|\n)))
    | (?i:\bans(?:wer)?\b)\s*[.:=\-–—]*\s*\((?P<brackets>[a-j])\)
    | \A[\s*(]*(?P<only>[a-j])[).*\s]*\Z
    | (?P<of>(?<![\w(])\(?[A-J]\)?)\s+(?i:(?:is|must\s+be)\s+(?:the\s+)?
      (?:correct|right|answer|true|best))
    | (?i:\b(?:choose|pick|select|chose|correct|is|be))\s*:?\s*\((?P<chosen>[A-Ja-j])\)
    | (?i:\b(?:thus|hence|so|therefore))\s*,?\s*\(?(?P<thus>[A-J])\)?\s*\.?\s*(?=\Z|\n)
    | (?i:\b(?:it\s(?:is|should\sbe|must\sbe)|it[’']s|solution\sis|choose|pick|select))
      \s\(?(?P<it>[A-J])\)?[.!]?(?=\s*(?:\Z|\n))
    | (?:^|\n)[\s*]*\(?(?P<alone>[A-J])[).]?[\s*]*(?=\Z|\n)
    | \A[\s*]*(?:\((?P<first>[A-J])\)|(?P<head>[A-J])[).:])(?=\s|\*|\Z)
    """
)
# "Option D is too large", "it cannot be option D", "Option D: 48".
_REFUSED = re.compile(
    r"(?i)\b(?:not|cannot be|can't be|eliminated?|excluded?|rul(?:es?|ed|ing) out|rejects?|unlike"
    r"|than)\s(?:the\s)?\Z"
)
_OF_LIST = re.compile(r"[)*]*:[*\s]*\S")
_CLAUSE_END = re.compile(r"[.;!?](?=\s|\Z)|\n")
_UPHELD = re.compile(r"(?i)\W*(?:is|must be)\s(?:the\s)?(?:correct|right|answer|true|best)")
_REJECTED = re.compile(
    r"(?i)\b(?:not|cannot|no|too|incorrect|wrong|false|invalid|impossible|eliminated|excluded"
    r"|ruled|rejected)\b|n['’]t\b"
)
_INLINE_MATH = re.compile(r"\A\\\((.{1,40}?)\\\)(?=\W*\Z)")
_ADVERBS = re.compile(r"(?i)\A(?:(?:therefore|thus|hence|then|clearly|indeed|definitely|so)[, ]+)+")
_DASH = re.compile(r"\A[-—–=:,]\s+")  # between a letter and its option
_EDGE = " \t\r\n.,;:!?\"'`*$"


def grade_choice(output: str, gold: str, question: str = "", options: Sequence[str] = ()) -> Grade:
    """Grade a choice.

    Args:
        output: What the model wrote.
        gold: The right letter, or the right option's text.
        question: What was asked; its inline options are read where ``options`` is empty.
        options: The options, in the order of their letters.

    Returns:
        The extracted answer, its status and whether it stood in the asked form.
    """
    texts = bare_options(tuple(options)) or inline_options(question)
    wanted = _gold_letter(gold, texts)
    if not wanted:
        return Grade(None, "error", strict=False)
    if len(output) > MAX_CHARACTERS:
        return Grade(None, "unparsed", strict=False)
    output = _without_recited(visible(output, question), texts)
    stated = last_clear_answer(output)
    later = _last_letter(output, texts)
    if later is not None and (stated is None or _is_apart(output, stated.at, later[2])):
        letter, found, _ = later
        return Grade(found, _status(letter, wanted, texts), strict=False)
    if stated is None:
        return _grade_unmarked(output, wanted, texts)
    chosen = read_choice(stated.text, texts)
    if chosen is None:
        return Grade(stated.text, "unparsed", strict=False)
    return Grade(stated.text, _status(chosen, wanted, texts), strict=_is_strict(output, stated))


def read_choice(answer: str, options: Sequence[str]) -> str | None:
    """Read which option an answer names.

    Args:
        answer: ``"C"``, ``"(C) 21"``, ``"21"``, ``"21 minutes"``, ``"none of these"``.
        options: The bare texts of the options; empty where only letters can be given.

    Returns:
        A letter; an empty text where the answer is a value that no option has; None where the
        answer cannot be read as a choice.
    """
    answer = _INLINE_MATH.sub(r"\1", plain_characters(answer).strip().lstrip(".,:; "))
    answer = _ADVERBS.sub("", answer)
    letters = LETTERS[: len(options)] if options else LETTERS
    alone = answer.strip(_EDGE + "()[]<>{}")
    if len(alone) == 1 and alone.upper() in letters:
        return alone.upper()
    by_text = _by_text(answer, options)
    if by_text:
        return by_text
    if _SEVERAL.fullmatch(answer.strip(_EDGE)) or re.fullmatch("[A-J]{1,5}", alone):
        return None
    for pattern in (_LETTER, _BRACKETED):
        match = pattern.match(answer)
        if match is not None and match["letter"].upper() in letters:
            return match["letter"].upper()
    behind = _BEHIND.search(answer)
    if behind is not None and (named := behind["letter"] or behind["named"]) in letters:
        return named
    after = _TEXT_FIRST.fullmatch(answer)
    if after is not None and _by_text(after["text"], options) == after["letter"]:
        return after["letter"]
    spaced = _SPACED.match(answer)
    if spaced is not None and spaced["letter"] in letters:
        # "C 21" names both; "A nice answer" does not name option A.
        rest = _DASH.sub("", spaced["rest"])
        if _by_text(rest, options) == spaced["letter"]:
            return spaced["letter"]
        # Of an option of two sentences, the answer holds the first.
        own = _plain(options[LETTERS.index(spaced["letter"])]) if options else ""
        if len(_plain(rest)) >= _BEGINNING and own.startswith(_plain(rest)):
            return spaced["letter"]
        if re.match(r"(?i)(?:is|because|since|as|which|(?:and |but )?not)\b|\(", spaced["rest"]):
            return spaced["letter"]
    return _by_value(answer, options)


@lru_cache(maxsize=2048)
def bare_options(options: tuple[str, ...]) -> tuple[str, ...]:
    """Return the texts of options without their labels, where all have theirs: ``A)21`` is 21."""
    labels = [_LABEL.match(option) for option in options]
    if options and all(
        match is not None and match[1].upper() == LETTERS[i : i + 1]
        for i, match in enumerate(labels)
    ):
        return tuple([o[m.end() :].strip() for o, m in zip(options, labels, strict=True) if m])
    return tuple([option.strip() for option in options])


@lru_cache(maxsize=2048)
def inline_options(question: str) -> tuple[str, ...]:
    """Return the options that a question lists as ``(A) 2 (B) 4 (C) 9``; empty without any."""
    heading = None
    for heading in _LISTED.finditer(question):  # noqa: B007 the last one counts
        pass
    text = question[heading.end() :] if heading else question
    found: list[tuple[int, int]] = []
    for match in _INLINE.finditer(text):
        if match[1].upper() == LETTERS[len(found) : len(found) + 1]:
            found.append((match.start(), match.end()))
    if len(found) < 2:
        return ()
    ends = [start for start, _ in found[1:]] + [len(text)]
    return tuple([text[start:end].strip() for (_, start), end in zip(found, ends, strict=True)])


def _gold_letter(gold: str, options: Sequence[str]) -> str:
    bare = gold.strip().strip("().").upper()
    letters = LETTERS[: len(options)] if options else LETTERS
    if len(bare) == 1 and bare in letters:
        return bare
    return _by_text(gold, options) or ""


def _status(chosen: str, wanted: str, options: Sequence[str]) -> Status:
    if chosen == wanted:
        return "correct"
    if chosen and options:
        # Two options may say the same (MMLU has "687" twice).
        texts = [options[LETTERS.index(letter)].strip() for letter in (chosen, wanted)]
        return "correct" if texts[0] == texts[1] else "wrong"
    return "wrong"


def _by_text(answer: str, options: Sequence[str]) -> str:
    """Return the letter of the option that an answer spells out; capitals decide where they must.

    In formal logic ``Sc ≡ Ej`` and ``sC ≡ eJ`` are two options.
    """
    for i, option in enumerate(options):
        if option.strip() == answer.strip():
            return LETTERS[i]
    plain = _plain(answer)
    letters = [LETTERS[i] for i, option in enumerate(options) if plain and _plain(option) == plain]
    alike = {options[LETTERS.index(letter)].strip() for letter in letters}
    return letters[0] if len(alike) == 1 else ""


def _plain(text: str) -> str:
    text = plain_characters(text).casefold().replace("\\$", "").replace("$", "")
    return " ".join(text.split()).strip(_EDGE).replace(" ", "")


def _by_value(answer: str, options: Sequence[str]) -> str | None:
    """Find the option with an answer's value; empty where it has a value that no option has."""
    found = read_structure(answer)
    values = read_answer(answer)
    if not values and found.form in ("opaque", "text"):
        return None
    letters = [
        LETTERS[i]
        for i, option in enumerate(options)
        if _same_value(found.form, answer, values, option)
    ]
    if len(letters) > 1:  # 75 is the option "75 %" and the option "75": neither is named
        letters = [x for x in letters if _plain(options[LETTERS.index(x)]) == _plain(answer)]
    return letters[0] if letters else ""


def _same_value(form: str, answer: str, values: tuple[object, ...], option: str) -> bool:
    if form not in ("opaque", "text") and same_answer(
        read_structure(answer), read_structure(option)
    ):
        return True
    # Values with units in words, which the structure leaves as text.
    offered = read_answer(option) if form in ("opaque", "text", "number") else ()
    return bool(values) and bool(offered) and values[0] == offered[0] and _one_number(option)


def _one_number(option: str) -> bool:
    return len(find_numbers(clean(option))) == 1


def _listing(letter: str, option: str) -> str:
    """Return the pattern of an option in a list: ``(A) 21``."""
    text = re.escape(option.strip("$ "))
    return rf"[(\[*]{{0,2}}(?i:{letter})[).:\]*]{{1,2}}\s{{0,3}}\$?{text}\$?"


def _without_recited(output: str, options: Sequence[str]) -> str:
    """Take out a list of all options: to repeat them chooses none."""
    if len(options) < 2:
        return output
    gap = r"[\s,;.$|*\\-]{0,16}"
    shown = zip(LETTERS, options, strict=False)
    listed = gap.join([_listing(letter, option) for letter, option in shown])
    return re.sub(listed, " ", output)


def _is_apart(output: str, stated: int, later: int) -> bool:
    """Tell whether a letter stands behind a statement and not within it."""
    return later > stated + _STATEMENT or "\n" in output[stated:later].strip()


def _last_letter(output: str, options: Sequence[str]) -> tuple[str, str, int] | None:
    """Return the last letter that is named without "The answer is", how, and where."""
    start = max(0, len(output) - MAX_TAIL)
    letters = LETTERS[: len(options)] if options else LETTERS
    last = None
    for match in _UNMARKED.finditer(output, start):
        letter = next(part for part in match.groups() if part).strip("()").upper()
        if letter in letters and not (match["option"] and _is_discussed(output, match)):
            last = (letter, match[0].strip(), match.start())
    return last


def _is_discussed(output: str, match: re.Match[str]) -> bool:
    """Tell whether an option is named to rule it out, or in a walk through all options."""
    if _REFUSED.search(output, max(0, match.start() - _STATEMENT), match.start()):
        return True
    if _OF_LIST.match(output, match.end()):
        return True
    end = _CLAUSE_END.search(output, match.end())
    rest = output[match.end() : end.start() if end else len(output)]
    return not _UPHELD.match(rest) and _REJECTED.search(rest) is not None


def _grade_unmarked(output: str, wanted: str, options: Sequence[str]) -> Grade:
    text = plain_characters(output[-MAX_TAIL:])
    whole = _by_text(text, options) or _by_text(text.strip().rpartition("\n")[2], options)
    if whole:
        return Grade(text.strip()[:200], _status(whole, wanted, options), strict=False)
    for line in reversed(text.splitlines()):
        numbers = [n for n in find_numbers(line) if n.form != "word"]
        if numbers and options:
            number = line[numbers[-1].full_start : numbers[-1].full_end]
            chosen = _by_value(number, options)
            if chosen is None:
                return Grade(number, "unparsed", strict=False)
            return Grade(number, _status(chosen, wanted, options), strict=False)
    return Grade(None, "no_answer", strict=False)


def _is_strict(output: str, stated: Stated) -> bool:
    asked = asked_form(output) if stated.form == "stated" else None
    return asked is not None and re.fullmatch(r"\(?[A-Ja-j]\)?", asked) is not None
