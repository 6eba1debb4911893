"""What a formula is worth, and whether two formulas are the same function.

Rational values are fractions and compare exactly. Irrational ones are computed to 120 digits, and
formulas with variables at several rational points: two formulas as short as an answer that agree
there agree everywhere for every practical purpose, without a search for a proof that may not end.
Powers and factorials are measured before they are computed.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from dualtune.grade.formula import Node

DIGITS = 120  # decimal digits of irrational values
MAX_BITS = 400_000  # of a fraction's numerator or denominator
MAX_FACTORIAL = 5000
MAX_MAGNITUDE = 10_000  # bits before the point of an irrational value
POINTS = 6
MIN_POINTS = 3  # at fewer, where a formula has no value at the others, nothing is decided

CONSTANTS = frozenset({"pi", "e", "i", "infinity"})

# Positive and negative, none a small integer or near another, so that no two variables meet.
_VALUES = [
    Fraction(a, b)
    for a, b in (
        (37, 11),
        (-53, 17),
        (101, 13),
        (-29, 23),
        (71, 31),
        (17, 41),
        (-89, 19),
        (59, 43),
        (131, 47),
        (-61, 37),
        (23, 29),
        (149, 53),
    )
]

Value = Any  # a Fraction, or a number of an mpmath context (which has no types)


class NoValue(Exception):
    """The formula has no value there, or one too large to compute."""


def exact_value(node: Node) -> Fraction | None:
    """Return the value of a formula that is a rational number; None for any other."""
    if symbols(node):
        return None
    try:
        value = _Evaluator({}).value(node)
    except NoValue:
        return None
    return value if isinstance(value, Fraction) else None


def symbols(node: Node) -> frozenset[str]:
    """Return the variables of a formula."""
    if node.name == "symbol":
        return frozenset() if node.symbol in CONSTANTS else frozenset({node.symbol})
    return frozenset().union(*[symbols(part) for part in node.parts])


def same_value(left: Node, right: Node) -> bool | None:
    """Tell whether two formulas are the same number or the same function of their variables.

    Returns:
        None where that cannot be told: values too large, or formulas without values.
    """
    compared = 0
    for places in _assignments(symbols(left) | symbols(right)):
        same = _same_at(left, right, places)
        if same is False:
            return False
        compared += same is True
    needed = MIN_POINTS if symbols(left) | symbols(right) else 1
    return True if compared >= needed else None


def proportional(left: Node, right: Node) -> bool | None:
    """Tell whether two formulas differ by a constant factor: the same equation ``f = 0``."""
    names = symbols(left) | symbols(right)
    if not names or symbols(left) != symbols(right):
        return False
    ratios: list[tuple[Value, Value]] = []
    for places in _assignments(names):
        try:
            evaluator = _Evaluator(places)
            above, below = evaluator.value(left), evaluator.value(right)
        except NoValue:
            continue
        if not (isinstance(above, Fraction) and isinstance(below, Fraction)):
            return None
        ratios.append((above, below))
    if len(ratios) < MIN_POINTS:
        return None
    first_above, first_below = ratios[0]
    if not first_above or not first_below:
        return None
    return all(a * first_below == b * first_above for a, b in ratios)


def _assignments(names: frozenset[str]) -> list[dict[str, Fraction]]:
    if not names:
        return [{}]
    ordered = sorted(names)
    if len(ordered) > len(_VALUES):
        return []
    n = len(_VALUES)
    return [
        {
            name: _VALUES[(5 * point + i) % n] + Fraction(point * i, 7)
            for i, name in enumerate(ordered)
        }
        for point in range(POINTS)
    ]


def _same_at(left: Node, right: Node, places: dict[str, Fraction]) -> bool | None:
    """Compare at one point; None where a side has no value there."""
    evaluator = _Evaluator(places)
    complex_numbers = _names_i(left) or _names_i(right)
    try:
        a, b = evaluator.value(left), evaluator.value(right)
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a == b
        context = evaluator.context
        a, b = evaluator.number(a), evaluator.number(b)
        if places and not (_is_real(context, a) and _is_real(context, b)) and not complex_numbers:
            return None  # formulas of real variables are compared where both are real
        apart, size = abs(a - b), max(abs(a), abs(b))
        tiny = context.mpf(10) ** (-DIGITS // 2)
        if apart <= tiny * size:
            return True
        if apart > tiny:
            return False
        # Both are next to nothing: noise of the computation shrinks with more digits, values stay.
        finer = _Evaluator(places, digits=2 * DIGITS)
        again = abs(finer.number(finer.value(left)) - finer.number(finer.value(right)))
        return bool(again <= tiny * apart)
    except NoValue:
        return None


def _names_i(node: Node) -> bool:
    return node.symbol == "i" or any(_names_i(part) for part in node.parts)


def _is_real(context: Any, value: Value) -> bool:
    return bool(abs(context.im(value)) <= context.mpf(10) ** (-DIGITS // 2) * (1 + abs(value)))


class _Evaluator:
    """Computes values at one point, with a context of its own: mpmath's shared one has state."""

    def __init__(self, places: dict[str, Fraction], digits: int = DIGITS) -> None:
        self.places = places
        self.digits = digits
        self._context: Any = None

    @property
    def context(self) -> Any:
        if self._context is None:
            from mpmath.ctx_mp import MPContext

            self._context = MPContext()
            self._context.dps = self.digits
        return self._context

    def value(self, node: Node) -> Value:
        """Compute a formula.

        Raises:
            NoValue: If it has none, or one too large.
        """
        if node.name == "number":
            return node.value
        if node.name == "symbol":
            return self.symbol(node.symbol)
        operands = [self.value(part) for part in node.parts]
        try:
            result = self.rational(node.name, operands)
            if result is None:
                result = self.irrational(node.name, [self.number(v) for v in operands])
        except (ZeroDivisionError, ValueError, OverflowError, ArithmeticError) as error:
            raise NoValue(node.name) from error
        return self.checked(result)

    def symbol(self, name: str) -> Value:
        if name in self.places:
            return self.places[name]
        if name == "infinity":
            raise NoValue(name)
        constants = {"pi": self.context.pi, "e": self.context.e, "i": self.context.mpc(0, 1)}
        return +constants[name]

    def number(self, value: Value) -> Value:
        """Return a value as a number of the context."""
        if not isinstance(value, Fraction):
            return value
        return self.context.mpf(value.numerator) / value.denominator

    def checked(self, value: Value) -> Value:
        if isinstance(value, Fraction):
            if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
                raise NoValue("too large")
        elif not self.context.isfinite(value) or abs(self._magnitude(value)) > MAX_BITS:
            raise NoValue("too large")
        return value

    def _magnitude(self, value: Value) -> int:
        return int(self.context.mag(value)) if value else 0

    def rational(self, name: str, operands: list[Value]) -> Fraction | None:
        """Compute with fractions; None where the result is not known to be one."""
        if not all(isinstance(v, Fraction) for v in operands):
            return None
        exact: list[Fraction] = operands
        first, *rest = exact
        if name == "add":
            return sum(exact, Fraction(0))
        if name == "neg":
            return -first
        if name == "mul":
            return first * rest[0]
        if name == "div":
            return first / rest[0]
        if name == "abs":
            return abs(first)
        if name == "pow":
            return _rational_power(first, rest[0])
        if name == "root":
            odd = first.denominator == 1 and first % 2 == 1 and rest[0] < 0
            root = _rational_power(-rest[0] if odd else rest[0], 1 / first)
            return root if root is None or not odd else -root
        if name == "factorial":
            return Fraction(math.factorial(_small(first)))
        if name == "binomial":
            return Fraction(math.comb(_small(first), _small(rest[0])))
        if name in ("floor", "ceil"):
            return Fraction(math.floor(first) if name == "floor" else math.ceil(first))
        if name == "log":
            return _rational_log(rest[0], first)
        if name == "ln" and first == 1:
            return Fraction(0)
        return None

    def irrational(self, name: str, operands: list[Value]) -> Value:
        context = self.context
        first, *rest = operands
        if name == "add":
            total = first
            for value in rest:
                total = total + value
            return total
        if name == "neg":
            return -first
        if name == "mul":
            return first * rest[0]
        if name == "div":
            return first / rest[0]
        if name == "abs":
            return abs(first)
        if name == "degrees":
            return first * context.pi / 180
        if name in ("pow", "root"):
            base, exponent = (first, rest[0]) if name == "pow" else (rest[0], 1 / first)
            if self._magnitude(exponent) > 20:
                raise NoValue("too large a power")
            odd = name == "root" and first == int(context.re(first)) and int(context.re(first)) % 2
            if odd and _is_real(context, base) and context.re(base) < 0:
                return -context.power(-base, exponent)  # an odd root of a real number is real
            return context.power(base, exponent)
        if name == "log":
            return context.ln(rest[0]) / context.ln(first)
        if name == "ln":
            return context.ln(first)
        if self._magnitude(first) > (
            20 if name in ("exp", "sinh", "cosh", "tanh") else MAX_MAGNITUDE
        ):
            raise NoValue("too large an argument")
        if name in _MPMATH:
            return getattr(context, _MPMATH[name])(first)
        raise NoValue(name)


_MPMATH = {
    **{name: name for name in "sin cos tan cot sec csc sinh cosh tanh exp floor ceil".split()},
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
}


def _small(value: Fraction) -> int:
    if value.denominator != 1 or not 0 <= value <= MAX_FACTORIAL:
        raise NoValue("factorial")
    return int(value)


def _rational_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """Return a power that is rational, such as ``8^(2/3)``; None for any other."""
    root = exponent.denominator
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * bits > MAX_BITS:
        if base in (0, 1):
            return base if exponent > 0 else Fraction(1) / base
        raise NoValue("too large a power")
    if root > 1:
        if base < 0 or root > 64:
            return None  # the principal root is complex
        top, bottom = _whole_root(base.numerator, root), _whole_root(base.denominator, root)
        if top is None or bottom is None:
            return None
        base = Fraction(top, bottom)
    return Fraction(base ** int(exponent.numerator))


def _whole_root(value: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(value)
    else:
        # Newton's iteration on whole numbers from above.
        root = 1 << -(-value.bit_length() // degree)
        while True:
            lower = ((degree - 1) * root + value // root ** (degree - 1)) // degree if root else 0
            if lower >= root:
                break
            root = lower
    return root if root**degree == value else None


def _rational_log(argument: Fraction, base: Fraction) -> Fraction | None:
    """Return a logarithm that is a whole number; None for any other."""
    if argument <= 0 or base <= 0 or base == 1:
        return None
    if argument == 1:
        return Fraction(0)
    guess = round(_log2(argument) / _log2(base))
    if abs(guess) <= 10_000 and _rational_power(base, Fraction(guess)) == argument:
        return Fraction(guess)
    return None


def _log2(value: Fraction) -> float:
    return math.log2(value.numerator) - math.log2(value.denominator)
