"""Cut a formula, LaTeX or as typed, into tokens; what is none makes it unreadable."""

from __future__ import annotations

import re

FUNCTIONS = frozenset(
    """sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln exp
    floor ceil""".split()
)
SYNONYMS = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "cosec": "csc",
    "ceiling": "ceil",
    "tg": "tan",
    "ctg": "cot",
}
_IGNORED = frozenset(
    "left right big Big bigg Bigg bigl bigr Bigl Bigr displaystyle textstyle limits".split()
)
_TOKEN = re.compile(
    r"""(?x)
    (?P<space>(?:\s|\\[,;:!\s]|~|\\q?quad(?![A-Za-z]))+)
    | (?P<repeating>\d*\.\d*\\overline\s*\{\d+\})
    | (?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)
    | \\operatorname\*?\s*\{(?P<operator>[a-z]+)\}
    | \\(?:mathrm|text|mathit|mathbf)\s*\{(?P<roman>[A-Za-z])\}
    | \\(?P<command>[A-Za-z]+|[{}|])
    | (?P<word>[A-Za-z]+)
    | (?P<sign>\*\*|[-+*/^_(){}\[\]|!=]|[×÷·⋅√π∞])
    """
)
_UNICODE = {"×": "*", "÷": "/", "·": "*", "⋅": "*"}


class Unreadable(Exception):
    """The text is no formula of this grammar."""


Token = tuple[str, str]  # kind and text


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a formula, blanks among them.

    Raises:
        Unreadable: At the first character that starts none.
    """
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(text[at : at + 10])
        kind, found = _lexed(match)
        at = match.end()
        if kind == "command" and found in _IGNORED:
            if text[at : at + 1] == ".":  # \right. closes nothing
                at += 1
        elif kind == "word":
            tokens += _letters(found)
        else:
            tokens.append((kind, found))
    return tokens


def _lexed(match: re.Match[str]) -> Token:
    kind = match.lastgroup or ""
    found = match[kind]
    if kind == "operator":
        return "command", found
    if kind == "roman":
        return "letter", found
    if kind == "sign":
        found = _UNICODE.get(found, found)
        if found in "√π∞":
            return "command", {"√": "typed sqrt", "π": "pi", "∞": "infty"}[found]
    elif kind == "command":
        found = re.sub(r"\A[dtc](?=frac\Z|binom\Z)", "", found)
        found = {"cdot": "*", "times": "*", "div": "/", "lbrace": "{", "rbrace": "}"}.get(
            found, found
        )
        found = {"lvert": "|", "rvert": "|", "vert": "|", "mid": "|"}.get(found, found)
        if found in ("*", "/", "|"):
            kind = "sign"
    return kind, found


def _letters(word: str) -> list[Token]:
    """Split letters that stand together: a function's name, else a product of variables."""
    name = SYNONYMS.get(word, word)
    if name == "sqrt":
        return [("command", "typed sqrt")]
    if name in FUNCTIONS or name in ("pi", "log"):
        return [("command", name)]
    if name in ("oo", "inf", "infinity"):
        return [("command", "infty")]
    if word.endswith("pi") and len(word) <= 3:
        return [*_letters(word[:-2]), ("command", "pi")]
    if len(word) > 3:
        raise Unreadable(word)
    return [("letter", letter) for letter in word]
