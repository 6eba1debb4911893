"""Answers in LaTeX: structure before value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.grade import STATUSES, grade
from dualtune.grade.latex import compare
from dualtune.grade.structure import read_structure

FORMS = [
    ("(1,2)", "tuple"),
    (r"[1,\infty)", "tuple"),
    (r"\{1,2\}", "bag"),
    ("1, 2", "bag"),
    ("10,000", "number"),
    (r"12\text{ and }13", "bag"),
    (r"(-\infty,0)\cup(0,\infty)", "union"),
    (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "matrix"),
    ("x = 5", "named"),
    (r"x \in [-2,7]", "named"),
    ("2 < x < 5", "named"),
    ("4x-5y=-50", "relation"),
    ("f(2) < f(1) < f(4)", "relation"),
    ("4343_6", "base"),
    (r"\text{1:03 PM}", "time"),
    ("3:1", "ratio"),
    (r"\text{June 20}", "text"),
    (r"\overline{CD}", "opaque"),
    ("5 cm", "number"),
    ("2x+1", "formula"),
]
CORRECT = [
    ("2<x<5", "(2,5)"),
    (r"x \neq -4", r"(-\infty,-4)\cup(-4,\infty)"),
    (r"(-4,\infty) \cup (-\infty,-4)", r"(-\infty,-4)\cup(-4,\infty)"),
    ("(-2,-7)", r"\begin{pmatrix} -2 \\ -7 \end{pmatrix}"),
    (r"\langle 1, 2 \rangle", "(1,2)"),
    ("y - 2x = 3", "y = 2x + 3"),
    ("2x + 3", "y = 2x + 3"),
    (r"1-\sqrt{19}, 1+\sqrt{19}", r"1 \pm \sqrt{19}"),
    ("x=1, x=2", "1,2"),
    (r"-2, \sqrt5+1, 1-\sqrt5", r"\{1\pm\sqrt{5},-2\}"),
    ("the value $x = 5$", "5"),
    ("Saturday", r"\mbox{Saturday}"),
    ("the ellipse", r"\text{ellipse}"),
    (r"10\pi \text{ cm}", r"10\pi"),
    ("5 - 3, 4", "2, 4"),
]
WRONG = [
    ("(2,5)", "[2,5]"),
    ("(5,2)", "(2,5)"),
    ("1,1", "1,2"),
    (r"\begin{pmatrix} 1 & 2 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 & 3 \end{pmatrix}"),
    ("y = 2x + 4", "y = 2x + 3"),
    ("x < 5", r"x \le 5"),
    ("Sunday", r"\text{Saturday}"),
    ("1101_2", "1101_4"),
    ("0.75\\%", "75\\%"),
]


@pytest.mark.parametrize(("text", "form"), FORMS)
def test_structures(text: str, form: str) -> None:
    assert read_structure(text).form == form


@pytest.mark.parametrize(("answer", "gold"), CORRECT)
def test_other_ways_to_write_an_answer(answer: str, gold: str) -> None:
    assert compare(answer, gold) == "correct"


@pytest.mark.parametrize(("answer", "gold"), WRONG)
def test_near_misses(answer: str, gold: str) -> None:
    assert compare(answer, gold) == "wrong"


@given(st.text(max_size=200))
def test_any_text_gets_a_status_in_every_kind(text: str) -> None:
    assert grade(text, r"\frac{1}{2}", "latex").status in STATUSES
    assert grade(rf"\boxed{{{text}}}", "x+1", "latex").status in STATUSES
    assert grade(text, "B", "choice", options=("1", "2")).status in STATUSES
    assert grade(f"The answer is {text}", "[3, 5]", "mixed").status in STATUSES


@given(st.text(alphabet=r"0123456789xy+-*/^_(){}[],=<>\$:% textfracsqpm", min_size=1, max_size=60))
def test_an_answer_that_can_be_read_equals_itself_and_order_does_not_matter(text: str) -> None:
    assert compare(text, text) == "correct"
    left, right = compare(text, "5"), compare("5", text)
    assert (left == "correct") == (right == "correct")
