"""What goes to Math-Verify, and what never does."""

from __future__ import annotations

import threading

import pytest

from dualtune.grade.symbolic import same_by_sympy


@pytest.mark.parametrize(
    ("answer", "gold", "same"),
    [
        (r"\sum_{i=1}^{10} i", "55", True),
        (r"\sum_{i=1}^{10} i", "54", False),
        (r"\lfloor 3.5 \rfloor", "3", True),
        (r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}", "-2", True),
        (r"\int_0^1 x dx", r"\frac{1}{2}", True),
    ],
)
def test_formulas_beyond_the_grammar(answer: str, gold: str, same: bool) -> None:
    assert same_by_sympy(answer, gold) is same


@pytest.mark.parametrize(
    "formula",
    [
        "5^{5^{5^5}}",
        "10**10**10",
        "2^{100000}",
        "99999!",
        "((10!)!)!",
        "2(3)",
        "3 4",
        "9" * 30,
        "x" * 500,
        "{" * 20 + "x" + "}" * 20,
        "}{",
        r"\input{x}",
        "lambda: 5",
        "words in a row",
        "",
    ],
)
def test_what_is_large_or_unknown_never_reaches_sympy(formula: str) -> None:
    assert same_by_sympy(formula, "5") is None
    assert same_by_sympy("5", formula) is None


def test_it_works_off_the_main_thread() -> None:
    found: list[bool | None] = []
    thread = threading.Thread(
        target=lambda: found.append(same_by_sympy(r"\lfloor 2.5 \rfloor", "2"))
    )
    thread.start()
    thread.join()
    assert found == [True]
