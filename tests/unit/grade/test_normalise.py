"""Spellings of numbers; the value stays."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.grade.normalise import plain_numerals
from dualtune.grade.number import read_answer


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("1\u2009234\u2009567", "1234567"),
        ("1 234 567", "1234567"),
        ("1'234'567", "1234567"),
        ("1.234.567", "1234567"),
        ("1.234,5", "1234.5"),
        ("12,34,567", "1234567"),
        (r"10,\!000", "10000"),
        (r"10\,000", "10000"),
        ("−5", "-5"),
        (r"\frac{-1}{2}", r"-\frac{1}{2}"),
        (r"45^\circ", "45"),
        ("1,234", "1,234"),
        ("1.234", "1.234"),
        ("12,5", "12,5"),
        ("3 100/7", "3 100/7"),
        ("5 200 30", "5 200 30"),
    ],
)
def test_respelling(written: str, plain: str) -> None:
    assert plain_numerals(written) == plain


@given(st.integers(10_000, 10**12), st.sampled_from(["\u2009", "\u202f", "\u00a0", " ", "'", ","]))
def test_every_separator_gives_the_same_number(value: int, separator: str) -> None:
    assert read_answer(f"{value:,}".replace(",", separator)) == (Fraction(value),)
