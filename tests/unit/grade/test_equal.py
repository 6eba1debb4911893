"""Meeting a number at the precision that it was printed with."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.grade.equal import meets


@pytest.mark.parametrize(
    ("value", "gold", "right"),
    [
        ("1750/3", "583.3333", True),
        ("583.33333", "583.3333", True),
        ("583.33", "583.3333", False),
        ("583.3334", "583.3333", False),
        ("2/3", "0.6667", True),
        ("2/3", "0.6666", True),
        ("2/3", "0.6668", False),
        ("-2/3", "0.6667", False),
        ("96/17", "5.647", True),
        ("5.6471", "5.647", False),
        ("2/3", "0.67", False),
        ("0.0626", "0.0625", False),
        ("2/3", "0.6666666667", True),
        ("17/2", "8", False),
    ],
)
def test_printed_precision(value: str, gold: str, right: bool) -> None:
    assert meets((Fraction(value),), (Fraction(gold),), gold) is right


def test_a_percent_meets_its_share_and_its_number_but_no_other_percent() -> None:
    percent = (Fraction(3, 4), Fraction(75))
    assert meets(percent, (Fraction(75),), "75")
    assert meets((Fraction(3, 4),), percent, "75%")
    assert not meets((Fraction(3, 400), Fraction(3, 4)), percent, "75%")


@given(st.fractions(), st.integers(4, 7))
def test_a_rounded_gold_is_met_by_what_it_was_rounded_from(value: Fraction, places: int) -> None:
    scaled = abs(value) * 10**places
    rounded = Fraction(int(scaled + Fraction(1, 2)), 10**places) * (-1 if value < 0 else 1)
    digits = f"{float(abs(rounded)):.{places}f}"
    if rounded and Fraction(digits) == abs(rounded):
        assert meets((value,), (rounded,), digits)
        assert not meets((value + Fraction(3, 10**places),), (rounded,), digits)
