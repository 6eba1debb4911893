r"""Read a formula, LaTeX or as typed (``\frac{1+\sqrt5}{2}``, ``x**2 - 3``), into a tree.

A grammar of its own and not a library's: every formula is read whole or refused, juxtaposition is
a product and never a sum, decimals are exact, and reading evaluates nothing, so a power tower
costs as little as a digit. What the grammar does not know is left to ``symbolic``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from dualtune.grade.tokens import FUNCTIONS, SYNONYMS, Token, Unreadable, tokens_of

MAX_LENGTH = 2000  # characters of a formula
MAX_DEPTH = 40  # of nested groups; a frame or eight of Python's stack each
MAX_CHAIN = 100  # factors of a product or signs behind a factor: the tree is as deep
MAX_DIGITS = 1000  # of one numeral


@dataclass(frozen=True, slots=True)
class Node:
    """A formula.

    Attributes:
        name: ``number``, ``symbol``, ``add``, ``mul``, ``div``, ``pow``, ``neg``, ``degrees``,
            ``abs``, ``factorial``, ``root`` (degree, radicand), ``log`` (base, argument),
            ``binomial``, or the name of a function of one argument.
        parts: Its operands.
        value: Of a number.
        symbol: Of a symbol: its name; ``pi``, ``e``, ``i`` and ``infinity`` are constants.
    """

    name: str
    parts: tuple[Node, ...] = ()
    value: Fraction = Fraction(0)
    symbol: str = ""


_INVERSE = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}
_GREEK = frozenset(
    """alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi
    rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi
    Omega ell""".split()
)
_OPEN = {"(": ")", "[": "]", "{": "}"}

_REPEATING = re.compile(r"(\d*)\.(\d*)\\overline\s*\{(\d+)\}")


@lru_cache(maxsize=4096)
def read_formula(text: str) -> Node:
    r"""Read a formula.

    Args:
        text: Without ``$``, units and statements: ``\frac{\sqrt{3}}{2}``, ``-9*u``, ``3 1/2``.

    Returns:
        Its tree.

    Raises:
        Unreadable: If any part of it is outside of the grammar, or it is too long or too deep.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable("too long")
    return _Reader(tokens_of(text)).whole()


class _Reader:
    """A reader by recursive descent over tokens, in which blanks tell mixed numbers apart."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def whole(self) -> Node:
        node = self.sum()
        if self.peek() != ("", ""):
            raise Unreadable(self.peek()[1])
        return node

    def peek(self) -> Token:
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "space":
            self.at += 1
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def next(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def takes(self, *signs: str) -> str:
        kind, found = self.peek()
        if kind == "sign" and found in signs:
            self.at += 1
            return found
        return ""

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("too deep")
        negative = False
        while sign := self.takes("+", "-"):
            negative ^= sign == "-"
        terms = [_negated(self.product(), negative)]
        while sign := self.takes("+", "-"):
            negative = sign == "-"
            while sign := self.takes("+", "-"):
                negative ^= sign == "-"
            terms.append(_negated(self.product(), negative))
        self.depth -= 1
        return terms[0] if len(terms) == 1 else Node("add", tuple(terms))

    def product(self) -> Node:
        node = self.power()
        divided = False
        for _ in range(MAX_CHAIN):
            if self.takes("*"):
                node, divided = Node("mul", (node, self.signed())), False
            elif self.takes("/"):
                node, divided = Node("div", (node, self.signed())), True
            elif self.starts_factor():
                if divided:
                    raise Unreadable("1/2x may be x/2 or 1/(2x)")
                if self.peek()[0] in ("number", "repeating"):
                    raise Unreadable("two numbers side by side")
                node = Node("mul", (node, self.power()))
            else:
                return node
        raise Unreadable("too many factors")

    def signed(self) -> Node:
        negative = False
        while sign := self.takes("+", "-"):
            negative ^= sign == "-"
        return _negated(self.power(), negative)

    def starts_factor(self) -> bool:
        kind, found = self.peek()
        if kind == "sign":
            return found in ("(", "[", "{")
        return kind in ("number", "repeating", "letter") or (
            kind == "command" and found not in ("|", "}", "circ", "infty")
        )

    def power(self) -> Node:
        base = self.primary()
        for _ in range(MAX_CHAIN):
            if self.takes("!"):
                base = Node("factorial", (base,))
            elif self.takes("^", "**"):
                if self.peek() == ("command", "circ"):
                    self.at += 1
                    base = Node("degrees", (base,))
                    continue
                return Node("pow", (base, self.exponent()))
            else:
                return base
        raise Unreadable("too many signs")

    def exponent(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("too deep")
        node = self.signed()
        self.depth -= 1
        return node

    def primary(self) -> Node:
        kind, found = self.next()
        if kind == "number":
            return self.numeral(found)
        if kind == "repeating":
            return Node("number", value=_repeating(found))
        if kind == "letter":
            return Node("symbol", symbol=found + self.subscript())
        if kind == "sign" and found in _OPEN:
            return self.group(_OPEN[found])
        if kind == "sign" and found == "|":
            node = self.sum()
            if not self.takes("|"):
                raise Unreadable("|")
            return Node("abs", (node,))
        if kind == "command":
            return self.command(found)
        raise Unreadable(found)

    def group(self, closing: str) -> Node:
        if closing == "}" and self.peek() == ("command", "circ"):
            raise Unreadable("circ")
        node = self.sum()
        if not self.takes(closing):
            raise Unreadable(closing)
        return node

    def numeral(self, digits: str) -> Node:
        value = _exact(digits)
        # 3 1/2 and 3\frac{1}{2} are mixed numbers where a proper fraction follows a whole one.
        if value.denominator == 1 and "." not in digits and "," not in digits:
            start = self.at
            try:
                more = self.proper_fraction()
            except Unreadable:
                more = None
            if more is not None:
                return Node("number", value=value + more)
            self.at = start
        return Node("number", value=value)

    def proper_fraction(self) -> Fraction | None:
        spaced = self.at < len(self.tokens) and self.tokens[self.at][0] == "space"
        if self.peek() == ("command", "frac"):
            self.at += 1
            top, bottom = self.argument(), self.argument()
            if not (_is_whole(top) and _is_whole(bottom)):
                return None
            above, below = top.value, bottom.value
        elif spaced and self.peek()[0] == "number":
            above = _exact(self.next()[1])
            if not self.takes("/") or self.peek()[0] != "number":
                return None
            below = _exact(self.next()[1])
        else:
            return None
        return above / below if 0 < above < below else None

    def argument(self) -> Node:
        r"""Read what a command takes: a group, or one token (``\frac34``, ``\sqrt2``)."""
        kind, found = self.peek()
        if kind == "number" and "." not in found and len(found) > 1:
            self.tokens[self.at : self.at + 1] = [("number", found[0]), ("number", found[1:])]
        if kind == "number":
            return Node("number", value=_exact(self.next()[1]))
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("too deep")
        node = self.primary()
        self.depth -= 1
        return node

    def subscript(self) -> str:
        if not self.takes("_"):
            return ""
        kind, found = self.next()
        if kind in ("number", "letter"):
            return f"_{found}"
        inner: list[str] = []
        if (kind, found) != ("sign", "{"):
            raise Unreadable(found)
        while (token := self.next()) != ("sign", "}"):
            if token[0] not in ("number", "letter"):
                raise Unreadable(token[1])
            inner.append(token[1])
        return "_" + "".join(inner)

    def command(self, name: str) -> Node:
        if name in ("pi", "infty"):
            return Node("symbol", symbol="infinity" if name == "infty" else name)
        if name in _GREEK:
            return Node("symbol", symbol=name + self.subscript())
        if name == "frac":
            return Node("div", (self.argument(), self.argument()))
        if name == "binom":
            return Node("binomial", (self.argument(), self.argument()))
        if name == "typed sqrt":  # takes the whole of 17, where \\sqrt17 takes the 1
            return Node("root", (Node("number", value=Fraction(2)), self.primary()))
        if name == "sqrt":
            degree = Node("number", value=Fraction(2))
            if self.takes("["):
                degree = self.group("]")
            return Node("root", (degree, self.argument()))
        if name == "log":
            base = Node("number", value=Fraction(10))
            if self.takes("_"):
                base = self.argument()
            return self.applied("log", base)
        name = SYNONYMS.get(name, name)
        if name in FUNCTIONS:
            return self.applied(name)
        raise Unreadable(name)

    def applied(self, name: str, *before: Node) -> Node:
        """Read the argument of a function: a group, else the factors up to the next function."""
        power = None
        if self.takes("^", "**"):
            power = self.argument() if self.peek() != ("sign", "-") else self.exponent()
            if power == _MINUS_ONE and name in _INVERSE:
                name, power = _INVERSE[name], None
        if self.peek() in (("sign", "("), ("sign", "{"), ("sign", "[")):
            argument = self.primary()
            if self.takes("^"):
                if self.peek() != ("command", "circ"):
                    self.at -= 1  # \sin(x)^2 squares the sine
                else:
                    self.at += 1
                    argument = Node("degrees", (argument,))
        else:
            argument = self.signed()
            for _ in range(MAX_CHAIN):
                if not self.starts_factor() or self.starts_function():
                    break
                argument = Node("mul", (argument, self.power()))
        node = Node(name, (*before, argument))
        return node if power is None else Node("pow", (node, power))

    def starts_function(self) -> bool:
        kind, found = self.peek()
        return kind == "command" and (found in FUNCTIONS or found == "log")


_MINUS_ONE = Node("neg", (Node("number", value=Fraction(1)),))


def _negated(node: Node, negative: bool) -> Node:
    return Node("neg", (node,)) if negative else node


def _is_whole(node: Node) -> bool:
    return node.name == "number" and node.value.denominator == 1


def _exact(digits: str) -> Fraction:
    if len(digits) > MAX_DIGITS:
        raise Unreadable("too many digits")
    return Fraction(digits.replace(",", ""))


def _repeating(text: str) -> Fraction:
    r"""Return the value of ``0.1\overline{6}``."""
    match = _REPEATING.fullmatch(text)
    if match is None or len(text) > MAX_DIGITS:
        raise Unreadable(text)
    whole, fixed, cycle = match.groups()
    scale = 10 ** len(fixed)
    value = Fraction(int(cycle), (10 ** len(cycle) - 1) * scale)
    return int(whole or 0) + Fraction(int(fixed or 0), scale) + value
