"""Reading formulas whole or not at all, and what they are worth, exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.grade.formula import read_formula
from dualtune.grade.tokens import Unreadable
from dualtune.grade.values import exact_value, proportional, same_value, symbols

EQUAL = [
    (r"\frac{\sqrt3}{2}", r"\sqrt{3}/2"),
    (r"\frac \pi4 + 2 - \sqrt2", r"2-\sqrt{2}+\pi/4"),
    ("x**2-3", "x^2-3"),
    ("(x+1)^2", "x^2+2x+1"),
    (r"\cos 13^\circ", r"\sin 77^\circ"),
    ("2^{2005}", r"4^{1002} \cdot 2"),
    (r"\frac{1}{1+i}", r"\frac{1-i}{2}"),
    (r"\sqrt{2}\sqrt{3}-\sqrt6", "0"),
    (r"\sqrt[3]{-8}", "-2"),
    (r"\log_2 8", "3"),
    (r"0.1\overline{6}", "1/6"),
    ("3 1/2", "3.5"),
    ("2(3)", "6"),
    (r"\binom{10}{3}", "120"),
    (r"\sin 3x", r"\sin(3x)"),
    ("sqrt(17)", "√17"),
    (r"\sqrt{1/n}", r"\frac{1}{\sqrt{n}}"),
    ("|x|", r"\sqrt{x^2}"),
]
DIFFERENT = [
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
    (r"\frac{\pi}{2004!}", r"\frac{\pi}{2006!}"),
    ("x", r"\sqrt{x^2}"),
    ("a/b", "b/a"),
    ("-x^2", "(-x)^2"),
    (r"\sqrt{2}", "1.41421356237309504880168872420969807"),
    ("3+5i", "3-5i"),
    (r"\sin x^2", r"\sin^2 x"),
]
TOO_LARGE = [
    "10^{10^{10}}",
    "5^{5^{5^{5^5}}}",
    "100000!",
    "((10!)!)!",
    r"e^{e^{e^{e^e}}}",
    r"\pi^{10^9}",
]
UNREADABLE = [
    "",
    "1e5",
    "3 4",
    "1/2x",
    "(1",
    "1)",
    r"\frac{1}{2",
    r"\input{x}",
    "word",
    "__import__('os')",
    "x" * 3000,
    "(" * 50 + "1" + ")" * 50,
    "*".join("x" * 500),
    "1" + "!" * 500,
    "9" * 1500,
]


def _same(left: str, right: str) -> bool | None:
    return same_value(read_formula(left), read_formula(right))


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_formulas(left: str, right: str) -> None:
    assert _same(left, right) is True
    assert _same(right, left) is True


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_formulas(left: str, right: str) -> None:
    assert _same(left, right) is False


@pytest.mark.parametrize("formula", TOO_LARGE)
def test_what_is_too_large_is_not_computed_and_equals_nothing(formula: str) -> None:
    assert _same(formula, "1") is None
    assert _same(formula, formula) is None


@pytest.mark.parametrize("formula", UNREADABLE)
def test_a_formula_is_read_whole_or_refused(formula: str) -> None:
    with pytest.raises(Unreadable):
        read_formula(formula)


def test_equations_are_the_same_up_to_a_factor() -> None:
    line, scaled, parallel = map(read_formula, ("4x-5y+50", "10y-8x-100", "4x-5y+51"))
    assert proportional(line, scaled) is True
    assert proportional(line, parallel) is False


@given(st.fractions(max_denominator=999))
def test_a_fraction_is_worth_itself(value: Fraction) -> None:
    sign = "-" if value < 0 else ""
    latex = rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    assert exact_value(read_formula(latex)) == value
    assert exact_value(read_formula(f"{value.numerator}/{value.denominator}")) == value


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.integers(-5, 5))
def test_a_polynomial_equals_itself_shuffled_and_no_neighbour(terms: list[int], more: int) -> None:
    written = "+".join(f"({c})x^{i}" for i, c in enumerate(terms))
    backwards = " + ".join(f"{c}*x**{i}" for i, c in reversed(list(enumerate(terms))))
    assert _same(written, backwards) is True
    assert _same(written, f"{backwards} + {more}") is (more == 0)


def test_constants_are_no_variables() -> None:
    assert symbols(read_formula(r"\pi e i x_1 \alpha")) == {"x_1", "alpha"}


@given(st.text(alphabet=r"0123456789xyz+-*/^_!(){}[]|\ frasqtcp.,", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        node = read_formula(text)
    except Unreadable:
        return
    assert same_value(node, node) in (True, None)
