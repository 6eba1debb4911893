r"""Find what a model gave as its answer.

An answer is clear where the text says so: ``The answer is X``, ``Answer: X``, ``#### X``,
``<answer>X</answer>``, ``\boxed{X}``, or a line ``A: X``. The last clear answer wins. What a model
thinks aloud between ``<think>`` and ``</think>`` is not its answer, nor is what it recites from
the prompt.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from dualtune.text.answers import strip_annotations

Form = Literal["stated", "marked", "boxed"]

MAX_ANSWER = 200  # characters of one answer: what is longer is prose, not an answer
MAX_FORMULA = 1000  # characters of one answer where LaTeX is graded
MAX_EMPTY = 50  # markers without an answer that are passed over, from the end
MIN_RECITED = 20  # characters of a question that are recognised when an output repeats it

_CLEAR = re.compile(
    r"""(?imx)
    (?P<heading>^[ \t]{0,3}[#*_]{1,6}[ ]?(?:the[ ])?(?:
        (?:final|correct)[ ]answer[*_ \t]*$ | answer[*_ \t]*(?=\n\s*\S[^\n]*\s*\Z)))
    | (?P<marked>\#\#\#\#|<answer>)
    | (?P<boxed>\\f?boxed[ ]?\{)
    | (?P<bare>\\f?boxed[ ]+(?=[\w-]))
    | (?P<stated>\banswers?["']?
        (?:[ ](?:to|for)[ ][^.:=\n]{1,80}?)?              # the answer to the question
        \*{0,2}[ ]?(?:\b(?:is|are)\b|[=:：])[ ]?(?:=>|[:=：])?
      | 答案[ ]?(?:[是为][ ]?[:：]?|[:：]))                 # "the answer is" in Chinese
    | (?P<line>^[ \t]{0,8}A:)
    """
)
# The sign of 5! = 120 and of $5!$ is a factorial's.
_SENTENCE_END = re.compile(
    r"""(?<!\b[Rr]s)[.?](?=[\s*"')\]>$}]|\Z)|[。？！]|!(?=[\s*"')]|\Z)(?!\s?[=+*/×·])|\n|</answer>"""
)
_BULLET = re.compile(r"(?:[-*•>]|(?P<number>1[.)]))[ \t]+(?=\S)")
_NEXT_BULLET = re.compile(r"\s*\n[ \t]*(?:[-*•>]|(?P<number>\d[.)]))[ \t]+(?=\S)")
# Untuned models copy the instruction, "The answer is X.": that states nothing, and must not hide
# the number that they arrived at. They may give it a unit: "x apples".
_PLACEHOLDER = re.compile(
    r"[\[<$({\"'* ]*[XxYy][\])>$}\"'*%]*(?:[ ]+[A-Za-z'-]+){0,8}[\])>$}\"'* ]*"
)
# "Our answer is correct" judges an answer and states none.
_VERDICT = re.compile(
    r"(?i)(?:.*\banswer is )?(?:in)?(?:correct|right|wrong|reasonable|valid)\W*\Z"
)
# "The answer is rounded to two places" describes an answer, "is it 12?" asks for one.
_DESCRIBED = re.compile(
    r"""(?ix)
    (?:(?:given|expressed|measured|written|shown|stated)[ ])?
      in[ ](?:the[ ])?[a-z]+(?:[ ]of[ ][a-z]+)?\W*\Z
    | based[ ]on\b | the[ ]same[ ]as[ ](?:in|the|above|before|that)\b
    | rounded[ ]to[ ](?:the\b|\w+[ ](?:decimals?|places?|digits?|significant)\b)
    | (?:obtained|found|calculated|computed|derived|reached)[ ](?:by|from|in|using|when|with)\b
    """
)
# A label, a sentence with a number, and computations behind it; unless these explain it.
_SENTENCE = re.compile(r"[A-Za-z]{2,}[ ,']")
_COMPUTES = re.compile(r"=\s?\\?\$?-?\d")
_EXPLAINS = re.compile(
    r"(?i)\W{0,8}(?:explanation|check|verif\w+|note|because|since|as|reason\w*|steps?|proof|solution"
    r"|here|this|that|how|let|to)\b"
)
# "The answer is 12. Wait, ... 14" takes the answer back, unless the check confirms it.
_SECOND_THOUGHT = re.compile(
    r"(?i)(?:[.!?]|\n)[\s*]{0,8}(?:(?:but|oh|hmm|no|ah)[,.]?\s)?(?:wait|oops|sorry|correction)\b"
)
_CONFIRMED = re.compile(
    r"(?i)(?<!not )(?<!n't )\b(?:yes|correct|right|indeed|matche?s?|confirm\w*|consistent|same)\b"
)
_OTHER = re.compile(r"\d|\b[A-J]\b")
_BOXED = re.compile(r"\\f?boxed[ ]?\{")
_FORMULA_SIGN = re.compile(r"[\d\\$]")
_PLACEHOLDER_BOX = re.compile(
    r"(?i)(?:\\text\{)?[\s<\[]*(?:(?:your|the|final)[ ])*(?:answer|result|solution)[\s>\]]*\}?"
    r"|\.\.\.|\\l?dots|…|_+"
)
_AROUND = " \t\r\n*:"
MAX_ITEMS = 20  # of a list behind "The answers are:"
MAX_ASKED = 60  # characters of the X in a closing "The answer is X."
_ASKED = re.compile(r"(?i)(?:\A|(?<=[\s*]))the answer is ")
# What a chat template puts behind a turn, where the tool that generated it left it standing.
_TURN_END = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|eom_id|end_of_text|end)\|>|</s>|<eos>|<end_of_turn>"
    r"|<｜end▁of▁sentence｜>"
)
# Untuned models go on with a question of their own.
_NEXT_QUESTION = re.compile(
    r"""(?mx)
    ^[ \t]*(?:(?:\#{1,6}[ ]?|\*\*)?
      (?:Question|Q|Problem|Exercise|Human|User|Instruction)[ ]?\d{0,3}(?:\*\*)?[ ]?:
      (?!\s*(?:Answer|A|Response|Solution)\b)           # of the prompt, its question taken out
    | (?:\#{1,6}[ ]?|\*\*)(?:Question|Problem|Exercise)[ ]\d{1,3}\b)
    """
)
MAX_WORDS = 3  # of an answer without a digit that ends a text before the next question
_TAG = re.compile(r"(?i)<(/?)(?:think|thinking|thought|reasoning)>")
# "and", "or" or a comma, and what the next value is called: $x = \boxed{1}$ and $x = \boxed{2}$.
_BETWEEN_BOXES = re.compile(
    r"[$\s]*(?:,|(?:,\s*)?(?:\\text\s*\{\s*)?\b(?:and|or)\b(?:\s*\})?)[$\s]*(?:[A-Za-z]\s*=\s*)?"
)
_MATH = re.compile(r"\s*[:*]*\s*(\$\$?|\\\[|\\\()")
_CLOSING = {"$": "$", "$$": "$$", r"\[": r"\]", r"\(": r"\)"}


@dataclass(frozen=True, slots=True)
class Stated:
    """A clear answer.

    Attributes:
        text: The answer as it stands there, without the words around it.
        form: How it was marked.
        at: Where its marker stands in the output.
    """

    text: str
    form: Form
    at: int = field(default=0, compare=False)


def visible(output: str, question: str = "") -> str:
    """Return what of an output may hold the answer.

    Args:
        output: What a model wrote.
        question: What it was asked; an output that repeats it word for word has not answered.

    Returns:
        The output without what stands in ``<think>`` blocks and without the repeated question. Of
        a block that is never closed, all that follows is thinking; before a closing tag that was
        never opened (the prompt did that), all that precedes it. What follows the end of the turn,
        or a clear answer and then another question, is left out; so is an answer that the text
        takes back.
    """
    if len(question) >= MIN_RECITED and question in output:
        output = output.replace(question, " ")
    return _settled(_first_turn(_spoken(output)))


def _settled(text: str) -> str:
    """Leave out an answer that is taken back, "The answer is 12. Wait, ...", and not replaced."""
    if _SECOND_THOUGHT.search(text) is None or (stated := last_clear_answer(text)) is None:
        return text
    thought = _SECOND_THOUGHT.search(text, stated.at)
    if thought is None or not _OTHER.search(text, thought.end()):
        return text
    return text if _CONFIRMED.search(text, thought.end()) else text[thought.end() :]


def _first_turn(text: str) -> str:
    """Leave out the turns and questions that a model went on with after its answer."""
    for end in _TURN_END.finditer(text):
        if text[: end.start()].strip():
            text = text[: end.start()]
            break
    following = _NEXT_QUESTION.search(text)
    if following is None:
        return text
    # A question that stands before the first answer is the one that is being answered.
    stated = last_clear_answer(text[: following.start()])
    if stated is None:
        return text
    short = len(stated.text.split()) <= MAX_WORDS
    given = short or any(c.isdigit() for c in stated.text)
    return text[: following.start()] if given else text


def _spoken(output: str) -> str:
    """Return an output without what was thought aloud."""
    if "<" not in output:
        return output
    kept: list[str] = []
    depth = start = 0
    for tag in _TAG.finditer(output):
        if tag[1]:
            if depth == 0:
                kept.clear()
            depth = max(depth - 1, 0)
            start = tag.end()
        else:
            if depth == 0:
                kept.append(output[start : tag.start()])
            depth += 1
    if depth == 0:
        kept.append(output[start:])
    return "".join(kept)


def last_clear_answer(
    output: str, *, formula: bool = False, is_gold: Callable[[str], bool] | None = None
) -> Stated | None:
    """Return the last answer that a text marks as its answer.

    Args:
        output: What a model wrote.
        formula: Whether answers are formulas: they may be longer, fill a display of several
            lines, and stand in several boxes joined by "and".
        is_gold: Tells whether a placeholder (``X``) is what the gold answer says.

    Returns:
        The answer's text, up to the end of its sentence (or the closing brace of a box); None
        where the text marks none. A marker with nothing after it marks none.
    """
    text, _ = strip_annotations(output)
    limit = MAX_FORMULA if formula else MAX_ANSWER
    for match in reversed(deque(_CLEAR.finditer(text), maxlen=MAX_EMPTY)):
        if match["boxed"]:
            inner = _braced(text, match.end(), limit)
            if inner and (not _PLACEHOLDER_BOX.fullmatch(inner) or (is_gold and is_gold(inner))):
                return Stated(_boxes(text, match.start(), inner), "boxed", match.start())
            continue
        if match["bare"]:
            bare = re.split(r"[\s$]", text[match.end() :][:limit], maxsplit=1)[0]
            return Stated(bare, "boxed", match.start())
        answer = _statement(text, match.end(), limit, formula=formula)
        if not answer or _VERDICT.match(answer) or _DESCRIBED.match(answer):
            continue
        if match[0].rstrip(" *")[-1:] in ":：" and _begins_solution(text, match.end(), answer):
            continue
        if _PLACEHOLDER.fullmatch(answer) and not (is_gold and is_gold(answer)):
            continue
        if formula and _BOXED.search(text, 0, match.start()) and not _FORMULA_SIGN.search(answer):
            continue  # "so the answer is positive", after a box
        return Stated(answer, "marked" if match["marked"] else "stated", match.start())
    return None


def _begins_solution(text: str, start: int, answer: str) -> bool:
    """Tell whether "A: Janet sells 9 eggs" is the first step of a solution that computes on."""
    if not _SENTENCE.match(answer) or not any(c.isdigit() for c in answer):
        return False
    end = max(text.find(answer, start), start) + len(answer)
    return _COMPUTES.search(text, end) is not None and _EXPLAINS.match(text, end) is None


def asked_form(output: str, *, formula: bool = False) -> str | None:
    """Return the answer where the text ends in the form that the prompt asks for.

    Args:
        output: What a model wrote.
        formula: Whether the answer may be a longer formula.

    Returns:
        The ``X`` of a closing ``The answer is X.``, else None.
    """
    limit = MAX_FORMULA if formula else MAX_ANSWER
    tail = output.rstrip()[-limit:]
    last = None
    for last in _ASKED.finditer(tail):  # noqa: B007 the last one counts
        pass
    answer = tail[last.end() :] if last else ""
    if not answer or "\n" in answer or len(answer) > (limit if formula else MAX_ASKED):
        return None
    return answer.strip().removesuffix(".").strip("* ") or None


def _statement(text: str, start: int, limit: int, *, formula: bool) -> str:
    """Return the rest of a sentence, or the next line where this one announces it."""
    display = _MATH.match(text, start)
    if display is not None and (formula or display[1] != "$"):  # "$5" may be money
        closed = text.find(_CLOSING[display[1]], display.end(), start + limit)
        if closed >= 0:
            stop, _ = _sentence_end(text, closed + len(display[1]), start + limit)
            return text[start:stop].strip(_AROUND)
    for _ in range(2):
        line_end = text.find("\n", start, start + limit)
        line_end = line_end if line_end >= 0 else min(len(text), start + limit)
        line = text[start:line_end].strip(" \t*:")
        announces = text[start:line_end].rstrip(" \t*").endswith(":")
        if line and not (announces and not any(c.isdigit() for c in line)):
            break
        rest = text[line_end : line_end + limit]
        start = line_end + len(rest) - len(rest.lstrip())
        if (bullet := _BULLET.match(text, start)) is not None:
            return _listed(text, bullet, limit)
    stop, sign = _sentence_end(text, start, start + limit)
    if sign and sign in "?？":
        return ""
    return text[start:stop].strip(_AROUND)


def _sentence_end(text: str, start: int, limit: int) -> tuple[int, str]:
    """Return where a sentence ends before a limit, and with what: an empty text for the limit."""
    end = _SENTENCE_END.search(text, start, limit)
    return (end.start(), end[0]) if end else (min(len(text), limit), "")


def _listed(text: str, bullet: re.Match[str], limit: int) -> str:
    """Return the items of a list, which are one answer of several values."""
    items: list[str] = []
    following: re.Match[str] | None = bullet
    while following is not None and len(items) < MAX_ITEMS:
        start = following.end()
        stop, _ = _sentence_end(text, start, start + limit)
        items.append(text[start:stop].strip(_AROUND))
        following = _NEXT_BULLET.match(text, stop)
        if following is not None and bool(following["number"]) != bool(bullet["number"]):
            break
    return ", ".join(items)


def _braced(text: str, start: int, limit: int) -> str:
    """Return the text up to the brace that closes one opened before ``start``."""
    depth = 1
    for at in range(start, min(len(text), start + limit)):
        if text[at - 1] != "\\":
            depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[start:at].strip()
    return ""


def _boxes(text: str, start: int, last: str) -> str:
    r"""Join ``\boxed{-2}$ and $\boxed{1}`` to one answer of two values."""
    inner = [last]
    earlier = list(_BOXED.finditer(text[max(0, start - MAX_FORMULA) : start]))
    offset = max(0, start - MAX_FORMULA)
    for match in reversed(earlier[-8:]):
        content = _braced(text, offset + match.end(), MAX_FORMULA)
        end = text.find("}", offset + match.end() + len(content)) + 1
        if not content or not _BETWEEN_BOXES.fullmatch(text, end, start):
            break
        inner.append(content)
        start = offset + match.start()
    return ", ".join(dict.fromkeys(reversed(inner)))
