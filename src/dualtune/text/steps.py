"""The steps of a rationale: its lines, else its sentences. Lossless and in linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dualtune.records import Step

# Nothing is split inside these; `\begin{..}` counts its nesting.
_CLOSER = {"$$": "$$", r"\[": r"\]", r"\begin{": r"\end{"}
_DISPLAY = re.compile(r"\$\$|\\\[|\\\]|\\begin\{|\\end\{")
_STOP = re.compile(r"(?<![.!?])[.!?]++[\"'”’)\]*]*+(?=\s)")
_LIST_MARK = re.compile(r"\(?(?:\d{1,3}|[A-Za-z])[.)]|[-*•]|[Ss]tep \d{1,3}[.:]")
_WORD = re.compile(r"[^\W\d_]+")
_LAST_WORD = re.compile(r"[^\s(\"'“‘\[]*$")
# Words that a full stop shortens rather than ends a sentence after.
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st sr jr mt vs e.g i.e cf approx gen col capt lt sgt rev hon gov sen dept "
    "est ave blvd rd u.s u.k ca resp".split()
)
_BEFORE_A_NUMBER = frozenset("no nos fig figs eq eqs sec ch p pp vol".split())
# After a single capital these start a sentence ("in Pond B. If"), and other words a name.
_STARTERS = frozenset(
    "a after all an and as at before both but each every find first for from he her here his how "
    "however if in it its let next no now of on one she so since some suppose that the their then "
    "there therefore these they this those thus to together total two we what when where which "
    "while who with you your".split()
)


def segment(rationale: str) -> tuple[Step, ...]:
    r"""Split a rationale into its steps.

    Steps are lines where there are several, else sentences. Decimals, abbreviations, list marks
    (``1.``) and LaTeX displays (``$$..$$``, ``\[..\]``, ``\begin..\end``) are never split. White
    space around a step belongs to the separators, so a step is never blank.

    Args:
        rationale: The reasoning, without its final answer.

    Returns:
        The steps in order. The text between them is white space, and joining both gives the
        rationale back (see ``separators``).
    """
    blocks = _display_blocks(rationale)
    lines = _lines(rationale, blocks)
    ranges = lines if len(lines) > 1 else _sentences(rationale, blocks)
    return tuple([Step(text=rationale[a:b], start=a, end=b) for a, b in ranges])


def separators(rationale: str, steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Return the ``len(steps) + 1`` texts before, between and after the steps."""
    ends = [0, *(s.end for s in steps)]
    starts = [*(s.start for s in steps), len(rationale)]
    return tuple(rationale[a:b] for a, b in zip(ends, starts, strict=True))


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the character ranges of the sentences of a text, without the white space around."""
    return _sentences(text, _display_blocks(text))


def _display_blocks(text: str) -> list[tuple[int, int]]:
    if "$$" not in text and "\\" not in text:
        return []
    tokens = list(_DISPLAY.finditer(text))
    # An opener counts only if its closer follows; knowing the last closer keeps this linear.
    last = {t.group(): t.start() for t in tokens}
    blocks: list[tuple[int, int]] = []
    start, opener, depth = -1, "", 0
    for token in tokens:
        mark = token.group()
        if start < 0:
            if mark in _CLOSER and last.get(_CLOSER[mark], -1) > token.start():
                start, opener, depth = token.start(), mark, 1
            continue
        if mark == _CLOSER[opener]:
            depth -= 1
        elif mark == opener:
            depth += 1
        if depth == 0 or (mark == _CLOSER[opener] and token.start() == last[mark]):
            blocks.append((start, token.end()))
            start = -1
    return blocks


def _outside(cuts: Iterator[int], blocks: list[tuple[int, int]]) -> Iterator[int]:
    if not blocks:
        yield from cuts
        return
    at = 0
    for cut in cuts:
        while at < len(blocks) and blocks[at][1] <= cut:
            at += 1
        if at == len(blocks) or cut <= blocks[at][0]:
            yield cut


def _ranges(text: str, cuts: Iterator[int]) -> list[tuple[int, int]]:
    ranges = []
    start = 0
    for cut in (*cuts, len(text)):
        piece = text[start:cut]
        body = piece.strip()
        if body:
            a = start + len(piece) - len(piece.lstrip())
            ranges.append((a, a + len(body)))
        start = cut
    return ranges


def _lines(text: str, blocks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if "\n" not in text:
        return []
    found = _ranges(text, _outside((m.start() for m in re.finditer("\n", text)), blocks))
    joined: list[tuple[int, int]] = []
    for a, b in found:
        # A list mark on a line of its own belongs to the line after it.
        if joined and _LIST_MARK.fullmatch(text, *joined[-1]):
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
    return joined


def _sentences(text: str, blocks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return _ranges(text, _outside(_sentence_ends(text), blocks))


def _sentence_ends(text: str) -> Iterator[int]:
    start = 0  # of the sentence that is being read
    for stop in _STOP.finditer(text):
        end = stop.end()
        after = _next_visible(text, end)
        if after < 0:
            return
        if stop.group()[0] == "." and not _ends_sentence(text, start, stop.start(), after):
            continue
        yield end
        start = end


def _next_visible(text: str, at: int) -> int:
    found = _VISIBLE.search(text, at)
    return found.start() if found else -1


_VISIBLE = re.compile(r"\S")


def _ends_sentence(text: str, start: int, stop: int, after: int) -> bool:
    if text[stop - 1 : stop].isspace():
        return True  # tokenised text writes a free-standing full stop
    word = _LAST_WORD.search(text, max(start, stop - 20), stop)
    last = word.group() if word else ""
    lowered = last.lower()
    if lowered in _ABBREVIATIONS:
        return False
    if lowered in _BEFORE_A_NUMBER and text[after].isdigit():
        return False
    if len(last) == 1 and last.isupper() and last != "I":
        following = _WORD.match(text, after)
        if following and following.group()[0].isupper():
            return following.group().lower() in _STARTERS
    if _LIST_MARK.fullmatch(text[start : stop + 1].strip()):
        return False
    # A small letter goes on with the sentence, except after a number: "It is 12. then 3 more".
    return not text[after].islower() or last[-1:].isdigit()
