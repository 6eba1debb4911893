r"""The options of multiple-choice questions, and answers that are letters."""

from __future__ import annotations

import re

from dualtune.sources.formats.fields import Unfit
from dualtune.sources.rows import shorten

LETTERS = "ABCDEFGHIJ"
# How far from a rationale's end its closing statement is looked for.
_TAIL = 300

_MARK = re.compile(r"\b(?:answer[ ]|possible[ ])?(?:choices|options)[ \t]*(?:are)?[ \t]*:", re.I)
_WORD = r"(?:\A|(?<=[\s,;$]))"
_LINE = r"(?:\A|(?<=\n))"
# Labels as they are written: where the options are announced, and where they are not. "A) 2" and
# "A. 2" may be anything inside a line, so they then have to begin one.
_STYLES = (
    (_WORD + r"\(%s\)",) * 2,
    (r"\\(?:textbf|mathbf|mathrm|text|textrm)[ ]?\{[ ]?\(%s\)[ ]?\\?[ ]?\}",) * 2,
    (r"\(\\(?:textbf|mathbf|mathrm|text|textrm)[ ]?\{[ ]?%s[ ]?\}[ ]?\)",) * 2,
    (_WORD + r"\[%s\]",) * 2,
    (_WORD + r"%s\)", _LINE + r"%s\)"),
    (_WORD + r"%s[.:](?=\s)", _LINE + r"%s[.:](?=\s)"),
)
# What typesets a list of options: spaces of LaTeX, commas.
_EDGES = re.compile(r"\A(?:\\q?quad\b|\\[ \\]|~|\s)+|(?:\\q?quad\b|\\[ \\]|\\|~|\s|[,;])+\Z")
_LONGEST_OPTION = 1000
# What an instruction asks for after its last option (MathInstruct's programs).
_REQUEST = re.compile(
    r"(?<=\s)(?:Let's|Let us|Please|Write|Use|Solve)\b.{0,80}?"
    r"\b(?:program|Python|code|step by step)\b.*",
    re.IGNORECASE,
)
_OPTION_LABEL = re.compile(r"\s*[(\[]?([A-J])\s*[)\].:]\s*")
_ANSWER = re.compile(
    r"[(\[*\s]*(?:(?:option|choice)\s+[(\[*]?)?([A-J])(?:[)\].:]|\s*\Z)", re.IGNORECASE
)
# How a box names a letter: "\\textbf{(B)}", "\\text{B}".
_TYPESET = re.compile(r"\\(?:textbf|mathbf|mathrm|text|textrm) ?\{([^{}]*)\}")
_CLOSING = re.compile(
    r"""(?ix)
    (?:^|(?<=[\s.,;:!?)\]]))
    (?:(?:so|thus|hence|therefore|and|then|i\.e\.?|ie)\b[\s,.:]*)*
    (?:the\s+|our\s+|my\s+)?(?:correct\s+|right\s+|final\s+|required\s+|best\s+)?
    (?:answer|ans|option|choice)\b\.?(?:\s+(?:choice|option))?
    \s*(?:must\s+be|should\s+be|is|will\s+be|would\s+be|:|=|-|–|\.|,)*\s*
    (?:is\s+|:\s*)?(?:(?:option|choice|letter)\s*:?\s*)?
    [(\[*"'.]*([A-J])[)\]*"']*\s*[.!)]*\s*$
    """
)


def find_options(question: str, *, marked: bool = False) -> tuple[str, ...]:
    r"""Find the options that a question holds as text.

    Reads ``Answer Choices: (A) 2 (B) 4`` and ``Options:\n(A) 2\n(B) 4`` (MathInstruct, AQuA in
    FLAN), and without such words a list of at least three labels from A on: ``(A) 2 (B) 4 (C) 6``,
    ``\textbf{(A)}\ 2 \qquad``, ``A) 2``, and ``A. 2`` or ``A: 2`` where each begins a line.

    Args:
        question: The whole question.
        marked: Take options only after the words that announce them.

    Returns:
        The bare texts, or nothing where there are no options.
    """
    mark = None
    for mark in _MARK.finditer(question):  # noqa: B007 the last one counts
        pass
    if mark is not None:
        found = _labelled(question, mark.end(), least=2, announced=True)
        if found:
            return found
    return () if marked else _labelled(question, 0, least=3, announced=False)


def bare_options(options: list[str]) -> tuple[str, ...]:
    """Take the labels off a list of options: ``A)21`` is ``21``.

    Args:
        options: The options in order, each with its label, or none with one.
    """
    labels = [_OPTION_LABEL.match(option) for option in options]
    expected = LETTERS[: len(options)]
    if [m[1] for m in labels if m] == list(expected):
        return tuple(o[m.end() :].strip() for o, m in zip(options, labels, strict=True) if m)
    return tuple(option.strip() for option in options)


def choice_of(question: str, answer: str) -> tuple[str, tuple[str, ...]]:
    r"""Return the answer of a question as a letter with its options, where it has options.

    Args:
        question: The question.
        answer: ``C``, ``(C)``, ``c``, ``C. 45``, ``\textbf{(C)}``, or the text of one of the
            options.

    Returns:
        The letter and the options. The answer as it is and the options where it is none of them;
        without options where they are not announced as such, since any list looks like options.

    Raises:
        Unfit: If the answer is a letter that none of the options has.
    """
    typeset = _TYPESET.fullmatch(answer)
    found = _ANSWER.match(typeset[1] if typeset else answer)
    options = find_options(question, marked=found is None)
    if not options:
        return answer, ()
    bare = _plain(answer)
    same = [i for i, option in enumerate(options) if _plain(option) == bare]
    if len(same) == 1:
        return LETTERS[same[0]], options
    if found is None:
        return answer, options
    letter = found[1].upper()
    if letter in LETTERS[: len(options)]:
        return letter, options
    raise Unfit(
        "unknown_choice",
        f"the answer is {shorten(answer)!r}, but there are {len(options)} options. Correct it, or "
        "remove the row.",
    )


def split_choice(text: str) -> tuple[str, str | None]:
    """Split a rationale from the words at its end that name a letter.

    AQuA closes in many ways: ``Answer : A``, ``ANS. B``, ``so the answer is E``, ``Option (C)``.

    Returns:
        The rationale, always a prefix of the text, and the letter; or the text as it is and None.
    """
    letter: str | None = None
    end = len(text)
    while True:
        closing = end
        # By steps, not by copies of the text: it may close a thousand times over.
        while closing and text[closing - 1].isspace():
            closing -= 1
        start = max(text.rfind("\n", 0, closing) + 1, closing - _TAIL)
        found = _CLOSING.search(text[start:closing])
        if found is None or letter not in (None, found[1].upper()):
            return (text[:end].rstrip() if letter else text), letter
        letter = found[1].upper()
        end = start + found.start()


def _labelled(text: str, start: int, *, least: int, announced: bool) -> tuple[str, ...]:
    for labels in _STYLES:
        label = labels[0] if announced else labels[1]
        begins = [found.span() for found in re.compile(label % "A").finditer(text, start)]
        # Without an announcement, (A) may be spoken of before the list, or in its last option.
        for first in begins[:1] if announced else dict.fromkeys((*begins[-1:], *begins[:1])):
            places = _chain(text, first, label)
            if len(places) >= least:
                ends = [start for start, _ in places[1:]] + [len(text)]
                found = [_bare(text[a:b]) for (_, a), b in zip(places, ends, strict=True)]
                if not any("\n" in option for option in found[:-1]):
                    found[-1] = _bare(_REQUEST.sub("", found[-1].partition("\n")[0]))
                return bare_options(found)  # FLAN has "(A) A) 12" as well
    return ()


def _chain(text: str, first: tuple[int, int], label: str) -> list[tuple[int, int]]:
    """Return the places of the labels A, B, C, … as far as they follow each other."""
    places = [first]
    for letter in LETTERS[1:]:
        found = re.compile(label % letter).search(text, places[-1][1])
        if found is None:
            break
        places.append(found.span())
    return places


def _bare(option: str) -> str:
    option = option.strip()
    if len(option) > _LONGEST_OPTION:
        return option
    bare = _EDGES.sub("", option)
    # The formula that holds all options ends behind the last one.
    dollars = bare.count("$") - bare.count(r"\$")  # "\$" is money, and opens nothing
    return bare[:-1].rstrip() if bare.endswith("$") and dollars % 2 else bare


def _plain(text: str) -> str:
    return " ".join(text.strip().strip("$").rstrip(".").split()).casefold()
